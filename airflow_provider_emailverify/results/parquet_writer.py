"""Rows to Parquet, by pyarrow."""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.results.row_writer import ResultWriter
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, SCHEMA_VERSION, Finding, Origin, Row

if TYPE_CHECKING:
    import pyarrow

    from airflow_provider_emailverify.storage.spool import Spool

# Rows of a row group, at least: what a writer holds in memory.
_ROW_GROUP_ROWS = 65_536


class ParquetWriter(ResultWriter):
    """Write Parquet in zstd: words as dictionaries, flags as booleans, times; version and vendor in its metadata."""

    media_type = "application/vnd.apache.parquet"

    def __init__(self, spool: Spool, origin: Origin) -> None:
        super().__init__(spool, origin)
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter as ArrowWriter

        self._pa = pa
        self._schema = arrow_schema(origin.vendor)
        self._start_row_group()
        self._sink = SpoolSink(spool)
        self._arrow = ArrowWriter(
            pa.PythonFile(self._sink, mode="w"),
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in COLUMNS if name not in ("email", *FLAGS)],
        )

    def render(self, finding: Finding) -> list[str | None]:
        """
        Return all columns but the address, spelled as Arrow casts them.

        :param finding: what it says.
        """
        values = finding.as_dict(self.origin).values()
        return [str(value).lower() if isinstance(value, bool) else value for value in values]

    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """
        # Not the rows themselves: the garbage collector would walk through them again and again.
        numbers = self._numbers
        self._emails += [email for email, _ in rows]
        self._findings.extend([numbers.setdefault(finding, len(numbers)) for _, finding in rows])
        if len(self._emails) >= _ROW_GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what is still held back, and the footer."""
        if self._emails:
            self._flush()
        self._arrow.close()

    def abandon(self) -> None:
        """Give the file up. Arrow's writer writes a footer when it is closed or collected, whatever was written."""
        self._sink.is_open = False
        self._arrow.close()

    def count(self) -> int:
        """Count the rows by reading all of them, because a footer can be whole where the rows are not."""
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self.spool.path) as file:
            return sum(batch.num_rows for batch in file.iter_batches())

    def _flush(self) -> None:
        pa = self._pa
        shared = pa.schema(list(self._schema)[1:])
        columns = zip(*map(self.rendered, self._numbers), strict=True)
        distinct = [strings(column).cast(field.type) for column, field in zip(columns, shared, strict=True)]
        picks = pa.Array.from_buffers(pa.int32(), len(self._findings), [None, pa.py_buffer(self._findings)])
        table = pa.record_batch(distinct, schema=shared).take(picks)
        self._arrow.write_batch(pa.record_batch([strings(self._emails), *table.columns], schema=self._schema))
        self._start_row_group()

    def _start_row_group(self) -> None:
        self._emails: list[str | None] = []
        self._findings = array("i")  # for each row, the number of its finding
        self._numbers: dict[Finding, int] = {}


class SpoolSink(io.RawIOBase):
    """A spool as a file that pyarrow can close, which leaves the spool open."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool
        self.is_open = True

    def writable(self) -> bool:
        """Tell pyarrow that it may write."""
        return True

    def write(self, chunk: Any) -> int:
        """Append bytes, or drop them once the file was given up."""
        if self.is_open:
            self._spool.write(chunk)
        return len(chunk)


def arrow_field(column: str, name: str | None = None) -> pyarrow.Field:
    """
    Return a column of the schema as Parquet files carry it.

    :param column: the column of the schema.
    :param name: its name in the file, if that is another.
    """
    import pyarrow as pa

    if column in FLAGS:
        kind = pa.bool_()
    elif column == "verified_at":
        # Parquet has no whole seconds, and this is the unit that every warehouse takes for a point in time.
        kind = pa.timestamp("us", tz="UTC")
    else:
        kind = pa.string() if column == "email" else pa.dictionary(pa.int32(), pa.string())
    return pa.field(name or column, kind, metadata={"description": COLUMNS[column]})


def arrow_schema(vendor: str) -> pyarrow.Schema:
    """
    Return the schema as Parquet files carry it: types, what each column holds, the schema's version, the vendor.

    :param vendor: the vendor's connection type.
    """
    import pyarrow as pa

    return pa.schema(
        [arrow_field(name) for name in COLUMNS],
        metadata={"emailverify.schema_version": str(SCHEMA_VERSION), "emailverify.vendor": vendor},
    )


def strings(values: Sequence[str | None]) -> Any:
    """
    Return texts as an Arrow array.

    :param values: the texts.
    """
    # Not pa.array(): that imports pandas where it is installed, for 1 s and 100 MB, to look for its types.
    from pyarrow.lib import StringBuilder

    builder = StringBuilder()
    builder.append_values(values)
    return builder.finish()
