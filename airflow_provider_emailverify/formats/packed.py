"""Results that travel packed, as ZIP or gzip: the one file in them, never written under a name of theirs."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from airflow_provider_emailverify.exceptions import IncompleteResponseError, UnexpectedResponseError

ZIP_TYPE = "application/zip"
GZIP_TYPE = "application/gzip"
#: What is unpacked may be so large, and so many times as large as the packed file. A CSV of addresses shrinks tenfold.
MAX_UNPACKED_BYTES = 16 * 1024**3
MAX_RATIO = 200
_FREE_BYTES = 16 * 1024 * 1024  # of them nobody asks what they were before
_MAGIC = {b"PK\x03\x04": ZIP_TYPE, b"PK\x05\x06": ZIP_TYPE, b"\x1f\x8b": GZIP_TYPE}
#: What unpacking raises when the file is damaged.
_DAMAGED = (BadZipFile, zlib.error, EOFError, gzip.BadGzipFile)


def packed_type(start: bytes) -> str:
    """
    Return the media type of a packed file; "" if it is none.

    :param start: its first bytes.
    """
    return next((media_type for magic, media_type in _MAGIC.items() if start.startswith(magic)), "")


@contextmanager
def unpacked(content: BinaryIO, about: str) -> Iterator[BinaryIO]:
    """
    Hand out the one file in a packed file, seekable; any other file as it is.

    :param content: the file, seekable.
    :param about: how messages call the batch.
    :raises IncompleteResponseError: it is damaged, or was cut; also while what is handed out is read.
    :raises UnexpectedResponseError: it holds several files, or one that is encrypted, unusual or too large.
    """
    content.seek(0)
    media_type = packed_type(content.read(4))
    size = content.seek(0, io.SEEK_END)
    content.seek(0)
    if not media_type:
        yield content
        return
    try:
        with _open(content, media_type, about) as inner:
            yield cast(BinaryIO, io.BufferedReader(_Bounded(inner, size, about), 1024 * 1024))
    except _DAMAGED:  # its text quotes names in the file
        problem = IncompleteResponseError(f"{about}: the packed file is damaged or was cut.")
    else:
        return
    raise problem


def _open(content: BinaryIO, media_type: str, about: str) -> BinaryIO:
    if media_type == GZIP_TYPE:
        return cast(BinaryIO, gzip.GzipFile(fileobj=content))
    archive = ZipFile(content)
    return cast(BinaryIO, archive.open(_only_member(archive, about)))


def _only_member(archive: ZipFile, about: str) -> ZipInfo:
    members = [member for member in archive.infolist() if not member.is_dir()]
    problem = ""
    if len(members) != 1:
        problem = f"holds {len(members)} files where one was expected"
    elif members[0].flag_bits & 1:
        problem = "holds an encrypted file"
    elif members[0].compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # of the others a little may unpack to any size
        problem = "is packed in an unusual way"
    if problem:
        raise UnexpectedResponseError.advised(f"{about}: the ZIP archive {problem}.")
    return members[0]


class _Bounded(io.RawIOBase):
    """
    What is unpacked, as long as it stays within bounds.

    :param inner: the file that is being unpacked.
    :param packed_size: bytes of the packed file.
    :param about: how messages call the batch.
    """

    def __init__(self, inner: BinaryIO, packed_size: int, about: str) -> None:
        self._inner = inner
        self._most = min(MAX_UNPACKED_BYTES, max(_FREE_BYTES, packed_size * MAX_RATIO))
        self._about = about

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # typeshed has any buffer here
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        if self._inner.tell() > self._most:
            raise UnexpectedResponseError.advised(
                f"{self._about}: the packed file grows to more than {self._most:,} bytes."
            )
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()
