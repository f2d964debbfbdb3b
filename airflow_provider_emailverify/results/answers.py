"""Distinct answers, numbered: among millions of rows, few differ in anything but the address."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from airflow_provider_emailverify.results.schema import Verdict, utc_text

#: What an answer says, a value for each column; None where it says nothing.
Answer = tuple[str | None, ...]
#: The number of the answer that says nothing.
NO_ANSWER = 0

_OURS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_VERDICTS = frozenset(Verdict)


def rank(verdict: str | None, verified_at: str | None) -> tuple[bool, str]:
    """
    Rank one of several answers about the same address: the highest counts; of equals, the one that comes last.

    That is the newest answer that is not ``unknown``; if all are, the newest. An answer without a time is the oldest.

    :param verdict: its verdict.
    :param verified_at: when it was fetched, as :func:`.schema.utc_text` writes it.
    """
    return verdict is not None and verdict != Verdict.UNKNOWN, verified_at or ""


class Answers:
    """
    Number distinct answers from 1 on. Number 0 stands for none.

    :param columns: the columns of the schema that are kept, without ``email``.
    :param nothing: what stands in them where there is no answer.
    """

    def __init__(self, columns: Sequence[str], nothing: Mapping[str, str] | None = None) -> None:
        self.columns = tuple(columns)
        none: Answer = tuple((nothing or {}).get(name) for name in self.columns)
        self._numbers: dict[Answer, int] = {}
        self._verdict, self._time = (
            self.columns.index(name) if name in self.columns else None for name in ("verdict", "verified_at")
        )
        #: The answers, by number.
        self.values: list[Answer] = [none]
        #: Their ranks, by number, see :func:`rank`.
        self.ranks = [rank(None, None)]

    def number(self, values: Sequence[str | None], *, is_ours: bool = False) -> int:
        """
        Return the number of an answer.

        :param values: what it says, a value for each column.
        :param is_ours: it is not a vendor's, and needs no verdict.
        :raises ValueError: its verdict is none, or its time cannot be read.
        """
        verdict = None if self._verdict is None else values[self._verdict]
        moment = None if self._time is None else values[self._time]
        if self._verdict is not None and verdict not in _VERDICTS and not is_ours:
            raise ValueError("no verdict")
        if self._time is not None and moment:
            moment = _normal_time(moment)
            values = [*values[: self._time], moment, *values[self._time + 1 :]]
        answer = tuple(value or None for value in values)
        number = self._numbers.get(answer)
        if number is None:
            number = self._numbers[answer] = len(self.values)
            self.values.append(answer)
            self.ranks.append(rank(verdict, moment))
        return number


def _normal_time(text: str) -> str:
    """Return a time as we write it, whoever wrote it; one that names no zone is in UTC."""
    if _OURS.fullmatch(text):
        return text
    moment = datetime.fromisoformat(text)
    return utc_text((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
