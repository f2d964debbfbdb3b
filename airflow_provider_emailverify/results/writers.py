"""Rows to files: CSV, JSON lines and Parquet, written as the rows come, with memory that does not grow."""

from __future__ import annotations

import csv
import io
import json
import re
from abc import ABC, abstractmethod
from array import array
from collections.abc import Sequence
from functools import lru_cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.formats.csv_file import outline_csv
from airflow_provider_emailverify.results.findings import MOST_FINDINGS
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, SCHEMA_VERSION, Finding, Row

if TYPE_CHECKING:
    import pyarrow

    from airflow_provider_emailverify.storage.spool import Spool

ResultFormat = Literal["csv", "jsonl", "parquet"]

MEDIA_TYPES: dict[ResultFormat, str] = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
# Rows of a Parquet row group, at least: what a writer holds in memory.
_ROW_GROUP_ROWS = 65_536


class ResultWriter(ABC):
    """
    Write rows in one format.

    :param spool: where the bytes go; what it held is thrown away.
    :param vendor: the vendor's connection type.
    :param batch_id: the vendor's identifier of the batch.
    """

    def __init__(self, spool: Spool, vendor: str, batch_id: str) -> None:
        self.spool = spool
        self.vendor = vendor
        self.batch_id = batch_id
        self.rendered = lru_cache(maxsize=MOST_FINDINGS)(self.render)

    @abstractmethod
    def render(self, finding: Finding) -> Any:
        """
        Prepare all columns but the address, once for all rows that share them.

        :param finding: what they share.
        """

    @abstractmethod
    def count(self) -> int:
        """Count the rows of the closed file, by its own structure."""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """

    def close(self) -> None:  # noqa: B027 - most formats hold nothing back
        """Write what is still held back; the file is whole after that."""


class CsvWriter(ResultWriter):
    """
    Write RFC 4180 CSV in UTF-8 with a header. Flags are ``true`` and ``false``, null is an empty field.

    A value is written as it is, also one that a spreadsheet would take for a formula: the file is made for
    programs, and an address may begin with ``=``, ``+`` or ``-``.
    """

    _odd = re.compile(r'[",\r\n]').search

    def __init__(self, spool: Spool, vendor: str, batch_id: str) -> None:
        super().__init__(spool, vendor, batch_id)
        spool.reset(MEDIA_TYPES["csv"])
        spool.write(_csv_line(COLUMNS).encode())

    def render(self, finding: Finding) -> str:
        """
        Return the end of a line, from the comma after the address.

        :param finding: what it says.
        """
        values = finding.as_dict(self.vendor, self.batch_id).values()
        return _csv_line(["", *(str(value).lower() if isinstance(value, bool) else value for value in values)])

    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """
        odd, rendered = self._odd, self.rendered
        lines = [
            (_csv_line([email])[:-2] if odd(email) else email) + rendered(finding) if email else rendered(finding)
            for email, finding in rows
        ]
        self.spool.write("".join(lines).encode())

    def count(self) -> int:
        """Count the records of the file."""
        return outline_csv(self.spool.rewound(), "the written file").rows


