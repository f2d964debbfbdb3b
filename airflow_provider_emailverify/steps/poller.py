"""Poll for many waits in the triggerer. All of one connection share a client, a pool of threads and a rate limit."""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self, TypeVar

from airflow_provider_emailverify.exceptions import ConnectionMissingError, TransientError
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.intervals import Intervals
from airflow_provider_emailverify.steps.many_polls import ManyPolls
from airflow_provider_emailverify.steps.turnstile import Turnstile
from airflow_provider_emailverify.steps.waiting import MISSING_SECONDS

if TYPE_CHECKING:
    from airflow_provider_emailverify.batches import BatchStatus
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.waiting import BatchWait
    from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait

log = logging.getLogger(__name__)

T = TypeVar("T")

# For one connection. Each has a pool of its own, so that a vendor that hangs holds up nobody else.
THREADS = 64
# A changed connection takes effect after this time.
HOOK_SECONDS = 60.0

_pollers: dict[tuple[AbstractEventLoop, str], Poller] = {}


def poller_of(conn_id: str, *, clock: Clock = time) -> Poller:
    """
    Return the poller that all waits of a connection share on this event loop. Use it in a ``with`` block.

    :param conn_id: the Airflow connection.
    :param clock: the time.
    """
    key = asyncio.get_running_loop(), conn_id
    if key not in _pollers:
        _pollers[key] = Poller(conn_id, clock=clock)
    return _pollers[key]


class Poller:
    """
    Ask the vendor of one connection on behalf of many waits: first come, first served, and never on the event loop.

    Each wait enters it once; the last one to leave closes it.

    :param conn_id: the Airflow connection.
    :param clock: the time.
    :ivar waits: how many waits there are.
    :ivar queue: whoever wants to ask holds a turn of it meanwhile.
    """

    def __init__(self, conn_id: str, *, clock: Clock = time) -> None:
        self._clock = clock
        self.conn_id = conn_id
        self.waits = 0
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="emailverify-poll")
        self._idle = asyncio.Semaphore(THREADS)
        self.queue = Turnstile()
        self._hook: EmailVerifyHook | None = None
        self._read_at = 0.0
        self._missing_since: float | None = None

    def __enter__(self) -> Self:
        """Count one wait more."""
        self.waits += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Count one wait less."""
        self.waits -= 1
        if not self.waits:
            del _pollers[self._loop, self.conn_id]
            self.close()

    async def wait_for(self, wait: BatchWait, interval: float) -> BatchStatus:
        """
        Ask for a batch until it is ready, and return its status.

        :param wait: the wait for the batch.
        :param interval: seconds between two polls at least.
        :raises EmailVerifyError: waiting on is pointless.
        """
        intervals = Intervals(interval, clock=self._clock)
        pause = intervals.first(self.waits)
        while True:
            await asyncio.sleep(pause)
            asked_at, status = await self._ask(wait)
            if status is not None:
                return status
            # From one request to the next, however long the answer took.
            pause = max(0.0, wait.pause, asked_at + intervals.next(wait.status) - self._loop.time())

    async def wait_for_all(self, wait: BatchesWait, interval: float, unasked: int = 0) -> None:
        """
        Ask for each batch of a list until all of them are final.

        :param wait: the wait for the batches.
        :param interval: seconds between two polls of a batch at least.
        :param unasked: of so many batches, the first ones, the sensor has not asked just before.
        :raises EmailVerifyError: waiting on is pointless.
        """
        await ManyPolls(self, wait, interval, unasked, clock=self._clock).run()

    async def _ask(self, wait: BatchWait) -> tuple[float, BatchStatus | None]:
        """Ask when the turn of this wait has come. Return when that was, and the status of a batch that is ready."""
        async with self.queue.turn(self._loop.time()):
            try:
                poll = await self.send(wait.ask)
            except TransientError as error:
                wait.record_failure(error)
                return self._loop.time(), None
            asked_at = self._loop.time()
        return asked_at, await asyncio.wrap_future(poll)

    async def send(self, ask: Callable[[EmailVerifyHook], T]) -> Future[T]:
        """
        Let a thread ask as soon as one is idle and the rate limit lets one more request pass. Hold a turn meanwhile.

        :param ask: what to do in the thread.
        :raises TransientError: the connection cannot be read now.
        :raises ConnectionConfigError: it cannot be used.
        """
        await self._idle.acquire()
        try:
            hook = await self._turn()
        except BaseException:
            self._idle.release()
            raise
        poll = self._pool.submit(copy_context().run, self._poll, hook, ask)
        # Not when the coroutine ends: it may be cancelled while the thread still waits for the vendor.
        poll.add_done_callback(self._release)
        return poll

    def close(self) -> None:
        """End the threads and the connections as soon as the polls under way have ended."""
        self._pool.submit(self._close)
        self._pool.shutdown(wait=False)

    async def _turn(self) -> EmailVerifyHook:
        """Wait until the rate limit lets one more request pass; return the hook to send it by."""
        while True:
            hook = self._hook
            if hook is None or self._loop.time() - self._read_at > HOOK_SECONDS:
                # In a thread: reading a connection can block an event loop for good before Airflow 3.3.2.
                hook = self._hook = await self._loop.run_in_executor(self._pool, copy_context().run, self._read, hook)
                self._read_at = self._loop.time()
            # In a thread: other processes count too, in a file or in Redis.
            pause = await self._loop.run_in_executor(self._pool, hook.client.limit.try_acquire)
            if not pause:
                return hook
            await asyncio.sleep(min(pause, HOOK_SECONDS))

    def _read(self, before: EmailVerifyHook | None) -> EmailVerifyHook:
        try:
            hook = _read_connection(self.conn_id, before)
        except ConnectionMissingError as error:
            now = self._loop.time()
            if self._missing_since is None:
                self._missing_since = now
            if now - self._missing_since >= MISSING_SECONDS:
                raise
            if before is None:
                raise TransientError(str(error)) from None
            log.warning("%s Going on with what it was.", error)
            return before
        self._missing_since = None
        return hook

    def _poll(self, hook: EmailVerifyHook, ask: Callable[[EmailVerifyHook], T]) -> T:
        from airflow_provider_emailverify.steps.metrics import gauge

        gauge("waits", self.waits, hook)
        return ask(hook)

    def _release(self, _: Future[Any]) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._idle.release)

    def _close(self) -> None:
        from airflow_provider_emailverify.steps.metrics import gauge

        if self._hook:
            gauge("waits", 0, self._hook)
            self._hook.client.close()


def _read_connection(conn_id: str, before: EmailVerifyHook | None) -> EmailVerifyHook:
    """Return the hook of a connection: the one from before, with its open sockets, if nothing has changed."""
    try:
        hook = open_hook(conn_id)
    except TransientError as error:
        if before is None:
            raise
        log.warning("%s Going on with what it was.", error)
        return before
    client = hook.client
    # A poll that fails is repeated after the wait's interval, not by a thread that sleeps. Its turn is acquired on the
    # event loop.
    hook = hook.with_policy(CallPolicy(attempts=1, wait_for_turn=False))
    if before is None:
        return hook
    # The limit is one object for each vendor and key.
    if (type(hook), client.limit, client.timeout) == (type(before), before.client.limit, before.client.timeout):
        return before
    before.client.close()
    return hook
