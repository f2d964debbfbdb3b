"""Replace, keep and remove files in any storage that fsspec reaches."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.storage.spool import Spool
from airflow_provider_emailverify.storage.store import Store, Version

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Object stores show a new object when its upload is complete, so one put publishes it. Other file systems
# show a growing file, so there the put goes to a hidden sibling that is then renamed.
_ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs", "oci", "oss", "memory"}
)
_AZURE = frozenset({"abfs", "abfss", "adl", "az", "wasb", "wasbs"})
# s3fs would hold ten parts of 50 MiB in memory. S3 takes 10,000 parts of an object at most.
_S3_PART_BYTES = 6 * 1024 * 1024
_S3_PARTS = 10_000
# gcsfs would hold pieces of 50 MiB in memory. Google takes multiples of 256 KiB.
_GOOGLE_PIECE_BYTES = 8 * 1024 * 1024
# adlfs would send up to 128 blocks at a time.
_AZURE_BLOCKS = 2
#: The name of the metadata by which an object on S3 tells who wrote it.
S3_MARK = "emailverify-landing"
# What fsspec's file systems say of a file that changes with its content, and with nothing else.
_VERSION_FIELDS = (
    *("ETag", "etag", "generation", "VersionId", "version_id", "ino", "mtime", "created", "size"),
    *("LastModified", "last_modified", "updated"),
)
_READ_BYTES = 4 * 1024 * 1024


class RemoteStore(Store):
    """
    Any other storage, through fsspec. Only those calls of fsspec are used that take a path for one file's name.

    :param files: the file system.
    :param protocol: the scheme.
    """

    def __init__(self, files: AbstractFileSystem, protocol: str) -> None:
        self._files = files
        self._protocol = protocol
        self._is_s3 = protocol in ("s3", "s3a")
        self._is_atomic = protocol in _ATOMIC_PUT

    def put(self, spool: Spool, path: str, mark: str) -> Version:
        """Upload the spool, and see whether the storage has all of it."""
        if self._is_atomic:
            self._files.put_file(str(spool.path), path, **self._put_options(spool, mark))
        else:
            part = f"{path.rpartition('/')[0]}/.emailverify-{uuid.uuid4().hex}.part"
            try:
                self._files.put_file(str(spool.path), part)
                self._files.mv(part, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._files.rm_file(part)
                raise
        try:
            info = self._look(path)
        except PermissionError:  # a role that may write and not look
            return self.version_of(spool, mark)
        if info["size"] != spool.size:
            raise OSError(f"{spool.size:,} bytes were sent there, and it shows {info['size']:,}")
        return self.version_of(spool, mark) or self._version(info)

    def version_of(self, spool: Spool, mark: str) -> Version:
        """Return the mark on S3, whose own ETag is the same for the same content."""
        return (mark,) if self._is_s3 and mark else None

    def version(self, path: str) -> Version:
        """Ask for all that tells versions apart; for one thing if that does."""
        try:
            if self._is_s3 and (mark := self._files.metadata(path).get(S3_MARK)):
                return (mark,)
            return self._version(self._info(path))
        except FileNotFoundError:
            return None

    @staticmethod
    def _version(info: Mapping[str, Any]) -> Version:
        return tuple((field, str(info[field])) for field in _VERSION_FIELDS if info.get(field) is not None)

    def keep(self, path: str, aside: str) -> None:
        """Copy it within the storage."""
        self._make_folder_of(aside)
        self._files.cp_file(path, aside)

    def put_back(self, aside: str, path: str) -> None:
        """Copy it back, or rename it where a copy would be seen to grow."""
        if self._is_atomic:
            self._files.cp_file(aside, path)
            self._files.rm_file(aside)
        else:
            self._files.mv(aside, path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._files.rm_file(path)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder, which is nothing by itself in an object store."""
        if not self._is_atomic:
            with contextlib.suppress(Exception):
                self._files.rmdir(folder)

    def names(self, folder: str) -> list[str]:
        """List a folder."""
        self._files.invalidate_cache()
        try:
            found = self._files.ls(folder, detail=False)
        except FileNotFoundError:
            return []
        return [name for path in found if (name := str(path).rpartition("/")[2])]

    def read(self, path: str) -> bytes:
        """Return the content of a small file."""
        content: bytes = self._files.cat_file(path)
        return content

    def write(self, path: str, content: bytes) -> None:
        """Write a small file."""
        self._make_folder_of(path)
        self._files.pipe_file(path, content)

    def sha256(self, path: str) -> str:
        """Digest a file, a few MiB at a time."""
        self._files.invalidate_cache()
        digest = hashlib.sha256()
        with self._files.open(path, "rb", block_size=_READ_BYTES) as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def _make_folder_of(self, path: str) -> None:
        if not self._is_atomic:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _look(self, path: str) -> dict[str, Any]:
        """Look again if the first look fails: without one, nobody knows whose file is there."""
        with contextlib.suppress(Exception):
            return self._info(path)
        return self._info(path)

    def _info(self, path: str) -> dict[str, Any]:
        self._files.invalidate_cache()
        info: dict[str, Any] = self._files.info(path)
        if info["type"] == "directory" and self._is_atomic:  # there are other objects below it, and none of this name
            raise FileNotFoundError(path)
        return info

    def _put_options(self, spool: Spool, mark: str) -> dict[str, Any]:
        """Return what each file system needs to be told: how to upload, and the media type."""
        media_type = spool.media_type or "application/octet-stream"
        if self._is_s3:
            return {
                "chunksize": max(_S3_PART_BYTES, -(-spool.size // _S3_PARTS)),
                "max_concurrency": 2,
                "ContentType": media_type,
                **({"Metadata": {S3_MARK: mark}} if mark else {}),
            }
        if self._protocol in ("gs", "gcs"):
            return {"content_type": media_type, "chunksize": _GOOGLE_PIECE_BYTES}
        if self._protocol in _AZURE:
            from azure.storage.blob import ContentSettings

            # Older releases of adlfs do not replace unless they are told to.
            return {
                "overwrite": True,
                "content_settings": ContentSettings(content_type=media_type),
                "max_concurrency": _AZURE_BLOCKS,
            }
        return {}
