"""
Several files as one: all of them become visible, or none does.

No storage replaces several files in one step, so this is done in three. What is there is kept aside; the files are
published one by one, each of them whole; what was kept aside is dropped. An error anywhere puts everything back as it
was. A process that is killed can put nothing back: for that there is the marker, which is withdrawn before the first
file and published after the last. Who needs all files looks for the marker.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage import Destination, Spool, publish

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

log = logging.getLogger(__name__)

#: What tells that all files of a folder are there; Hadoop and Spark know it by this name, and readers pass it over.
MARKER = "_SUCCESS"


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
