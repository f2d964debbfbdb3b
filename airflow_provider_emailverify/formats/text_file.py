"""Text files: bytes to whole lines, in constant memory, whatever the encoding and the line ends."""

from __future__ import annotations

import codecs
import gzip
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, cast

#: A line, or a CSV record of several lines, may be this long.
MAX_LINE_CHARACTERS = 16 * 1024 * 1024

_CHUNK_BYTES = 256 * 1024
_NO_BREAKS = bytes(byte for byte in range(256) if byte not in b"\r\n")
_LINE_BREAK = re.compile("(\r\n|\r|\n)")
_GZIP = b"\x1f\x8b"
_MARKS = (  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FaultyTextError(ValueError):
    """
    A text cannot be read on. Readers turn this into an error of their own, with their advice.

    :param problem: what is wrong, in words that follow "it" or "the file", and without any of its content.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class EncodingFaultError(FaultyTextError):
    """The bytes are not text in the encoding, or there is no such encoding."""


class LineFaultError(FaultyTextError):
    """A line, or a record of several lines, is too long to be one."""


class TextFile:
    """
    Read a text as blocks of whole lines, some hundred KiB at a time.

    A line ends with a line feed, a carriage return, or both. A byte order mark at the beginning is passed over; that of
    UTF-16 goes before an encoding of UTF-8, in which it cannot occur.

    :param file: the bytes, read from where it stands.
    :param encoding: an encoding of text.
    :param errors: what to do about other bytes: ``strict``, or ``replace``.
    :raises EncodingFaultError: there is no such encoding, or the first bytes are not in it.
    """

    def __init__(self, file: BinaryIO, encoding: str = "utf-8", errors: str = "strict") -> None:
        try:
            "".encode(encoding)  # it refuses codecs that are not of text, such as hex
        except (LookupError, TypeError, ValueError):
            raise EncodingFaultError(f"cannot be read: Python has no encoding {encoding!r}") from None
        self._file = file
        chunk = file.read(_CHUNK_BYTES)
        if chunk.startswith(_UTF_16) and codecs.lookup(encoding).name == "utf-8":
            encoding = "utf-16"
        self._encoding = encoding
        self._decoder = getincrementaldecoder(encoding)(errors)
        #: The byte order mark; b"" if there is none. And the encoding of what follows it, which adds none.
        self.mark, self.encoding = _mark_of(chunk, codecs.lookup(encoding).name)
        #: The first characters.
        self.start = self._decode(chunk).removeprefix("\ufeff")

    def __iter__(self) -> Iterator[str]:
        """
        Yield blocks of whole lines; the last line may lack its end.

        :raises EncodingFaultError: the bytes are not in the encoding.
        :raises LineFaultError: a line is longer than :data:`MAX_LINE_CHARACTERS`.
        """
        text = self.start
        for chunk in iter(partial(self._file.read, _CHUNK_BYTES), b""):
            # A carriage return that comes last may be half of a line end.
            end = text.rfind("\n") + 1 or text.rfind("\r", 0, -1) + 1
            if end:
                yield text[:end]
                text = text[end:]
            if len(text) > MAX_LINE_CHARACTERS:
                raise line_fault("line")
            text += self._decode(chunk)
        text += self._decode(b"")
        if text:
            yield text

    def _decode(self, chunk: bytes) -> str:
        try:
            return self._decoder.decode(chunk, final=not chunk)
        except UnicodeError:  # its text quotes the file
            raise EncodingFaultError(f"is not text in {self._encoding}") from None


def _mark_of(start: bytes, encoding: str) -> tuple[bytes, str]:
    """Return the byte order mark, and the encoding of what follows, under a name that does not stand for a mark."""
    for mark, plain in _MARKS:
        if start.startswith(mark) and encoding.startswith(plain.removesuffix("-le").removesuffix("-be")):
            return mark, plain
    return b"", encoding.removesuffix("-sig")


def line_fault(what: str) -> LineFaultError:
    """
    Make the error for what is too long.

    :param what: ``line`` or ``row``.
    """
    return LineFaultError(f"has a {what} of more than {MAX_LINE_CHARACTERS:,} characters")


def lines_of(text: str) -> list[str]:
    """
    Return the lines of a text, without their ends.

    :param text: a block of whole lines.
    """
    # Not splitlines(): that takes a form feed or U+2028 for the end of a line, too.
    return split_lines(text)[0] or [""]


def split_lines(text: str) -> tuple[list[str], list[str] | str]:
    """
    Return the lines of a text, and the line break that ends each; one for all where they are the same.

    :param text: a block of whole lines.
    """
    line_break = "\r\n" if "\r" in text else "\n"
    lines = text.split(line_break)
    if line_break == "\r\n" and text.encode().translate(None, _NO_BREAKS) != b"\r\n" * (len(lines) - 1):
        parts = _LINE_BREAK.split(text)
        if parts[-1]:
            parts.append("")
        return parts[:-1:2], parts[1::2]
    if lines[-1]:
        return lines, [*[line_break] * (len(lines) - 1), ""]
    lines.pop()
    return lines, line_break


def unzipped(file: BinaryIO) -> BinaryIO:
    """
    Return a file's content; gzip is known by its first bytes, and unpacked while it is read.

    :param file: a seekable file, at its beginning.
    """
    magic = file.read(len(_GZIP))
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if magic == _GZIP else file


def first_byte(file: BinaryIO) -> bytes:
    """
    Return the first byte that is neither white space nor a byte order mark; b"" if there is none.

    :param file: a seekable file; it is left at its beginning, after the byte order mark.
    """
    file.seek(0)
    start = len(codecs.BOM_UTF8) if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0
    file.seek(start)
    chunks = iter(partial(file.read, _CHUNK_BYTES), b"")
    byte = next((rest[:1] for chunk in chunks if (rest := chunk.lstrip())), b"")
    file.seek(start)
    return byte
