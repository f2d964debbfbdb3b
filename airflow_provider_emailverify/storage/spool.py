"""A file on this machine that collects a result before anybody sees it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination


class Spool:
    """
    A file on this machine that collects a result before anybody sees it.

    :param folder: where it is made; the destination's own folder lets it be renamed into place.
    :param label: which result it is for. Spools of the same label that a killed process left behind are removed.
    :param is_private: it stays a spool, for nobody else to read; otherwise it will be the destination's file.
    """

    def __init__(self, folder: Path, label: str, *, is_private: bool = False) -> None:
        digest = hashlib.sha256(label.encode()).hexdigest()[:16]
        _sweep(folder, f".emailverify-{digest}-*.part")
        self.path = folder / f".emailverify-{digest}-{uuid.uuid4().hex}.part"
        mode = 0o600 if is_private else 0o666
        self.file: BinaryIO = open(  # noqa: SIM115 - Path.open takes no opener
            self.path, "x+b", buffering=0, opener=partial(os.open, mode=mode)
        )
        self._is_private = is_private
        self._seal: Future[str] | None = None
        # The lock goes with the process, however that ends, and tells a sweep that this spool is alive.
        with contextlib.suppress(OSError):
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.reset("")

    def reset(self, media_type: str) -> None:
        """
        Throw away what was written.

        :param media_type: the media type of what will be.
        """
        self._break_seal()
        self.file.seek(0)
        self.file.truncate()
        self.media_type = media_type
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """
        Append bytes.

        :param chunk: the bytes.
        :raises StorageError: they do not fit.
        """
        self._break_seal()
        view = memoryview(chunk)
        try:
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            raise StorageError(
                f"Cannot spool to {self.path.parent}: {error.strerror}. Free space there, or point TMPDIR elsewhere."
            ) from None
        self.size += len(chunk)

    def seal(self) -> Future[str]:
        """
        Digest what was written, and bring it to the disk, beside whatever else is done meanwhile.

        Return the SHA-256 in hexadecimal, when it is there. Writing more breaks the seal.
        """
        if self._seal is None:
            executor = ThreadPoolExecutor(1, thread_name_prefix="emailverify-seal")
            self._seal = executor.submit(self._digest)
            executor.shutdown(wait=False)
        return self._seal

    def _digest(self) -> str:
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if not self._is_private:
                os.fsync(file.fileno())
        return digest

    def _break_seal(self) -> None:
        if self._seal:
            wait([self._seal])
            self._seal = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was written, in hexadecimal."""
        return self.seal().result()

    def rewound(self) -> BinaryIO:
        """Return the file for reading, at its beginning."""
        self.file.seek(0)
        return self.file

    def close(self) -> None:
        """Close and remove the file; after a publication by renaming there is none to remove."""
        if self._seal:
            wait([self._seal])
        self.path.unlink(missing_ok=True)
        self.file.close()


def _sweep(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
            path.unlink()


@contextmanager
def spool_for(destination: Destination, label: str) -> Iterator[Spool]:
    """
    Open a spool for what will be published at a destination; it is gone after the block.

    For a local destination it lies in the destination's folder, which is made if need be; else in the system's
    folder for temporary files.

    :param destination: where the result will go.
    :param label: which result it is, the same in every try.
    :raises StorageError: there is no place for a spool.
    """
    try:
        if destination.is_local:
            target = Path(destination.path.path)
            folder = target if destination.is_folder else target.parent
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(tempfile.gettempdir())
        spool = Spool(folder, f"{destination.uri} {label}", is_private=not destination.is_local)
    except OSError as error:
        raise StorageError(f"Cannot write to {destination.uri}: {error.strerror} ({error.filename}).") from None
    try:
        yield spool
    finally:
        spool.close()
