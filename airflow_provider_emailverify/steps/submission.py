"""Submit one list to one vendor in batches, and pay for each batch once."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Literal

from airflow_provider_emailverify.batches import parse_id
from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    RateLimitedError,
    SubmissionUnknownError,
    TransientError,
    UnsupportedOperationError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.steps.batch_record import BatchFate, BatchRecord, Plan
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.steps.records import PurchaseRecords
from airflow_provider_emailverify.steps.repair import Repair
from airflow_provider_emailverify.steps.room import Room

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.lists.address_file import AddressFile
    from airflow_provider_emailverify.steps.names import BatchNames

# The turn is acquired before a batch is written down, and attempts are repeated by who writes it down.
_TURN_IS_TAKEN = CallPolicy(attempts=1, wait_for_turn=False)
# A vendor may still be taking a batch in when it says that it knows none of that name.
_SETTLED_AFTER_SECONDS = 600.0

log = logging.getLogger(__name__)

OnUnknown = Literal["fail", "resubmit"]


class Submission:
    """
    Submit a list in batches, each once over all tries of a task.

    :param hook: the vendor's.
    :param emails: the addresses to buy.
    :param batch_size: addresses in a batch.
    :param names: how the batches are called.
    :param records: what earlier tries have written down.
    :param kill_switch: tells when to stop.
    :param clock: the time.
    :raises SourceChangedError: an earlier try began with another list, other batches or another connection.
    """

    def __init__(
        self,
        hook: EmailVerifyHook,
        emails: AddressFile,
        batch_size: int,
        names: BatchNames,
        records: PurchaseRecords,
        *,
        kill_switch: KillSwitch,
        clock: Clock = time,
    ) -> None:
        self.hook = hook
        self.emails = emails
        self.plan = Plan(hook.conn_id, batch_size, emails.unique, emails.sha256)
        #: How many batches the list makes.
        self.batches = self.plan.batches
        #: The ids of the batches that the vendor accepted, by number.
        self.accepted: dict[int, str] = {}
        self._names = names
        self._records = records
        self._kill_switch = kill_switch
        self._clock = clock
        self._repair = Repair(hook, self.plan, names, records)
        self._in_doubt: dict[int, BatchRecord] = {}
        self._own: list[int] = []  # what this process submitted and may cancel
        self._cancelled: set[int] = set()
        self._room = Room(hook, records, self.accepted, self.wait)
        self._resume()

    @property
    def resumed(self) -> int:
        """How many batches an earlier try had submitted."""
        return len(self.accepted) - len(self._own)

    @property
    def remaining(self) -> int:
        """How many addresses are still to be submitted."""
        return sum(self.plan.size_of(number) for number in range(1, self.batches + 1) if number not in self.accepted)

    def settle_doubts(self, on_unknown: OnUnknown) -> None:
        """
        Find out what became of the batches that an earlier try may have submitted.

        :param on_unknown: what to do if the vendor cannot tell.
        :raises SubmissionUnknownError: it cannot tell, and ``on_unknown`` is ``fail``.
        :raises TransientError: it will be able to tell in a few minutes.
        """
        for number, record in sorted(self._in_doubt.items()):
            is_known, batch_id = self._find(number, record)
            if not is_known:
                if on_unknown == "fail":
                    raise self._repair.in_doubt_since_earlier(number, record)
                log.warning("%s is submitted again, as on_unknown_submission says.", self._repair.describe(number))
                continue
            if batch_id:
                self._accept(number, self._checked_id(number, batch_id))
            else:
                self._records.write(number, self.plan, self._names[number], refused=True)
            del self._in_doubt[number]

    def run(self, on_unknown: OnUnknown) -> list[str]:
        """
        Submit the batches that were not submitted yet, and return the ids of all.

        :param on_unknown: ``resubmit`` lets the next try send again what may have been accepted by now.
        :raises SubmissionUnknownError: nobody knows whether the vendor took a batch, and ``on_unknown`` is ``fail``.
        :raises SubmissionStoppedError: the task was killed.
        :raises NoRoomError: the vendor takes no batch more until another one has ended. It may be called again then.
        :raises EmailVerifyError: the vendor refused a batch; what was submitted before stays submitted.
        """
        # Pauses between the attempts can be ended by a kill.
        again = self.hook.client.retrying(RateLimitedError, VendorUnreachableError).copy(sleep=self.wait)
        for number, batch in enumerate(self.emails.batches(self.plan.batch_size), 1):
            self._kill_switch.check()
            if number not in self.accepted:
                self._room.require(number)
                again(self._submit, number, batch, on_unknown)
        return [self.accepted[number] for number in range(1, self.batches + 1)]

    def wait(self, seconds: float) -> None:
        """
        Wait, unless the task is killed.

        :param seconds: how long.
        :raises SubmissionStoppedError: the task was killed.
        """
        with self._kill_switch.waiting():
            self._clock.sleep(seconds)

    def cancel(self, hook: EmailVerifyHook) -> None:
        """
        Cancel at the vendor what this process submitted. It may be called by a signal handler, and again.

        :param hook: one of the signal handler's own, for the other may be in the middle of something.
        """
        for number in reversed(self._own):
            if number in self._cancelled:
                continue
            try:
                hook.cancel_batch(self.accepted[number])
            except EmailVerifyError as error:
                log.warning("%s was not cancelled: %s", self._repair.describe(number), error)
                if isinstance(error, UnsupportedOperationError):
                    return
            else:
                self._cancelled.add(number)
                log.info("%s was cancelled, id %s", self._repair.describe(number), self.accepted[number])

    def record_cancelled(self) -> None:
        """Write down which batches were cancelled, so that no later try takes them for good ones."""
        for number in self._cancelled:
            self._records.write(number, self.plan, self._names[number], cancelled=self.accepted[number])

    def _resume(self) -> None:
        found = self._records.read_all(self.batches)
        bought = {number: record for number, record in found.items() if record.fate is BatchFate.ACCEPTED}
        doubts = {number: record for number, record in found.items() if self._records.is_in_doubt(number, record)}
        changed = self._records.changed(self.plan)
        belong = {record.plan for record in (*bought.values(), *doubts.values())} - {None, self.plan.key}
        if (changed and (bought or doubts)) or belong:
            raise self._repair.source_changed(changed)
        if changed:
            self._records.forget()
        self._in_doubt = doubts
        for number, record in bought.items():
            self.accepted[number] = self._checked_id(number, record.batch_id)
        self._note_progress()

    def _find(self, number: int, record: BatchRecord) -> tuple[bool, str]:
        """Ask the vendor for a batch. Return whether it can tell, and the id; "" if there is no such batch."""
        if record.fate is BatchFate.CANCELLED:
            return False, ""
        try:
            batch_id = self.hook.find_batch(self._names[number])
        except UnsupportedOperationError:
            return False, ""
        if batch_id is not None:
            return True, self._checked_id(number, batch_id)
        begun_at = self._records.begun_at(record)
        if begun_at is None:
            for other, doubt in self._in_doubt.items():
                if self._records.begun_at(doubt) is None:
                    self._records.note(other, self.plan, self._names[other])
            begun_at = self._clock.time()
        left = begun_at + _SETTLED_AFTER_SECONDS - self._clock.time()
        if left > 0:
            raise self._repair.too_young(number, left)
        return True, ""

    def _submit(self, number: int, batch: list[str], on_unknown: OnUnknown) -> None:
        self._wait_for_turn()  # before it is written down, because a try that dies while it waits has sent nothing
        self.hook.client.check_sendable()
        name = self._names[number]
        if not self._records.begin(number, self.plan, name):
            self._take_over(number)
            return
        if self._kill_switch.is_pulled:
            self._withdraw(number)
            raise self._kill_switch.stopped()
        try:
            batch_id = self.hook.with_policy(_TURN_IS_TAKEN).submit_batch(batch, name)
        except SubmissionUnknownError as error:
            if on_unknown == "fail":
                problem = self._own_words(error).removesuffix(error.advice).strip()
                raise self._repair.in_doubt_since_now(number, problem) from None
            raise TransientError(f"{error} The next try submits it again, as on_unknown_submission says.") from None
        except EmailVerifyError as error:  # the vendor took nothing, this time
            text = f"{self._repair.describe(number)}: {self._own_words(error)}"
            if number in self._in_doubt:
                raise error.with_message(f"{text} It stays in doubt whether an earlier try submitted it.") from None
            self._withdraw(number)
            raise error.with_message(text) from None
        except Exception as error:  # noqa: BLE001 - a fault of ours or of a library; its text may hold the key
            raise self._repair.in_doubt_since_now(number, f"The answer was lost ({type(error).__name__})") from None
        self._accept(number, self._checked_id(number, batch_id), is_own=True)

    def _own_words(self, error: EmailVerifyError) -> str:
        """Return an error without what the name of the batch says already."""
        return str(error).removeprefix(f"{self.hook.client.name}: ")

    def _withdraw(self, number: int) -> None:
        self._records.write(number, self.plan, self._names[number], refused=True)

    def _take_over(self, number: int) -> None:
        """Go on with a batch that another try has begun while this one runs."""
        record = self._records.read(number)
        if record.fate is BatchFate.ACCEPTED and record.plan in (None, self.plan.key):
            self._accept(number, self._checked_id(number, record.batch_id))
            return
        raise self._repair.begun_by_another(number, record)

    def _wait_for_turn(self) -> None:
        with self._kill_switch.waiting():
            self.hook.client.acquire_turn()

    def _checked_id(self, number: int, batch_id: object) -> str:
        """Return an id that only this batch has."""
        text = parse_id(batch_id)
        if not text.strip():
            raise self._repair.in_doubt(number, "It has no id in the vendor's answer")
        for other, other_id in self.accepted.items():
            if other != number and other_id.strip() == text.strip():
                raise self._repair.in_doubt(number, f"It has the id {text!r}, and so has batch {other}")
        return text

    def _accept(self, number: int, batch_id: str, *, is_own: bool = False) -> None:
        log.info("%s was accepted, id %s", self._repair.describe(number), batch_id)
        self.accepted[number] = batch_id
        if is_own:
            self._own.append(number)
        self._note_progress()
        try:
            self._records.write(number, self.plan, self._names[number], id=batch_id)
        except EmailVerifyError as error:
            raise self._repair.not_recorded(number, batch_id, error) from None

    def _note_progress(self) -> None:
        self._kill_switch.progress = f"{len(self.accepted)} of {self.batches} batches were submitted"
