"""The columns that a merge adds to a list: their names, and what stands in them for each answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.schema import COLUMNS

T = TypeVar("T")
#: The answers of a row: the number of the one, or of each column of addresses.
Key = int | tuple[int, ...]

_MOST_RENDERED = 8192


class AddedColumns:
    """
    Columns of the schema, once for each column of addresses.

    :param answers: the answers by number, the wanted columns first.
    :param columns: which columns are added.
    :param prefix: what stands before their names.
    """

    def __init__(self, answers: Answers, columns: Sequence[str], prefix: str) -> None:
        self._answers = answers
        self._columns = list(columns)
        self._prefix = prefix
        #: Their names in the list, and which columns of the schema they are.
        self.names: list[str] = []
        self.columns: list[str] = []

    def name_for(self, address_columns: Sequence[str]) -> None:
        """
        Name the columns.

        With one column of addresses they are called after the schema. With several the name of the address column
        stands before that: ``Second Email verdict``, or ``email_2_verdict`` where no such name has a space.

        :param address_columns: the names of the columns of addresses.
        """
        joint = " " if any(" " in name for name in address_columns) else "_"
        starts = [""] if len(address_columns) == 1 else [f"{name}{joint}" for name in address_columns]
        self.names = [f"{start}{self._prefix}{column}" for start in starts for column in self._columns]
        self.columns = [column for _ in starts for column in self._columns]

    def keys(self, numbers: Sequence[list[int]]) -> Sequence[Key]:
        """
        Return the answers of some rows.

        :param numbers: for each column of addresses the numbers of the rows' answers.
        """
        return numbers[0] if len(numbers) == 1 else list(zip(*numbers, strict=True))

    def values(self, key: Key) -> list[str | None]:
        """
        Return what stands in the columns.

        :param key: the answers of a row.
        """
        numbers = (key,) if isinstance(key, int) else key
        width = len(self._columns)
        return [value for number in numbers for value in self._answers.values[number][:width]]


class Rendered(dict[Any, T]):
    """
    What was rendered before, by key; a few thousand at a time.

    :param render: renders what is behind a key.
    """

    def __init__(self, render: Callable[[Any], T]) -> None:
        super().__init__()
        self._render = render

    def __missing__(self, key: Any) -> T:
        if len(self) >= _MOST_RENDERED:
            self.clear()
        value = self[key] = self._render(key)
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
