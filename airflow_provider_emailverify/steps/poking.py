"""Ask for many batches within one poke of a sensor, a few at a time."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for_first
from contextvars import copy_context
from typing import TYPE_CHECKING

from airflow_provider_emailverify.exceptions import TransientError
from airflow_provider_emailverify.http.policy import CallPolicy

if TYPE_CHECKING:
    from airflow_provider_emailverify.batches import BatchStatus
    from airflow_provider_emailverify.exceptions import EmailVerifyError
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait

#: What a poke may last, beside the answers that are under way at its end.
POKE_SECONDS = 20.0
# Requests at the same time, where the vendor's limit allows.
_THREADS = 8
# A vendor that gives no useful answer to so many requests in a row is left alone until the next poke.
_FAILURES = 8


class Poke:
    """
    One poke: each open batch is asked for once at most, beginning where the last poke stopped.

    :param wait: the wait for the batches.
    :param hook: the vendor.
    :param clock: the time.
    """

    def __init__(self, wait: BatchesWait, hook: EmailVerifyHook, *, clock: Clock = time) -> None:
        self._wait = wait
        # Here is waited for a turn, so that a slow limit does not make a poke last.
        self._hook = hook.with_policy(CallPolicy(attempts=1, wait_for_turn=False))
        self._clock = clock
        self._left = deque(wait.open_batches())
        self._under_way: dict[Future[BatchStatus | EmailVerifyError], int] = {}
        self._failures = 0

    def run(self, seconds: float) -> int:
        """
        Ask until all were asked for or the time is over. Return how many were not.

        :param seconds: how long to begin new requests.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        :raises EmailVerifyError: an error that ends the wait for all batches.
        """
        end = self._clock.monotonic() + seconds
        self._wait.begin()
        self._wait.check_pause(self._hook.client.name)
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="emailverify-poke")
        try:
            while self._left and self._failures < _FAILURES:
                pause = self._send(pool, end)
                if self._clock.monotonic() + pause >= end:
                    break
                if self._under_way:
                    self._hear(pause or None)
                elif self._left:
                    self._clock.sleep(pause)
            while self._under_way:
                self._hear(None)
        finally:
            # What hangs is left alone: the vendor has its time-out.
            pool.shutdown(wait=False, cancel_futures=True)
        return len(self._left)

    def _send(self, pool: ThreadPoolExecutor, end: float) -> float:
        """Begin as many requests as may be. Return the seconds until there can be another one."""
        while self._left and len(self._under_way) < _THREADS and self._clock.monotonic() < end:
            if pause := self._wait.pause or self._hook.client.limit.try_acquire():
                return pause
            place = self._left.popleft()
            self._wait.stop_at(place)
            self._under_way[pool.submit(copy_context().run, self._wait.ask, place, self._hook)] = place
        return 0.0

    def _hear(self, seconds: float | None) -> None:
        """Record what has been answered, and wait for an answer before."""
        for poll in wait_for_first(self._under_way, seconds, FIRST_COMPLETED).done:
            place, answer = self._under_way.pop(poll), poll.result()
            self._wait.record(place, answer, self._hook)
            self._failures = self._failures + 1 if isinstance(answer, TransientError) else 0
