"""An S3 server on loopback, with a bucket, and an Airflow connection to it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

boto3 = pytest.importorskip("boto3", reason="the S3 tests need the extra s3")
moto_server = pytest.importorskip("moto.server", reason="the S3 tests need moto's server")
pytest.importorskip("s3fs", reason="the S3 tests need s3fs")


class Bucket:
    """
    A bucket, seen from outside of the package.

    :param uri: the URI by which the package reaches it.
    :param name: its name.
    :param client: boto3's client.
    """

    def __init__(self, uri: str, name: str, client: Any) -> None:
        self.uri = uri
        self.name = name
        self.client = client

    def put(self, key: str, content: bytes) -> None:
        """Write an object, as strangers do."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def read(self, prefix: str = "") -> dict[str, bytes]:
        """Return the objects below a prefix, by what follows it in their keys."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        bodies = {entry["Key"]: self.client.get_object(Bucket=self.name, Key=entry["Key"])["Body"] for entry in found}
        return {key.removeprefix(prefix): body.read() for key, body in bodies.items()}

    def media_type(self, key: str) -> str:
        """Return the media type of an object."""
        found: str = self.client.head_object(Bucket=self.name, Key=key)["ContentType"]
        return found


@contextmanager
def bucket_on_loopback(name: str) -> Iterator[Bucket]:
    """
    Serve a bucket.

    :param name: its name.
    """
    server = moto_server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://127.0.0.1:{1}".format(*server.get_host_and_port())
    key = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **key)
    client.create_bucket(Bucket=name)
    # A connection id of its own, because file systems are cached by it.
    conn_id = f"s3_{uuid.uuid4().hex}"
    extra = {"endpoint_url": url, "region_name": "us-east-1"}
    fields = {"conn_type": "aws", "login": "x", "password": "x", "extra": extra}
    os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(fields)
    try:
        yield Bucket(f"s3://{conn_id}@{name}/", name, client)
    finally:
        del os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"]
        server.stop()
