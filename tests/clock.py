"""Time that passes when everybody waits for it, so that an hour takes seconds."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from airflow_provider_emailverify.http import rate_limit
from airflow_provider_emailverify.steps import poller

T = TypeVar("T")


class Clock:
    """
    The monotonic clock, the wall clock and the sleep of our own modules; everybody else's go on as ever.

    :ivar now: seconds since this clock was made.
    :ivar epoch: the wall clock's time when it was made.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.epoch = time.time()
        self._busy = 0
        monkeypatch.setattr(rate_limit, "_limits", rate_limit.AccountLimits(clock=self))
        clock = self

        class CountedPool(ThreadPoolExecutor):
            """Tells the clock that a thread is at work, so that no time passes meanwhile."""

            def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
                loop = asyncio.get_running_loop()
                clock._busy += 1
                future = super().submit(*args, **kwargs)
                # After the callbacks that the poller adds, or time would pass before it hears of the result.
                loop.call_soon(future.add_done_callback, lambda _: clock._tell(loop))
                return future

        monkeypatch.setattr(poller, "ThreadPoolExecutor", CountedPool)

    def monotonic(self) -> float:
        """Return the time that has passed."""
        return self.now

    def time(self) -> float:
        """Return the wall clock's time."""
        return self.epoch + self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.now += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on an event loop that goes by this clock."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(main)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(self._idle)

    def _idle(self) -> None:
        self._busy -= 1


def running_clock() -> Any:
    """Return the clock by which the running event loop goes: the one of a test, or the module ``time``."""
    return getattr(asyncio.get_running_loop(), "clock", time)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        return self.clock.now


class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__()

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if timeout is None or self._clock._busy:
            return super().select(0.02)
        ready = super().select(0)
        if not ready:
            self._clock.now += timeout
        return ready
