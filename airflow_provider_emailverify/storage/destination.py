"""Find the place that a URI names, and the file system behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from airflow.providers.common.compat.sdk import AirflowException, BaseHook, ObjectStoragePath, conf

from airflow_provider_emailverify.exceptions import InvalidDestinationError, StorageError
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.uris import Uri, check_destination, check_source, shown

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# How others write the scheme of a storage, and how Airflow does.
_SCHEMES = {
    "az": "abfs",
    "wasb": "abfs",
    "wasbs": "abfs",
    "http": "s3, gs or abfs",
    "https": "s3, gs or abfs",
}
# s3fs would read ahead by 50 MiB.
_READ_BYTES = 4 * 1024 * 1024

#: The folder of results beside a verified list. Folders and patterns of lists leave it out, for its name is hidden.
RESULTS_FOLDER = "_results"


class Destination:
    """
    A file, or a folder for files, where results go.

    :param uri: a URI as ``ObjectStoragePath`` takes it, the connection in its authority if it needs one:
        ``s3://my_conn@bucket/folder/``, ``file:///data/results.csv``. A slash at its end makes it a folder.
    :raises InvalidDestinationError: some library or storage would take it for another place, or it is none.
    """

    def __init__(self, uri: str) -> None:
        self._parts = check_destination(uri)
        self.uri = uri

    @property
    def is_folder(self) -> bool:
        """Whether files go below it under names of their own."""
        return self._parts.is_folder

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
        return open_file_system(self.uri, self._parts, "Destination")

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system."""
        return self._parts.is_local

    @property
    def asset_uri(self) -> str:
        """The URI without a connection: an asset is the same thing whoever reads it."""
        # Airflow cuts an asset's URI at a "#".
        return f"{self.path.protocol or 'file'}://{self.path.path}".replace("#", "%23")

    def file(self, name: str) -> Destination:
        """
        Return the destination of one file: itself, or a file below it if it is a folder.

        :param name: the name of the file in a folder.
        :raises InvalidDestinationError: a file of that name cannot be there.
        """
        return Destination(self.uri + name) if self.is_folder else self

    def beside(self, name: str) -> Destination:
        """
        Return a folder in the folder itself, or beside the file.

        :param name: the folder's name.
        """
        return Destination(f"{self.uri[: self.uri.rfind('/') + 1]}{name}/")

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
        # Airflow imports every storage provider that is installed to find a file system. It always has one for file://,
        # and for local:// from version 3 on.
        if self._parts.scheme != "file":
            _ = self.file_system


def open_file_system(uri: str, parts: Uri, what: str) -> AbstractFileSystem:
    """
    Return the file system of a URI.

    :param uri: the URI.
    :param parts: its parts.
    :param what: whose it is, for messages.
    :raises StorageError: there is none for its scheme, or none for its connection.
    """
    try:
        if parts.conn_id:
            connection = BaseHook.get_connection(parts.conn_id)  # s3fs would go on without it, anonymously
            return _with_options(ObjectStoragePath(uri).fs, parts, connection.extra_dejson)
        return ObjectStoragePath(uri).fs
    except (AirflowException, ImportError, ValueError) as error:
        if ":" in parts.conn_id:  # it is rather a name and a password, which stand in the error's text too
            raise StorageError(
                f"{what} {shown(uri)}: there is no Airflow connection of the name before the '@'. Make one that holds "
                "the access key or password, and put its name there."
            ) from None
        raise StorageError(
            f"{what} {uri}: {str(error).rstrip('.!')}. {_other_form(parts)}Check the scheme, the connection before "
            "the '@', and that the provider of that storage is installed."
        ) from error
    except Exception as error:  # such as botocore's, of a role that may not be assumed
        raise StorageError(f"{what} {uri}: {said(error, uri)}") from error


def _other_form(parts: Uri) -> str:
    if parts.scheme in _SCHEMES:
        return f"Airflow's scheme for that storage is {_SCHEMES[parts.scheme]}. "
    if parts.is_azure and parts.conn_id:
        return (
            f"If {parts.conn_id!r} is the container and {parts.bucket!r} the account, write "
            f"{parts.scheme}://<connection>@{parts.conn_id}/…, with the account in that connection. "
        )
    return ""


def _with_options(files: AbstractFileSystem, parts: Uri, extra: Mapping[str, Any]) -> AbstractFileSystem:
    """Tell s3fs what a bucket demands of each request, for Airflow has no way to; see docs/stores.md."""
    service = extra.get("service_config", {}).get("s3", {}) if parts.scheme in ("s3", "s3a") else {}
    if options := service.get("s3_additional_kwargs"):
        files.s3_additional_kwargs = dict(options)
    if service.get("requester_pays"):
        files.requester_pays, files.req_kw = True, {"RequestPayer": "requester"}
    return files


def open_source(uri: str) -> BinaryIO:
    """
    Open a file for reading; a few MiB of it are in memory at a time.

    :param uri: a URI as ``ObjectStoragePath`` takes it.
    :raises InvalidSourceError: some library or storage would read another file.
    :raises StorageError: no file system for its scheme, or none for its connection.
    :raises OSError: there is no such file, or it may not be read; some storages raise errors of their own.
    """
    files = open_file_system(uri, check_source(uri), "Source")
    return cast("BinaryIO", files.open(ObjectStoragePath(uri).path, "rb", block_size=_READ_BYTES))


def _is_below(path: ObjectStoragePath, base: ObjectStoragePath) -> bool:
    def parts(of: ObjectStoragePath) -> list[str]:
        # The path of an object store begins with the bucket.
        return [of.protocol or "file", *(part for part in os.path.normpath(of.path).split("/") if part)]

    return parts(path)[: len(parts(base))] == parts(base)
