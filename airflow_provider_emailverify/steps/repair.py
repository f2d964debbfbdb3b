"""Say what a person has to do about a submission, in short lines, because Airflow's log page cuts long ones."""

from __future__ import annotations

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

    def in_doubt(self, number: int, why: str) -> SubmissionUnknownError:
        """
        Return the error of a batch of which nobody knows whether the vendor has accepted it.

        :param number: the batch.
        :param why: what happened.
        """
        size = self._plan.size_of(number)
        what = f"{self.describe(number)}: nobody knows whether it was accepted."
        return SubmissionUnknownError(what).with_steps(
            "Nobody knows whether this batch was accepted:",
            self.describe(number),
            f"{why.rstrip('.')}.",
            f"{self._hook.hook_name} may have accepted it and charged up to {size:,} credit{'s' * (size != 1)}.",
            f"1. Look for it in the vendor's dashboard, by its name or its {_addresses(size)}. Its name is",
            f"   {self._names[number]}",
            *self._write(
                f"If it is there, set {self._records.where(number)}",
                "to its id, a JSON string; if it is not, to false.",
            ),
        )

    def in_doubt_since_earlier(self, number: int, record: BatchRecord) -> SubmissionUnknownError:
        """
        Return the error of a batch that an earlier try may have submitted.

        :param number: the batch.
        :param record: what was written down of it.
        """
        if not self._records.is_missing or record.fate is not BatchFate.ABSENT:
            return self.in_doubt(number, _WHY[record.fate])
        this_try = f"This is try {self._records.try_number}"
        return SubmissionUnknownError(f"{this_try}, and there is no record of what earlier tries bought.").with_steps(
            f"{self._hook.client.name}: there is no record of what earlier tries of this task bought.",
            "Either they ended before they began, or their records are gone."
            if self._records.records.is_kept
            else "Airflow before 3.3 keeps none. The argument ledger='s3://…/' does.",
            f"What they may have bought is up to {_addresses(self._plan.emails)}.",
            "1. Look for batches of this run in the vendor's dashboard. Their names begin with",
            f"   {self._names.stem}",
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
