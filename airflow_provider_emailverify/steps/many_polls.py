"""Ask for the batches of a list in the triggerer, each at its own interval, without a task for each."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from airflow_provider_emailverify.batches import BatchStatus
from airflow_provider_emailverify.exceptions import EmailVerifyError, TransientError
from airflow_provider_emailverify.steps.intervals import Intervals

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.turnstile import Turnstile
    from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait

    Answer = tuple[EmailVerifyHook, BatchStatus | EmailVerifyError]

T = TypeVar("T")


class Sender(Protocol):
    """What is used of the poller."""

    waits: int
    queue: Turnstile

    async def send(self, ask: Callable[[EmailVerifyHook], T]) -> Future[T]:
        """Let a thread ask as soon as one is idle and the rate limit lets one more request pass."""


class ManyPolls:
    """
    The polls of one wait for many batches: a heap that says when each is due.

    It takes a turn of the poller for each batch, as if each were a wait of its own.

    :param sender: the poller.
    :param wait: the wait.
    :param interval: seconds between two polls of a batch at least.
    :param unasked: of so many batches, the first ones, the sensor has not asked just before.
    :param clock: the time.
    """

    def __init__(
        self, sender: Sender, wait: BatchesWait, interval: float, unasked: int, *, clock: Clock = time
    ) -> None:
        self._sender = sender
        self._wait = wait
        self._loop = asyncio.get_running_loop()
        # Airflow finds the log of a trigger by its context, also for what is said of an answer.
        self._context = copy_context()
        self._news = asyncio.Event()
        self._failure: Exception | None = None
        places, now = wait.open_batches(), self._loop.time()
        waits = sender.waits + len(places)
        self._intervals = {place: Intervals(interval, clock=clock) for place in places}
        self._due = [
            (now + self._intervals[place].first(waits, was_asked=number >= unasked), place)
            for number, place in enumerate(places)
        ]
        heapq.heapify(self._due)

    async def run(self) -> None:
        """
        Ask until all batches are final.

        :raises EmailVerifyError: waiting on is pointless.
        """
        self._wait.begin()
        while not self._wait.is_over:
            if self._failure:
                raise self._failure
            if not self._due:
                await self._hear(None)
            elif (pause := max(self._wait.pause, self._due[0][0] - self._loop.time())) > 0:
                await self._hear(pause)
            else:
                async with self._sender.queue.turn(self._due[0][0]):
                    if not self._wait.pause and not self._failure:
                        await self._send_next()

    async def _send_next(self) -> None:
        _, place = heapq.heappop(self._due)
        try:
            poll = await self._sender.send(partial(self._ask, place))
        except TransientError as error:
            self._wait.record_failure(error)
            heapq.heappush(self._due, (self._loop.time() + self._intervals[place].floor, place))
        else:
            poll.add_done_callback(partial(self._answered, place, self._loop.time()))

    def _ask(self, place: int, hook: EmailVerifyHook) -> Answer:
        return hook, self._wait.ask(place, hook)

    def _answered(self, place: int, asked_at: float, poll: Future[Answer]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._record, place, asked_at, poll, context=self._context)

    def _record(self, place: int, asked_at: float, poll: Future[Answer]) -> None:
        try:
            hook, answer = poll.result()
            self._wait.record(place, answer, hook)
        except Exception as error:  # noqa: BLE001 - it ends the wait, which waits elsewhere
            self._failure = self._failure or error
            self._news.set()
            return
        if not self._wait.states.is_open(place):
            del self._intervals[place]
            if self._wait.is_over:
                self._news.set()
            return
        status = answer if isinstance(answer, BatchStatus) else None
        # From one request to the next, however long the answer took.
        due = asked_at + self._intervals[place].next(status)
        if not self._due or due < self._due[0][0]:
            self._news.set()
        heapq.heappush(self._due, (due, place))

    async def _hear(self, seconds: float | None) -> None:
        """Wait until something has changed, or for a time."""
        self._news.clear()
        alarm = None if seconds is None else self._loop.call_later(seconds, self._news.set)
        try:
            await self._news.wait()
        finally:
            if alarm:
                alarm.cancel()