def _csv_line(values: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


class JsonLinesWriter(ResultWriter):
    """Write one JSON object a line, in UTF-8, every column in every object."""

    def __init__(self, spool: Spool, vendor: str, batch_id: str) -> None:
        super().__init__(spool, vendor, batch_id)
        spool.reset(MEDIA_TYPES["jsonl"])
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def render(self, finding: Finding) -> str:
        """
        Return the end of a line, from the comma after the address.

        :param finding: what it says.
        """
        return f",{self._encode(finding.as_dict(self.vendor, self.batch_id))[1:]}\n"

    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """
        encode, rendered = self._encode, self.rendered
        lines = [f'{{"email":{encode(email)}{rendered(finding)}' for email, finding in rows]
        self.spool.write("".join(lines).encode())

    def count(self) -> int:
        """Count the lines of the file."""
        return sum(chunk.count(b"\n") for chunk in iter(partial(self.spool.rewound().read, 1024 * 1024), b""))


class ParquetWriter(ResultWriter):
    """Write Parquet: words as dictionaries, flags as booleans, zstd; schema version and vendor in its metadata."""

    def __init__(self, spool: Spool, vendor: str, batch_id: str) -> None:
        super().__init__(spool, vendor, batch_id)
        spool.reset(MEDIA_TYPES["parquet"])
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter as ArrowWriter

        self._pa = pa
        self._schema = arrow_schema(vendor)
        self._start_row_group()
        self._arrow = ArrowWriter(
            pa.PythonFile(_Sink(spool), mode="w"),
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in COLUMNS if name not in ("email", *FLAGS)],
        )

    def render(self, finding: Finding) -> list[str | None]:
        """
        Return all columns but the address, spelled as Arrow casts them.

        :param finding: what it says.
        """
        values = finding.as_dict(self.vendor, self.batch_id).values()
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

    def count(self) -> int:
        """Count the rows by the file's footer."""
        from pyarrow.parquet import read_metadata

        rows: int = read_metadata(self.spool.path).num_rows
        return rows

    def _flush(self) -> None:
        pa = self._pa
        shared = pa.schema(list(self._schema)[1:])
        columns = zip(*map(self.rendered, self._numbers), strict=True)
        distinct = [_strings(column).cast(field.type) for column, field in zip(columns, shared, strict=True)]
        picks = pa.Array.from_buffers(pa.int32(), len(self._findings), [None, pa.py_buffer(self._findings)])
        table = pa.record_batch(distinct, schema=shared).take(picks)
        self._arrow.write_batch(pa.record_batch([_strings(self._emails), *table.columns], schema=self._schema))
        self._start_row_group()

    def _start_row_group(self) -> None:
        self._emails: list[str | None] = []
        self._findings = array("i")  # for each row, the number of its finding
        self._numbers: dict[Finding, int] = {}


class _Sink(io.RawIOBase):
    """A spool as a file that pyarrow can close, which leaves the spool open."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self._spool = spool

    def writable(self) -> bool:
        return True

    def write(self, chunk: Any) -> int:
        self._spool.write(chunk)
        return len(chunk)


def arrow_schema(vendor: str) -> pyarrow.Schema:
    """
    Return the schema as Parquet files carry it: types, what each column holds, the schema's version, the vendor.

    :param vendor: the vendor's connection type.
    """
    import pyarrow as pa

    def type_of(name: str) -> pyarrow.DataType:
        if name in FLAGS:
            return pa.bool_()
        return pa.string() if name == "email" else pa.dictionary(pa.int32(), pa.string())

    return pa.schema(
        [pa.field(name, type_of(name), metadata={"description": text}) for name, text in COLUMNS.items()],
        metadata={"emailverify.schema_version": str(SCHEMA_VERSION), "emailverify.vendor": vendor},
    )


def _strings(values: Any) -> Any:
    # Not pa.array(): that imports pandas where it is installed, for 1 s and 100 MB, to look for its types.
    from pyarrow.lib import StringBuilder

    builder = StringBuilder()
    builder.append_values(values)
    return builder.finish()


_WRITERS: dict[str, type[ResultWriter]] = {"csv": CsvWriter, "jsonl": JsonLinesWriter, "parquet": ParquetWriter}


def check_format(result_format: str) -> None:
    """
    Refuse a format that cannot be written.

    :param result_format: ``csv``, ``jsonl`` or ``parquet``.
    :raises InvalidRequestError: no such format, or what it needs is not installed.
    """
    if result_format not in _WRITERS:
        raise InvalidRequestError(
            f"output_format is one of vendor, {', '.join(get_args(ResultFormat))}, not {result_format!r}."
        )
    if result_format == "parquet" and find_spec("pyarrow") is None:
        raise InvalidRequestError("Parquet needs pyarrow: pip install 'airflow-provider-emailverify[parquet]'.")


def open_writer(result_format: str, spool: Spool, vendor: str, batch_id: str) -> ResultWriter:
    """
    Return a writer.

    :param result_format: ``csv``, ``jsonl`` or ``parquet``.
    :param spool: where the bytes go; what it held is thrown away.
    :param vendor: the vendor's connection type.
    :param batch_id: the vendor's identifier of the batch.
    """
    return _WRITERS[result_format](spool, vendor, batch_id)
