"""
Wait for one batch: what each answer means, and how long a vendor may give none.

:mod:`.waiting_for_many` does it for a list of batches.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_emailverify.batches import BatchState, BatchStatus
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchFailedError,
    EmailVerifyError,
    RateLimitedError,
    TransientError,
    VendorOutageError,
)

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock

log = logging.getLogger(__name__)

#: For so long a connection may be missing that was there before: a secrets backend that is away looks the same. And a
#: key may be refused that was taken before: it was changed at the vendor, and is about to be in the connection.
MISSING_SECONDS = 600.0


class KeyRefusedError(TransientError):
    """
    The vendor refuses a key that it took before.

    :param what: what was asked for.
    :param refusal: what the vendor said.
    """

    def __init__(self, what: str, refusal: AuthenticationError) -> None:
        super().__init__(
            f"{what}: the vendor refuses the key that it took before. If the key was changed, set the connection's "
            "Password to the new one."
        )
        self.refusal = refusal


class Wait:
    """
    Count how long a wait has lasted, and for how long the vendor has answered nothing useful.

    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param notes: the :attr:`notes` of an earlier process, when this one goes on with its wait.
    :param clock: the time.
    """

    # Thousands of them wait at the same time, and the garbage collector looks at each object that they have.
    __slots__ = ("_clock", "_failing_since", "_not_before", "_started", "_was_answered", "max_outage")

    #: The end of each outage, for the person on call.
    _comfort = "The batch goes on at the vendor. Nothing is lost, and nothing is paid for again."

    def __init__(self, max_outage: float | None, notes: dict[str, Any] | None = None, *, clock: Clock = time) -> None:
        self._clock = clock
        self.max_outage = max_outage
        notes = notes or {}
        # Each process has a monotonic clock of its own, so notes are by the wall clock.
        ahead = self._clock.monotonic() - self._clock.time()
        self._started: float | None = notes["started"] + ahead if notes.get("started") else None
        self._failing_since: float | None = notes["failing_since"] + ahead if notes.get("failing_since") else None
        self._not_before: float = notes["not_before"] + ahead if notes.get("not_before") else 0.0
        self._was_answered: bool = notes.get("was_answered", False)

    @property
    def notes(self) -> dict[str, Any]:
        """What the next process has to know to go on with this wait, as primitives."""
        behind = self._clock.time() - self._clock.monotonic()
        return {
            "started": self.started_at,
            "failing_since": self._failing_since + behind if self._failing_since is not None else None,
            "not_before": self._not_before + behind if self.pause else None,
            "was_answered": self._was_answered,
        }

    @property
    def started_at(self) -> float | None:
        """When the wait began, in seconds since 1970; None before the first poll."""
        return None if self._started is None else self._started + self._clock.time() - self._clock.monotonic()

    @property
    def outage(self) -> float:
        """Seconds since the first of the answers that were of no use; 0 if the last one was."""
        return 0.0 if self._failing_since is None else self._clock.monotonic() - self._failing_since

    @property
    def pause(self) -> float:
        """Seconds for which the vendor wants to be left alone, 0 at the least, and not beyond the end of the budget."""
        pause = self._not_before - self._clock.monotonic()
        return max(0.0, pause if self.max_outage is None else min(pause, self.max_outage - self.outage))

    @property
    def waited(self) -> float:
        """Seconds since the first poll."""
        return 0.0 if self._started is None else self._clock.monotonic() - self._started

    def record_failure(self, error: TransientError) -> None:
        """
        Count a failed poll against the budget.

        :param error: what there was in place of an answer.
        :raises VendorOutageError: the budget is used up.
        :raises AuthenticationError: the key is refused for longer than it takes to change it everywhere.
        """
        now = self._clock.monotonic()
        is_first = self._failing_since is None
        if is_first:
            self._failing_since = now
        self._not_before = now + (error.retry_after or 0.0)
        if isinstance(error, KeyRefusedError) and self.outage >= MISSING_SECONDS:
            raise error.refusal
        if self.max_outage is not None and self.outage >= self.max_outage:
            self._give_up(error)
        log.log(logging.WARNING if is_first else logging.DEBUG, "%s Asking again later.", error)

    def check_pause(self, about: str) -> None:
        """
        End a wait whose vendor wants to be left alone until the budget is used up.

        :param about: how messages call what is waited for.
        :raises VendorOutageError: the budget is used up.
        """
        if self.max_outage is not None and not self.pause and self._clock.monotonic() < self._not_before:
            self._give_up(TransientError(f"{about}: the vendor wants to be left alone for longer."))

    def _record_answer(self, about: str) -> None:
        """Note that the vendor has answered something useful."""
        if self._failing_since is not None:
            log.info("%s answers again, after %.0f s.", about, self.outage)
        self._failing_since = None
        self._was_answered = True

    def _ask_for(self, hook: EmailVerifyHook, batch_id: str) -> BatchStatus | TransientError:
        """Ask as :func:`ask` does. A key that was good before may be changed: that it is refused passes."""
        try:
            return ask(hook, batch_id)
        except AuthenticationError as error:
            if not self._was_answered:
                raise
            return KeyRefusedError(hook.about(batch_id), error)

    def _give_up(self, last: TransientError) -> NoReturn:
        what = f"{self._what}: no useful answer for {self.outage:.0f} s, and max_outage is {self.max_outage:g} s."
        raise VendorOutageError(what).with_steps(
            what,
            "This is what came last:",
            *last.lines,
            self._comfort,
            "1. Wait until the vendor answers, or mend what the lines above say.",
            "2. Clear this task.",
        ) from None

    @property
    def _what(self) -> str:
        """What is waited for, as a message begins."""
        raise NotImplementedError


class BatchWait(Wait):
    """
    Ask for a batch until it is ready. The sensor and the triggers all wait through this, so they agree.

    :param batch_id: the vendor's identifier of the batch.
    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param notes: the :attr:`notes` of an earlier process, when this one goes on with its wait.
    :param clock: the time.
    :ivar status: the vendor's last useful answer; None before the first.
    """

    __slots__ = ("_last_word", "batch_id", "status")

    def __init__(
        self, batch_id: str, max_outage: float | None, notes: dict[str, Any] | None = None, *, clock: Clock = time
    ) -> None:
        super().__init__(max_outage, notes, clock=clock)
        self.batch_id = batch_id
        self.status: BatchStatus | None = None
        self._last_word: str = (notes or {}).get("last_word", "")

    @property
    def notes(self) -> dict[str, Any]:
        """What the next process has to know to go on with this wait, as primitives."""
        return {**super().notes, "last_word": self._last_word}

    def ask(self, hook: EmailVerifyHook) -> BatchStatus | None:
        """
        Ask once. Return the status of a batch that is ready, else None.

        :param hook: the vendor.
        :raises BatchFailedError: the batch failed or was cancelled.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        :raises EmailVerifyError: another error that waiting does not cure.
        """
        if self.pause:
            return None
        about = hook.about(self.batch_id)
        self.check_pause(about)
        if self._started is None:
            self._started = self._clock.monotonic()
            log.info("%s: waiting until it is ready.", about)
        try:
            status = self._answer(hook, about)
        except EmailVerifyError as error:
            log.info("%s: waited %.0f s, then failed: %s.", about, self.waited, type(error).__name__)
            raise
        if status is not None:
            log.info("%s: waited %.0f s; it is ready.", about, self.waited)
        return status

    @property
    def _what(self) -> str:
        return f"Batch {self.batch_id!r}"

    def _answer(self, hook: EmailVerifyHook, about: str) -> BatchStatus | None:
        status = self._ask_for(hook, self.batch_id)
        if isinstance(status, TransientError):
            if self._failing_since is None:
                count_outage(hook)
            self.record_failure(status)
            return None
        self._record_answer(about)
        self.status = status
        self._log_change(status)
        if status.state in (BatchState.FAILED, BatchState.CANCELLED):
            raise BatchFailedError.advised(f"{about}: the vendor says {status.vendor_status!r}.")
        return status if status.state is BatchState.READY else None

    def _log_change(self, status: BatchStatus) -> None:
        if status.vendor_status == self._last_word:
            return
        self._last_word = status.vendor_status
        log.info("Batch %r at %s is %s (%r).", self.batch_id, status.vendor, status.state, status.vendor_status)
        if not status.known:
            log.warning("%r is not a documented status. Waiting on.", status.vendor_status)


def ask(hook: EmailVerifyHook, batch_id: str) -> BatchStatus | TransientError:
    """
    Ask for a batch once, and count the poll. Return what the vendor says, or what there was in place of an answer.

    :param hook: the vendor.
    :param batch_id: the batch.
    :raises EmailVerifyError: an error that waiting does not cure.
    """
    # Not at module level: DAG files import this module, and Airflow's metrics are not theirs.
    from airflow_provider_emailverify.steps.metrics import count

    count("polls", hook)
    try:
        return hook.get_batch_status(batch_id)
    except TransientError as error:
        if isinstance(error, RateLimitedError):
            count("throttled", hook)
        return error


def count_outage(hook: EmailVerifyHook) -> None:
    """
    Count an outage that begins.

    :param hook: whose outage it is.
    """
    from airflow_provider_emailverify.steps.metrics import count

    count("outages", hook)
