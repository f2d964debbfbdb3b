"""The columns that a merge adds to a list: their names, and what stands in them for each answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.schema import COLUMNS

T = TypeVar("T")
#: For each column of addresses, the numbers of the answers of some rows.
Numbers = Sequence[Sequence[int]]


class AddedColumns:
    """
    Columns of the schema, once for each column of addresses.

    :param answers: the answers by number, the wanted columns first.
    :param columns: which columns are added.
    :param prefix: what stands before their names.
    """

    def __init__(self, answers: Answers, columns: Sequence[str], prefix: str) -> None:
        self._answers = answers
        self._prefix = prefix
        #: The columns of the schema.
        self.columns = list(columns)
        #: Their names in the list, for each column of addresses.
        self.names_of: list[list[str]] = []

    def name_for(self, address_columns: Sequence[str]) -> None:
        """
        Name the columns.

        With one column of addresses they are called after the schema. With several the name of the address column
        stands before that: ``Second Email verdict``, or ``email_2_verdict`` where no such name has a space.

        :param address_columns: the names of the columns of addresses.
        """
        joint = " " if any(" " in name for name in address_columns) else "_"
        starts = [""] if len(address_columns) == 1 else [f"{name}{joint}" for name in address_columns]
        self.names_of = [[f"{start}{self._prefix}{column}" for column in self.columns] for start in starts]

    @property
    def names(self) -> list[str]:
        """All their names in the list."""
        return [name for names in self.names_of for name in names]

    def values(self, number: int) -> Sequence[str | None]:
        """
        Return what stands in the columns for one column of addresses.

        :param number: the number of the answer.
        """
        return self._answers.values[number][: len(self.columns)]


class Rendered(dict[int, T]):
    """
    What writers make of answers, each once: there are few of them.

    :param render: renders the answer of a number.
    """

    def __init__(self, render: Callable[[int], T]) -> None:
        super().__init__()
        self._render = render

    def __missing__(self, number: int) -> T:
        value = self[number] = self._render(number)
        return value


def check_columns(columns: Sequence[str]) -> list[str]:
    """
    Return the columns that a user chose.

    :param columns: columns of the schema.
    :raises InvalidRequestError: one is none, or there are none.
    """
    known = [name for name in COLUMNS if name != "email"]
    given = [columns] if isinstance(columns, str) else list(columns or [])
    if not given or set(given) - set(known) or len(set(given)) < len(given):
        raise InvalidRequestError(f"columns is a list of {', '.join(known)}, each once at most, not {columns!r}.")
    return given
