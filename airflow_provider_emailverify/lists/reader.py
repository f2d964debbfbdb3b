"""
Read the column of addresses out of a file in some storage, a block at a time and in constant memory.

Not a word of the content gets into an error: rows hold addresses, and what looks like a header may be one.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, cast, get_args

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidSourceError, StorageError
from airflow_provider_emailverify.formats.column_names import find_column, shown_names
from airflow_provider_emailverify.formats.csv_file import CsvFile, QuotesFaultError
from airflow_provider_emailverify.formats.text_file import (
    EncodingFaultError,
    FaultyTextError,
    LineFaultError,
    TextFile,
    lines_of,
    unzipped,
)
from airflow_provider_emailverify.formats.watched_file import WatchedFile
from airflow_provider_emailverify.storage.destination import open_source
from airflow_provider_emailverify.storage.uris import check_source, shown

SourceFormat = Literal["csv", "jsonl", "parquet", "lines"]
#: Values of the column, as they stand in the file; "" where there is none.
Blocks = Iterator[list[str]]

_FORMATS: dict[str, SourceFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "lines",
    ".list": "lines",
}
_BLOCK = 4096
_SAMPLE_ROWS = 20
_ADVICE: tuple[tuple[type[FaultyTextError], str], ...] = (
    (EncodingFaultError, "convert it, or set encoding to what it is in"),
    (LineFaultError, "check that it is the right file and in the format of its name, or set source_format"),
    (
        QuotesFaultError,
        "write the file with a CSV library (RFC 4180), or set source_format='lines' if it is one address a line",
    ),
)


def read_column(uri: str, column: str, source_format: str | None = None, encoding: str = "utf-8") -> Blocks:
    """
    Read the column of addresses out of a file, some thousand values at a time.

    :param uri: a URI as ``ObjectStoragePath`` takes it. Text may be compressed with gzip, whatever its name.
    :param column: the name in a CSV file's header, of a Parquet file's column, or of the member of a JSON line. A name
        that differs in case, spaces or punctuation will do if there is no other like it.
    :param source_format: ``csv``, ``jsonl``, ``parquet`` or ``lines``; None: the end of the file's name says it.
    :param encoding: of text; UTF-8 may begin with a byte order mark, and UTF-16 is known by its own.
    :raises InvalidSourceError: the file is not what it should be.
    :raises StorageError: the storage refused it.
    """
    check_source(uri)
    kind = _format_of(uri, source_format)
    try:
        with open_source(uri) as file:
            if kind == "parquet":
                yield from _parquet(file, column)
            else:
                yield from _TEXT[kind](TextFile(unzipped(file), encoding), column)
    except FaultyTextError as fault:
        advice = next(words for kind_of_fault, words in _ADVICE if isinstance(fault, kind_of_fault))
        raise InvalidSourceError(f"Source {shown(uri)}: it {fault.problem}; {advice}.") from None
    except InvalidSourceError as error:
        raise InvalidSourceError(f"Source {shown(uri)}: {error}") from None
    except EmailVerifyError:
        raise
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidSourceError(f"Source {shown(uri)}: its gzip stream is cut or damaged; write it again.") from None
    except Exception as error:
        # Every storage raises errors of its own; they speak of buckets, paths and permissions.
        raise StorageError(
            f"Source {shown(uri)}: {type(error).__name__}: {error}. Check the path and the connection."
        ) from error


def _format_of(uri: str, given: str | None) -> SourceFormat:
    if given:
        if given not in get_args(SourceFormat):
            raise InvalidSourceError(f"source_format is one of {', '.join(get_args(SourceFormat))}, not {given!r}.")
        return cast("SourceFormat", given)
    name = PurePosixPath(uri.strip().lower().removesuffix(".gz"))
    if name.suffix not in _FORMATS:
        raise InvalidSourceError(
            f"Source {shown(uri)}: its name does not end in a format's name; set source_format to one of "
            f"{', '.join(get_args(SourceFormat))}."
        )
    return _FORMATS[name.suffix]


def _lines(text: TextFile, _column: str) -> Blocks:
    for block in text:
        yield list(filter(None, map(str.strip, lines_of(block))))


def _csv(text: TextFile, column: str) -> Blocks:
    table = CsvFile(text, lambda names: next(iter(find_column(column, names)), None))
    place = _place_of(column, table.head.names, table.head.sample)
    records = table.records(upto=place)
    while block := [record[place] if place < len(record) else "" for record in islice(records, _BLOCK)]:
        yield block


def _place_of(column: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Return which name is the column's; the rows beneath show whether the names may be told."""
    places = find_column(column, names)
    if len(places) == 1:
        return places[0]
    if places:
        raise InvalidSourceError(
            f"it has {len(places)} columns {column!r}, case and punctuation apart; rename all but one, or set "
            "email_column to just the name of the right one."
        )
    raise InvalidSourceError(f"it has no column {column!r}; {_told(names, rows)}")


