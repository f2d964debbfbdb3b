"""
Open a list in some storage, whatever its format, and read it a block at a time and in constant memory.

Not a word of the content gets into an error: rows hold addresses, and what looks like a header may be one.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, cast, get_args

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidSourceError, StorageError
from airflow_provider_emailverify.formats.csv_file import QuotesFaultError
from airflow_provider_emailverify.formats.text_file import (
    EncodingFaultError,
    FaultyTextError,
    LineFaultError,
    TextFile,
    unzipped,
)
from airflow_provider_emailverify.lists.columns import wanted_columns
from airflow_provider_emailverify.lists.excel_list import ExcelList
from airflow_provider_emailverify.lists.list_file import ListFile
from airflow_provider_emailverify.lists.parquet_list import ParquetList
from airflow_provider_emailverify.lists.text_lists import CsvList, JsonLinesList, PlainList
from airflow_provider_emailverify.storage.destination import open_source
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.uris import check_source, shown

SourceFormat = Literal["csv", "jsonl", "parquet", "lines", "excel"]
#: Values of the column, as they stand in the file; "" where there is none.
Blocks = Iterator[list[str]]

#: How the names of lists end, ``.gz`` apart.
FORMATS: dict[str, SourceFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "lines",
    ".list": "lines",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xls": "excel",
}
_ADVICE: tuple[tuple[type[FaultyTextError], str], ...] = (
    (EncodingFaultError, "convert it, or set encoding to what it is in"),
    (LineFaultError, "check that it is the right file and in the format of its name, or set source_format"),
    (
        QuotesFaultError,
        "write the file with a CSV library (RFC 4180), or set source_format='lines' if it is one address a line",
    ),
)


def is_list_name(name: str) -> bool:
    """
    Tell by its name whether a file may be a list.

    :param name: the name, without a folder.
    """
    return PurePosixPath(name.lower().removesuffix(".gz")).suffix in FORMATS


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFormat:
    """
    How a list is read.

    :param email_column: the name of the column of addresses in a CSV file's header or in Parquet, or of the member of a
        JSON line; or several. A name that differs in case, spaces or punctuation will do if there is no other like it.
        None: the column's own name tells, see :mod:`..formats.email_names`.
    :param source_format: ``csv``, ``jsonl``, ``parquet``, ``lines`` or ``excel``; None: the end of the file's name
        says it.
    :param encoding: of text; UTF-8 may begin with a byte order mark, and UTF-16 is known by its own.
    :param sheet: the name of the sheet in an Excel file; None for the first.
    """

    email_column: str | Sequence[str] | None = None
    source_format: str | None = None
    encoding: str = "utf-8"
    sheet: str | None = None

    def of(self, uri: str) -> SourceFormat:
        """
        Return the format of a file.

        :param uri: its URI.
        :raises InvalidSourceError: neither ``source_format`` nor the file's name tells one.
        """
        if self.source_format:
            if self.source_format not in get_args(SourceFormat):
                raise InvalidSourceError(
                    f"source_format is one of {', '.join(get_args(SourceFormat))}, not {self.source_format!r}."
                )
            return cast("SourceFormat", self.source_format)
        name = PurePosixPath(uri.strip().lower().removesuffix(".gz"))
        if name.suffix not in FORMATS:
            raise InvalidSourceError(
                f"Source {shown(uri)}: its name does not end in a format's name; set source_format to one of "
                f"{', '.join(get_args(SourceFormat))}."
            )
        return FORMATS[name.suffix]


@contextmanager
def open_list(uri: str, how: ListFormat) -> Iterator[ListFile]:
    """
    Open a list, and translate what goes wrong while it is read.

    :param uri: a URI as ``ObjectStoragePath`` takes it. Text may be compressed with gzip, whatever its name.
    :param how: how it is read.
    :raises InvalidSourceError: the file is not what it should be.
    :raises StorageError: the storage refused it.
    """
    check_source(uri)
    kind = how.of(uri)
    wanted = wanted_columns(how.email_column)
    try:
        with open_source(uri) as file:
            if kind == "parquet":
                yield ParquetList(file, wanted)
                return
            if kind == "excel":
                yield ExcelList(file, wanted, how.sheet)
                return
            text = TextFile(unzipped(file), how.encoding)
            match kind:
                case "csv":
                    yield CsvList(text, wanted)
                case "jsonl":
                    yield JsonLinesList(text, wanted)
                case "lines":
                    yield PlainList(text)
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
        raise StorageError(f"Source {shown(uri)}: {said(error, uri)}") from error


def read_column(
    uri: str,
    column: str | Sequence[str] | None = None,
    source_format: str | None = None,
    encoding: str = "utf-8",
    sheet: str | None = None,
) -> Blocks:
    """
    Read the addresses out of a list, some thousand values at a time; of several columns one after the other.

    :param uri: a URI as ``ObjectStoragePath`` takes it.
    :param column: as :class:`ListFormat` takes it, like the others.
    :param source_format: the format.
    :param encoding: of text.
    :param sheet: of an Excel file.
    :raises InvalidSourceError: the file is not what it should be.
    :raises StorageError: the storage refused it.
    """
    how = ListFormat(email_column=column, source_format=source_format, encoding=encoding, sheet=sheet)
    with open_list(uri, how) as file:
        for block in file.cells():
            yield from block
