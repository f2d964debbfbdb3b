"""Addresses in a file without a name: not even a killed worker leaves them behind."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Self

from airflow_provider_emailverify.exceptions import StorageError


class AddressFile:
    """Addresses on this worker's disk, written once and handed out as often as need be."""

    def __init__(self) -> None:
        #: How many there are.
        self.unique = 0
        self._digest = hashlib.sha256()
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed on exit

    @property
    def sha256(self) -> str:
        """The SHA-256 of the addresses: equal for the same addresses in the same order."""
        return self._digest.hexdigest()

    def append(self, addresses: Sequence[str]) -> None:
        """
        Write addresses.

        :param addresses: each of them for the first time.
        :raises StorageError: they do not fit on the disk.
        """
        text = "".join([f"{address}\n" for address in addresses])
        self._digest.update(text.encode())
        self.unique += len(addresses)
        try:
            self._file.write(text)
        except OSError as error:
            raise _no_room(error) from None

    def finish(self) -> None:
        """
        Make sure that all of them are on the disk.

        :raises StorageError: they do not fit on it.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from None

    def batches(self, size: int) -> Iterator[list[str]]:
        """
        Yield the addresses in lists.

        :param size: addresses in each, the last one apart.
        """
        self._file.seek(0)
        while batch := [line[:-1] for line in islice(self._file, size)]:
            yield batch

    def close(self) -> None:
        """Forget the addresses."""
        with suppress(OSError):  # what is still in memory may not fit, and is not needed
            self._file.close()

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the addresses."""
        self.close()


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"Cannot spool to {tempfile.gettempdir()}: {error.strerror}. Free space there, or point TMPDIR elsewhere."
    )
