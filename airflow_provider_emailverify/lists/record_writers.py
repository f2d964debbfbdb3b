"""Rows of a list in another format than its own, with columns added."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import compress
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.lists.added_columns import AddedColumns, Numbers, Rendered
from airflow_provider_emailverify.lists.list_file import ListFile
from airflow_provider_emailverify.lists.list_writer import Keep, ListWriter
from airflow_provider_emailverify.lists.parquet_appender import ParquetAppender
from airflow_provider_emailverify.lists.values import as_text
from airflow_provider_emailverify.results.schema import FLAGS

if TYPE_CHECKING:
    import pyarrow

    from airflow_provider_emailverify.storage.spool import Spool


class RecordWriter(ListWriter):
    """
    Write rows as values.

    :param file: the list.
    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    :param replaced: for each added column that is in the list already, its place there.
    """

    def __init__(self, file: ListFile, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]) -> None:
        super().__init__(added, spool)
        self._file = file
        self.names = unique_names(file.names)
        self._places: list[int] = []
        for name in added.names:
            self._places.append(replaced.get(name, len(self.names)))
            if name not in replaced:
                self.names.append(name)
        self._values = Rendered(self._added)

    def rows(self, block: Any, numbers: Numbers, keep: Keep) -> Iterator[list[Any]]:
        """
        Yield rows, with the added columns.

        :param block: a block of the list.
        :param numbers: the numbers of their answers.
        :param keep: which of its rows are wanted.
        """
        pairs: Iterable[Any] = zip(self._file.records(block), zip(*numbers, strict=True), strict=True)
        width = len(self.names)
        for record, answers in compress(pairs, keep) if keep is not None else pairs:
            row = [*record]
            row += [None] * (width - len(row))
            added = [value for number in answers for value in self._values[number]]
            for place, value in zip(self._places, added, strict=True):
                row[place] = value
            yield row

    def _added(self, number: int) -> list[Any]:
        return [
            value == "true" if value and column in FLAGS else value
            for column, value in zip(self.added.columns, self.added.values(number), strict=True)
        ]


class CsvRecordWriter(RecordWriter):
    """Write RFC 4180 CSV in UTF-8 with a header, like results."""

    media_type = "text/csv"

    def __init__(self, file: ListFile, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]) -> None:
        super().__init__(file, added, spool, replaced)
        self._write_rows([self.names])

    def write(self, block: Any, numbers: Numbers, keep: Keep = None) -> None:
        """Append rows."""
        self._write_rows(map(as_text, row) for row in self.rows(block, numbers, keep))

    def _write_rows(self, rows: Iterable[Iterable[str | None]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self.spool.write(text.getvalue().encode())


class JsonRecordWriter(RecordWriter):
    """Write one JSON object a line, in UTF-8, every column in every object."""

    media_type = "application/x-ndjson"

    def write(self, block: Any, numbers: Numbers, keep: Keep = None) -> None:
        """Append rows."""
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=as_text).encode
        lines = [encode(dict(zip(self.names, row, strict=True))) + "\n" for row in self.rows(block, numbers, keep)]
        self.spool.write("".join(lines).encode(errors="replace"))


class ParquetRecordWriter(ListWriter):
    """
    Write Parquet: each column in the type of its values, if they have one in common, else as text.

    :param file: the list.
    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    :param replaced: for each added column that is in the list already, its place there.
    """

    media_type = ParquetAppender.media_type

    def __init__(self, file: ListFile, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]) -> None:
        super().__init__(added, spool)
        import pyarrow as pa

        self._file = file
        self._schema = pa.schema(
            [
                pa.field(unique, _arrow_type((file.types or {}).get(name, {str})))
                for unique, name in zip(unique_names(file.names), file.names, strict=True)
            ]
        )
        self._appender = ParquetAppender(self._schema, added, spool, replaced)

    def write(self, block: Any, numbers: Numbers, keep: Keep = None) -> None:
        """Append rows."""
        import pyarrow as pa

        columns = list(zip(*self._file.records(block), strict=True)) or [()] * len(self._schema)
        arrays = [
            pa.array(map(as_text, values) if field.type == pa.string() else values, field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._appender.write(pa.record_batch(arrays, schema=self._schema), numbers, keep)

    def close(self) -> None:
        """Write what is still held back, and the footer."""
        self._appender.close()

    def abandon(self) -> None:
        """Give the file up."""
        self._appender.abandon()


def _arrow_type(types: set[type]) -> pyarrow.DataType:
    import pyarrow as pa

    known: tuple[tuple[set[type], pyarrow.DataType], ...] = (
        ({bool}, pa.bool_()),
        ({int}, pa.int64()),
        ({int, float}, pa.float64()),
        ({datetime}, pa.timestamp("us")),
        ({date}, pa.date32()),
    )
    return next((kind for of, kind in known if types and types <= of), pa.string())


def unique_names(names: Sequence[str]) -> list[str]:
    """
    Return names of columns that differ, for formats that take no others.

    :param names: names, of which some may be empty or the same.
    """
    given: list[str] = []
    taken = set(names)
    for place, name in enumerate(names, 1):
        unique, number = name or f"column {place}", 1
        while unique in given or (number > 1 and unique in taken) or (not name and unique in taken):
            number += 1
            unique = f"{name or f'column {place}'} {number}"
        given.append(unique)
    return given
