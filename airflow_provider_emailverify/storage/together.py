"""
Change several files of one folder, or none: keep what is there, replace, look who else was there, take back.

:mod:`.publishing` says what holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Sequence

from airflow_provider_emailverify.exceptions import EmailVerifyError, StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.local_store import LocalStore
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.remote_store import RemoteStore
from airflow_provider_emailverify.storage.spool import Spool
from airflow_provider_emailverify.storage.store import Store, Version

log = logging.getLogger(__name__)

#: What tells that all files of a folder are there; Hadoop and Spark know it by this name, and readers pass it over.
MARKER = "_SUCCESS"
_PLAN = ".plan"
# How often what must not go wrong is tried when something has gone wrong.
_TRIES = 2
# A file that a landing may have made; none that is hidden, or elsewhere.
_A_NAME = re.compile(r"[\w%~-][\w.%~-]*")


class Change:
    """
    One path of a landing: what was there, what the landing made of it, and the way back.

    :param store: the storage.
    :param destination: the path.
    :param aside: where what is there is kept meanwhile.
    """

    def __init__(self, store: Store, destination: Destination, aside: str) -> None:
        self.destination = destination
        self._store = store
        self._path: str = destination.path.path
        self._aside = aside
        self._before = self._now = store.version(self._path)
        if self._before is not None:
            try:
                store.keep(self._path, aside)
                self.require_own()  # so that what was kept is what was there
            except BaseException:
                self.drop()
                raise

    def replace(self, spool: Spool, mark: str) -> None:
        """Publish a file there."""
        self._now = self._store.version_of(spool, mark)
        self._now = self._store.publish(spool, self.destination, mark)

    def remove(self) -> None:
        """Remove what is there."""
        self._now = None
        if self._before is not None:
            self._store.remove(self._path)

    def require_own(self) -> None:
        """
        Look whether the path shows what this landing made of it.

        :raises StorageError: it shows something else.
        """
        if self._store.version(self._path) != self._now:
            raise StorageError(
                f"Another task published to {self.destination.uri} at the same time. Let one task at a time write "
                "there, then clear this one."
            )

    def undo(self) -> bool:
        """Put back what was there, unless somebody else has changed it since. Return whether it is there."""
        found = self._store.version(self._path)
        if found != self._before:
            if found != self._now:
                # Or by this one, if the storage's answer got lost and it cannot tell whose file it has.
                log.warning("%s was changed by another task. It stays as it is.", self.destination.uri)
                self.drop()
                return False
            if self._before is not None:
                self._store.put_back(self._aside, self._path)
            else:
                self._store.remove(self._path)
        self.drop()
        return True

    def drop(self) -> None:
        """Remove what was kept aside; if that cannot be done, the next landing does it."""
        with contextlib.suppress(Exception):
            if self._before is not None:
                self._store.remove(self._aside)


class Landing:
    """
    One attempt to publish files together.

    :param files: the files.
    :param folder: the folder that they fill; None if others put files there too.
    """

    def __init__(self, files: Sequence[tuple[Spool, Destination]], folder: Destination | None) -> None:
        self._files = files
        self._folder = folder
        self._store = store_of(files[0][1])
        self._id = uuid.uuid4().hex
        self._changes: list[Change] = []
        # The marker that was there, and the new one.
        self._withdrawn: Change | None = None
        self._published: Change | None = None
        self._made: set[tuple[str, str]] = set()
        self._versions: dict[tuple[str, str], Version] = {}
        # What is kept aside lies in a hidden folder beside the files, the same in every try, each under a name of its
        # own. So no two landings share one, no name gets too long, and the next landing finds what a killed one left.
        results: str = files[-1][1].path.path
        self._place = files[-1][1].uri.rpartition("/")[0] + "/"
        self._folder_path = results.rpartition("/")[0]
        digest = hashlib.sha256((self._folder_path if folder else results).encode()).hexdigest()[:16]
        self._hidden = f"{self._folder_path}/.emailverify-{digest}"
        self._plan = f"{self._hidden}/{self._id}{_PLAN}"

    def run(self, marker: Spool | None) -> None:
        """
        Publish the files.

        :param marker: the marker; None if nobody looks for one.
        :raises StorageError: the destination refused one, or another task published there too.
        """
        try:
            leftovers = [f"{self._hidden}/{name}" for name in self._store.names(self._hidden)]
            stale = self._announce(self._folder, leftovers) if self._folder else []
            for spool, destination in self._files:
                self._change(destination).replace(spool, self._id)
            for destination in stale:
                self._change(destination).remove()
            if self._folder and marker:
                for change in [*filter(None, [self._withdrawn]), *self._changes]:
                    change.require_own()
                self._published = self._change(self._folder.file(MARKER))
                self._published.replace(marker, self._id)
            for change in self._changes:
                change.require_own()
        except BaseException as error:
            self._roll_back()
            if not isinstance(error, Exception) or isinstance(error, EmailVerifyError):
                raise
            raise StorageError(
                f"Cannot publish to {self._place}: {said(error, self._place)} What was there is there again, unless "
                "the log says otherwise."
            ) from error
        for change in [*self._changes, *filter(None, [self._withdrawn])]:
            change.drop()
        for path in [*leftovers, self._plan]:
            self._remove_quietly(path)
        self._store.remove_folder(self._hidden)
        if self._folder:
            self._store.remove_spools(self._folder_path)

    def _announce(self, folder: Destination, leftovers: Sequence[str]) -> list[Destination]:
        """
        Write down what this landing makes, and withdraw the marker.

        Return what earlier landings made here and this one does not.
        """
        marker = folder.file(MARKER)
        self._withdrawn = Change(self._store, marker, f"{self._hidden}/{self._id}.marker")
        told = _files_of(self._read(marker.path.path))
        made = told.union(*(_files_of(self._read(path)) for path in leftovers if path.endswith(_PLAN)))
        files = {(name_of(destination), spool.sha256) for spool, destination in self._files}
        ours = {name for name, _ in files}
        stale = {name for name, sha256 in made if name not in ours and self._holds(name, sha256)}
        self._write_plan(made | files)
        self._versions = {(name, sha256): self._version(name) for name, sha256 in told}
        self._withdrawn.require_own()  # so that what was read is what is withdrawn
        self._withdrawn.remove()
        return [folder.file(name) for name in sorted(stale)]

    def _write_plan(self, files: set[tuple[str, str]]) -> None:
        self._made = files
        plan = {"published": [{"name": name, "sha256": sha256} for name, sha256 in sorted(files)]}
        self._store.write(self._plan, json.dumps(plan).encode())

    def _change(self, destination: Destination) -> Change:
        change = Change(self._store, destination, f"{self._hidden}/{self._id}.{len(self._changes)}")
        self._changes.append(change)
        return change

    def _roll_back(self) -> None:
        undone = []
        for change in reversed(self._changes):
            undone.append(self._undo(change))
            if change is self._published and undone == [None]:
                return  # with the marker, which is true, all files stay
        is_clean = all(undone)
        if self._withdrawn:
            if is_clean:
                is_clean = bool(self._undo(self._withdrawn))
            else:
                self._withdrawn.drop()
            for _ in range(_TRIES):
                with contextlib.suppress(Exception):
                    is_clean = self._check_marker(self._withdrawn.destination) and is_clean
                    if not is_clean:  # another task was here, and may have removed the plan
                        self._write_plan(self._made)
                    break
        if is_clean:
            self._remove_quietly(self._plan)
        self._store.remove_folder(self._hidden)

    def _undo(self, change: Change) -> bool | None:
        """Undo a change. Return whether that was done; None if the storage refused it."""
        try:
            return change.undo()
        except Exception as error:  # noqa: BLE001 - the others are put back all the same, and the first error counts
            log.error(  # noqa: TRY400 - its traceback would bury the error that led here
                "%s could not be put back as it was. %s Run the task again: it replaces all files.",
                change.destination.uri,
                said(error, change.destination.uri),
            )
            return None

    def _check_marker(self, marker: Destination) -> bool:
        """Remove a marker that says of a file what is not so. Return whether there was none to remove."""
        told = _files_of(self._read(marker.path.path))
        if all(self._is_unchanged(*file) or self._holds(*file) for file in told):
            return True
        self._made |= told
        log.error("%s names files that are not there any more. It is removed.", marker.uri)
        self._store.remove(marker.path.path)
        return False

    def _is_unchanged(self, name: str, sha256: str) -> bool:
        """Tell whether a file is as it was when a marker that names it was withdrawn, so that it need not be read."""
        return (name, sha256) in self._versions and self._versions[name, sha256] == self._version(name)

    def _read(self, path: str) -> bytes:
        return b"" if self._store.version(path) is None else self._store.read(path)

    def _holds(self, name: str, sha256: str) -> bool:
        """Tell whether a file of the folder is there and has this content."""
        return self._version(name) is not None and self._store.sha256(f"{self._folder_path}/{name}") == sha256

    def _version(self, name: str) -> Version:
        return self._store.version(f"{self._folder_path}/{name}")

    def _remove_quietly(self, path: str) -> None:
        with contextlib.suppress(Exception):
            self._store.remove(path)


def store_of(destination: Destination) -> Store:
    """
    Return the storage of a destination.

    :param destination: the destination.
    :raises StorageError: there is no file system for it.
    """
    if destination.is_local:
        return LocalStore()
    return RemoteStore(destination.file_system, destination.path.protocol)


def name_of(destination: Destination) -> str:
    """Return the name of a file in its folder."""
    return destination.uri.rpartition("/")[2]


def _files_of(content: bytes) -> set[tuple[str, str]]:
    """Return names and digests of the files that a marker or a plan tells; none if it is somebody else's."""
    try:
        published = json.loads(content)["published"]
        found = {(str(file["name"]), str(file["sha256"])) for file in published}
    except (ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {(name, sha256) for name, sha256 in found if _A_NAME.fullmatch(name) and name != MARKER}
