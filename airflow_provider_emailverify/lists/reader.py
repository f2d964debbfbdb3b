"""
From a file in some storage to the values of its column of addresses, a block at a time and in constant memory.

Not a word of the content gets into an error: rows hold addresses, and what looks like a header may be one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, TextIOWrapper
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Literal, TextIO, cast, get_args

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidSourceError, StorageError
from airflow_provider_emailverify.storage.destination import open_source

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
_DELIMITERS = ",;\t|"
_BLOCK = 4096
_BUFFER_BYTES = 1024 * 1024
_MAX_HEADER = 64 * 1024


def read_column(uri: str, column: str, source_format: str | None = None, encoding: str = "utf-8") -> Blocks:
    """
    Read the column of addresses out of a file, some thousand values at a time.

    :param uri: a URI as ``ObjectStoragePath`` takes it. Text may be compressed with gzip, whatever its name.
    :param column: the name in a CSV file's header, of a Parquet file's column, or of the member of a JSON line.
    :param source_format: ``csv``, ``jsonl``, ``parquet`` or ``lines``; None: the end of the file's name says it.
    :param encoding: of text; UTF-8 may begin with a byte order mark.
    :raises InvalidSourceError: the file is not what it should be.
    :raises StorageError: the storage refused it.
    """
    kind = _format_of(uri, source_format)
    try:
        codecs.lookup(encoding)
        with open_source(uri) as file:
            yield from _parquet(file, column) if kind == "parquet" else _TEXT[kind](_text(file, encoding), column)
    except InvalidSourceError as error:
        raise InvalidSourceError(f"Source {uri}: {error}") from None
    except EmailVerifyError:
        raise
    except UnicodeError:
        raise InvalidSourceError(
            f"Source {uri}: it is not text in {encoding}; convert it, or set encoding to what it is in."
        ) from None
    except LookupError:
        raise InvalidSourceError(f"Source {uri}: Python knows no encoding {encoding!r}.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidSourceError(f"Source {uri}: its gzip stream is cut or damaged; write it again.") from None
    except Exception as error:
        # Every storage raises errors of its own; they speak of buckets, paths and permissions.
        raise StorageError(
            f"Source {uri}: {type(error).__name__}: {error}. Check the path and the connection."
        ) from error


def _format_of(uri: str, given: str | None) -> SourceFormat:
    if given:
        if given not in get_args(SourceFormat):
            raise InvalidSourceError(f"source_format is one of {', '.join(get_args(SourceFormat))}, not {given!r}.")
        return cast("SourceFormat", given)
    name = PurePosixPath(uri.strip().lower().removesuffix(".gz"))
    if name.suffix not in _FORMATS:
        raise InvalidSourceError(
            f"Source {uri}: its name does not end in a format's name; set source_format to one of "
            f"{', '.join(get_args(SourceFormat))}."
        )
    return _FORMATS[name.suffix]


def _text(file: BinaryIO, encoding: str) -> TextIO:
    binary = file
    magic = file.read(2)
    file.seek(0)
    if magic == b"\x1f\x8b":
        binary = cast("BinaryIO", gzip.GzipFile(fileobj=file))
    # It asks for a raw stream by its type, and reads from any other as well.
    reader = BufferedReader(binary, _BUFFER_BYTES)  # type: ignore[type-var]
    is_utf8 = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    if is_utf8 and reader.peek(3).startswith(codecs.BOM_UTF8):  # the codec utf-8-sig takes longer for all the rest
        reader.read(3)
    return TextIOWrapper(reader, encoding=encoding, newline="")


def _blocks(values: Iterator[str]) -> Blocks:
    return iter(lambda: list(islice(values, _BLOCK)), [])


def _lines(text: TextIO, _column: str) -> Blocks:
    return _blocks(filter(None, map(str.strip, text)))


def _csv(text: TextIO, column: str) -> Blocks:
    head = _head(text)
    head_lines = head.count("\n")
    delimiter, index = _find_column(head, column)
    # Strict, because a stray quote would make one field, and no error, out of everything that follows.
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    lines_before = -1
    try:
        while rows.line_num > lines_before:
            lines_before = rows.line_num
            yield [row[index] if index < len(row) else "" for row in islice(rows, _BLOCK) if row]
    except csv.Error:
        raise InvalidSourceError(
            f"the quotes of the row that ends in line {head_lines + rows.line_num:,} do not match (RFC 4180); write "
            "the file with a CSV library, or set source_format='lines' if it is one address a line."
        ) from None


def _head(text: TextIO) -> str:
    """Read the header; a line break within quotes does not end it."""
    head = text.readline(_MAX_HEADER)
    while head.count('"') % 2 and len(head) < _MAX_HEADER and (more := text.readline(_MAX_HEADER)):
        head += more
    return head


def _find_column(head: str, column: str) -> tuple[str, int]:
    """Return the delimiter with which a header has the column, and the column's place."""
    for delimiter in _DELIMITERS:
        names = next(csv.reader([head], delimiter=delimiter), [])
        index = _place_of(column, names)
        if index is not None:
            return delimiter, index
    advice = "set email_column to the name of the one with the addresses"
    if "@" in head:  # then it is no header, and nobody's business
        advice = (
            "its first line holds an address; add a header, or set source_format='lines' if there is one address a line"
        )
    raise InvalidSourceError(f"it has no column {column!r}; {advice}.")


def _place_of(column: str, names: list[str]) -> int | None:
    """Return which name is the column's, exactly or at least but for its case."""
    for same in (str, str.lower):
        places = [place for place, name in enumerate(names) if same(name.strip()) == same(column)]
        if len(places) > 1:
            raise InvalidSourceError(f"it has {len(places)} columns {column!r}; rename all but one.")
        if places:
            return places[0]
    return None


def _jsonl(text: TextIO, column: str) -> Blocks:
    lines = filter(None, map(str.strip, text))
    read = found = 0
    for block in _blocks(lines):
        try:
            rows = json.loads(f"[{','.join(block)}]")
        except ValueError:
            rows = []
        if len(rows) != len(block) or not _are_all(dict, rows):
            bad = next((number for number, line in enumerate(block, read + 1) if not _is_object(line)), read + 1)
            raise InvalidSourceError(f"line {bad:,} (blank ones not counted) is no JSON object.")
        read += len(rows)
        values = [row.get(column) for row in rows]
        found += len(values) - values.count(None)
        yield values if _are_all(str, values) else [value if isinstance(value, str) else "" for value in values]
    if read and not found:
        raise InvalidSourceError(f"none of its {read:,} lines has {column!r}; set email_column to the right name.")


def _are_all(kind: type, values: list[Any]) -> bool:
    return {*map(type, values)} <= {kind}


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _parquet(file: BinaryIO, column: str) -> Blocks:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise InvalidSourceError(
            "Parquet needs pyarrow on the worker: pip install 'airflow-provider-emailverify[parquet]'."
        ) from None
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        place = _place_of(column, names)
        if place is None:
            raise InvalidSourceError(f"it has no column {column!r}; it has {', '.join(names)}.")
        for batch in table.iter_batches(_BLOCK, columns=[names[place]]):
            values = batch.column(0).cast(pa.string())
            yield [value or "" for value in values.to_pylist()]
    except pa.ArrowException:
        # Its texts quote values.
        raise InvalidSourceError("it is no whole Parquet file, or its column holds no text.") from None


_TEXT: dict[str, Callable[[TextIO, str], Blocks]] = {"csv": _csv, "jsonl": _jsonl, "lines": _lines}
