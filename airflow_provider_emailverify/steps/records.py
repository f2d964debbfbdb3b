"""
Write down what a task buys, so that no later try of it buys the same again.

The records
    One *plan* for each task instance:

    ``{"begun": 0}``
        A try has started. Nothing was sent.
    ``{"begun": 3, "batches": 9, "at": …, "conn_id": …, "batch_size": …, "emails": …, "sha256": …}``
        Which list it is, how many batches it makes, and that the batches 1 to 3 may have been sent, the last of them
        at a time. ``"again": {"2": 2}`` says that batch 2 was begun twice.

    One record for each *batch*, which names its plan:

    ``{"plan": …, "name": …, "at": …, "attempt": 1}``
        Begun: it may have been sent.
    the same with ``"id"``
        The vendor has accepted it.
    the same with ``"refused": true``
        The vendor has taken nothing, or nothing was sent.
    the same with ``"cancelled"``
        It was accepted, and cancelled when the task was killed.

    A person writes ``false`` in place of the plan or of a batch that was not bought, and the vendor's id in place of a
    batch that was.

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
    absent        absent                      in doubt: the earlier try ended before its first line, or the
                                              records are gone
    any           accepted, of the same plan  bought
    any           begun, cancelled, cut       in doubt
    any           refused, or ``false``       not bought
    begun < n     absent                      not bought
    begun >= n    absent                      in doubt: the record is gone
    again[n] > k  attempt k, refused          in doubt: the record of a later attempt is gone
    another list  all refused or absent       begin with this list
    another list  anything else               the source has changed
    ============  ==========================  ==============================================================

    A crash leaves at most one batch in doubt: the one whose record says "begun".
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import EmailVerifyError

if TYPE_CHECKING:
    from airflow_provider_emailverify.steps.clock import Clock
    from airflow_provider_emailverify.steps.state import Records

PLAN = "emailverify_plan"
_AHEAD_SECONDS = 600.0
# A record that is missed may be there a moment later, when what is in the way of the API has gone.
_LOOK_AGAIN_AFTER = (1.0, 4.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be bought.

    :param conn_id: the Airflow connection.
    :param batch_size: addresses in a batch.
    :param emails: how many addresses there are.
    :param sha256: the digest of the list.
    """

    conn_id: str
    batch_size: int
    emails: int
    sha256: str

    @property
    def batches(self) -> int:
        """How many batches the list makes."""
        return -(-self.emails // self.batch_size)

    def size_of(self, number: int) -> int:
        """
        Return how many addresses a batch holds.

        :param number: the batch, counted from 1.
        """
        return min(self.batch_size, self.emails - (number - 1) * self.batch_size)

    @property
    def key(self) -> str:
        """A name that no other plan has."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


class BatchFate(Enum):
    """What a record says about a batch."""

    ABSENT = auto()
    BEGUN = auto()
    CANCELLED = auto()
    ACCEPTED = auto()
    NOT_BOUGHT = auto()


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """
    The record of one batch.

    :param fate: what it says.
    :param batch_id: the vendor's identifier, of a batch that was accepted.
    :param plan: the key of its plan; None if it does not say.
    :param at: when it was begun, in seconds since 1970; None if it does not say.
    :param attempt: how often it was begun; None if it does not say.
    """

    fate: BatchFate
    batch_id: str = ""
    plan: str | None = None
    at: float | None = None
    attempt: int | None = None


class PurchaseRecords:
    """
    Read and write the records of one task instance.

    :param records: where they are kept.
    :param try_number: which try of the task this is; 1 proves that there was none before.
    :param clock: the time.
    :ivar is_missing: an earlier try should have left a plan, and there is none, or one that is cut.
    """

    def __init__(self, records: Records, try_number: int, *, clock: Clock = time) -> None:
        self.records = records
        self.try_number = try_number
        self.is_missing = False
        self._clock = clock
        self._plan: dict[str, Any] = {"begun": 0}

    def start(self) -> None:
        """Read the plan of an earlier try, or note that this is the first one. Nothing else may come before it."""
        found = self.records.get(PLAN)
        if found is None and self.try_number <= 1 and self.records.claim(PLAN, self._plan | {"at": self._now()}):
            return
        if found is None:
            found = self._look_again(PLAN)
        if isinstance(found, dict) and _is_count(found.get("begun")):
            self._plan = found
        elif found is not False and found != "false":  # a person's word that nothing was bought
            self.is_missing = True

    @property
    def recorded(self) -> dict[str, Any]:
        """What an earlier try wrote about its list."""
        return self._plan

    @property
    def batches(self) -> int:
        """How many batches an earlier try planned."""
        batches: Any = self._plan.get("batches")
        return int(batches) if _is_count(batches) else 0

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
        for pause in () if self.is_missing else _LOOK_AGAIN_AFTER:
            gone = [number for number, value in values.items() if value is None and self._is_expected(number)]
            if not gone:
                break
            self._clock.sleep(pause)
            values.update({number: self._get(number) for number in gone})
        return {number: self._parse(number, value) for number, value in values.items()}

    def read(self, number: int) -> BatchRecord:
        """
        Return the record of a batch.

        :param number: the batch, counted from 1.
        """
        return self._parse(number, self._get(number))

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
        at = record.at if record.at is not None else _parse_time(self._plan.get("at"))
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
        attempt = self.records.claim(batch_key(number), {"plan": plan.key, "name": name, "at": at})
        if not attempt:
            return False
        again = self._plan.get("again") or {}
        if attempt > 1:
            again = {**again, str(number): attempt}
        begun = plan.batches if self.is_missing else max(number, self._plan["begun"])
        again = {"again": again} if again else {}
        self._plan = {"begun": begun, "batches": plan.batches, "at": at, **again, **asdict(plan)}
        try:
            self.records.set(PLAN, self._plan)
        except EmailVerifyError:
            with suppress(EmailVerifyError):  # nothing was sent, but the record says that it may have been
                self.write(number, plan, name, refused=True)
            raise
        return True

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

    def _parse(self, number: int, value: Any) -> BatchRecord:
        record = _parse(value)
        again = self._plan.get("again")
        attempts = again.get(str(number), 1) if isinstance(again, dict) else 1
        is_older = record.attempt is not None and record.attempt < attempts
        return BatchRecord(BatchFate.ABSENT) if is_older else record

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


def _parse(value: Any) -> BatchRecord:
    match value:
        case None:
            return BatchRecord(BatchFate.ABSENT)
        case False | "false":
            return BatchRecord(BatchFate.NOT_BOUGHT)
        case dict():
            return _parse_record(value)
        case _:  # what a person has written, or what is left of a record
            batch_id = _parse_id(value)
            return BatchRecord(BatchFate.ACCEPTED if batch_id else BatchFate.BEGUN, batch_id)


def _parse_record(value: dict[str, Any]) -> BatchRecord:
    batch_id = _parse_id(value.get("id"))
    fate = BatchFate.BEGUN
    if "cancelled" in value:
        fate, batch_id = BatchFate.CANCELLED, ""
    elif batch_id:
        fate = BatchFate.ACCEPTED
    elif value.get("refused") is True or value.get("id") is False:
        fate = BatchFate.NOT_BOUGHT
    plan, attempt = value.get("plan"), value.get("attempt")
    return BatchRecord(
        fate,
        batch_id,
        plan if isinstance(plan, str) else None,
        _parse_time(value.get("at")),
        attempt if _is_count(attempt) else None,
    )


def _parse_id(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() else ""


def _parse_time(value: Any) -> float | None:
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
