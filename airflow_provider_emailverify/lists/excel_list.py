"""Lists in Excel files, by python-calamine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import InvalidSourceError
from airflow_provider_emailverify.lists.columns import Wanted, header_place, places_of
from airflow_provider_emailverify.lists.list_file import Cells, ListFile
from airflow_provider_emailverify.lists.values import as_text

_BLOCK = 4096
# A header stands within so many rows of the beginning.
_MOST_NOTES, _SAMPLE_ROWS = 25, 64


class ExcelList(ListFile):
    """
    A sheet of an Excel file, with a header; notes may stand above that, as in CSV. Blank rows are passed over.

    The whole sheet is in memory while it is read: an Excel file cannot be read otherwise, and has a million rows at
    most.

    :param file: the file.
    :param wanted: the columns of addresses.
    :param sheet: the name of the sheet; None for the first.
    :raises InvalidSourceError: python-calamine is missing, it is no Excel file, or it lacks the sheet or the columns.
    """

    def __init__(self, file: BinaryIO, wanted: Wanted, sheet: str | None) -> None:
        try:
            from python_calamine import CalamineError, CalamineWorkbook, WorksheetNotFound
        except ModuleNotFoundError:
            raise InvalidSourceError(
                "Excel files need python-calamine on the worker: pip install 'airflow-provider-emailverify[excel]'."
            ) from None
        content = io.BytesIO(file.read())  # so that errors of the storage are its own
        try:
            book = CalamineWorkbook.from_filelike(content)
            found = book.get_sheet_by_name(sheet) if sheet else book.get_sheet_by_index(0)
            rows = filter(_is_row, found.iter_rows())
            top = list(islice(rows, _SAMPLE_ROWS))
        except WorksheetNotFound:
            raise InvalidSourceError(f"it has no sheet {sheet!r}; it has {', '.join(book.sheet_names)}.") from None
        except CalamineError:  # its texts quote the file
            raise InvalidSourceError("it is not a whole Excel file, or it is locked by a password.") from None
        header = _header_of(wanted, top)
        self.names = [(as_text(_value(cell)) or "").strip() for cell in top[header]] if top else []
        beneath = top[header + 1 :]
        self.places = places_of(wanted, self.names, beneath)
        self._rows = chain(beneath, rows)

    def cells(self) -> Iterator[Cells]:
        """Yield the cells, numbers as text."""
        for block in self.blocks():
            if self.types is not None:
                for name, column in zip(self.names, zip(*block, strict=True), strict=True):
                    for value in column:
                        self.note(name, value)
            yield [[as_text(row[place]) or "" for row in block] for place in self.places]

    def blocks(self) -> Iterator[list[list[Any]]]:
        """Yield rows of values."""
        while block := [[*map(_value, row)] for row in islice(self._rows, _BLOCK)]:
            yield block

    def count(self, block: list[list[Any]]) -> int:
        """Return how many rows a block has."""
        return len(block)

    def records(self, block: list[list[Any]]) -> Iterator[Sequence[Any]]:
        """Yield the rows."""
        return iter(block)


def _header_of(wanted: Wanted, rows: Sequence[Sequence[Any]]) -> int:
    """Return which row is the header: the first that has the columns, and an address beneath; else the first."""
    for number, row in enumerate(rows[:_MOST_NOTES]):
        place = header_place(wanted, [str(cell).strip() for cell in row])
        if place is not None and any("@" in str(beneath[place]) for beneath in rows[number + 1 :]):
            return number
        if any("@" in str(cell) for cell in row):
            break  # what follows are rows
    return 0


def _is_row(row: Sequence[Any]) -> bool:
    return any(cell not in ("", None) for cell in row)


def _value(cell: Any) -> Any:
    """Return a cell's value: None if it is empty, and a whole number where Excel has only fractions."""
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return None if cell == "" else cell
