"""
Wait for a list of batches, with one budget of outage for all.

The budget counts from the first useless answer after a useful one, whichever batch each was for: an outage is a vendor
that answers nothing useful for any of them. A batch that alone gets no useful answer is asked for as long as others are
open, and ends the wait ``max_outage`` after the last useful answer for one of those.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import BatchStatus
from airflow_provider_emailverify.exceptions import (
    BatchFailedError,
    BatchNotFoundError,
    EmailVerifyError,
    TransientError,
)
from airflow_provider_emailverify.steps.batch_states import NAMED, BatchStates, count_of
from airflow_provider_emailverify.steps.waiting import Wait, count_outage

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock

log = logging.getLogger(__name__)

# Progress is logged with each tenth, and after this time.
_SECONDS = 900.0


class BatchesWait(Wait):
    """
    Ask for each batch of a list until all of them are final. Those that failed do not end the wait for the others.

    Several threads may ask; one of them records the answers.

    :param batch_ids: the vendor's identifiers of the batches, each once. A batch is called by its place among them.
    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param notes: the :attr:`notes` of an earlier process, when this one goes on with its wait. Those of another list
        are not used.
    :param others: what else the list holds, where this is the wait for a part of it: see :meth:`.BatchStates.others`.
    :param until_any: the wait is over when one of the batches is final.
    :param clock: the time.
    :ivar states: what is known of the batches.
    :ivar goes_on: whether the notes were of use.
    """

    __slots__ = ("_next", "_said", "_said_at", "_until_any", "_words", "goes_on", "states")
    _comfort = "The batches go on at the vendor. Nothing is lost, and nothing is paid for again."

    def __init__(
        self,
        batch_ids: Sequence[str],
        max_outage: float | None,
        notes: dict[str, Any] | None = None,
        *,
        others: dict[str, Any] | None = None,
        until_any: bool = False,
        clock: Clock = time,
    ) -> None:
        if notes and "list" in notes and notes["list"] != BatchStates(batch_ids).digest:
            log.warning("The list of batches is not what it was when this wait began. Beginning anew.")
            notes = None
        super().__init__(max_outage, notes, clock=clock)
        notes = notes or {}
        self.goes_on = "list" in notes
        self.states = BatchStates(batch_ids, notes, others)
        self._next: int = notes.get("next", 0)
        self._said: list[int] = notes.get("said") or self.states.tenths
        self._said_at: float = notes.get("said_at") or clock.time()
        self._until_any = until_any
        self._words: set[str] = set()

    @property
    def notes(self) -> dict[str, Any]:
        """What the next process has to know to go on with this wait, as primitives."""
        return {
            **super().notes,
            **self.states.notes,
            "list": self.states.digest,
            "next": self._next,
            "said": self._said,
            "said_at": self._said_at,
        }

    @property
    def is_over(self) -> bool:
        """Whether all batches are final, or as many as are waited for."""
        return self.states.is_over or (self._until_any and self.states.final > 0)

    def open_batches(self) -> list[int]:
        """Return the places of the batches that are not final. Those that were asked for last come last."""
        return self.states.open_from(self._next)

    def begin(self) -> None:
        """Note that the wait begins, if it has not begun."""
        if self._started is None:
            self._started = self._clock.monotonic()
            count = len(self.states.batch_ids)
            if self._until_any:
                log.info("Waiting until one of %s has ended.", count_of(count, "batch"))
            else:
                log.info("Waiting until %s %s ready.", count_of(count, "batch"), "is" if count == 1 else "are")

    def ask(self, place: int, hook: EmailVerifyHook) -> BatchStatus | EmailVerifyError:
        """
        Ask for a batch. Return what :meth:`record` takes.

        :param place: the batch.
        :param hook: the vendor.
        :raises EmailVerifyError: an error that ends the wait for all batches, such as a wrong key.
        """
        try:
            return self._ask_for(hook, self.states.batch_ids[place])
        except BatchNotFoundError as error:
            return error

    def record(self, place: int, answer: BatchStatus | EmailVerifyError, hook: EmailVerifyHook) -> None:
        """
        Note what was answered for a batch.

        :param place: the batch.
        :param answer: what :meth:`ask` returned.
        :param hook: the vendor.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        :raises AuthenticationError: the key is refused for longer than it takes to change it everywhere.
        """
        if isinstance(answer, TransientError):
            if self._failing_since is None:
                count_outage(hook)
            self.record_failure(answer)
            return
        self._record_answer(hook.client.name)
        status = answer if isinstance(answer, BatchStatus) else None
        failure = self.states.record(place, status)
        if failure and self.states.failed <= NAMED:
            log.warning("%s: %s.", hook.about(self.states.batch_ids[place]), failure)
        if status and not status.known and status.vendor_status not in self._words and len(self._words) < NAMED:
            self._words.add(status.vendor_status)
            log.warning("%r is not a documented status. Waiting on.", status.vendor_status)
        self._log_progress()

    def stop_at(self, place: int) -> None:
        """
        Let the next poke go on behind a batch.

        :param place: the batch that was asked for last.
        """
        self._next = place + 1

    def ready_ids(self, *, leave_out: bool) -> list[str]:
        """
        Return the ids of the batches that are ready, in the order of the list.

        :param leave_out: whether those that failed are left out.
        :raises BatchFailedError: some failed and are not to be left out, or none is ready.
        :raises BatchNotFoundError: as before, and the vendor knows none of those that are not ready.
        """
        states, ready = self.states, self.states.ready_ids
        if not states.failed or (leave_out and ready):
            return ready
        kind = BatchNotFoundError if states.are_failures_unknown else BatchFailedError
        what = f"{states.failed:,} of {count_of(len(states.batch_ids), 'batch')} failed"
        named = states.failures()
        if states.failed > len(named):
            named.append(f"and {states.failed - len(named):,} more")
        advice = kind.advice
        if ready:
            rest = "the one that is" if len(ready) == 1 else f"the {len(ready):,} that are"
            advice += f" To go on with {rest} ready, set failed_batches='leave_out' and clear this task."
        raise kind(f"{what}: {', '.join(named)}. {advice}").with_steps(f"{what}:", *named, *kind(advice).lines)

    def _log_progress(self) -> None:
        now, tenths = self._clock.time(), self.states.tenths
        is_late = not 0 <= now - self._said_at < _SECONDS
        if self.is_over:
            log.info("Waited %.0f s: %s.", self.waited, self.states.progress)
        elif is_late or tenths != self._said:
            log.info("%s.", self.states.progress)
            self._said, self._said_at = tenths, now

    @property
    def _what(self) -> str:
        places = self.open_batches()
        named = ", ".join(repr(self.states.batch_ids[place]) for place in places[:NAMED])
        more = f" and {len(places) - NAMED:,} more" if len(places) > NAMED else ""
        return f"{count_of(len(places), 'batch').capitalize()} ({named}{more})"
