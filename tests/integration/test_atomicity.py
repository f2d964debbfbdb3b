"""The destination shows the old object or the whole new one, byte for byte, whatever fails and whenever."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import (
    BatchNotReadyError,
    IncompleteResponseError,
    StorageError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer

boto3 = pytest.importorskip("boto3", reason="the S3 tests need the extra s3")
moto_server = pytest.importorskip("moto.server", reason="the S3 tests need moto's server")
pytest.importorskip("s3fs", reason="the S3 tests need s3fs")

OLD = b"email,status\nold@example.com,valid\n"
#: Several chunks on the wire, and several parts of an upload.
NEW = b"email,status\n" + b"".join(b"user%07d@example.com,valid\n" % n for n in range(900_000))


def spools_in(folder: Path) -> list[Path]:
    """Return the temporary files, apart from the folder in which turns are counted."""
    return [path for path in folder.iterdir() if not path.name.startswith("airflow-emailverify-")]


class Place:
    """A destination, seen from outside of the package."""

    def __init__(self, uri: str, read: Callable[[], bytes | None], names: Callable[[], list[str]]) -> None:
        self.uri = uri
        self.read = read
        self.names = names


class Ti:
    """As much of a task instance as the operator uses."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Forwarder:
    """A TCP forwarder in front of the object store, which can slow down or cut what goes through it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.bytes_until_cut: float = float("inf")
        self.pause = 0.0
        self.forwarded = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who accepts
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                incoming, _ = self._listener.accept()
            except OSError:
                return
            outgoing = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._pump, args=(incoming, outgoing, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(outgoing, incoming, False), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while chunk := source.recv(65536):
                if counted:
                    self.forwarded += len(chunk)
                    time.sleep(self.pause)
                    if self.forwarded > self.bytes_until_cut:
                        break
                target.sendall(chunk)
        except OSError:
            pass
        finally:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


@pytest.fixture(scope="module")
def object_store() -> Iterator[tuple[int, Any]]:
    """An S3 server on loopback, and a client of it."""
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    client.create_bucket(Bucket="results")
    yield port, client
    server.stop()


@pytest.fixture
def forwarder(object_store: tuple[int, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Forwarder]:
    """What the package takes for the object store."""
    forwarder = Forwarder(object_store[0])
    extra = {
        "endpoint_url": forwarder.url,
        "region_name": "us-east-1",
        "config_kwargs": {"retries": {"max_attempts": 0}, "read_timeout": 5},
    }
    connection = {"conn_type": "aws", "login": "x", "password": "x", "extra": extra}
    # A connection id of its own for each test, because file systems are cached by it.
    monkeypatch.setenv(f"AIRFLOW_CONN_STORE_{forwarder.url.rpartition(':')[2]}", json.dumps(connection))
    yield forwarder
    forwarder.close()


@pytest.fixture(params=["file", "s3"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, object_store: tuple[int, Any], monkeypatch: pytest.MonkeyPatch
) -> Place:
    """A destination on disk and one in S3, with an old object."""
    spools = tmp_path / "tmp"
    spools.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spools))
    if request.param == "file":
        folder = tmp_path / "out"
        folder.mkdir()
        path = folder / "b.csv"
        path.write_bytes(OLD)
        return Place(
            f"file://{path}",
            lambda: path.read_bytes() if path.exists() else None,
            lambda: [p.name for p in [*folder.iterdir(), *spools_in(spools)]],
        )
    request.getfixturevalue("forwarder")
    (conn_id,) = [name[13:].lower() for name in os.environ if name.startswith("AIRFLOW_CONN_STORE_")]
    _, client = object_store
    key = f"{tmp_path.name}/b.csv"
    client.put_object(Bucket="results", Key=key, Body=OLD)

    def names() -> list[str]:
        found = client.list_objects_v2(Bucket="results", Prefix=f"{tmp_path.name}/").get("Contents", [])
        return [entry["Key"].rpartition("/")[2] for entry in found] + [p.name for p in spools_in(spools)]

    return Place(
        f"s3://{conn_id}@results/{key}", lambda: client.get_object(Bucket="results", Key=key)["Body"].read(), names
    )


@pytest.fixture
def vendor(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Cliova, with a large list that is ready."""
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0, content=NEW)
    connect("cliova", sandbox.cliova_url)
    return sandbox


def download(place: Place, ti: Ti | None = None) -> str:
    operator = EmailVerifyDownloadOperator(
        task_id="download", batch_id="b", conn_id="cliova_default", destination=place.uri
    )
    return operator.execute({"ti": ti or Ti(), "outlet_events": {}})


