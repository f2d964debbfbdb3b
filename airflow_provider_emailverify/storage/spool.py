"""Collect a result in a file on this machine before anybody sees it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination

# The digest follows what is written by steps of this many bytes.
_STEP_BYTES = 4 * 1024 * 1024
_READ_BYTES = 1024 * 1024
# So much of a file may wait for the disk before it is sent there, so that the last fsync is short.
_FLUSH_BYTES = 64 * 1024 * 1024


class Spool:
    """
    A file on this machine that collects a result before anybody sees it.

    A thread of its own digests what is written, and sends it to the disk where the destination is on this machine.
    One thread may write at a time.

    :param folder: where it is made; the destination's own folder lets it be renamed into place.
    :param label: which result it is for. Spools of the same label that a killed process left behind are removed.
    :param media_type: the media type of the result.
    :param is_private: let nobody else read it; otherwise it will be the destination's file.
    """

    def __init__(self, folder: Path, label: str, media_type: str = "", *, is_private: bool = False) -> None:
        digest = hashlib.sha256(label.encode()).hexdigest()[:16]
        sweep(folder, digest)
        self.media_type = media_type
        self.size = 0
        self.path, self.file = _create(folder, digest, 0o600 if is_private else 0o666)
        self._digest = _Digest(self.file.fileno(), flushes=not is_private)
        self._seal: Future[str] | None = None
        self._stat: os.stat_result | None = None
        self._is_closed = False

    def write(self, chunk: bytes) -> None:
        """
        Append bytes.

        :param chunk: the bytes.
        :raises StorageError: they do not fit.
        :raises ValueError: the spool is closed.
        """
        if self.file.closed:
            raise ValueError("This spool is closed.")
        self._seal = None
        view = memoryview(chunk)
        try:
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            raise self._no_space(error) from None
        self.size += len(chunk)
        try:
            self._digest.follow(self.size)
        except OSError as error:
            raise self._no_space(error) from None

    def seal(self) -> Future[str]:
        """
        Finish the digest, and bring the rest to the disk, beside whatever else is done meanwhile.

        Return the SHA-256 in hexadecimal, when it is there. Writing more breaks the seal.

        :raises ValueError: the spool was closed before it was sealed.
        """
        if self._seal is None:
            if self.file.closed:
                raise ValueError("This spool is closed.")
            self._seal = self._digest.finish(self.size)
        return self._seal

    @property
    def sha256(self) -> str:
        """
        The SHA-256 of what was written, in hexadecimal.

        :raises StorageError: the disk did not take what was written.
        """
        try:
            return self.seal().result()
        except OSError as error:
            raise self._no_space(error) from None

    def rewound(self) -> BinaryIO:
        """Return the file for reading, at its beginning."""
        self.file.seek(0)
        return self.file

    def rest(self) -> None:
        """
        Finish, and let go of all but the file: its descriptor, its thread, its memory. It can be published and closed.

        For one of very many that wait to be published together. It is not locked any more, so that another spool of
        this label removes it.

        :raises StorageError: the disk did not take what was written.
        """
        _ = self.sha256
        self._stat = self.stat()
        self._digest.close()
        self.file.close()

    def stat(self) -> os.stat_result:
        """Return what the file system says of the file."""
        return self._stat or os.fstat(self.file.fileno())

    def close(self) -> None:
        """Close and remove the file; after a publication by renaming there is none to remove. Do it once or more."""
        if self._is_closed:
            return
        self._is_closed = True
        self._digest.close()
        with contextlib.suppress(OSError):  # then the next spool of this label removes it
            self.path.unlink(missing_ok=True)
        self.file.close()

    def _no_space(self, error: OSError) -> StorageError:
        return StorageError(
            f"Cannot spool to {self.path.parent}: {error.strerror}. Free space there, or point TMPDIR elsewhere."
        )


def _create(folder: Path, digest: str, mode: int) -> tuple[Path, BinaryIO]:
    """Create a spool's file, and lock it. The lock goes with the process, and tells a sweep that the spool is alive."""
    while True:
        path = folder / f".emailverify-{digest}-{uuid.uuid4().hex}.part"
        file: BinaryIO = open(  # noqa: SIM115 - Path.open takes no opener
            path, "x+b", buffering=0, opener=partial(os.open, mode=mode)
        )
        if _lock(file) and path.exists():
            return path, file
        file.close()  # another process took it for a dead one's, before it was locked


