"""A list that is open for reading, whatever its format: its columns, the cells with addresses, and its whole rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_emailverify.lists.values import kind_of

#: For each column of addresses, the cells of some rows as they stand in the file; "" where there is none.
Cells = list[list[str]]


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

    def note(self, name: str, value: Any) -> None:
        """
        Note the type of a value.

        :param name: the column.
        :param value: the value; None is of no type.
        """
        if self.types is not None and value is not None:
            self.types.setdefault(name, set()).add(kind_of(value))

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
