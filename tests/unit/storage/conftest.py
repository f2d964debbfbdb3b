"""Folders with old files, seen from outside of the package; and storages that fail, or are slow, at a chosen step."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish_together
from airflow_provider_emailverify.storage.spool import spool_for

Files = dict[str, bytes]


class Folder:
    """A folder, read and filled without the package."""

    def __init__(self, uri: str, files: MemoryFileSystem | None, path: Path) -> None:
        self.uri = uri
        self._files = files
        self._path = path

    def fill(self, content: Files) -> None:
        for name, text in content.items():
            if self._files:
                self._files.pipe_file(f"/bucket/{name}", text)
            else:
                (self._path / name).write_bytes(text)

    def empty(self) -> None:
        if self._files:
            self._files.store.clear()
        else:
            for path in [*self._path.rglob("*")]:
                if path.is_file():
                    path.unlink()

    def read(self) -> Files:
        """Return the files, also those in hidden folders, by their paths from here."""
        if self._files:
            return {
                name.removeprefix("/bucket/"): self._files.store[name].getvalue()
                for name in self._files.store
                if name.startswith("/bucket/")
            }
        found = [path for path in self._path.rglob("*") if not path.is_dir()]
        return {str(path.relative_to(self._path)): path.read_bytes() for path in found}

    def shown(self) -> Files:
        """Return the files that are not hidden."""
        return {name: content for name, content in self.read().items() if not name.startswith(".")}

    def land(self, content: Files, *, is_own: bool = True, **summary: Any) -> list[str]:
        """Publish files together, and with a marker if the folder is theirs alone."""
        place = Destination(self.uri)
        with ExitStack() as stack:
            files = []
            for name, text in content.items():
                spool = stack.enter_context(spool_for(place, name, "text/plain"))
                spool.write(text)
                files.append((spool, place.file(name)))
            return publish_together(files, place if is_own else None, summary)


def told_by(marker: bytes) -> dict[str, str]:
    """Return name and digest of each file that a marker names."""
    return {file["name"]: file["sha256"] for file in json.loads(marker)["published"]}


def holds_what_its_marker_says(files: Files) -> bool:
    """Tell whether a folder's files, the marker apart, are exactly those that the marker names."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != MARKER}
    return digests == told_by(files[MARKER])


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Folder]:
    """A folder of an object store, in memory."""
    try:
        from airflow.sdk.io.store import attach
    except ImportError:  # before Airflow 3.0
        from airflow.io.store import attach
    files = MemoryFileSystem()
    files.store.clear()
    attach(protocol="memory", fs=files)
    yield Folder("memory://bucket/", files, tmp_path)
    files.store.clear()


@pytest.fixture
def disk() -> Iterator[Folder]:
    """A folder of a file system that waits for no disk, where there is one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Folder(f"file://{folder}/", None, Path(folder))


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest) -> Folder:
    """A folder of either kind."""
    found: Folder = request.getfixturevalue(request.param)
    return found


OPERATIONS = ("info", "ls", "cat_file", "pipe_file", "cp_file", "put_file", "rm_file", "open")


class Steps:
    """Counts the calls of a file system, and does something before some of them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.before: Callable[[int, str], None] = lambda number, name: None
        self._is_inside = False

    def note(self, name: str) -> None:
        if self._is_inside:  # one of its calls made another
            return
        self.seen.append(name)
        self.before(len(self.seen), name)

    def restart(self, before: Callable[[int, str], None]) -> None:
        self.seen.clear()
        self.before = before

    def watch(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            self.note(name)
            was_inside, self._is_inside = self._is_inside, True
            try:
                return original(*arguments, **options)
            finally:
                self._is_inside = was_inside

        return operation


@pytest.fixture
def steps(memory: Folder, monkeypatch: pytest.MonkeyPatch) -> Steps:
    """The calls of the file system in memory."""
    steps = Steps()
    for name in OPERATIONS:
        monkeypatch.setattr(MemoryFileSystem, name, steps.watch(name, getattr(MemoryFileSystem, name)))
    return steps


def fail_at(*numbers: int) -> Callable[[int, str], None]:
    """Return what lets the calls of these numbers fail."""

    def before(number: int, name: str) -> None:
        if number in numbers:
            raise ConnectionResetError("connection reset")

    return before
