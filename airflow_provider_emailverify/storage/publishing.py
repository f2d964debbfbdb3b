"""
Make spooled files visible under their URIs: one file in one step, or several, all or none.

A destination shows the old file or the whole new one, never a part, whatever fails and whenever. No storage replaces
several files in one step, so that is done in three. What is there is kept aside; the files are
published one by one, each of them whole; what was kept aside is dropped. An error anywhere puts everything back as it
was. A process that is killed can put nothing back: for that there is the marker, which is withdrawn before the first
file and published after the last. Who needs all files looks for the marker.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.spool import Spool

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)

#: What tells that all files of a folder are there; Hadoop and Spark know it by this name, and readers pass it over.
MARKER = "_SUCCESS"


# Object stores show a new object when its upload is complete, so one put publishes it. Other file systems
# show a growing file, so there the put goes to a sibling that is then renamed.
_ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs", "oci", "oss", "memory"}
)
# s3fs would hold ten parts of 50 MiB in memory. S3 takes 10,000 parts of an object at most.
_S3_PART_BYTES = 6 * 1024 * 1024
_S3_PARTS = 10_000


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


def publish_together(
    files: Sequence[tuple[Spool, Destination]], marker: tuple[Spool, Destination] | None = None
) -> list[str]:
    """
    Make spooled files visible at their destinations, all or none. Return their URIs, without the marker's.

    :param files: the files, in the order in which they appear.
    :param marker: the file that tells that all others are there.
    :raises StorageError: the destination refused one; what was there is there again.
    """
    everything = [*files, marker] if marker else [*files]
    if len(everything) == 1:
        return [publish(*everything[0])]
    before: list[_Before] = []
    try:
        for _, destination in everything:
            before.append(_Before(destination))
        if marker:
            before[-1].withdraw()
        uris = [publish(spool, destination) for spool, destination in everything]
    except BaseException:
        for each in reversed(before):
            each.restore()
        raise
    for each in before:
        each.drop()
    return uris[: len(files)]


class _Before:
    """What a destination showed before; kept beside it under a hidden name, the same in every try."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._path: str = destination.path.path
        folder, slash, name = self._path.rpartition("/")
        self._aside = f"{folder}{slash}.{name}.before"
        self._existed = self._keep()

    @property
    def _files(self) -> AbstractFileSystem:
        if self._destination.is_local:
            import fsspec

            return fsspec.filesystem("file")
        return self._destination.file_system

    def _keep(self) -> bool:
        try:
            self._files.invalidate_cache()
            if not self._files.exists(self._path):
                return False
            self._files.cp_file(self._path, self._aside)
            return True
        except Exception as error:
            self.drop()
            raise StorageError(
                f"Cannot keep what is at {self._destination.uri} until all files are published: "
                f"{type(error).__name__}: {error}. Nothing was changed."
            ) from error

    def withdraw(self) -> None:
        if self._existed:
            try:
                self._files.rm_file(self._path)
            except Exception as error:
                raise StorageError(
                    f"Cannot replace {self._destination.uri}: {type(error).__name__}: {error}."
                ) from error

    def restore(self) -> None:
        try:
            if self._existed:
                self._files.mv(self._aside, self._path)
            elif self._files.exists(self._path):
                self._files.rm_file(self._path)
        except Exception as error:  # noqa: BLE001 - the others are put back all the same, and the first error counts
            log.error(  # noqa: TRY400 - its traceback would bury the error that led here
                "%s could not be put back as it was (%s: %s). Run the task again: it replaces all files.",
                self._destination.uri,
                type(error).__name__,
                error,
            )

    def drop(self) -> None:
        # There is one also if a process was killed before this one; if it cannot go, the next try replaces it.
        with contextlib.suppress(Exception):
            self._files.rm_file(self._aside)
