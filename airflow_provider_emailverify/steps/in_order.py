"""Do the same for many items, a few at a time, and hand out what comes of it in the order of the items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol, TypeVar

from airflow_provider_emailverify.http.policy import Clock

_TURN_SECONDS = 0.2


class Closeable(Protocol):
    """What holds something open."""

    def close(self) -> None:
        """Let go of it."""


T = TypeVar("T")
C = TypeVar("C", bound=Closeable)


class StoppedError(Exception):
    """Somebody else failed, so that there is no use in going on."""


class Stop:
    """
    Tell threads to end soon.

    :param clock: what they wait by.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = threading.Event()

    def set(self) -> None:
        """Tell them."""
        self._event.set()

    def check(self) -> None:
        """
        Go on, unless the threads shall end.

        :raises StoppedError: they shall.
        """
        if self._event.is_set():
            raise StoppedError

    def sleep(self, seconds: float) -> None:
        """
        Wait, unless the threads shall end.

        :param seconds: how long.
        :raises StoppedError: they shall.
        """
        end = self._clock.monotonic() + seconds
        while (left := end - self._clock.monotonic()) > 0:
            self.check()
            self._clock.sleep(min(left, _TURN_SECONDS))
        self.check()


def in_order(work: Callable[[T], C], items: Iterable[T], stop: Stop, *, threads: int) -> Generator[C, None, None]:
    """
    Yield what ``work`` makes of each item, in the order of the items. Who takes it closes it.

    Twice as many results as there are threads wait to be taken, at most. The first error ends all of it, wherever its
    item stands. Close the iterator: what nobody took is closed then.

    :param work: called in threads; it ends early when ``stop`` says so.
    :param items: the items.
    :param stop: set when the iteration ends.
    :param threads: how many work at a time.
    """
    left = iter(items)
    pending: deque[Future[C]] = deque()
    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="emailverify-download") as pool:
            try:
                while True:
                    pending.extend(pool.submit(work, item) for item in islice(left, 2 * threads - len(pending)))
                    if not pending:
                        return
                    _wait_for_first(pending)
                    yield pending.popleft().result()
            finally:
                stop.set()
                for future in pending:
                    future.cancel()
    finally:
        for future in pending:
            if not future.cancelled() and future.exception() is None:
                future.result().close()


def _wait_for_first(pending: deque[Future[C]]) -> None:
    """Wait for the first of them; raise at once if any of them fails."""
    while True:
        running = []
        for future in pending:
            if not future.done():
                running.append(future)
            elif error := future.exception():
                raise error
        if pending[0].done():
            return
        wait(running, return_when=FIRST_COMPLETED)
