"""Spool, then publish: the old file or the whole new one. Several files: all or none, and the marker tells."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish
from airflow_provider_emailverify.storage.spool import spool_for
from tests.fuzz.publication import fuzz_publication
from tests.unit.storage.conftest import Files, Folder, Steps, fail_at, holds_what_its_marker_says

CONTENT = b"email\nnew@example.com\n"


def land(uri: str, body: bytes = CONTENT) -> str:
    destination = Destination(uri)
    destination.check()
    with spool_for(destination, "name") as spool:
        spool.write(body)
        return publish(spool, destination.file("name.csv"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- one file ---


def test_a_folder_gets_a_file_of_the_given_name(tmp_path: Path) -> None:
    assert land(f"file://{tmp_path}/a/b/") == f"file://{tmp_path}/a/b/name.csv"
    assert (tmp_path / "a/b/name.csv").read_bytes() == CONTENT
    assert names(tmp_path / "a/b") == ["name.csv"]


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_any_other_destination_is_the_file(tmp_path: Path, scheme: str) -> None:
    assert land(f"{scheme}{tmp_path}/mine.csv") == f"{scheme}{tmp_path}/mine.csv"
    assert names(tmp_path) == ["mine.csv"]


def test_the_file_is_as_readable_as_any_other_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    land(f"file://{tmp_path}/mine.csv")

    assert (tmp_path / "mine.csv").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"old" * 1000)
    land(f"file://{tmp_path}/mine.csv")

    assert (tmp_path / "mine.csv").read_bytes() == CONTENT


def test_a_failure_before_publication_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"old")

    def fail() -> None:
        with spool_for(Destination(f"file://{tmp_path}/mine.csv"), "name") as spool:
            spool.write(CONTENT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert (tmp_path / "mine.csv").read_bytes() == b"old"
    assert names(tmp_path) == ["mine.csv"]


def test_a_destination_that_is_a_folder_already_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    with pytest.raises(StorageError, match=r"Cannot publish to .*IsADirectoryError"):
        land(f"file://{tmp_path}/mine")
    assert names(tmp_path) == ["mine"]


@pytest.mark.parametrize("name", ["mine.csv", "n" * 255])
def test_a_file_system_that_shows_growing_files_gets_a_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(Destination, "is_local", False)  # any other file system that is no object store
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote" / name).write_bytes(b"old")

    assert land(f"file://{tmp_path}/remote/{name}")
    assert (tmp_path / "remote" / name).read_bytes() == CONTENT
    assert names(tmp_path / "remote") == [name]


def test_a_store_that_does_not_have_all_of_it_is_noticed(memory: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def put_half(self: MemoryFileSystem, source: str, target: str, **_: Any) -> None:
        self.pipe_file(target, Path(source).read_bytes()[:10])

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_half)

    with pytest.raises(StorageError, match=r"22 bytes were sent there, and it shows 10"):
        land(memory.uri)


def test_who_may_write_and_not_look_can_publish_a_file(memory: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError("Access denied")

    monkeypatch.setattr(MemoryFileSystem, "info", refuse)

    land(memory.uri)
    assert memory.read() == {"name.csv": CONTENT}


# --- several files ---

NAMES = ["a.csv", "b.csv", "c.csv"]
NEW = {name: f"new {name}".encode() for name in NAMES}
# A file of the set that was not there yet, and one that is no part of it.
OLD = {"a.csv": b"old a", "c.csv": b"old c", MARKER: b"old marker", "d.csv": b"another's"}
STRANGERS = {"d.csv": b"another's"}


def files_of(landed: Files) -> Files:
    """Return the files without the marker, and without those of others."""
    return {name: content for name, content in landed.items() if name not in (MARKER, *STRANGERS)}


def is_new(found: Files) -> bool:
    """Tell whether the new set is there, whole, with its marker, and nothing but what was others'."""
    return (
        files_of(found) == NEW
        and {name: found.get(name) for name in STRANGERS} == STRANGERS
        and MARKER in found
        and holds_what_its_marker_says({name: found[name] for name in found if name not in STRANGERS})
    )


def test_all_files_are_there_in_the_end_and_nothing_else(folder: Folder) -> None:
    folder.fill(OLD)

    assert folder.land(NEW) == [folder.uri + name for name in NAMES]
    assert is_new(folder.read())


def test_the_marker_holds_the_summary_and_what_is_there(folder: Folder) -> None:
    folder.land(NEW, rows=7)

    found = folder.read()
    marker = json.loads(found[MARKER])
    assert marker["rows"] == 7
    assert {file["name"]: file["bytes"] for file in marker["published"]} == dict.fromkeys(NAMES, 9)
    assert holds_what_its_marker_says(found)


