"""Let through one at a time, and whoever was due first."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Turnstile:
    """A lock for an event loop that is handed to whoever has been due for longest, not to who came first."""

    def __init__(self) -> None:
        self._is_taken = False
        self._numbers = count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, due: float) -> AsyncIterator[None]:
        """
        Hold the lock.

        :param due: when this turn was due. Of several that wait, the earliest is next.
        """
        await self._enter(due)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, due: float) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        opened = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (due, next(self._numbers), opened))
        try:
            await opened
        except asyncio.CancelledError:
            if opened.done() and not opened.cancelled():  # it was let through, and is not there any more
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, opened = heapq.heappop(self._waiting)
            if not opened.done():
                opened.set_result(None)
                return
        self._is_taken = False
