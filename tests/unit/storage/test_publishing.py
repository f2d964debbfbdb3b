"""Several files as one: after an error everything is as it was; after a kill the marker tells."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish_together
from airflow_provider_emailverify.storage.spool import spool_for

NAMES = ["a.csv", "b.csv", "c.csv"]
NEW = {name: f"new {name}".encode() for name in [*NAMES, MARKER]}
# A file of the set that was not there yet, and one that is no part of it.
OLD = {"a.csv": b"old a", "c.csv": b"old c", MARKER: b"old marker", "d.csv": b"another's"}
OPERATIONS = ("exists", "cp_file", "rm_file", "put_file", "mv")


def publish(folder: str) -> list[str]:
    place = Destination(folder)
    with ExitStack() as stack:
        files = []
        for name, content in NEW.items():
            spool = stack.enter_context(spool_for(place, name))
            spool.write(content)
            files.append((spool, place.file(name)))
        return publish_together(files[:-1], files[-1])


class Folder:
    """A folder with an old set, seen from outside of the package."""

    def __init__(self, uri: str, files: MemoryFileSystem | None, path: Path) -> None:
        self.uri = uri
        self._files = files
        self._path = path
        for name, content in OLD.items():
            if files:
                files.pipe_file(f"/bucket/{name}", content)
            else:
                (path / name).write_bytes(content)

    def read(self) -> dict[str, bytes]:
        if self._files:
            return {name.rpartition("/")[2]: self._files.cat_file(name) for name in self._files.find("/bucket")}
        return {file.name: file.read_bytes() for file in self._path.iterdir()}


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
def disk(tmp_path: Path) -> Folder:
    """A folder on disk."""
    return Folder(f"file://{tmp_path}/", None, tmp_path)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_all_files_are_there_in_the_end_and_nothing_else(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Folder = request.getfixturevalue(kind)

    assert publish(folder.uri) == [folder.uri + name for name in NAMES]
    assert folder.read() == {**OLD, **NEW}


def each_step(monkeypatch: pytest.MonkeyPatch, fails: Callable[[int, int], bool]) -> Callable[[int], list[str]]:
    """Let operations of the file system fail; return what sets the step that is meant, and notes the operations."""
    at = [0]
    seen: list[str] = []

    def watch(name: str) -> None:
        original = getattr(MemoryFileSystem, name)

        def operation(self: Any, *arguments: Any, **options: Any) -> Any:
            seen.append(name)
            if fails(len(seen), at[0]):
                raise PermissionError("Access denied")
            return original(self, *arguments, **options)

        monkeypatch.setattr(MemoryFileSystem, name, operation)

    for name in OPERATIONS:
        watch(name)

    def meant(step: int) -> list[str]:
        at[0] = step
        seen.clear()
        return seen

    return meant


def test_an_error_at_any_step_puts_everything_back(memory: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    meant = each_step(monkeypatch, lambda number, step: number == step)
    failed = []
    for step in range(1, 100):
        seen = meant(step)
        with contextlib.suppress(StorageError):
            publish(memory.uri)
            if len(seen) < step:
                break
            # What was kept aside could not be dropped; the files are all there.
            assert seen[step - 1] == "rm_file", f"step {step}"
            assert {**OLD, **NEW}.items() <= memory.read().items()
            MemoryFileSystem().store.clear()
            Folder(memory.uri, MemoryFileSystem(), Path())
            continue
        failed.append(seen[step - 1])
        assert memory.read() == OLD, f"after step {step}, {seen[step - 1]}"
    assert set(failed) >= {"exists", "cp_file", "rm_file", "put_file"}
    assert failed.count("put_file") == len(NEW)


def test_if_nothing_can_be_put_back_the_marker_is_gone_and_the_log_says_what_to_do(
    memory: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    meant = each_step(monkeypatch, lambda number, step: number >= step)
    for step in range(1, 100):
        caplog.clear()
        meant(step)
        try:
            publish(memory.uri)
        except StorageError:
            found = memory.read()
            touched = any(found.get(name) != OLD.get(name) for name in NAMES)
            assert MARKER not in found if touched else True
            if touched:
                assert "Run the task again: it replaces all files" in caplog.text
        else:
            break
    else:
        pytest.fail("it never ended")
    meant(1000)
    assert {**OLD, **NEW}.items() <= memory.read().items()


KILLING = ("os.rename", "os.remove", "shutil.copyfile")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed just before one of its changes to the disk; tell whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    seen = 0

    def kill(event: str, _: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in KILLING:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        sys.addaudithook(kill)
        work()
    finally:
        os._exit(0)


def test_a_process_killed_at_any_step_leaves_all_files_or_no_marker(disk: Folder) -> None:
    outcomes = set()
    for step in range(1, 100):
        was_killed = killed_at(step, lambda: publish(disk.uri))
        found = {name: content for name, content in disk.read().items() if not name.startswith(".")}
        outcomes.add("old" if found == OLD else "new" if found == {**OLD, **NEW} else "no marker")
        assert found in (OLD, {**OLD, **NEW}) or MARKER not in found, f"after step {step}"
        if not was_killed:
            break
        publish(disk.uri)  # the next try
        assert disk.read() == {**OLD, **NEW}
        for name in disk.read():
            Path(disk.uri[7:], name).unlink()
        Folder(disk.uri, None, Path(disk.uri[7:]))
    assert outcomes == {"old", "no marker", "new"}
