"""
The outline of a CSV file: is it whole, and how many rows does it hold.

One pass, flat memory, and not a word of the content in an error: rows hold addresses.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from typing import BinaryIO

from airflow_provider_emailverify.exceptions import UnexpectedResponseError

_CHUNK_BYTES = 1024 * 1024
_HEAD_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
# Patterns that begin with a literal: they are sought several times faster than by bytes' own "in" or a leading class.
_BLANK_LINE = re.compile(rb"\n\n")
_BLANK_LINE_WITH_RETURN = re.compile(rb"\n\r\n")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
# A quote in the middle of other text, as in 5"x4", opens no field. The look-behind sees what precedes the quote.
_STRAY_QUOTE = re.compile(rb""""[^",;\t\r\n](?<=[^",;\t\r\n]".)""", re.DOTALL)
_NOT_QUOTE_OR_NEWLINE = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(frozen=True, slots=True)
class CsvOutline:
    """
    What a CSV file holds.

    :param header: the names of the columns.
    :param rows: records after the header; blank lines are none.
    :param ends_short: the last record has fewer fields than the header, ends within quotes, or lacks the line break
        that the header has.
    """

    header: list[str]
    rows: int
    ends_short: bool


def first_byte(file: BinaryIO) -> bytes:
    """
    Return the first byte that is neither white space nor a byte order mark; b"" if there is none.

    :param file: a seekable file; it is left at its beginning, after the byte order mark.
    """
    file.seek(0)
    start = len(_BOM) if file.read(len(_BOM)) == _BOM else 0
    file.seek(start)
    chunks = iter(partial(file.read, _CHUNK_BYTES), b"")
    byte = next((rest[:1] for chunk in chunks if (rest := chunk.lstrip())), b"")
    file.seek(start)
    return byte


def outline_csv(file: BinaryIO, what: str) -> CsvOutline:
    """
    Walk through a CSV file (RFC 4180: a line break within quotes does not end a record).

    :param file: a seekable file.
    :param what: whose file it is, for messages.
    :raises UnexpectedResponseError: the file is empty, is a page, or is a text without any address.
    """
    if first_byte(file) in (b"", b"<"):
        raise UnexpectedResponseError(f"{what}: expected a CSV file, found none. {UnexpectedResponseError.advice}")
    start = file.tell()
    first_line = file.readline(_HEAD_BYTES)
    header = _fields(first_line)
    has_address = "mail" in first_line.decode("utf-8", errors="replace").lower() or b"@" in file.read(_HEAD_BYTES)
    file.seek(start)
    records, ends_in_quotes = _count_records(file)
    if records is None:
        file.seek(start)
        records = _count_records_slowly(file, what)
    if not has_address:
        raise UnexpectedResponseError(
            f"{what}: expected a CSV file with addresses, found other text. {UnexpectedResponseError.advice}"
        )
    last = _last_line(file)
    ends_short = (
        ends_in_quotes
        # With an odd quote the line is the end of a longer record, whose other fields are not seen here.
        or (last.count(b'"') % 2 == 0 and len(_fields(last)) < len(header))
        or first_line.endswith(b"\n") > last.endswith(b"\n")
    )
    return CsvOutline(header, max(records - 1, 0), ends_short)


def _count_records(file: BinaryIO) -> tuple[int | None, bool]:
    """Count records fast, None if it takes a real parser; and tell whether the file ends within quotes."""
    records = 0
    in_quotes = False
    last = b"\n"
    for part in iter(partial(file.read, _CHUNK_BYTES), b""):
        chunk = part + file.read(1) if part.endswith(b"\r") else part
        seam = last + chunk[:2]
        if _found(_BLANK_LINE, chunk, seam) or (b"\r" in chunk and _has_odd_returns(chunk, seam)):
            return None, False
        if in_quotes or b'"' in chunk:
            if _found(_STRAY_QUOTE, chunk, seam):
                return None, False
            marks = chunk.translate(None, _NOT_QUOTE_OR_NEWLINE)
            # A quoted field without line breaks has become a mere pair of quotes; drop those.
            pieces = (b'"' + marks if in_quotes else marks).replace(b'""', b"").split(b'"')
            records += sum(piece.count(b"\n") for piece in pieces[::2])
            in_quotes = len(pieces) % 2 == 0
        else:
            records += chunk.count(b"\n")
        last = (last + chunk[-2:])[-2:]
    return None if in_quotes else records + (not last.endswith(b"\n")), in_quotes


def _has_odd_returns(chunk: bytes, seam: bytes) -> bool:
    """Tell whether a carriage return ends a line by itself, or stands in a blank line."""
    return bool(_LONE_RETURN.search(chunk)) or _found(_BLANK_LINE_WITH_RETURN, chunk, seam)


def _found(pattern: re.Pattern[bytes], chunk: bytes, seam: bytes) -> bool:
    """Tell whether a pattern of at most three bytes occurs in a chunk, or where the last one ends and this begins."""
    return bool(pattern.search(chunk) or pattern.search(seam))


def _count_records_slowly(file: BinaryIO, what: str) -> int:
    text = TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    try:
        return sum(1 for record in csv.reader(text) if record)
    except csv.Error:
        raise UnexpectedResponseError(f"{what}: expected a CSV file, found one that cannot be parsed.") from None
    finally:
        text.detach()


def _last_line(file: BinaryIO) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(0, size - 64 * 1024))
    tail = file.read()
    line = tail.rstrip(b"\r\n")
    return line.rpartition(b"\n")[2] + tail[len(line) :]


def _fields(line: bytes) -> list[str]:
    text = line.decode("utf-8", errors="replace").strip()
    return next(csv.reader([text]), []) if text else []
