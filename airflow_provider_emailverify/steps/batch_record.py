"""Read what was written down of one purchase: the plan, and one record for each batch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any


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
    :param batch_id: the vendor's identifier, of a batch that was accepted, cancelled or not.
    :param plan: the key of its plan; None if it does not say.
    :param at: when it was begun, in seconds since 1970; None if it does not say.
    """

    fate: BatchFate
    batch_id: str = ""
    plan: str | None = None
    at: float | None = None


def parse_record(value: Any) -> BatchRecord:
    """
    Return what a record says.

    :param value: its JSON; None if there is none, anything else for one that is cut.
    """
    match value:
        case None:
            return BatchRecord(BatchFate.ABSENT)
        case False | "false":
            return BatchRecord(BatchFate.NOT_BOUGHT)
        case dict():
            return _parse_dict(value)
        case _:  # what a person has written, or what is left of a record
            batch_id = _parse_id(value)
            return BatchRecord(BatchFate.ACCEPTED if batch_id else BatchFate.BEGUN, batch_id)


def _parse_dict(value: dict[str, Any]) -> BatchRecord:
    batch_id = _parse_id(value.get("id"))
    fate = BatchFate.BEGUN
    if "cancelled" in value:
        fate, batch_id = BatchFate.CANCELLED, _parse_id(value["cancelled"])
    elif batch_id:
        fate = BatchFate.ACCEPTED
    elif value.get("refused") is True or value.get("id") is False:
        fate = BatchFate.NOT_BOUGHT
    plan = value.get("plan")
    return BatchRecord(fate, batch_id, plan if isinstance(plan, str) else None, parse_time(value.get("at")))


def _parse_id(value: Any) -> str:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip() else ""


def parse_time(value: Any) -> float | None:
    """
    Return a time in seconds since 1970; None if it is none.

    :param value: an ISO 8601 text.
    """
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return None


def is_count(value: Any) -> bool:
    """
    Tell whether a value is a number of things.

    :param value: some JSON.
    """
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
