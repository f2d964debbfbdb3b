"""The other addresses of cells that hold more than one."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.schema import Verdict

#: The verdicts, the worst first.
WORST_FIRST = (Verdict.UNDELIVERABLE, Verdict.RISKY, Verdict.UNKNOWN, Verdict.DELIVERABLE)


class OtherAddresses:
    """
    Remember which cells of a column hold more addresses than the first one, in 8 bytes for each of those.

    :param table: what is known of addresses.
    :param column: the table's column that they may use.
    """

    def __init__(self, table: AnswerTable, column: int) -> None:
        self._table = table
        self._column = column
        self._rows = array("q")
        self._read = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._rows)

    def expect(self, start: int, more: Sequence[tuple[int, str]]) -> None:
        """
        Take some, in the order of their cells.

        :param start: how many cells came before this block.
        :param more: for each the number of its cell in this block, and the address.
        """
        self._rows.extend(start + number for number, _ in more)
        self._table.expect([address for _, address in more], self._column)

    def worst(self, start: int, numbers: list[int], answers: Answers) -> list[int]:
        """
        Return for each cell the worst of the answers about its addresses.

        :param start: how many cells came before this block.
        :param numbers: the answers about the first ones, by number.
        :param answers: the answers.
        """
        end = bisect_left(self._rows, start + len(numbers), self._read)
        rows, self._read = self._rows[self._read : end], end
        if not rows:
            return numbers
        place = answers.columns.index("verdict")
        worst = list(numbers)
        for row, number in zip(rows, self._table.read(len(rows), self._column), strict=True):
            verdicts = [
                WORST_FIRST.index(Verdict(str(answers.values[each][place]))) for each in (worst[row - start], number)
            ]
            if verdicts[1] < verdicts[0]:
                worst[row - start] = number
        return worst
