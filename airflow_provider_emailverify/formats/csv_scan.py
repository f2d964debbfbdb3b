"""Scan a CSV file: how many rows it holds, and whether it ends short. Not a word of its content gets into an error."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import BinaryIO

from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.formats.csv_file import CsvFile
from airflow_provider_emailverify.formats.csv_head import CsvHead, fields_of, read_head
from airflow_provider_emailverify.formats.text_file import FaultyTextError, TextFile, first_byte

_CHUNK_BYTES = 1024 * 1024
# Of lines at a time: many more, and the memory for them is asked of the system and given back each time.
_LINES_BYTES = 128 * 1024
_HEAD_BYTES = 1024 * 1024
_TAIL_BYTES = 64 * 1024
# A pattern that begins with a literal is found several times faster than one that begins with a class.
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_NOT_QUOTE_OR_NEWLINE = bytes(byte for byte in range(256) if byte not in b'"\n')


@dataclass(frozen=True, slots=True)
class CsvScan:
    """
    What a CSV file holds.

    :param header: the names of the columns.
    :param rows: records after the header, blank lines not counted.
    :param ends_short: the last record has fewer fields than the header, ends within quotes, or lacks the line break
        that the header has.
    """

    header: list[str]
    rows: int
    ends_short: bool


class CsvScanner:
    """
    Scan a CSV file while it arrives.

    :param what: whose file it is, for messages.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._header_line = b""
        self._head: CsvHead | None = None
        self._tail = b""
        self._size = 0
        self._has_address = False
        self._records = 0
        self._in_quotes = False
        self._needs_parser = False
        # The last two bytes before a chunk, and a carriage return of which the line feed may follow.
        self._last = b"\n"
        self._held = b""

    def feed(self, chunk: bytes) -> None:
        """
        Take the next bytes.

        :param chunk: some of them; a mebibyte at a time is quickest.
        """
        self._size += len(chunk)
        self._tail = chunk if len(chunk) >= _TAIL_BYTES else (self._tail + chunk)[-_TAIL_BYTES:]
        self._has_address = self._has_address or b"@" in chunk
        if self._head is None:
            self._header_line += chunk
            if b"\n" not in chunk and len(self._header_line) < _HEAD_BYTES:
                return
            chunk = self._begin()
        for start in range(0, len(chunk), _CHUNK_BYTES):
            if not self._needs_parser:
                self._count(self._held + chunk[start : start + _CHUNK_BYTES])

    def finish(self) -> CsvScan | None:
        """
        Return what was found; None if it takes a parser to tell, and :func:`scan_csv` has to read the file.

        :raises UnexpectedResponseError: there is no CSV file, but nothing, a page, or a text without any address.
        """
        if self._head is None:
            self._count(self._begin())
        if not self._size or self._header_line.lstrip().startswith(b"<"):
            raise not_csv(self._what)
        if self._needs_parser or self._in_quotes or self._held or self._head is None:
            return None
        if not self._has_address and b"mail" not in self._header_line.lower():
            raise not_csv(self._what)
        has_last_break = self._last.endswith(b"\n")
        records = self._records + (not has_last_break)
        return CsvScan(
            list(self._head.names),
            max(records - 1, 0),  # the header is one of them
            self._lacks_fields(self._head) or self._header_line.endswith(b"\n") > has_last_break,
        )

    def _begin(self) -> bytes:
        """Take up the header, and return the bytes that are here: the header and what came with it."""
        content = self._header_line.removeprefix(BOM_UTF8)
        self._header_line = content[: content.find(b"\n") + 1] or content
        self._head = read_head(self._header_line.decode("utf-8", errors="replace"))
        self._needs_parser = not self._head.names or self._header_line.count(b'"') % 2 == 1
        # A quote in the middle of other text, as in 5"x4", opens no field. The look-behind sees what precedes it.
        other = rb'[^"\r\n' + re.escape(self._head.separator.encode()) + rb"]"
        self._stray_quote = re.compile(rb'"' + other + rb"(?<=" + other + rb'".)', re.DOTALL)
        return content

    def _count(self, chunk: bytes) -> None:
        """Count the records that end in a chunk, or notice that it takes a parser."""
        self._held = b"\r" if chunk.endswith(b"\r") else b""
        chunk = chunk.removesuffix(b"\r")
        has_returns, has_quotes = b"\r" in chunk, self._in_quotes or b'"' in chunk
        file = BytesIO(chunk)
        breaks = 0
        if not self._last.endswith(b"\n"):
            breaks = int(file.readline().endswith(b"\n"))  # the end of a line that began before
        # Finding lines in this way takes half of the time of bytes.count(), and shows blank ones too.
        while lines := file.readlines(_LINES_BYTES):
            breaks += len(lines) - (not lines[-1].endswith(b"\n"))
            if b"\n" in lines or (has_returns and b"\r\n" in lines):
                self._needs_parser = True
        if has_returns and _LONE_RETURN.search(chunk):
            self._needs_parser = True
        seam = self._last + chunk[:2]
        if has_quotes and (self._stray_quote.search(chunk) or self._stray_quote.search(seam)):
            self._needs_parser = True
        if has_quotes:
            marks = chunk.translate(None, _NOT_QUOTE_OR_NEWLINE)
            # A quoted field without line breaks has become a mere pair of quotes; drop those.
            pieces = (b'"' + marks if self._in_quotes else marks).replace(b'""', b"").split(b'"')
            breaks = sum(piece.count(b"\n") for piece in pieces[::2])
            self._in_quotes = len(pieces) % 2 == 0
        self._records += breaks
        self._last = (self._last + chunk[-2:])[-2:]

    def _lacks_fields(self, head: CsvHead) -> bool:
        """Tell whether the last record has fewer fields than the header, as far as its end shows."""
        _, line_break, line = self._tail[-_TAIL_BYTES:].rstrip(b"\r\n").rpartition(b"\n")
        # With an odd quote the line is the end of a longer record, whose other fields are not seen here.
        if line.count(b'"') % 2 or not (line_break or self._size <= _TAIL_BYTES):
            return False
        return len(fields_of(line.decode("utf-8", errors="replace"), head.separator)) < len(head.names)


