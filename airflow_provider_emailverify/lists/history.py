"""Answers that were bought before: which of them are young enough to count still."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.lists.addresses import are_plain
from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.lists.cleaning import Cleaner
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.read_back import read_answers
from airflow_provider_emailverify.results.schema import Verdict

#: How long an answer counts, by verdict. Vendors advise the like; of what was unknown, a second question may tell more.
DEFAULT_MAX_AGE = {"deliverable": "60d", "undeliverable": "60d", "risky": "30d", "unknown": 0}
_AHEAD_SECONDS = 600.0  # the clock of another worker may be ahead, but not by more
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


@dataclass(frozen=True, slots=True)
class MaxAge:
    """
    How long an answer counts.

    :param seconds: by verdict.
    """

    seconds: Mapping[Verdict, float]

    @classmethod
    def parse(cls, given: Any) -> Self:
        """
        Return what a user wrote.

        :param given: one age for all verdicts, or a mapping of verdicts to ages; those that it leaves out have the
            default's. An age is a text such as ``"60d"``, ``"12h"`` or ``"2w"``, a timedelta, 0, or ``"any"``. None for
            the default, :data:`DEFAULT_MAX_AGE`.
        :raises InvalidRequestError: a verdict is unknown, or an age cannot be read.
        """
        if given is None or given in ("", "None"):
            given = {}
        if not isinstance(given, Mapping):
            return cls(dict.fromkeys(Verdict, _seconds(given)))
        if unknown := sorted(map(str, set(given) - set(Verdict))):
            raise InvalidRequestError(
                f"max_age has an age for each of {', '.join(Verdict)}; {unknown[0]!r} is unknown."
            )
        return cls({verdict: _seconds(given.get(verdict, DEFAULT_MAX_AGE[verdict])) for verdict in Verdict})

    def covers(self, verdict: str | None, verified_at: str | None, now: float) -> bool:
        """
        Tell whether an answer counts.

        :param verdict: its verdict.
        :param verified_at: when it was fetched; an answer that does not say so is too old.
        :param now: the time, in seconds since 1970.
        """
        if verdict is None or not verified_at:
            return False
        age = now - datetime.fromisoformat(verified_at).timestamp()
        return -_AHEAD_SECONDS <= age < self.seconds[Verdict(verdict)]


def _seconds(given: Any) -> float:
    if isinstance(given, timedelta) and given >= timedelta(0):
        return given.total_seconds()
    text = str(given).strip().lower()
    if not isinstance(given, bool) and text in ("0", "0.0"):
        return 0.0
    if text == "any":
        return math.inf
    if isinstance(given, str) and (match := _AGE.fullmatch(text)):
        return float(match[1]) * _UNITS[match[2]]
    raise InvalidRequestError(
        f"max_age: an age is a text such as '60d', '12h' or '2w', a timedelta, 0 or 'any'; not {given!r}."
    )


class KnownAnswers:
    """
    Learn answers for the addresses of a table, as they stream past.

    :param table: the addresses, complete.
    :param answers: the answers, by number.
    :param vendors: whose answers count; None for everybody's.
    :param now: the time, in seconds since 1970: what is from later than that is a fault of some clock, and what has no
        time does not count. None to take any answer.
    """

    def __init__(
        self, table: AnswerTable, answers: Answers, vendors: frozenset[str] | None = None, now: float | None = None
    ) -> None:
        self._table = table
        self._answers = answers
        self._vendors = vendors
        self._latest = None if now is None else now + _AHEAD_SECONDS
        self._places = [answers.columns.index(name) for name in ("vendor", "verified_at")]
        self._counts: list[bool] = [False]
        self._cleaner = Cleaner()

    def learn(self, uri: str, email_columns: Sequence[str] | None = None) -> None:
        """
        Read a file of results.

        :param uri: its URI.
        :param email_columns: names that columns of addresses may have in a list that was merged.
        :raises UnreadableResultsError: it is not a file of results.
        :raises StorageError: it cannot be read.
        """
        for addresses, numbers in read_answers(uri, self._answers, email_columns):
            for number in range(len(self._counts), len(self._answers.values)):
                self._counts.append(self._may_count(number))
            found: Sequence[str | None] = self.cleaned(addresses)
            if not all(map(self._counts.__getitem__, numbers)):
                found = [
                    address if self._counts[number] else None for address, number in zip(found, numbers, strict=True)
                ]
            self._table.learn(found, numbers)

    def cleaned(self, addresses: Sequence[str | None]) -> Sequence[str | None]:
        """
        Return addresses without what stands around them; None where there are several, of which none is told.

        :param addresses: addresses, which in a merged list stand as the user wrote them.
        """
        if are_plain([address for address in addresses if address]):
            return addresses
        cells = self._cleaner.cells([address or "" for address in addresses])
        for number, _ in cells.more:
            cells.first[number] = None
        return cells.first

    def _may_count(self, number: int) -> bool:
        vendor, verified_at = (self._answers.values[number][place] for place in self._places)
        if self._latest is None:
            return True
        if not verified_at or datetime.fromisoformat(verified_at).timestamp() > self._latest:
            return False
        return self._vendors is None or vendor in self._vendors
