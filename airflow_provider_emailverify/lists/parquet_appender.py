"""Rows of a Parquet file, with their types and metadata, and columns added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.lists.added_columns import AddedColumns, Numbers
from airflow_provider_emailverify.lists.list_writer import Keep, ListWriter
from airflow_provider_emailverify.results.parquet_writer import SpoolSink, arrow_field, strings

if TYPE_CHECKING:
    import pyarrow

    from airflow_provider_emailverify.storage.spool import Spool

# A row group has so many rows or bytes: what a writer holds in memory.
_GROUP_ROWS, _GROUP_BYTES = 65_536, 32 * 1024 * 1024


class ParquetAppender(ListWriter):
    """
    Write rows in Parquet, with columns behind them, or in place of those of their name.

    :param schema: the columns of the list.
    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    :param replaced: for each added column that is in the list already, its place there.
    """

    media_type = "application/vnd.apache.parquet"

    def __init__(self, schema: pyarrow.Schema, added: AddedColumns, spool: Spool, replaced: Mapping[str, int]) -> None:
        super().__init__(added, spool)
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        self._pa = pa
        fields = [*schema]
        self._places: list[int] = []
        for names in added.names_of:
            for name, column in zip(names, added.columns, strict=True):
                place = replaced.get(name, len(fields))
                fields[place : place + 1] = [arrow_field(column, name)]
                self._places.append(place)
        self._schema = pa.schema(fields, metadata=schema.metadata)
        self._sink = SpoolSink(spool)
        self._arrow = ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd")
        self._batches: list[pyarrow.RecordBatch] = []

    def write(self, block: pyarrow.RecordBatch, numbers: Numbers, keep: Keep = None) -> None:
        """Append rows."""
        pa = self._pa
        columns = [*block.columns]
        added = [column for some in numbers for column in self._columns(some)]
        for place, column in zip(self._places, added, strict=True):
            columns[place : place + 1] = [column]
        batch = pa.record_batch(columns, schema=self._schema)
        if keep is not None:
            batch = batch.filter(pa.array(keep, pa.bool_()))
        self._batches.append(batch)
        rows = sum(each.num_rows for each in self._batches)
        if rows >= _GROUP_ROWS or sum(each.nbytes for each in self._batches) >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is still held back, and the footer."""
        if self._batches:
            self._flush()
        self._arrow.close()

    def abandon(self) -> None:
        """Give the file up. Arrow's writer writes a footer when it is closed or collected, whatever was written."""
        self._sink.is_open = False
        self._arrow.close()

    def _columns(self, numbers: Sequence[int]) -> list[Any]:
        """Return the added columns of some rows, for one column of addresses."""
        places: dict[int, int] = {}
        picks = self._pa.array([places.setdefault(number, len(places)) for number in numbers], self._pa.int32())
        distinct = zip(*map(self.added.values, places), strict=True) if places else [()] * len(self.added.columns)
        return [
            strings(values).cast(arrow_field(column).type).take(picks)
            for values, column in zip(distinct, self.added.columns, strict=True)
        ]

    def _flush(self) -> None:
        table = self._pa.Table.from_batches(self._batches, schema=self._schema).unify_dictionaries()
        self._batches = []
        self._arrow.write_table(table, row_group_size=max(table.num_rows, 1))