def _lock(file: BinaryIO) -> bool:
    """Lock a file. Return False if another process has it locked."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks; nobody sweeps there
        return True
    return True


class _Digest:
    """
    Digest a growing file, a step behind who writes it.

    It reads the file rather than being handed what is written: it holds one block in memory, however far behind it is.

    :param descriptor: the file.
    :param flushes: bring the file to the disk too.
    """

    def __init__(self, descriptor: int, *, flushes: bool) -> None:
        self._descriptor = descriptor
        self._flushes = flushes
        # The thread starts with the first task. There is one, so that what it does needs no lock.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="emailverify-digest")
        self._asked = 0
        self._last: Future[None] | None = None
        self._is_closing = False
        # Used in the thread only.
        self._digest = hashlib.sha256()
        self._block = memoryview(bytearray(_READ_BYTES))
        self._digested = self._flushed = 0

    def follow(self, size: int) -> None:
        """
        Let the digest follow.

        :param size: bytes of the file that may be read.
        :raises OSError: it could not follow what was written before.
        """
        if self._last and self._last.done() and (error := self._last.exception()):
            raise error
        if size - self._asked >= _STEP_BYTES:
            self._asked = size
            self._last = self._thread.submit(self._catch_up, size)

    def finish(self, size: int) -> Future[str]:
        """
        Return the SHA-256 of the file, in hexadecimal, when it is there and the file is on the disk.

        :param size: the bytes of the file.
        """
        return self._thread.submit(self._finish, size)

    def close(self) -> None:
        """Stop following; what was asked to finish is finished."""
        self._is_closing = True
        self._thread.shutdown(wait=True)
        self._block = memoryview(b"")

    def _finish(self, size: int) -> str:
        self._catch_up(size, is_last=True)
        if self._flushes:
            os.fsync(self._descriptor)
        return self._digest.hexdigest()

    def _catch_up(self, size: int, *, is_last: bool = False) -> None:
        while self._digested < size and (is_last or not self._is_closing):
            part = self._block[: size - self._digested]
            count = os.preadv(self._descriptor, [part], self._digested)
            if not count:
                raise OSError(5, "The file is shorter than what was written to it")
            self._digest.update(part[:count])
            self._digested += count
        if self._flushes and self._digested - self._flushed >= _FLUSH_BYTES:
            self._flushed = self._digested
            os.fsync(self._descriptor)


def sweep(folder: Path, digest: str = "*") -> None:
    """
    Remove spools that killed processes left in a folder.

    :param folder: the folder.
    :param digest: the digest of their label; by default, those of any.
    """
    for path in folder.glob(f".emailverify-{digest}-*.part"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
            path.unlink()


@contextmanager
def spool_for(destination: Destination, label: str, media_type: str = "") -> Iterator[Spool]:
    """
    Open a spool for what will be published at a destination; it is gone after the block.

    For a local destination it lies in the destination's folder, which is made if need be; else in the system's
    folder for temporary files.

    :param destination: where the result will go.
    :param label: which result it is, the same in every try.
    :param media_type: the media type of the result.
    :raises StorageError: there is no place for a spool.
    """
    try:
        if destination.is_local:
            target = Path(destination.path.path)
            folder = target if destination.is_folder else target.parent
            folder.mkdir(parents=True, exist_ok=True)
        else:
            folder = Path(tempfile.gettempdir())
        spool = Spool(folder, f"{destination.uri} {label}", media_type, is_private=not destination.is_local)
    except OSError as error:
        raise StorageError(f"Cannot write to {destination.uri}: {error.strerror} ({error.filename}).") from None
    try:
        yield spool
    finally:
        spool.close()
