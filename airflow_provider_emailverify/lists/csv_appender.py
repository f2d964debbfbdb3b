"""Rows of a CSV file, as they stand there, with columns added."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import methodcaller
from typing import TYPE_CHECKING

from airflow_provider_emailverify.formats.csv_file import CsvBlock
from airflow_provider_emailverify.formats.text_file import split_lines
from airflow_provider_emailverify.lists.added_columns import AddedColumns, Key, Rendered
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
        self._tails = Rendered(self._tail)
        self._fields = Rendered(self._render)
        #: Records with more fields than the header.
        self.too_long = 0
        text, line_break = _cut(file.table.head_text)
        names = [name for name, place in zip(added.names, self._places, strict=True) if place is None]
        header = "".join([text, *(self._separator + self._field(name) for name in names), line_break])
        spool.write(file.text.mark + header.encode(self._encoding))

    def write(self, block: CsvBlock, keys: Sequence[Key], keep: Keep = None) -> None:
        """Append records."""
        if self._is_replacing or keep is not None or not self._is_regular(block):
            self._encode("".join(self._one_by_one(block, keys, keep)))
            return
        tails = self._tails
        if isinstance(block.breaks, str):
            end = block.breaks
            lines = [text + tails[key] + end for text, key in zip(block.texts, keys, strict=True)]
        else:
            lines = [text + tails[key] + end for text, key, end in zip(block.texts, keys, block.breaks, strict=True)]
        self._encode("".join(lines))

    def _is_regular(self, block: CsvBlock) -> bool:
        """Tell whether all records have as many fields as the header."""
        if "" in block.texts:
            return False
        if block.fields is None:
            return {*map(methodcaller("count", self._separator), block.texts)} <= {self._width - 1}
        return {*map(len, block.fields)} <= {self._width}

    def _one_by_one(self, block: CsvBlock, keys: Sequence[Key], keep: Keep) -> Iterator[str]:
        ends = iter([block.breaks] * len(block.texts) if isinstance(block.breaks, str) else block.breaks)
        rest, kept = iter(keys), iter(keep or [])
        for number, text in enumerate(block.texts):
            end = next(ends)
            if not text:
                if keep is None:
                    yield end
                continue
            key = next(rest)
            if keep is not None and not next(kept):
                continue
            width = text.count(self._separator) + 1 if block.fields is None else len(block.fields[number])
            self.too_long += width > self._width
            whole = text + self._separator * (self._width - width)
            yield (self._replace(whole, key) if self._is_replacing else whole + self._tails[key]) + end

    def _replace(self, text: str, key: Key) -> str:
        fields = raw_fields(text, self._separator)
        for place, value in zip(self._places, self._fields[key], strict=True):
            if place is None:
                fields.append(value)
            else:
                fields[place] = value
        return self._separator.join(fields)

    def _tail(self, key: Key) -> str:
        return "".join([self._separator + field for field in self._fields[key]])

    def _render(self, key: Key) -> list[str]:
        return [self._field(value or "") for value in self.added.values(key)]

    def _field(self, value: str) -> str:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._separator, lineterminator="").writerow([value, ""])
        # A vendor's word may have characters that the list's encoding lacks.
        return text.getvalue().removesuffix(self._separator).encode(self._encoding, "replace").decode(self._encoding)

    def _encode(self, text: str) -> None:
        self.spool.write(text.encode(self._encoding))


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
