"""A list of addresses, clean and each once, on this worker's disk until it is submitted."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError
from airflow_provider_emailverify.lists.addresses import SeenAddresses, only_addresses


class AddressList:
    """
    Read values, keep those that are addresses, once each, and hand them out in batches as often as need be.

    They lie in a file without a name, so that not even a killed worker leaves addresses behind.

    :param blocks: values, some thousand at a time; they are read at once.
    :param max_emails: how many addresses there may be; None for any number.
    :raises InvalidRequestError: there are more.
    :raises StorageError: they do not fit on the disk.
    """

    def __init__(self, blocks: Iterable[list[str]], max_emails: int | None = None) -> None:
        #: Values that were read.
        self.read = 0
        #: Values that are no addresses.
        self.dropped = 0
        #: Addresses, each counted once.
        self.unique = 0
        self._digest = hashlib.sha256()
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed on exit
        try:
            self._fill(blocks, max_emails)
        except BaseException:
            self._file.close()
            raise

    @property
    def sha256(self) -> str:
        """The SHA-256 of the addresses: equal for the same addresses in the same order."""
        return self._digest.hexdigest()

    def batches(self, size: int) -> Iterator[list[str]]:
        """
        Yield the addresses in lists.

        :param size: addresses in each, the last one apart.
        """
        self._file.seek(0)
        while batch := [line[:-1] for line in islice(self._file, size)]:
            yield batch

    def __enter__(self) -> Self:
        """Return the list."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the addresses."""
        self._file.close()

    def _fill(self, blocks: Iterable[list[str]], max_emails: int | None) -> None:
        seen = SeenAddresses()
        for block in blocks:
            addresses = only_addresses(block)
            new = seen.add(addresses)
            self.read += len(block)
            self.dropped += len(block) - len(addresses)
            self.unique += len(new)
            if max_emails is not None and self.unique > max_emails:
                raise InvalidRequestError(
                    f"The source holds more than {max_emails:,} addresses, which is max_emails; nothing was submitted. "
                    "Check that it is the right list, or raise max_emails."
                )
            self._write("".join([f"{address}\n" for address in new]))
        self._write("", flush=True)

    def _write(self, text: str, *, flush: bool = False) -> None:
        self._digest.update(text.encode())
        try:
            self._file.write(text)
            if flush:
                self._file.flush()
        except OSError as error:
            raise StorageError(
                f"Cannot spool to {tempfile.gettempdir()}: {error.strerror}. Free space there, or point TMPDIR "
                "elsewhere."
            ) from None
