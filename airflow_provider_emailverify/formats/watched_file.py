"""A file that remembers its own errors, to tell a storage that failed from bytes that cannot be parsed."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, TypeVar

T = TypeVar("T")


class WatchedFile(io.RawIOBase):
    """
    Read another file, and remember what went wrong with it.

    Parsers raise errors of many classes, and some of them let those of the file through.

    :param file: the other file; it stays open.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        #: The error of the file itself; None while it works.
        self.error: Exception | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: parsers that seek get a seekable file."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read some bytes, or all that are left."""
        return self._watched(self._file.read, size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the file."""
        return self._watched(self._file.seek, offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._watched(self._file.tell)

    def _watched(self, call: Callable[..., T], *arguments: int) -> T:
        try:
            return call(*arguments)
        except Exception as error:
            self.error = error
            raise
