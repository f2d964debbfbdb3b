"""Lists that are text: CSV, JSON lines, and one address a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from airflow_provider_emailverify.exceptions import InvalidSourceError
from airflow_provider_emailverify.formats.csv_file import CsvBlock, CsvFile
from airflow_provider_emailverify.formats.text_file import TextFile, lines_of, split_lines
from airflow_provider_emailverify.lists.columns import Wanted, header_place, places_of
from airflow_provider_emailverify.lists.list_file import Cells, ListFile

#: Lines, and the line breaks that end them.
Lines = tuple[list[str], list[str] | str]


class PlainList(ListFile):
    """
    One address a line.

    :param text: the text.
    """

    def __init__(self, text: TextFile) -> None:
        self.text = text
        self.names = ["email"]
        self.places = [0]

    def cells(self) -> Iterator[Cells]:
        """Yield the lines, without white space around them and without blank ones."""
        return ([block] for block in self.blocks())

    def blocks(self) -> Iterator[list[str]]:
        """Yield the lines in the same way."""
        for block in self.text:
            yield list(filter(None, map(str.strip, lines_of(block))))

    def count(self, block: list[str]) -> int:
        """Return how many lines a block has."""
        return len(block)

    def records(self, block: list[str]) -> Iterator[Sequence[Any]]:
        """Yield each line as a row of one value."""
        return ([line] for line in block)


class CsvList(ListFile):
    """
    A CSV file with a header.

    :param text: the text.
    :param wanted: the columns of addresses.
    :raises InvalidSourceError: they are not in the header.
    """

    def __init__(self, text: TextFile, wanted: Wanted) -> None:
        self.text = text
        self.table = CsvFile(text, partial(header_place, wanted))
        self.names = list(self.table.head.names)
        self.places = places_of(wanted, self.names, self.table.head.sample)

    def cells(self) -> Iterator[Cells]:
        """Yield the cells; a row may end before them."""
        separator, last = self.table.head.separator, max(self.places)
        for block in self.table.blocks(with_quoted=False):
            records = list(filter(None, block.fields or []))
            if block.fields is None:
                texts = list(filter(None, block.texts)) if "" in block.texts else block.texts
                with suppress(IndexError):  # one has too few fields
                    yield [[text.split(separator, place + 1)[place] for text in texts] for place in self.places]
                    continue
                records = [text.split(separator, last + 1) for text in texts]
            yield [[record[place] if place < len(record) else "" for record in records] for place in self.places]

    def blocks(self) -> Iterator[CsvBlock]:
        """Yield the records as they stand in the file, blank lines among them."""
        return self.table.blocks()

    def count(self, block: CsvBlock) -> int:
        """Return how many records a block has, blank lines not counted."""
        return len(block.texts) - block.texts.count("")

    def records(self, block: CsvBlock) -> Iterator[list[str | None]]:
        """Yield the fields of each record; empty ones behind the last column are passed over."""
        width = len(self.names)
        for fields in self.fields(block):
            if len(fields) > width and any(fields[width:]):
                raise InvalidSourceError(
                    f"a row has {len(fields)} fields where the header has {width}, so nobody knows which belong to "
                    "which column. Correct it, or leave output_format out: then such rows stay as they are."
                )
            yield [*fields[:width], *[None] * (width - len(fields))]

    def fields(self, block: CsvBlock) -> Iterator[list[str]]:
        """
        Yield the fields of each record, however many there are.

        :param block: one of :meth:`blocks`.
        """
        if block.fields is not None:
            return filter(None, block.fields)
        return (text.split(self.table.head.separator) for text in block.texts if text)


class JsonLinesList(ListFile):
    """
    One JSON object a line.

    :param text: the text.
    :param wanted: the members that hold the addresses.
    :raises InvalidSourceError: it is a JSON array.
    """

    def __init__(self, text: TextFile, wanted: Wanted) -> None:
        if text.start.lstrip().startswith("["):
            raise InvalidSourceError("it is a JSON array; write one object a line.")
        self.text = text
        self._wanted = wanted
        #: The names of the members of all objects that were read, in the order in which they came.
        self.names: list[str] = []
        self.places: list[int] = []
        self._line = 0

    def cells(self) -> Iterator[Cells]:
        """
        Yield the members; the names of all are known after that.

        :raises InvalidSourceError: a line is not an object, or none has the members.
        """
        first: dict[str, Any] = {}
        keys: list[str] | None = None
        for block in self.text:
            lines = lines_of(block)
            rows = self._objects(lines)
            first = first or next(filter(None, rows), {})
            self._note(rows)
            if keys is None and header_place(self._wanted, self.names) is not None:
                self.places = places_of(self._wanted, self.names, [])
                keys = [self.names[place] for place in self.places]
            if keys is None:
                yield [[""] * len(rows) for _ in self._wanted or [""]]
                continue
            yield [[value if isinstance(value := row.get(key), str) else "" for row in rows] for key in keys]
        if first and keys is None:
            places_of(self._wanted, list(first), [list(first.values())], "no line has")

    def blocks(self) -> Iterator[Lines]:
        """Yield the lines as they stand in the file, blank ones among them."""
        return map(split_lines, self.text)

    def count(self, block: Lines) -> int:
        """Return how many objects a block has."""
        return sum(1 for line in block[0] if line.strip())

    def records(self, block: Lines) -> Iterator[Sequence[Any]]:
        """Yield the members of each object, by the names that were found by :meth:`cells` of another reading."""
        for row in self._objects(block[0]):
            yield [row.get(name) for name in self.names]

    def _note(self, rows: list[dict[str, Any]]) -> None:
        new = dict.fromkeys(name for shape in dict.fromkeys(map(tuple, rows)) for name in shape)
        self.names += [name for name in new if name not in self.names]
        if self.types is not None:
            for row in rows:
                for name, value in row.items():
                    self.note(name, value)

    def _objects(self, lines: list[str]) -> list[dict[str, Any]]:
        """Parse the lines of a block; blank ones are passed over."""
        before, self._line = self._line, self._line + len(lines)
        full = list(filter(None, map(str.strip, lines)))
        with suppress(ValueError, RecursionError):
            rows = json.loads(f"[{','.join(full)}]")
            if len(rows) == len(full) and {*map(type, rows)} <= {dict}:
                return cast("list[dict[str, Any]]", rows)
        return [_object(text, number) for number, text in enumerate(lines, before + 1) if text.strip()]


def _object(text: str, line: int) -> dict[str, Any]:
    row = None
    with suppress(ValueError, RecursionError):
        row = _JSON.decode(text.strip())
    if not isinstance(row, dict):
        raise InvalidSourceError(f"line {line:,} is not a JSON object; write one object a line.")
    return row


# Numbers of any length, which are of no interest here.
_JSON = json.JSONDecoder(parse_int=float)
