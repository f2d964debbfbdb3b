"""Rows of a CSV file, as they stand there, with columns added."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from airflow_provider_emailverify.formats.csv_file import CsvBlock
from airflow_provider_emailverify.formats.text_file import split_lines
from airflow_provider_emailverify.lists.added_columns import AddedColumns, Numbers, Rendered
from airflow_provider_emailverify.lists.list_writer import Keep, ListWriter
from airflow_provider_emailverify.lists.text_lists import CsvList

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool


class CsvAppender(ListWriter):
    """
    Write records in their own bytes, and behind them, or in place of some of their fields, the added columns.

    Separator, encoding, byte order mark, quotes, line breaks, blank lines and what stands above the header stay. A
    record that ends too early gets the fields that it lacks. One that has more fields than the header keeps them.

    :param file: the list.
    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    :param replaced: for each added column that is in the list already, its place there.
    """

    media_type = "text/csv"

    def __init__(self, file: CsvList, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]) -> None:
        super().__init__(added, spool)
        self._separator = file.table.head.separator
        self._encoding = file.text.encoding
        self._width = len(file.names)
        self._places = [replaced.get(name) for name in added.names]
        self._is_replacing = bool(replaced)
        self._not_marks = bytes(byte for byte in range(256) if byte not in f"{self._separator}\n".encode())
        # Fields are the same for every column of addresses.
        self._fields = Rendered(lambda number: [self._field(value or "") for value in added.values(number)])
        self._tails = Rendered(lambda number: "".join([self._separator + field for field in self._fields[number]]))
        text, line_break = _cut(file.table.head_text)
        names = [name for name, place in zip(added.names, self._places, strict=True) if place is None]
        header = "".join([text, *(self._separator + self._field(name) for name in names), line_break])
        spool.write(file.text.mark + header.encode(self._encoding))

    def write(self, block: CsvBlock, numbers: Numbers, keep: Keep = None) -> None:
        """Append records."""
        tails = self._tails
        if self._is_replacing or keep is not None or not self._is_regular(block):
            lines = list(self._one_by_one(block, numbers, keep))
        elif len(numbers) > 1:
            ends = [block.breaks] * len(block.texts) if isinstance(block.breaks, str) else block.breaks
            rows = zip(block.texts, zip(*numbers, strict=True), ends, strict=True)
            lines = ["".join([text, *[tails[number] for number in row], end]) for text, row, end in rows]
        elif isinstance(block.breaks, str):
            end = block.breaks
            lines = [text + tails[number] + end for text, number in zip(block.texts, numbers[0], strict=True)]
        else:
            pairs = zip(block.texts, numbers[0], block.breaks, strict=True)
            lines = [text + tails[number] + end for text, number, end in pairs]
        self.spool.write("".join(lines).encode(self._encoding))

    def _is_regular(self, block: CsvBlock) -> bool:
        """Tell whether all records have as many fields as the header."""
        if block.fields is not None:
            return {*map(len, block.fields)} <= {self._width} and "" not in block.texts
        if not self._separator.isascii():
            return False  # its bytes may be parts of other characters
        # Nothing is left but separators and line feeds: that is told in a fraction of the time that counting takes.
        marks = block.whole.encode().translate(None, self._not_marks).removesuffix(b"\n")
        row = self._separator.encode() * (self._width - 1) + b"\n"
        return marks == (row * len(block.texts))[:-1] and "" not in block.texts

    def _one_by_one(self, block: CsvBlock, numbers: Numbers, keep: Keep) -> Iterator[str]:
        ends = iter([block.breaks] * len(block.texts) if isinstance(block.breaks, str) else block.breaks)
        rows, kept = zip(*numbers, strict=True), iter(keep or [])
        for place, text in enumerate(block.texts):
            end = next(ends)
            if not text:
                if keep is None:
                    yield end
                continue
            row = next(rows)
            if keep is not None and not next(kept):
                continue
            width = text.count(self._separator) + 1 if block.fields is None else len(block.fields[place])
            self.too_long += width > self._width
            whole = text + self._separator * (self._width - width)
            if self._is_replacing:
                yield self._replace(whole, [field for number in row for field in self._fields[number]]) + end
            else:
                yield "".join([whole, *[self._tails[number] for number in row], end])

    def _replace(self, text: str, values: Sequence[str]) -> str:
        fields = raw_fields(text, self._separator)
        for place, value in zip(self._places, values, strict=True):
            if place is None:
                fields.append(value)
            else:
                fields[place] = value
        return self._separator.join(fields)

    def _field(self, value: str) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._separator, lineterminator="").writerow([value, ""])
        # A vendor's word may have characters that the list's encoding lacks.
        return text.getvalue().removesuffix(self._separator).encode(self._encoding, "replace").decode(self._encoding)


def raw_fields(record: str, separator: str) -> list[str]:
    """
    Return the fields of a record as they stand in it, with their quotes.

    :param record: its text, without the line break that ends it.
    :param separator: what separates fields.
    """
    mark = re.escape(separator)
    pattern = rf'("(?:[^"]++|"")*+"|[^{mark}]*){mark}'
    return [match[1] for match in re.finditer(pattern, record + separator)]


def _cut(text: str) -> tuple[str, str]:
    """Return a text and the line break that ends it."""
    lines, breaks = split_lines(text)
    end = breaks if isinstance(breaks, str) else breaks[-1]
    return (text.removesuffix(end) if lines else text), end
