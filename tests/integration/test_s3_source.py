"""Lists in an object store: moto's S3 server, over a socket."""

from __future__ import annotations

import gzip
import io
import json
import socket
import subprocess
import sys
import time
import tracemalloc
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.storage.listing import StoredFile, list_files

boto3 = pytest.importorskip("boto3", reason="the S3 tests need the extra s3")
pytest.importorskip("moto.server", reason="the S3 tests need moto's server")
pytest.importorskip("s3fs", reason="the S3 tests need s3fs")

EMAILS = [f"user{number}@example.com" for number in range(20_000)]


@pytest.fixture(scope="module")
def object_store() -> Iterator[tuple[str, Any]]:
    """An S3 server with a bucket, in a process of its own, so that its memory is not counted; and a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        client = boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        try:
            _wait_for(port)
            client.create_bucket(Bucket="lists")
            yield url, client
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def bucket(object_store: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> str:
    """The bucket's URI, with a connection of its own: file systems are cached by it."""
    conn_id = f"aws_{uuid.uuid4().hex}"
    extra = {"endpoint_url": object_store[0], "region_name": "us-east-1"}
    fields = {"conn_type": "aws", "login": "x", "password": "x", "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
    return f"s3://{conn_id}@lists"


def read(uri: str) -> list[str]:
    return [value for block in read_column(uri, "email") for value in block]


def parquet() -> bytes:
    pa = pytest.importorskip("pyarrow", reason="the Parquet tests need the extra parquet")
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(pa.table({"id": range(len(EMAILS)), "email": EMAILS}), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["list.csv", "list.csv.gz", "list.jsonl", "list.parquet", "list.txt"])
def test_a_list_is_read_out_of_a_bucket(object_store: tuple[str, Any], bucket: str, name: str) -> None:
    content = {
        "list.csv": lambda: "\n".join(["email", *EMAILS]).encode(),
        "list.csv.gz": lambda: gzip.compress("\n".join(["email", *EMAILS]).encode()),
        "list.jsonl": lambda: "\n".join(json.dumps({"email": email}) for email in EMAILS).encode(),
        "list.parquet": parquet,
        "list.txt": lambda: "\n".join(EMAILS).encode(),
    }[name]()
    object_store[1].put_object(Bucket="lists", Key=name, Body=content)

    assert read(f"{bucket}/{name}") == EMAILS


def test_only_a_part_of_an_object_is_in_memory(object_store: tuple[str, Any], bucket: str) -> None:
    line = "x" * 1000
    content = "\n".join(["email,text", *(f"user{number}@example.com,{line}" for number in range(60_000))]).encode()
    object_store[1].put_object(Bucket="lists", Key="long.csv", Body=content)
    read(f"{bucket}/list.csv")  # imports
    blocks = read_column(f"{bucket}/long.csv", "email")
    count = 0

    tracemalloc.start()
    try:
        count = sum(len(block) for block in blocks)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 60_000
    assert peak < len(content) // 3


def test_an_object_that_is_not_there_is_an_error_of_the_storage(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"nothing\.csv': FileNotFoundError"):
        read(f"{bucket}/nothing.csv")


def test_a_bucket_that_is_not_there_is_an_error_of_the_storage(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"list\.csv"):
        read(f"{bucket}-not/list.csv")


def test_folders_and_patterns_are_listed_in_a_bucket(object_store: tuple[str, Any], bucket: str) -> None:
    names = ["b.csv", "a.csv", "a.html", "_SUCCESS", "deep/a.csv", "deep/er/a.csv", "deep/_x/a.csv", "deep.csv"]
    for name in names:
        object_store[1].put_object(Bucket="lists", Key=f"folder/{name}", Body=name.encode())
    object_store[1].put_object(Bucket="lists", Key="folder/deep/", Body=b"")  # what consoles make of a folder

    def found(pattern: str) -> list[str]:
        files = list_files(f"{bucket}/{pattern}", lambda name: name.endswith(".csv"))
        return [file.uri.removeprefix(f"{bucket}/folder/") for file in files]

    assert found("folder/") == ["a.csv", "b.csv", "deep.csv", "deep/a.csv", "deep/er/a.csv"]
    assert found("folder/*.csv") == ["a.csv", "b.csv", "deep.csv"]
    assert found("folder/*/*.csv") == ["deep/a.csv"]
    assert found("fold*/deep/er/*") == ["deep/er/a.csv"]
    assert found("nothing/") == found("nothing/*.csv") == found("folder/a*b") == []


def test_an_object_that_was_replaced_has_another_version(object_store: tuple[str, Any], bucket: str) -> None:
    def put(content: bytes) -> StoredFile:
        object_store[1].put_object(Bucket="lists", Key="changing.csv", Body=content)
        (file,) = list_files(f"{bucket}/changing.csv", bool)
        (same,) = list_files(f"{bucket}/changing.c*", bool)
        assert file == same
        return file

    first, second = put(b"old"), put(b"new")

    assert (first.size, second.size) == (3, 3)
    assert first.version != second.version


def test_what_cannot_be_listed_is_an_error_of_the_storage(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"Cannot list s3://.*nothing\.csv: FileNotFoundError"):
        list_files(f"{bucket}/nothing.csv", bool)
    with pytest.raises(StorageError, match="Cannot list"):
        list_files(f"{bucket}-not/folder/", bool)