def test_the_new_object_is_whole(place: Place, vendor: SandboxServer) -> None:
    ti = Ti()

    assert download(place, ti) == place.uri
    assert place.read() == NEW
    assert place.names() == ["b.csv"]
    assert (ti.pushed["summary"]["rows"], ti.pushed["summary"]["bytes"]) == (900_000, len(NEW))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "truncate", "keep": 0.7}, IncompleteResponseError),
        ({"kind": "truncate", "keep": 0.99, "encoding": "chunked", "ending": "reset"}, IncompleteResponseError),
        ({"kind": "reset"}, VendorUnavailableError),
        ({"kind": "server_error"}, VendorUnavailableError),
        ({"kind": "not_ready", "operation": "status"}, BatchNotReadyError),
        ({"kind": "not_ready"}, UnexpectedResponseError),  # ready by its status, and yet no results
        ({"kind": "error_envelope"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "html"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "empty"}, UnexpectedResponseError),
        ({"kind": "unauthorized"}, AirflowFailException),
        ({"kind": "no_credits"}, AirflowFailException),
    ],
)
def test_what_the_vendor_does_wrong_leaves_the_old_object(
    place: Place, vendor: SandboxServer, fault: dict[str, Any], expected: type[Exception]
) -> None:
    vendor.faults.add(**{"operation": "download", **fault})

    with pytest.raises(expected):
        download(place)
    assert place.read() == OLD
    assert place.names() == ["b.csv"]


def test_a_full_disk_leaves_the_old_object(
    place: Place, vendor: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a child, as a limit holds for a whole process.
    script = CHILD.replace("operator.execute", f"resource.setrlimit(resource.RLIMIT_FSIZE, {LIMIT}); operator.execute")

    done = subprocess.run(
        [sys.executable, "-c", script, place.uri], env=child_environment(), capture_output=True, text=True, check=False
    )

    assert "StorageError: Cannot spool" in done.stderr
    assert place.read() == OLD
    assert place.names() == ["b.csv"]


def test_an_upload_that_breaks_off_leaves_the_old_object(
    place: Place, vendor: SandboxServer, request: pytest.FixtureRequest
) -> None:
    if place.uri.startswith("file"):
        Path(place.uri[7:]).unlink()
        Path(place.uri[7:]).mkdir()  # a rename onto it must fail
        with pytest.raises(StorageError, match="What is there is whole"):
            download(place)
        assert Path(place.uri[7:]).is_dir()
        return
    forwarder: Forwarder = request.getfixturevalue("forwarder")
    forwarder.bytes_until_cut = 12_000_000

    with pytest.raises(StorageError, match="What is there is whole"):
        download(place)
    assert forwarder.forwarded > 12_000_000
    assert place.read() == OLD
    assert place.names() == ["b.csv"]


def test_a_missing_bucket_is_a_clear_error_and_is_not_made(
    object_store: tuple[int, Any], forwarder: Forwarder, vendor: SandboxServer
) -> None:
    conn_id = f"store_{forwarder.url.rpartition(':')[2]}"

    with pytest.raises(StorageError, match=f"Cannot publish to s3://{conn_id}@nowhere/b.csv"):
        download(Place(f"s3://{conn_id}@nowhere/b.csv", bytes, list))
    assert "nowhere" not in [bucket["Name"] for bucket in object_store[1].list_buckets()["Buckets"]]


def test_a_failure_after_publication_leaves_the_new_object(place: Place, vendor: SandboxServer) -> None:
    class Broken(Ti):
        def xcom_push(self, key: str, value: Any) -> None:
            raise OSError(errno.EIO, "no database")

    with pytest.raises(OSError, match="no database"):
        download(place, Broken())
    assert place.read() == NEW


LIMIT = (10_000_000, 10_000_000)
CHILD = """
import resource, sys
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
class Ti:
    def xcom_push(self, key, value): pass
operator = EmailVerifyDownloadOperator(
    task_id="download", batch_id="b", conn_id="cliova_default", destination=sys.argv[1]
)
operator.execute({"ti": Ti(), "outlet_events": {}})
"""


def child_environment() -> dict[str, str]:
    import tempfile

    return {**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": tempfile.gettempdir()}


def kill_when(place: Place, moment: Callable[[], bool]) -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, place.uri], env=child_environment()) as child:
        deadline = time.monotonic() + 60
        while not moment():
            assert child.poll() is None, "the child ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)


def spooled(place: Place, tmp_path: Path) -> int:
    return sum(path.stat().st_size for path in tmp_path.rglob("*.part"))


def test_a_worker_killed_in_the_middle_of_a_download_leaves_the_old_object(
    place: Place, vendor: SandboxServer, tmp_path: Path
) -> None:
    fault = vendor.faults.add(operation="download", kind="slow", size=100_000, interval=0.05)

    kill_when(place, lambda: spooled(place, tmp_path) > 1_000_000)

    assert place.read() == OLD
    vendor.faults.remove(fault)
    download(place)
    assert place.read() == NEW
    assert place.names() == ["b.csv"]


def test_a_worker_killed_in_the_middle_of_an_upload_leaves_the_old_object(
    object_store: tuple[int, Any], forwarder: Forwarder, vendor: SandboxServer, request: pytest.FixtureRequest
) -> None:
    conn_id = f"store_{forwarder.url.rpartition(':')[2]}"
    client = object_store[1]
    client.put_object(Bucket="results", Key="killed/b.csv", Body=OLD)
    forwarder.pause = 0.01
    place = Place(
        f"s3://{conn_id}@results/killed/b.csv",
        lambda: client.get_object(Bucket="results", Key="killed/b.csv")["Body"].read(),
        list,
    )

    kill_when(place, lambda: forwarder.forwarded > 10_000_000)

    assert place.read() == OLD
    forwarder.pause = 0.0
    download(place)
    assert place.read() == NEW
