"""Say what a person has to do about a submission, in short lines, because Airflow's log page cuts long ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    SourceChangedError,
    SubmissionUnknownError,
    TransientError,
)
from airflow_provider_emailverify.steps.batch_record import BatchFate, BatchRecord, Plan
from airflow_provider_emailverify.steps.records import PLAN, PurchaseRecords

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.steps.names import BatchNames

_CLEAR = "Clear the task. If Airflow asks whether to keep its state, keep it."
_WHY = {
    BatchFate.ABSENT: "An earlier try may have submitted it, and the record of that is gone",
    BatchFate.BEGUN: "An earlier try began to submit it, and its answer is lost",
    BatchFate.CANCELLED: "It was accepted, and cancelled when an earlier try was killed",
}

_BEGUN = BatchRecord(BatchFate.BEGUN)


class Repair:
    """
    Make the errors of one submission that ask something of a person.

    :param hook: the vendor's.
    :param plan: what is to be bought.
    :param names: how the batches are called.
    :param records: what was written down.
    """

    def __init__(self, hook: EmailVerifyHook, plan: Plan, names: BatchNames, records: PurchaseRecords) -> None:
        self._hook = hook
        self._plan = plan
        self._names = names
        self._records = records

    def describe(self, number: int) -> str:
        """
        Return how messages call a batch.

        :param number: the batch.
        """
        size = _addresses(self._plan.size_of(number))
        return f"{self._hook.client.name}, batch {number} of {self._plan.batches} ({size})"

    def in_doubt(self, number: int, why: str, record: BatchRecord = _BEGUN) -> SubmissionUnknownError:
        """
        Return the error of a batch of which nobody knows whether the vendor has accepted it, and a person has to look.

        :param number: the batch.
        :param why: what happened.
        :param record: what was written down of it.
        """
        return self._doubt(
            number,
            why,
            *self._look(number, record),
            *self._write(
                f"If it is there, set {self._records.where(number)}",
                "to its id, a JSON string; if it is not, to false.",
            ),
        )

    def in_doubt_since_now(self, number: int, why: str) -> SubmissionUnknownError:
        """
        Return the error of a batch whose answer was lost just now: the next try asks the vendor, if that can tell.

        :param number: the batch.
        :param why: what happened.
        """
        if not self._hook.has_call("find_batch"):
            return self.in_doubt(number, why, BatchRecord(BatchFate.BEGUN, at=self._records.begun_at(_BEGUN)))
        vendor = self._hook.hook_name
        return self._doubt(
            number,
            why,
            f"1. {_CLEAR}",
            f"   The next try asks {vendor} for the batch by its name, and goes on with it if it is there.",
            f"   If {vendor} knows none, that counts ten minutes after it was sent; then it is sent again.",
        )

    def in_doubt_since_earlier(self, number: int, record: BatchRecord) -> SubmissionUnknownError:
        """
        Return the error of a batch that an earlier try may have submitted.

        :param number: the batch.
        :param record: what was written down of it.
        """
        if not self._records.is_missing or record.fate is not BatchFate.ABSENT:
            return (
                self._cancelled(number, record) if record.batch_id else self.in_doubt(number, _WHY[record.fate], record)
            )
        this_try = f"This is try {self._records.try_number}"
        return SubmissionUnknownError(f"{this_try}, and there is no record of what earlier tries bought.").with_steps(
            f"{self._hook.client.name}: there is no record of what earlier tries of this task bought.",
            "Either they ended before they began, or their records are gone."
            if self._records.records.is_kept
            else "Airflow before 3.3 keeps none. The argument ledger='s3://…/' does.",
            f"What they may have bought is up to {_addresses(self._plan.emails)}.",
            *self._look_for_all(),
            *self._write(
                f"If there are none, set {self._records.records.where(PLAN)}",
                f"to false. If there are some, set it to {self._plan.batches}, and the records of all batches to",
                "their ids, or to false. Those of the first and the last batch are",
                self._records.where(1),
                self._records.where(self._plan.batches),
            ),
        )

    def not_recorded(self, number: int, batch_id: str, error: EmailVerifyError) -> SubmissionUnknownError:
        """
        Return the error of a batch that was accepted and cannot be written down.

        :param number: the batch.
        :param batch_id: the vendor's identifier of it.
        :param error: why it cannot.
        """
        return SubmissionUnknownError(f"{self.describe(number)}: accepted, but its id was not recorded.").with_steps(
            f"{self.describe(number)}: it was accepted and is paid for. Its id is",
            f"   {batch_id}",
            "It was not recorded, because:",
            *error.lines,
            *self._write(
                f"Set {self._records.where(number)}", "to that id, a JSON string.", first=1, may_resubmit=False
            ),
        )

    def source_changed(self, changed: list[str]) -> SourceChangedError:
        """
        Return the error of a list that is not the one that an earlier try began to submit.

        :param changed: what is different; nothing if only single records tell that something is.
        """
        what = " and ".join(changed) or "the list"
        before = self._records.recorded.get("emails", "an unknown number of")
        return SourceChangedError(
            f"{self._hook.client.name}: {what} changed since an earlier try began to submit this list."
        ).with_steps(
            f"{self._hook.client.name}: an earlier try of this task began to submit this list,",
            f"and since then {what} changed ({before} addresses then, {self._plan.emails} now).",
            "Going on would pay for some addresses twice and for others never.",
            "1. Put the source and the arguments back as they were.",
            f"2. {_CLEAR}",
            "Or trigger a new run, which pays for the whole list.",
        )

    def too_young(self, number: int, seconds: float) -> TransientError:
        """
        Return the error of a batch of which the vendor knows nothing, so far.

        :param number: the batch.
        :param seconds: after how long the vendor's word counts.
        """
        return TransientError(
            f"{self.describe(number)}: the vendor may still be taking it in; ask again in {seconds:.0f} s.", seconds
        ).with_steps(
            f"{self.describe(number)}: an earlier try may have submitted it.",
            "The vendor does not know it, but it may still be taking it in. Nothing is submitted until that is sure.",
            f"1. Wait for {seconds:.0f} s.",
            f"2. {_CLEAR}",
        )

    def begun_by_another(self, number: int, record: BatchRecord) -> EmailVerifyError:
        """
        Return the error of a batch that another try submits at this moment.

        :param number: the batch.
        :param record: what the other try has written down.
        """
        if record.fate is BatchFate.ACCEPTED:
            return self.source_changed([])
        return TransientError(f"{self.describe(number)}: another try of this task has begun to submit it.").with_steps(
            f"{self.describe(number)}: another try of this task has begun to submit it.",
            "Nothing was sent by this one. The next try sees what became of it.",
        )

    def _cancelled(self, number: int, record: BatchRecord) -> SubmissionUnknownError:
        """Return the error of a batch that was cancelled, at whatever moment of its life."""
        size = self._plan.size_of(number)
        what = f"{self.describe(number)}: cancelled, and nobody knows whether it is paid for."
        return SubmissionUnknownError(what).with_steps(
            "Nobody knows whether this batch is paid for:",
            self.describe(number),
            f"{_WHY[record.fate]}.",
            f"{self._hook.hook_name} may have charged up to {size:,} credit{'s' * (size != 1)}.",
            "1. Look for it in the vendor's dashboard. Its id is",
            f"   {record.batch_id}",
            *self._write(
                f"If it was completed all the same, set {self._records.where(number)}",
                "to that id, a JSON string; if it is to be bought again, to false.",
            ),
        )

    def _doubt(self, number: int, why: str, *to_do: str) -> SubmissionUnknownError:
        size = self._plan.size_of(number)
        what = f"{self.describe(number)}: nobody knows whether it was accepted."
        return SubmissionUnknownError(what).with_steps(
            "Nobody knows whether this batch was accepted:",
            self.describe(number),
            f"{why.rstrip('.')}.",
            f"{self._hook.hook_name} may have accepted it and charged up to {size:,} credit{'s' * (size != 1)}.",
            *to_do,
        )

    def _look(self, number: int, record: BatchRecord) -> list[str]:
        """Return the step by which a person finds a batch at the vendor."""
        size = _addresses(self._plan.size_of(number))
        if self._hook.batch_name:
            return [
                f"1. Look for it in the vendor's dashboard, by its name or its {size}. Its name is",
                f"   {self._hook.batch_name.format(name=self._names[number])}",
            ]
        at = self._records.begun_at(record)
        when = f", and was sent at {_shown(at)}{'' if record.at else ' or before'}" if at else ""
        lines = [
            "1. Look for it in the vendor's dashboard, or ask its support. It has no name, but",
            f"   {size}{when}.",
        ]
        if self._plan.batches > 1:
            lines.append("   It is none of those whose ids the logs of this task tell.")
        return lines

    def _look_for_all(self) -> list[str]:
        """Return the step by which a person finds at the vendor what earlier tries of this task may have bought."""
        if self._hook.batch_name:
            return [
                "1. Look for batches of this run in the vendor's dashboard. Their names begin with",
                f"   {self._hook.batch_name.partition('{name}')[0]}{self._names.stem}",
            ]
        sizes = [self._plan.size_of(number) for number in (1, self._plan.batches)]
        if self._plan.batches == 1:
            return [
                "1. Look for a batch of this run in the vendor's dashboard, or ask its support. It has no",
                f"   name, but {_addresses(sizes[0])}, and came while an earlier try ran.",
            ]
        last = f" (the last one {sizes[1]:,})" if sizes[0] != sizes[1] else ""
        return [
            "1. Look for batches of this run in the vendor's dashboard, or ask its support. They have",
            f"   no names, but {_addresses(sizes[0])} each{last}, and came while earlier tries ran.",
        ]

    def _write(self, *lines: str, first: int = 2, may_resubmit: bool = True) -> list[str]:
        """Return the steps by which a person tells the next try what is true."""
        resubmit = "on_unknown_submission='resubmit'"
        if not self._records.records.is_kept:
            return [f"{first}. Set {resubmit} and clear the task: it pays for the whole list again."]
        return [
            f"{first}. {lines[0]}",
            *(f"   {line}" for line in (*lines[1:], self._records.records.how_to_write)),
            f"{first + 1}. {_CLEAR}",
            *([f"Or set {resubmit}, clear the task, and risk paying twice."] if may_resubmit else []),
        ]


def _addresses(count: int) -> str:
    return "1 address" if count == 1 else f"{count:,} addresses"


def _shown(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
