"""CSV files: the records, in constant memory, as the csv module reads them but quicker."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import chain, islice
from operator import length_hint, methodcaller
from typing import cast

from airflow_provider_emailverify.formats.csv_head import CsvHead, PlaceOf, lift_field_limit, read_head
from airflow_provider_emailverify.formats.text_file import (
    MAX_LINE_CHARACTERS,
    FaultyTextError,
    line_fault,
    lines_of,
    split_lines,
)

_BLOCK_RECORDS = 2048


@dataclass(slots=True)
class CsvBlock:
    """
    Some records as they stand in the file.

    :param texts: the text of each, without the line break that ends it; "" for a blank line.
    :param breaks: the line break that ends each, or all.
    :param fields: the fields of each; None where there are no quotes, and a split at each separator tells them.
    :param whole: the text of all, where there are no quotes.
    """

    texts: list[str]
    breaks: list[str] | str
    fields: list[list[str]] | None
    whole: str = ""

    def append(self, text: str, fields: list[str] | None = None) -> None:
        """
        Add a record.

        :param text: its text, with the line break that ends it.
        :param fields: its fields.
        """
        line_break = "\r\n" if text.endswith("\r\n") else text[-1:] if text.endswith(("\n", "\r")) else ""
        self.texts.append(text.removesuffix(line_break))
        cast("list[str]", self.breaks).append(line_break)
        if fields is not None:
            cast("list[list[str]]", self.fields).append(fields)


class QuotesFaultError(FaultyTextError):
    """
    The quotes of a record do not match.

    :param line: the line in which the record ends.
    :param at_end: the file ends within quotes, as one that was cut does.
    """

    def __init__(self, line: int, *, at_end: bool) -> None:
        super().__init__(f"has quotes that do not match in the row that ends in line {line:,}")
        self.line = line
        self.at_end = at_end


class CsvFile:
    """
    Read a CSV file (RFC 4180: a line break within quotes does not end a record).

    :param blocks: the text, in blocks of whole lines.
    :param place_of: tells a header from notes above it; by default the first record is the header.
    :param strict: refuse quotes that do not match.
    :raises FaultyTextError: the text cannot be read.
    """

    def __init__(self, blocks: Iterable[str], place_of: PlaceOf | None = None, *, strict: bool = True) -> None:
        self._blocks = self._watched(blocks)
        self._strict = strict
        self._line = 0  # where the block begins that is being read
        self._lines_read: Callable[[], int] = int  # how far that is
        self._ends_with_break = True
        #: Whether the file, once it was read, ended within quotes: it was cut, or its quotes do not match.
        self.ends_in_quotes = False
        first = ""
        blank: list[str] = []
        for first in self._blocks:
            if first.strip():
                break
            blank.append(first)
            self._line += len(lines_of(first))
        #: The separator and the header.
        self.head: CsvHead = read_head(first, place_of)
        #: The text up to the first record: blank lines and notes, and the header with the line break that ends it.
        self.head_text = "".join(blank) + first[: self.head.characters]
        self._rest = first[self.head.characters :]
        self._line += self.head.lines
        self._header_has_break = bool(self._rest) or first.endswith(("\n", "\r"))

    @property
    def lacks_last_break(self) -> bool:
        """Whether the last record, once it was read, lacked the line break that the header has: it may be cut."""
        return self._header_has_break and not self._ends_with_break

    @property
    def line(self) -> int:
        """The number of the line in which the record that came last ends."""
        return self._line + self._lines_read()

    def records(self, upto: int | None = None) -> Iterator[list[str]]:
        """
        Yield the records below the header; blank lines are passed over.

        :param upto: the last field that is wanted; those behind it may come as one.
        :raises QuotesFaultError: the quotes of a record do not match.
        :raises FaultyTextError: the text cannot be read on, or a record is too long.
        """
        split = methodcaller("split", self.head.separator, -1 if upto is None else upto + 1)
        blocks = chain([self._rest], self._blocks) if self._rest else self._blocks
        self._rest = ""
        for text in blocks:
            if '"' in text:
                yield from filter(None, self._quoted(text, blocks))
            else:
                # Without quotes there is nothing to parse. The records are not kept: a list of lists would have the
                # garbage collector walk through the worker's heap.
                lines = lines_of(text)
                rest = iter(lines)
                self._lines_read = partial(_lines_read, lines, rest)
                yield from map(split, filter(None, rest))
            self._line += self._lines_read()
            self._lines_read = int

    def blocks(self, *, with_quoted: bool = True) -> Iterator[CsvBlock]:
        """
        Yield the records below the header as they stand in the file, blank lines among them.

        :param with_quoted: give texts also where there are quotes; if not, there are only fields.
        :raises QuotesFaultError: the quotes of a record do not match.
        :raises FaultyTextError: the text cannot be read on, or a record is too long.
        """
        blocks = chain([self._rest], self._blocks) if self._rest else self._blocks
        self._rest = ""
        for text in blocks:
            if '"' not in text:
                block = CsvBlock(*split_lines(text), None, text)
                self._line += len(block.texts)
                yield block
                continue
            if with_quoted:
                yield from self._quoted_blocks(text, blocks)
            else:
                records = self._quoted(text, blocks)
                while some := list(islice(records, _BLOCK_RECORDS)):
                    yield CsvBlock([], [], some)
            self._line += self._lines_read()
            self._lines_read = int

    def _quoted_blocks(self, text: str, blocks: Iterator[str]) -> Iterator[CsvBlock]:
        lines: list[str] = []  # those of the record that is being parsed
        some = CsvBlock([], [], [])
        for record in self._quoted(text, blocks, lines):
            some.append("".join(lines), record)
            lines.clear()
            if len(some.texts) == _BLOCK_RECORDS:
                yield some
                some = CsvBlock([], [], [])
        yield some

    def _quoted(self, text: str, blocks: Iterator[str], read: list[str] | None = None) -> Iterator[list[str]]:
        """
        Parse a block that has quotes, and those that follow until one ends where a record does.

        A blank line is an empty record. The lines of each record are added to ``read``, if there is one.
        """
        lift_field_limit()
        fed = ended = 0

        def lines() -> Iterator[list[str]]:
            nonlocal fed
            unfinished = ended_before = 0
            for number, block in enumerate(chain([text], blocks)):
                # More is asked for only in the middle of a record. That may be long, but not endless.
                unfinished = len(block) + (unfinished if ended == ended_before else 0)
                ended_before = ended
                if number and unfinished > MAX_LINE_CHARACTERS:
                    raise line_fault("row")
                some = list(StringIO(block, newline=""))
                fed += len(some)
                yield some
            self.ends_in_quotes = True

        source: Iterator[str] = chain.from_iterable(lines())
        if read is not None:
            source = _noted(source, read)
        reader = csv.reader(source, delimiter=self.head.separator, strict=self._strict)
        self._lines_read = lambda: reader.line_num
        try:
            for record in reader:
                yield record
                ended = reader.line_num
                if ended == fed:
                    return
        except csv.Error:
            raise QuotesFaultError(self.line, at_end=self.ends_in_quotes) from None

    def _watched(self, blocks: Iterable[str]) -> Iterator[str]:
        for block in blocks:
            self._ends_with_break = block.endswith(("\n", "\r"))
            yield block


def _lines_read(lines: list[str], rest: Iterator[str]) -> int:
    return len(lines) - length_hint(rest)


def _noted(lines: Iterator[str], read: list[str]) -> Iterator[str]:
    for line in lines:
        read.append(line)
        yield line
