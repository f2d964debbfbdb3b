"""A spool collects a result where nobody sees it, knows its digest, and leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import publish
from airflow_provider_emailverify.storage.spool import Spool, spool_for, sweep

NEW = b"email\nnew@example.com\n"
MIB = 1024 * 1024


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("emailverify-digest")]


def test_a_spool_knows_what_it_holds(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x", "text/csv")
    spool.write(b"ab")
    spool.write(b"c")

    assert (spool.size, spool.rewound().read(), spool.media_type) == (3, b"abc", "text/csv")
    assert spool.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    spool.close()


def test_spool_for_takes_a_media_type(tmp_path: Path) -> None:
    with spool_for(Destination(f"file://{tmp_path}/"), "x", "text/html") as spool:
        assert spool.media_type == "text/html"


def test_a_digest_follows_what_is_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    digests = []
    for chunk in (b"", b"a", b"b"):
        spool.write(chunk)
        digests.append(spool.sha256)
    spool.close()

    assert digests == [hashlib.sha256(text).hexdigest() for text in (b"", b"a", b"ab")]


@pytest.mark.parametrize("is_private", [True, False])
def test_a_digest_is_right_whatever_the_sizes(tmp_path: Path, is_private: bool) -> None:
    expected = hashlib.sha256()
    spool = Spool(tmp_path, "x", is_private=is_private)
    for number, size in enumerate([1, 0, 4 * MIB, 4 * MIB - 1, 1, 70 * MIB, 3, 5 * MIB]):
        chunk = bytes([number]) * size
        expected.update(chunk)
        spool.write(memoryview(bytearray(chunk)))

    assert spool.sha256 == expected.hexdigest()
    spool.close()


def test_the_digest_is_nearly_there_when_the_last_byte_is(tmp_path: Path) -> None:
    """It is made while the file is written: a spool that digested at the end would take as long as the digest does."""
    chunk = os.urandom(8 * MIB)
    spool = Spool(tmp_path, "x", is_private=True)
    for _ in range(16):
        spool.write(chunk)
        time.sleep(0.05)  # the network
    deadline = time.monotonic() + 10
    while spool._digest._digested < 120 * MIB and time.monotonic() < deadline:
        time.sleep(0.01)

    assert spool._digest._digested >= 120 * MIB
    assert spool.sha256 == hashlib.sha256(chunk * 16).hexdigest()
    spool.close()


def test_what_a_writer_reuses_meanwhile_does_not_get_into_the_digest(tmp_path: Path) -> None:
    buffer = bytearray(8 * MIB)
    spool = Spool(tmp_path, "x")
    spool.write(buffer)
    buffer[:] = b"\xff" * len(buffer)

    assert spool.sha256 == hashlib.sha256(bytes(8 * MIB)).hexdigest()
    spool.close()


def test_a_closed_spool_takes_nothing_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    spool.write(b"abc")
    spool.close()

    with pytest.raises(ValueError, match="closed"):
        spool.write(b"footer")
    with pytest.raises(ValueError, match="closed"):
        spool.seal()
    assert names(tmp_path) == []


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    spool.write(b"abc")
    digest = spool.sha256
    spool.close()
    spool.close()

    assert (spool.sha256, spool.size) == (digest, 3)


def test_a_spool_that_is_left_in_the_middle_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    def fail() -> None:
        with spool_for(Destination(f"file://{tmp_path}/"), "x") as spool:
            spool.write(bytes(64 * MIB))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert names(tmp_path) == []
    assert threads() == []


@pytest.mark.parametrize("is_published", [True, False])
def test_a_spool_that_rests_holds_nothing_but_its_file(tmp_path: Path, is_published: bool) -> None:
    destination = Destination(f"file://{tmp_path}/new.csv")
    with spool_for(destination, "x") as spool:
        spool.write(NEW)
        spool.rest()

        assert (spool.file.closed, threads(), spool.size) == (True, [], len(NEW))
        assert spool.sha256 == hashlib.sha256(NEW).hexdigest()
        assert spool.stat().st_ino == spool.path.stat().st_ino
        if is_published:
            publish(spool, destination)
    assert names(tmp_path) == ["new.csv"] * is_published


def test_two_spools_of_one_label_are_two_files(tmp_path: Path) -> None:
    first, second = Spool(tmp_path, "x"), Spool(tmp_path, "x")
    first.write(b"first")
    second.write(b"second")

    assert first.rewound().read() == b"first"
    assert second.rewound().read() == b"second"
    first.close()
    second.close()


def test_a_file_that_gets_shorter_is_noticed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "x")
    spool.write(b"abc")
    os.truncate(spool.path, 1)

    with pytest.raises(StorageError, match="shorter than what was written to it"):
        _ = spool.sha256
    spool.close()


def test_an_error_of_the_disk_comes_out_while_more_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", fail)
    spool = Spool(tmp_path, "x")

    def write_until_it_fails() -> None:
        for _ in range(200):
            spool.write(bytes(MIB))
            time.sleep(0.005)

    with pytest.raises(StorageError, match="Input/output error"):
        write_until_it_fails()
    with pytest.raises(StorageError, match="Input/output error"):
        _ = spool.sha256
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

    with (
        pytest.raises(StorageError, match=r"Cannot write to .*/file/x/"),
        spool_for(Destination(f"file://{tmp_path}/file/x/"), "name"),
    ):
        pass
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_spool_for_elsewhere_is_for_nobody_elses_eyes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with spool_for(Destination("s3://bucket/x"), "name") as spool:
        assert spool.path.stat().st_mode & 0o777 == 0o600


WRITER = """
import os, signal, sys
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.spool import spool_for
with spool_for(Destination(sys.argv[1]), "name") as spool:
    spool.write(b"half of it")
    print("ready", flush=True)
    signal.pause()
"""


def land(uri: str) -> None:
    destination = Destination(uri)
    with spool_for(destination, "name") as spool:
        spool.write(NEW)
        publish(spool, destination)


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
    writers[0].communicate()
    land(uri)

    assert (tmp_path / "mine.csv").read_bytes() == NEW
    assert len(names(tmp_path)) == 2  # the file, and the living writer's spool
    writers[1].kill()
    writers[1].communicate()
    land(uri)
    assert names(tmp_path) == ["mine.csv"]


def test_a_new_spool_is_not_taken_for_a_dead_ones(tmp_path: Path) -> None:
    """Between the making of a file and its lock, a sweep of another task may come."""
    is_over = threading.Event()

    def keep_sweeping() -> None:
        while not is_over.is_set():
            sweep(tmp_path)

    sweepers = [threading.Thread(target=keep_sweeping) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()
    try:
        for _ in range(300):
            spool = Spool(tmp_path, "x")
            assert spool.path.exists()
            spool.close()
    finally:
        is_over.set()
        for sweeper in sweepers:
            sweeper.join()