def _told(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return what there is instead of the column, and what to do."""
    if not names:
        return "it is empty."
    if any("@" in name for name in names):
        return (
            "the names of its columns are a row of data, with an address. Add a header, or set source_format='lines' "
            "if it is a text of one address a line."
        )
    shown = shown_names(names, rows)
    columns = f"its columns are {shown}" if shown else "its columns are not shown, as they may be a row of data"
    return f"{columns}. Set email_column to the name of the one with the addresses."


def _jsonl(text: TextFile, column: str) -> Blocks:
    if text.start.lstrip().startswith("["):
        raise InvalidSourceError("it is a JSON array; write one object a line.")
    line = 0
    key = None
    first: dict[str, Any] = {}
    for block in text:
        lines = lines_of(block)
        rows = _objects(lines, line)
        line += len(lines)
        first = first or next(filter(None, rows), {})
        if key is None:
            names = list(dict.fromkeys(name for row in rows for name in row))
            key = names[_place_of(column, names, [])] if find_column(column, names) else None
        values = [None if key is None else row.get(key) for row in rows]
        yield [value if isinstance(value, str) else "" for value in values]
    if first and key is None:
        raise InvalidSourceError(f"no line has {column!r}; {_told(list(first), [list(first.values())])}")


def _objects(lines: list[str], line: int) -> list[dict[str, Any]]:
    """Parse the lines of a block, the first of which is the one after ``line``; blank ones are passed over."""
    full = list(filter(None, map(str.strip, lines)))
    with suppress(ValueError, RecursionError):
        rows = json.loads(f"[{','.join(full)}]")
        if len(rows) == len(full) and _are_all(dict, rows):
            return cast("list[dict[str, Any]]", rows)
    return [_object(text, number) for number, text in enumerate(lines, line + 1) if text.strip()]


def _object(text: str, line: int) -> dict[str, Any]:
    row = None
    with suppress(ValueError, RecursionError):
        row = _JSON.decode(text.strip())
    if not isinstance(row, dict):
        raise InvalidSourceError(f"line {line:,} is not a JSON object; write one object a line.")
    return row


def _are_all(kind: type, values: list[Any]) -> bool:
    return {*map(type, values)} <= {kind}


def _parquet(file: BinaryIO, column: str) -> Blocks:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise InvalidSourceError(
            "Parquet needs pyarrow on the worker: pip install 'airflow-provider-emailverify[parquet]'."
        ) from None
    watched = WatchedFile(file)
    try:
        table = pq.ParquetFile(watched)
        names = table.schema_arrow.names
        sample = next(table.iter_batches(_SAMPLE_ROWS), None) if not find_column(column, names) else None
        rows = list(zip(*sample.to_pydict().values(), strict=True)) if sample else []
        name = names[_place_of(column, names, rows)]
        for batch in table.iter_batches(_BLOCK, columns=[name]):
            values = batch.column(batch.schema.get_field_index(name)).cast(pa.string())
            yield [value or "" for value in values.to_pylist()]
    except EmailVerifyError:
        raise
    except Exception:  # noqa: BLE001 - pyarrow's errors are of many classes, and their texts quote values
        if watched.error is not None:
            raise watched.error from None  # the storage's, not pyarrow's
        raise InvalidSourceError("it is not a whole Parquet file, or its column does not hold text.") from None


_TEXT: dict[str, Callable[[TextFile, str], Blocks]] = {"csv": _csv, "jsonl": _jsonl, "lines": _lines}
# Numbers of any length, which are of no interest here.
_JSON = json.JSONDecoder(parse_int=float)
