"""Where results go and sources come from: URIs, checked, and the file systems behind them."""

from __future__ import annotations

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast

from airflow.providers.common.compat.sdk import AirflowException, BaseHook, ObjectStoragePath, conf

from airflow_provider_emailverify.exceptions import InvalidDestinationError, StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

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
