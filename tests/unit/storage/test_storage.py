"""Spool, then publish: the old file or the whole new one, and nothing left behind."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidDestinationError, StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import publish
from airflow_provider_emailverify.storage.spool import Spool, spool_for

NEW = b"email\nnew@example.com\n"


def land(uri: str, body: bytes = NEW) -> str:
    destination = Destination(uri)
    destination.check()
    with spool_for(destination, "name") as spool:
        spool.write(body)
        return publish(spool, destination.file("name.csv"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gets_a_file_of_the_given_name(tmp_path: Path) -> None:
    assert land(f"file://{tmp_path}/a/b/") == f"file://{tmp_path}/a/b/name.csv"
    assert (tmp_path / "a/b/name.csv").read_bytes() == NEW
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

    assert (tmp_path / "mine.csv").read_bytes() == NEW


def test_a_failure_before_publication_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"old")

    def fail() -> None:
        with spool_for(Destination(f"file://{tmp_path}/mine.csv"), "name") as spool:
            spool.write(NEW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert (tmp_path / "mine.csv").read_bytes() == b"old"
    assert names(tmp_path) == ["mine.csv"]


def test_a_spool_knows_size_and_digest_and_starts_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    spool.write(b"thrown away")
    spool.reset("text/csv")
    spool.write(b"ab")
    spool.write(b"c")

    assert (spool.size, spool.rewound().read(), spool.media_type) == (3, b"abc", "text/csv")
    assert spool.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    spool.close()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    class FullFile:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    def fill() -> None:
        with spool_for(Destination(f"file://{tmp_path}/"), "name") as spool:
            spool.file = FullFile(spool.file)
            spool.write(NEW)

    with pytest.raises(StorageError, match=r"No space left on device. Free space there"):
        fill()

    assert names(tmp_path) == []


def test_a_destination_below_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    with pytest.raises(StorageError, match=r"Cannot write to .*/file/x/"):
        land(f"file://{tmp_path}/file/x/")
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_destination_that_is_a_folder_already_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()

    with pytest.raises(StorageError, match=r"Cannot publish to .*IsADirectoryError"):
        land(f"file://{tmp_path}/mine")
    assert names(tmp_path) == ["mine"]


@pytest.mark.parametrize("uri", ["", "  ", None, 3])
def test_an_empty_destination_is_refused(uri: Any) -> None:
    with pytest.raises(InvalidDestinationError, match="destination is empty"):
        Destination(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "relative/x.csv",
        "gs//bucket/x",
        "s3:/bucket/x",
        "s3:///x",
        "file://tmp/x",
        "FILE:///tmp/x",
        "file:x",
        "~/x",
        "c:\\x",
    ],
)
def test_what_would_land_in_the_working_directory_is_refused(uri: str) -> None:
    with pytest.raises(InvalidDestinationError, match="no URI such as"):
        Destination(uri)


@pytest.mark.parametrize("uri", ["s3://c@bucket/x", "abfs://box@account/x", "/data/x", "file:///data/", "gs://b/"])
def test_what_names_a_place_is_taken(uri: str) -> None:
    assert Destination(uri).uri == uri


def test_a_spool_for_elsewhere_is_for_nobody_elses_eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with spool_for(Destination("s3://bucket/x"), "name") as spool:
        assert spool.path.stat().st_mode & 0o777 == 0o600


def test_a_digest_follows_what_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    digests = []
    for chunk in (b"", b"a", b"b"):
        spool.write(chunk)
        digests.append(spool.sha256)
    spool.reset("")
    digests.append(spool.sha256)
    spool.close()

    assert digests == [hashlib.sha256(text).hexdigest() for text in (b"", b"a", b"ab", b"")]


@pytest.mark.parametrize("uri", ["nosuch://bucket/x", "s3://no_such_connection@bucket/x/"])
def test_a_storage_that_cannot_be_reached_is_a_clear_error(uri: str) -> None:
    with pytest.raises(StorageError, match="Check the scheme, the connection"):
        Destination(uri).check()


@pytest.mark.parametrize(
    ("base", "uri", "refused"),
    [
        ("file:///data/xcom", "file:///data/xcom/results/", True),
        ("file:///data/xcom/", "file:///data/xcom", True),
        ("file:///data/xcom", "file:///data/other/../xcom/a.csv", True),
        ("/data/xcom", "file:///data/xcom/a.csv", True),
        ("file:///data/xcom", "/data/xcom/a.csv", True),
        ("file:///data/xcom", "file:///data/xcom2/a.csv", False),
        ("file:///data/xcom", "file:///data/", False),
        ("", "file:///data/", False),
    ],
)
def test_a_destination_that_xcom_would_take_for_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, base: str, uri: str, refused: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", base)

    if refused:
        with pytest.raises(InvalidDestinationError, match="xcom_objectstorage_path"):
            Destination(uri).check()
    else:
        Destination(uri).check()


WRITER = """
import os, signal, sys
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.spool import spool_for
with spool_for(Destination(sys.argv[1]), "name") as spool:
    spool.write(b"half of it")
    print("ready", flush=True)
    signal.pause()
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_one_but_not_a_living_ones(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/mine.csv"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, uri], stdout=subprocess.PIPE, cwd=Path.cwd()) for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
    assert len(names(tmp_path)) == 2

    writers[0].send_signal(signal.SIGKILL)
    writers[0].wait()
    land(uri)

    assert (tmp_path / "mine.csv").read_bytes() == NEW
    assert len(names(tmp_path)) == 2  # the file, and the living writer's spool
    writers[1].kill()
    writers[1].wait()
    land(uri)
    assert names(tmp_path) == ["mine.csv"]


def test_a_file_system_that_shows_growing_files_gets_a_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Destination, "is_local", False)  # any other file system that is no object store
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote/mine.csv").write_bytes(b"old")

    assert land(f"file://{tmp_path}/remote/mine.csv")
    assert (tmp_path / "remote/mine.csv").read_bytes() == NEW
    assert names(tmp_path / "remote") == ["mine.csv"]