def test_files_of_a_folder_of_others_get_no_marker(folder: Folder) -> None:
    folder.fill(OLD)
    folder.land(NEW, is_own=False)

    assert folder.read() == {**OLD, **NEW}


def test_landing_again_with_fewer_files_leaves_none_of_the_last_landing(folder: Folder) -> None:
    folder.fill(STRANGERS)
    folder.land({**NEW, "unknown.csv": b"u", "report.html": b"r", "vendor.json": b"{}"})
    folder.land(NEW)

    assert is_new(folder.read())


def test_what_others_put_into_the_folder_stays(folder: Folder) -> None:
    folder.land({**NEW, "unknown.csv": b"u", "report.html": b"r"})
    # A file of a name that we could have made, and one that somebody has written anew.
    folder.fill({"unknown.parquet": b"converted", "report.html": b"rewritten"})
    folder.land(NEW)

    assert folder.read().keys() == {*NAMES, MARKER, "unknown.parquet", "report.html"}


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"[]",
        b"{}",
        b'{"published": 7}',
        b'{"published": [7]}',
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps({"published": [{"name": f"../{'x' * 5}", "sha256": "0"}, {"name": "a::b", "sha256": "0"}]}).encode(),
        # The digest of an empty file.
        json.dumps(
            {
                "published": [
                    {"name": name, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}
                    for name in ("../kept", "sub/kept", ".kept", "..", "/kept")
                ]
            }
        ).encode(),
    ],
)
def test_a_marker_of_somebody_else_removes_nothing(folder: Folder, marker: bytes) -> None:
    folder.fill({MARKER: marker, ".kept": b"", **STRANGERS})
    folder.land(NEW)

    found = folder.read()
    assert found.pop(".kept") == b""
    assert is_new(found)


def test_names_of_any_length_can_be_landed_again(folder: Folder) -> None:
    long = {f"{'n' * 251}.csv": b"1", f"{'é' * 125}.html": b"2"}
    for _ in range(3):
        folder.land(long)
        assert holds_what_its_marker_says(folder.read())


def test_an_error_at_any_step_puts_everything_back(memory: Folder, steps: Steps) -> None:
    failed: list[str] = []
    for step in range(1, 300):
        steps.restart(fail_at())
        memory.empty()
        memory.fill(STRANGERS)
        memory.land({"a.csv": b"old a", "c.csv": b"old c", "stale.csv": b"old"})
        old = memory.read()
        steps.restart(fail_at(step))
        try:
            memory.land(NEW)
        except StorageError:
            failed.append(steps.seen[step - 1])
            assert memory.read() == old, f"after step {step}, {failed[-1]}"
        else:
            assert is_new(memory.shown()), f"after step {step}"
            if len(steps.seen) < step:
                break
            # It looked once more; or what was kept aside could not be dropped, and the next landing does it.
            assert steps.seen[step - 1] in ("info", "rm_file")
            memory.land(NEW)
            assert is_new(memory.read())
    else:
        pytest.fail("it never ended")
    assert set(failed) >= {"info", "ls", "cat_file", "pipe_file", "cp_file", "put_file", "rm_file"}
    assert failed.count("put_file") == len(NEW) + 1