def scan_csv(file: BinaryIO, what: str) -> CsvScan:
    """
    Scan a CSV file (RFC 4180: a line break within quotes does not end a record).

    :param file: a seekable file.
    :param what: whose file it is, for messages.
    :raises UnexpectedResponseError: it is empty, is a page, is a text without any address, or cannot be parsed.
    """
    if first_byte(file) in (b"", b"<"):
        raise not_csv(what)
    file.seek(0)
    scanner = CsvScanner(what)
    for chunk in _chunks(file):
        scanner.feed(chunk)
    scan = scanner.finish()
    if scan is None:
        file.seek(0)
        scan = _parse(file, what)
        file.seek(0)
        if not any(b"@" in chunk for chunk in _chunks(file)) and "mail" not in " ".join(scan.header).lower():
            raise not_csv(what)
    return scan


def not_csv(what: str) -> UnexpectedResponseError:
    """
    Make the error for what should be a CSV file of results, and is not.

    :param what: whose file it is.
    """
    return UnexpectedResponseError.advised(f"{what}: expected a CSV file with addresses, and it is none.")


def _parse(file: BinaryIO, what: str) -> CsvScan:
    rows = 0
    last: list[str] = []
    try:
        table = CsvFile(TextFile(file, errors="replace"), strict=False)
        for rows, last in enumerate(table.records(), 1):  # noqa: B007 - the last ones are what is wanted
            pass
    except FaultyTextError as fault:
        raise UnexpectedResponseError.advised(f"{what}: the CSV file {fault.problem}.") from None
    header = list(table.head.names)
    lacks_fields = rows > 0 and len(last) < len(header)
    return CsvScan(header, rows, lacks_fields or table.ends_in_quotes or table.lacks_last_break)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    return iter(partial(file.read, _CHUNK_BYTES), b"")
