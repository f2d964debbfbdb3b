"""What a merge found, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emailverify.lists.cleaning import Cleaner, Dropped
from airflow_provider_emailverify.results.answers import NO_ANSWER, Answers
from airflow_provider_emailverify.results.schema import SCHEMA_VERSION, Reason, Verdict

#: The columns of an answer that are counted, or decide which one counts.
FIGURES = ("verdict", "reason", "vendor", "verified_at")


def bought(submitted: Any) -> dict[str, Any]:
    """
    Return what a submission says of its purchase, fit for the summary of a merge.

    :param submitted: the summary of the submission, or of several of which the first has read the list; None for none.
    """
    submissions = [submitted] if isinstance(submitted, Mapping) else submitted or []
    if not submissions:
        return {}
    first = submissions[0]
    return {
        "bought": sum(each.get("submitted") or 0 for each in submissions),
        "batches": sum(each.get("batches") or 0 for each in submissions),
        "known": first.get("known", 0),
        "prescreened": first.get("prescreened", 0),
        **{name: first[name] for name in ("price", "saved") if name in first},
    }


class MergeFigures:
    """
    Tell what the cells of lists hold, and count what they get.

    :param answers: the answers, by number.
    :param cleaner: takes the addresses out of cells.
    """

    def __init__(self, answers: Answers, cleaner: Cleaner) -> None:
        self._answers = answers
        self._cleaner = cleaner
        self._counts: Counter[int] = Counter()
        self._rows = 0
        #: Files of results, their rows, and how many of those are about addresses that are in no list.
        self.result_files = 0
        self.results = 0
        self.strangers = 0
        #: Addresses that stand behind another one in the same cell.
        self.others = 0
        #: Rows that have more fields than their header.
        self.too_long = 0
        self._empty = answers.number(self._answer(reason=Reason.NO_ADDRESS), is_ours=True)
        self._invalid = answers.number(self._answer(verdict=Verdict.UNDELIVERABLE, reason=Reason.INVALID_SYNTAX))

    def numbered(self, values: Sequence[str]) -> tuple[Sequence[str | int], list[tuple[int, str]]]:
        """
        Return for each cell its address, or the number of the answer that a cell without one gets; and further ones.

        :param values: cells as they stand in a list.
        """
        cells = self._cleaner.cells(values)
        self.others += len(cells.more)
        if all(cells.first):
            return cells.first, cells.more  # type: ignore[return-value]  # all are addresses
        return [cell or (self._empty if cell is None else self._invalid) for cell in cells.first], cells.more

    def add(self, numbers: Sequence[Sequence[int]]) -> None:
        """
        Count rows.

        :param numbers: for each column of addresses the numbers of their answers.
        """
        self._rows += len(numbers[0])
        for column in numbers:
            self._counts.update(column)

    def verdicts_of(self, numbers: Sequence[int]) -> list[str]:
        """
        Return the verdicts of answers; ``no_address`` for those that have none.

        :param numbers: their numbers.
        """
        verdict = self._answers.columns.index("verdict")
        values = self._answers.values
        return [values[number][verdict] or Reason.NO_ADDRESS.value for number in numbers]

    def verdicts(self) -> Counter[str]:
        """Return the verdicts that were counted so far; an empty cell has none."""
        return self._count("verdict")

    def summary(self, addresses: int) -> dict[str, Any]:
        """
        Return the numbers as primitives, fit for XCom.

        :param addresses: how many addresses the lists have, each counted once.
        """
        dropped = {reason.value: count for reason, count in self._cleaner.dropped.most_common() if count}
        empty = dropped.pop(Dropped.EMPTY.value, 0)
        counted = {name: self._count(name) for name in ("verdict", "reason", "vendor")}
        return {
            "schema_version": SCHEMA_VERSION,
            "rows": self._rows,
            "addresses": addresses,
            "duplicates": self._counts.total() + self.others - empty - sum(dropped.values()) - addresses,
            "dropped": dropped,
            "no_address": empty,
            "missing": self._counts[NO_ANSWER],
            "verdicts": {verdict.value: counted["verdict"][verdict.value] for verdict in Verdict},
            "reasons": dict(counted["reason"].most_common()),
            "vendors": dict(counted["vendor"].most_common()),
            "vendor_verdicts": {vendor: self._verdicts_of(vendor) for vendor, _ in counted["vendor"].most_common()},
            "results": {"files": self.result_files, "rows": self.results, "not_in_list": self.strangers},
            "too_long": self.too_long,
        }

    def _answer(self, **values: str) -> list[str | None]:
        return [values.get(name) for name in self._answers.columns]

    def _count(self, column: str) -> Counter[str]:
        place = self._answers.columns.index(column)
        counts: Counter[str] = Counter()
        for number, count in self._counts.items():
            if (value := self._answers.values[number][place]) is not None:
                counts[value] += count
        return counts

    def _verdicts_of(self, vendor: str) -> dict[str, int]:
        """Return how often each verdict was a vendor's."""
        said, by_whom = (self._answers.columns.index(name) for name in ("verdict", "vendor"))
        counts: Counter[str | None] = Counter()
        for number, count in self._counts.items():
            if self._answers.values[number][by_whom] == vendor:
                counts[self._answers.values[number][said]] += count
        return {verdict.value: counts[verdict.value] for verdict in Verdict}