def test_if_nothing_can_be_put_back_the_marker_is_gone_and_the_log_says_what_to_do(
    memory: Folder, steps: Steps, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(1, 300):
        steps.restart(fail_at())
        memory.empty()
        memory.fill(OLD)
        caplog.clear()
        steps.restart(fail_at(*range(step, 1000)))
        try:
            memory.land(NEW)
        except StorageError:
            found = memory.read()
            if any(found.get(name) != OLD.get(name) for name in NAMES) and not is_new(memory.shown()):
                assert MARKER not in found
                assert "Run the task again: it replaces all files" in caplog.text
        else:
            break
    else:
        pytest.fail("it never ended")
    assert is_new(memory.shown())


def test_a_lost_answer_is_undone_where_it_can_be_told_whose_file_is_there(
    disk: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.fill(OLD)
    replace = os.replace

    def replace_and_lose_the_answer(source: Any, target: Any) -> None:
        replace(source, target)
        if str(source).endswith(".part") and str(target).endswith("c.csv"):
            raise ConnectionResetError("connection reset")

    monkeypatch.setattr(os, "replace", replace_and_lose_the_answer)

    with pytest.raises(StorageError, match="connection reset"):
        disk.land(NEW)
    assert disk.read() == OLD


def test_a_lost_answer_leaves_no_marker_where_it_cannot(memory: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.fill(OLD)
    put = MemoryFileSystem.put_file

    def put_and_lose_the_answer(self: MemoryFileSystem, source: str, target: str, **options: Any) -> None:
        put(self, source, target, **options)
        if target.endswith("c.csv"):
            raise ConnectionResetError("connection reset")

    monkeypatch.setattr(MemoryFileSystem, "put_file", put_and_lose_the_answer)

    with pytest.raises(StorageError, match="connection reset"):
        memory.land(NEW)
    assert memory.shown() == {"a.csv": b"old a", "c.csv": NEW["c.csv"], **STRANGERS}


# --- killed ---

CHANGES = ("os.rename", "os.remove", "os.link", "os.rmdir", "os.mkdir", "open")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed just before one of its changes to the disk; tell whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    seen = 0

    def kill(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in CHANGES and (event != "open" or ".emailverify-" in str(arguments[0])):
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
    for step in range(1, 200):
        disk.empty()
        disk.fill(STRANGERS)
        disk.land({"a.csv": b"old a", "c.csv": b"old c", "stale.csv": b"old"})
        old = disk.read()
        was_killed = killed_at(step, lambda: disk.land({**NEW, "report.html": b"new"}))
        found = disk.shown()
        outcomes.add("old" if found == old else "new" if MARKER in found else "no marker")
        if MARKER in found and found != old:
            assert holds_what_its_marker_says({name: found[name] for name in found if name not in STRANGERS})
        if not was_killed:
            break
        disk.land(NEW)  # the next try wants less than the one that was killed
        assert is_new(disk.read()), f"after step {step}"
        assert not [path for path in Path(disk.uri[7:]).iterdir() if path.is_dir()]
    else:
        pytest.fail("it never ended")
    assert outcomes == {"old", "no marker", "new"}


# --- two at a time ---

OTHER = {name: f"other {name}".encode() for name in [*NAMES, "extra.csv"]}


@pytest.fixture
def at_the_last_file(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen when a landing puts its last file, which then fails."""

    def install(happen: Callable[[], object]) -> None:
        original = {"put_file": MemoryFileSystem.put_file, "replace": os.replace}

        def wait_for(name: str) -> Callable[..., Any]:
            def put(*arguments: Any, **options: Any) -> Any:
                target = str(arguments[-1])
                if not target.endswith("/c.csv"):
                    return original[name](*arguments, **options)
                monkeypatch.undo()
                happen()
                raise ConnectionResetError("connection reset")

            return put

        monkeypatch.setattr(MemoryFileSystem, "put_file", wait_for("put_file"))
        monkeypatch.setattr(os, "replace", wait_for("replace"))

    return install


@pytest.mark.parametrize("is_own", [True, False])
@pytest.mark.parametrize("other", [OTHER, NEW], ids=["other bytes", "the same bytes"])
def test_a_landing_that_fails_leaves_the_files_of_another_that_did_not(
    folder: Folder, at_the_last_file: Callable[[Callable[[], object]], None], other: Files, is_own: bool
) -> None:
    """Both find nothing there. The one that fails has published all its files but the last."""
    at_the_last_file(lambda: folder.land(other, is_own=is_own))

    with pytest.raises(StorageError, match="connection reset"):
        folder.land(NEW, is_own=is_own)
    found = folder.shown()
    assert files_of(found) == other
    assert not is_own or holds_what_its_marker_says(found)


def test_a_landing_fails_whose_files_another_has_replaced(memory: Folder, steps: Steps) -> None:
    memory.fill(OLD)

    def replace(number: int, name: str) -> None:
        if steps.seen.count("put_file") == 2:  # it has put the first file
            steps.before = lambda number, name: None
            memory.fill({"a.csv": b"another's"})

    steps.restart(replace)

    with pytest.raises(StorageError, match=r"Another task published to memory://bucket/a\.csv at the same time"):
        memory.land(NEW)
    assert memory.shown() == {"a.csv": b"another's", "c.csv": b"old c", **STRANGERS}
    memory.land(NEW)
    assert is_new(memory.read())


def test_no_two_landings_keep_files_aside_under_one_name(
    folder: Folder, at_the_last_file: Callable[[Callable[[], object]], None]
) -> None:
    folder.fill(OLD)
    seen: list[set[str]] = []

    def note() -> None:
        seen.append({name for name in folder.read() if ".emailverify-" in name and not name.endswith(".part")})

    for _ in range(2):
        at_the_last_file(note)
        with pytest.raises(StorageError):
            folder.land(NEW)

    first, second = seen
    assert len(first) >= 3
    assert not first & second
    assert folder.read() == OLD


def test_any_history_of_landings_leaves_whole_files_and_a_true_marker() -> None:
    """More of them: ``make fuzz``."""
    for seed in range(60):
        fuzz_publication(random.Random(seed))
