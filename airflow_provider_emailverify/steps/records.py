"""
Write down what a task buys, so that no later try of it buys the same again.

The records
    One *plan* for each task instance:

    ``{"begun": 0}``
        A try has started. Nothing was sent.
    ``{"begun": 3, "batches": 9, "at": …, "conn_id": …, "batch_size": …, "emails": …, "sha256": …}``
        Which list it is, how many batches it makes, and that the batches 1 to 3 may have been sent, the last of them
        at that time.

    One record for each *batch*, which names its plan:

    ``{"plan": …, "name": …, "at": …}``
        Begun: it may have been sent.
    the same with ``"id"``
        The vendor has accepted it.
    the same with ``"refused": true``
        The vendor has taken nothing, or nothing was sent.
    the same with ``"cancelled"``
        It was accepted, and cancelled when the task was killed.

    Where the vendor works on so many batches at a time only, and a list makes more, one record of those that were open:

    ``{"open": [7, 9], "before": 10}``
        Of the batches 1 to 9 the others have ended. Without it, the vendor is asked for each.

    A person writes the vendor's id in place of a batch that was bought, and ``false`` in place of one that was not; and
    in place of a plan that is gone, the number of batches that may have been bought, or ``false`` for none.

The order
    The plan with ``"begun": 0`` is written by the first line of the first try, before anything can go wrong. For each
    batch then: its record "begun", the plan's count, the request, its record "accepted" or "refused". A batch's record
    is claimed: a ledger creates it exclusively, so that of two tries that run at once only one sends the batch.

What a later try makes of it
    The absence of a record proves nothing, for a store can lose it, and Airflow's client takes any 404 on the way for
    "no such key". So plan and batches vouch for each other:

    ============  ==========================  ==============================================================
    plan          batch n                     means
    ============  ==========================  ==============================================================
    absent        all absent, first try       no earlier try: begin
    absent        any present, first try      as in a later try
    absent        absent                      in doubt: the earlier try ended before its first line, or the
                                              records are gone
    any           accepted, of the same plan  bought
    any           begun, cancelled, cut       in doubt
    any           refused, or ``false``       not bought
    begun < n     absent                      not bought
    begun >= n    absent                      in doubt: the record is gone
    another list  all refused or absent       begin with this list
    another list  anything else               the source has changed
    ============  ==========================  ==============================================================

    A crash leaves at most one batch in doubt: the one whose record says "begun".
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.steps.batch_record import (
    BatchFate,
    BatchRecord,
    Plan,
    is_count,
    parse_record,
    parse_time,
)

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.state import Records

PLAN = "emailverify_plan"
ANSWERS = "emailverify_answers"
OPEN = "emailverify_open"
_AHEAD_SECONDS = 600.0
# A record that is missed may be there a moment later, when what is in the way of the API has gone.
_LOOK_AGAIN_AFTER = (1.0, 4.0)


@dataclass(frozen=True, slots=True)
class OpenBatches:
    """
    Which batches the vendor worked on when it was asked last.

    :param open: their numbers.
    :param before: of the batches with lower numbers, those that are not open have ended.
    """

    open: Sequence[int]
    before: int

    def has_ended(self, number: int) -> bool:
        """
        Tell whether a batch that was accepted has ended.

        :param number: the batch.
        """
        return number < self.before and number not in self.open


class PurchaseRecords:
    """
    Read and write the records of one task instance.

    :param records: where they are kept.
    :param try_number: which try of the task this is; 1 proves that there was none before.
    :param was_cleared: tasks of this run were cleared, and records may have gone with that.
    :param clock: the time.
    :ivar is_missing: an earlier try should have left a plan, and there is none, or one that is cut.
    """

    def __init__(self, records: Records, try_number: int, *, was_cleared: bool = True, clock: Clock = time) -> None:
        self.records = records
        self.try_number = try_number
        self._was_cleared = was_cleared
        self.is_missing = False
        self._clock = clock
        self._is_first = False
        self._plan: dict[str, Any] = {"begun": 0}

    def start(self) -> None:
        """Read the plan of an earlier try, or note that this is the first one. Nothing else may come before it."""
        found = self.records.get(PLAN)
        if found is None and self.try_number > 1:
            found = self._look_again(PLAN)
        if found is None and self._none_can_be_lost and self.records.claim(PLAN, self._plan | {"at": self._now()}):
            self._is_first = True
            return
        if found is None and self._none_can_be_lost:
            found = self._look_again(PLAN)  # another try has just written it
        if found is False or found == "false" or is_count(found):
            found = {"begun": found if is_count(found) else 0}  # a person's word
        if isinstance(found, dict) and is_count(found.get("begun")):
            self._plan = found
        else:
            self.is_missing = True

    @property
    def _none_can_be_lost(self) -> bool:
        """Whether no plan means that none was made: earlier tries, if there were any, ended before they bought."""
        return self.try_number <= 1 or (self.records.is_kept and not self._was_cleared)

    @property
    def recorded(self) -> dict[str, Any]:
        """What an earlier try wrote about its list."""
        return self._plan

    @property
    def batches(self) -> int:
        """How many batches an earlier try planned."""
        batches: Any = self._plan.get("batches")
        return int(batches) if is_count(batches) else 0

    @property
    def answers(self) -> Any:
        """What an earlier try wrote about the answers that cost nothing: ``uri`` and ``sha256``; None if nothing."""
        return self.records.get(ANSWERS)

    def note_answers(self, answers: dict[str, str]) -> None:
        """
        Write down which answers cost nothing, before anything is bought.

        :param answers: ``uri`` and ``sha256`` of the file.
        """
        self.records.set(ANSWERS, answers)

    @property
    def open_batches(self) -> OpenBatches | None:
        """Which batches were open when the vendor was asked last; None if nobody wrote it down."""
        match self.records.get(OPEN):
            case {"open": list(numbers), "before": int(before)} if all(map(is_count, numbers)):
                return OpenBatches(numbers, before)
        return None

    def note_open(self, batches: OpenBatches) -> None:
        """
        Write down which batches are open.

        :param batches: the batches.
        """
        self.records.set(OPEN, {"open": list(batches.open), "before": batches.before})

    def changed(self, plan: Plan) -> list[str]:
        """
        Return what is different from what an earlier try began to buy; nothing if there was none.

        :param plan: what this try wants to buy.
        """
        return [name for name, value in asdict(plan).items() if name in self._plan and self._plan[name] != value]

    def forget(self) -> None:
        """Begin with another list: of the recorded one nothing was bought."""
        self._plan = {"begun": 0}

    def read_all(self, batches: int) -> dict[int, BatchRecord]:
        """
        Return the records of all batches, by number; those of an earlier plan too.

        :param batches: how many batches there are now.
        """
        values = {number: self._get(number) for number in range(1, max(batches, self.batches) + 1)}
        if self._is_first and any(value is not None for value in values.values()):
            self.is_missing = True  # it is not the first try, whatever its number
        for pause in () if self.is_missing else _LOOK_AGAIN_AFTER:
            gone = [number for number, value in values.items() if value is None and self._is_expected(number)]
            if not gone:
                break
            self._clock.sleep(pause)
            values.update({number: self._get(number) for number in gone})
        return {number: parse_record(value) for number, value in values.items()}

    def read(self, number: int) -> BatchRecord:
        """
        Return the record of a batch.

        :param number: the batch, counted from 1.
        """
        return parse_record(self._get(number))

    def is_in_doubt(self, number: int, record: BatchRecord) -> bool:
        """
        Tell whether a batch may have been bought.

        :param number: the batch.
        :param record: its record.
        """
        if record.fate is BatchFate.ABSENT:
            return self._is_expected(number)
        return record.fate in (BatchFate.BEGUN, BatchFate.CANCELLED)

    def begun_at(self, record: BatchRecord) -> float | None:
        """
        Return when a batch was begun at the latest, in seconds since 1970; None if nothing tells.

        :param record: its record.
        """
        at = record.at if record.at is not None else parse_time(self._plan.get("at"))
        # The clock of another worker may be ahead, but not by that much.
        return None if at is None or at > self._clock.time() + _AHEAD_SECONDS else at

    def begin(self, number: int, plan: Plan, name: str) -> bool:
        """
        Write down that a batch is about to be sent; return False if another try has just done so.

        :param number: the batch.
        :param plan: what it belongs to.
        :param name: how the vendor shall call it.
        """
        at = self._now()
        if not self.records.claim(batch_key(number), {"plan": plan.key, "name": name, "at": at}):
            return False
        begun = plan.batches if self.is_missing else max(number, self._plan["begun"])
        self._plan = {"begun": begun, "batches": plan.batches, "at": at, **asdict(plan)}
        try:
            self.records.set(PLAN, self._plan)
        except EmailVerifyError:
            with suppress(EmailVerifyError):  # nothing was sent, but the record says that it may have been
                self.write(number, plan, name, refused=True)
            raise
        return True

    def where(self, number: int) -> str:
        """
        Return how a person finds the record of a batch.

        :param number: the batch.
        """
        return self.records.where(batch_key(number))

    def note(self, number: int, plan: Plan, name: str) -> None:
        """
        Write down since when a batch is in doubt whose record is gone.

        :param number: the batch.
        :param plan: what it belongs to.
        :param name: how the vendor calls it.
        """
        self.records.claim(batch_key(number), {"plan": plan.key, "name": name, "at": self._now()})

    def write(self, number: int, plan: Plan, name: str, **outcome: Any) -> None:
        """
        Write down what became of a batch.

        :param number: the batch.
        :param plan: what it belongs to.
        :param name: how the vendor calls it.
        :param outcome: ``id``, ``refused`` or ``cancelled``.
        """
        self.records.set(batch_key(number), {"plan": plan.key, "name": name, "at": self._now(), **outcome})

    def _is_expected(self, number: int) -> bool:
        return self.is_missing or number <= self._plan["begun"]

    def _get(self, number: int) -> Any:
        return self.records.get(batch_key(number))

    def _look_again(self, key: str) -> Any:
        for pause in _LOOK_AGAIN_AFTER:
            self._clock.sleep(pause)
            if (value := self.records.get(key)) is not None:
                return value
        return None

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="seconds")


def batch_key(number: int) -> str:
    """
    Return the key of a batch's record.

    :param number: the batch, counted from 1.
    """
    return f"emailverify_batch_{number:05d}"
