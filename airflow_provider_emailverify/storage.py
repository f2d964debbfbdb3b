"""
Bytes and places: spool a stream to a local file, then publish it under a URI in one step.

A destination shows the old file or the whole new one, never a part, whatever fails and whenever. Knows no vendor.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow.providers.common.compat.sdk import AirflowException, BaseHook, ObjectStoragePath, conf

from airflow_provider_emailverify.exceptions import InvalidDestinationError, StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Object stores show a new object when its upload is complete, so one put publishes it. Other file systems
# show a growing file, so there the put goes to a sibling that is then renamed.
_ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs", "oci", "oss", "memory"}
)
# s3fs would hold ten parts of 50 MiB in memory. S3 takes 10,000 parts of an object at most.
_S3_PART_BYTES = 6 * 1024 * 1024
_S3_PARTS = 10_000
# s3fs would read ahead by 50 MiB.
_READ_BYTES = 4 * 1024 * 1024


# Scheme and something, of which a local file has no host; or an absolute path.
_URI = re.compile(r"(?!file:|local:)[a-z][a-z0-9+.-]*://[^/]|(file://|local://)?/")


class Destination:
    """
    Where a result goes.

    :param uri: a URI as ``ObjectStoragePath`` takes it, the connection in its authority if it needs one:
        ``s3://my_conn@bucket/folder/``, ``file:///data/results.csv``. A slash at its end makes it a folder.
    :raises InvalidDestinationError: it names no place for a file.
    """

    def __init__(self, uri: str) -> None:
        if not isinstance(uri, str) or not uri.strip():
            raise InvalidDestinationError(
                f"The destination is empty ({uri!r}); give a URI such as s3://bucket/folder/."
            )
        self.uri = uri.strip()
        # Anything else would be taken for a path below the working directory of whichever worker runs the task.
        if not _URI.match(self.uri):
            raise InvalidDestinationError(
                f"The destination {self.uri!r} is no URI such as s3://bucket/folder/ or file:///folder/, and no "
                "absolute path."
            )

    @property
    def is_folder(self) -> bool:
        """Whether files go below it under names of their own."""
        return self.uri.endswith("/")

    @cached_property
    def path(self) -> ObjectStoragePath:
        """The path. Making it may read an Airflow connection."""
        return ObjectStoragePath(self.uri)

    @cached_property
    def file_system(self) -> AbstractFileSystem:
        """
        The file system of the path.

        :raises StorageError: no file system for its scheme, or none for its connection.
        """
        return _file_system(self.uri, "Destination")

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system."""
        return "://" not in self.uri or self.uri.startswith(("file://", "local://"))

    @property
    def asset_uri(self) -> str:
        """The URI without a connection: an asset is the same thing whoever reads it."""
        return f"{self.path.protocol or 'file'}://{self.path.path}"

    def file(self, name: str) -> Destination:
        """
        Return the destination of one file: itself, or a file below it if it is a folder.

        :param name: the name of the file in a folder.
        """
        return Destination(self.uri + name) if self.is_folder else self

    def check(self) -> None:
        """
        Refuse a destination whose files would not survive, or that cannot be reached.

        :raises InvalidDestinationError: it is below the base path of Airflow's object-storage XCom backend.
        :raises StorageError: no file system for it.
        """
        base = conf.get("common.io", "xcom_objectstorage_path", fallback="") or ""
        if base and _is_below(self.path, ObjectStoragePath(base)):
            raise InvalidDestinationError(
                f"Destination {self.uri} is below [common.io] xcom_objectstorage_path ({base}). Airflow would take the "
                "path in XCom for a value of its own: read the file instead of handing on the path, and delete it with "
                "the XCom. Choose another folder."
            )
        if not self.is_local:  # Airflow imports every storage provider that is installed to find a file system
            _ = self.file_system


def _file_system(uri: str, what: str) -> AbstractFileSystem:
    try:
        if conn_id := uri.partition("://")[2].partition("/")[0].rpartition("@")[0]:
            BaseHook.get_connection(conn_id)  # s3fs would go on without it, anonymously
        return ObjectStoragePath(uri).fs
    except (AirflowException, ImportError, ValueError) as error:
        raise StorageError(
            f"{what} {uri}: {error} Check the scheme, the connection before the '@', and that the provider of that "
            "storage is installed."
        ) from error


def open_source(uri: str) -> BinaryIO:
    """
    Open a file for reading; a few MiB of it are in memory at a time.

    :param uri: a URI as ``ObjectStoragePath`` takes it.
    :raises StorageError: no file system for its scheme, or none for its connection.
    :raises OSError: there is no such file, or it may not be read; some storages raise errors of their own.
    """
    files = _file_system(uri, "Source")
    return cast("BinaryIO", files.open(ObjectStoragePath(uri).path, "rb", block_size=_READ_BYTES))


def _is_below(path: ObjectStoragePath, base: ObjectStoragePath) -> bool:
    def parts(of: ObjectStoragePath) -> list[str]:
        # The path of an object store begins with the bucket.
        return [of.protocol or "file", *(part for part in os.path.normpath(of.path).split("/") if part)]

    return parts(path)[: len(parts(base))] == parts(base)


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


def publish(spool: Spool, destination: Destination) -> str:
    """
    Make a spooled file visible at its destination, whole, in place of what was there. Return the URI.

    :param spool: the file.
    :param destination: one file, no folder.
    :raises StorageError: the destination refused it, and shows what it showed; or took it and could not say so.
    """
    target = destination.path.path
    try:
        spool.seal().result()
        if destination.is_local:
            os.replace(spool.path, target)  # noqa: PTH105 - same as Path.replace, beside fsync of the same module
            _fsync_folder(Path(target).parent)
        elif destination.path.protocol in _ATOMIC_PUT:
            destination.file_system.put_file(str(spool.path), target, **_put_options(destination, spool.size))
        else:
            part = f"{target}.{uuid.uuid4().hex}.part"
            try:
                destination.file_system.put_file(str(spool.path), part)
                destination.file_system.mv(part, target)
            except BaseException:
                with contextlib.suppress(Exception):
                    destination.file_system.rm_file(part)
                raise
    except Exception as error:
        # Every storage raises errors of its own; they speak of buckets, paths and permissions.
        raise StorageError(
            f"Cannot publish to {destination.uri}: {type(error).__name__}: {error}. What is there is whole: what was "
            "there before or, if only the storage's answer got lost, the new file."
        ) from error
    return destination.uri


def _put_options(destination: Destination, size: int) -> dict[str, Any]:
    if destination.path.protocol in ("abfs", "abfss", "az"):
        return {"overwrite": True}  # adlfs would refuse to
    if destination.path.protocol not in ("s3", "s3a"):
        return {}
    return {"chunksize": max(_S3_PART_BYTES, -(-size // _S3_PARTS)), "max_concurrency": 2}


def _fsync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
