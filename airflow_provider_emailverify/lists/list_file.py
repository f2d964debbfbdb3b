"""A list that is open for reading, whatever its format: its columns, the cells with addresses, and its whole rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

#: For each column of addresses, the cells of some rows as they stand in the file; "" where there is none.
Cells = list[list[str]]

_LONGEST_INTEGER = 63  # bits


class ListFile(ABC):
    """
    A list, read once: either :meth:`cells` or :meth:`blocks`, which have the same rows in the same order.

    :ivar names: the names of its columns.
    :ivar places: the places of the columns of addresses among them.
    :ivar types: the types of the values in the columns, None apart, for those who ask before they read; text if it is
        not named.
    """

    names: list[str]
    places: list[int]
    types: dict[str, set[type]] | None = None

    def note_types(self) -> None:
        """Note the types of values while :meth:`cells` are read."""
        self.types = {}

    @abstractmethod
    def cells(self) -> Iterator[Cells]:
        """Yield the cells of the columns of addresses, some thousand rows at a time."""

    @abstractmethod
    def blocks(self) -> Iterator[Any]:
        """Yield rows as they stand in the file, some thousand at a time."""

    @abstractmethod
    def count(self, block: Any) -> int:
        """
        Return how many rows a block has; blank lines are none.

        :param block: one of :meth:`blocks`.
        """

    @abstractmethod
    def records(self, block: Any) -> Iterator[Sequence[Any]]:
        """
        Yield the rows of a block as values, one for each of :attr:`names`; None where there is none.

        :param block: one of :meth:`blocks`.
        """


def kind_of(value: Any) -> type:
    """
    Return the type of a value as a column of Parquet may have it: text for an integer that is too long.

    :param value: any value but None.
    """
    is_long = isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER
    return str if is_long else type(value)
