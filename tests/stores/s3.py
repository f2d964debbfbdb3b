"""S3: by moto, which looks at no signature, and by SeaweedFS, which people run."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.stores.proxy import Refusal, StoreProxy
from tests.stores.server import BUCKET, ObjectStore, free_port, running

#: A key and a password with characters that URLs and messages get wrong.
LOGIN = "AKIAEXAMPLEEXAMPLE01"
PASSWORD = "se+cret/example%2Fse=cret"


def _s3(name: str, proxy: StoreProxy, command: Sequence[str]) -> Iterator[ObjectStore]:
    boto3 = pytest.importorskip("boto3", reason="the S3 tests need the extra s3")
    from botocore.config import Config

    with running(command, proxy.server_port):
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{proxy.server_port}",
            region_name="us-east-1",
            aws_access_key_id=LOGIN,
            aws_secret_access_key=PASSWORD,
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket=BUCKET)

        def read(prefix: str) -> dict[str, bytes]:
            found = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
            return {
                entry["Key"].removeprefix(prefix): client.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                for entry in found
            }

        def storage_class(key: str) -> tuple[str, ...]:
            head = client.head_object(Bucket=BUCKET, Key=key)
            return head.get("StorageClass", ""), head.get("ServerSideEncryption", "")

        def unfinished(prefix: str) -> int:
            return len(client.list_multipart_uploads(Bucket=BUCKET, Prefix=prefix).get("Uploads", []))

        code = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        yield ObjectStore(
            name,
            "s3",
            BUCKET,
            {
                "conn_type": "aws",
                "login": LOGIN,
                "password": PASSWORD,
                "extra": {"endpoint_url": proxy.url, "region_name": "us-east-1"},
            },
            put=lambda key, content: client.put_object(Bucket=BUCKET, Key=key, Body=content),
            read=read,
            media_type=lambda key: client.head_object(Bucket=BUCKET, Key=key)["ContentType"],
            proxy=proxy,
            refusal=Refusal(403, "application/xml", code),
            wrong={"password": f"{PASSWORD}x"},
            secrets=(LOGIN, PASSWORD, quote(PASSWORD, safe="")),
            storage_class=storage_class,
            unfinished=unfinished,
        )


def s3_by_moto(proxy: StoreProxy) -> Iterator[ObjectStore]:
    """Moto's server, which most of Python tests against."""
    pytest.importorskip("moto.server", reason="the S3 tests need moto's server")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(proxy.server_port)]
    for store in _s3("S3 by moto", proxy, command):
        store.wrong = None  # it looks at no signature
        yield store


def s3_by_seaweed(proxy: StoreProxy) -> Iterator[ObjectStore]:
    """SeaweedFS, which people run; it checks signatures."""
    program = Path(sys.executable).parent / "weed"
    if not program.exists():
        pytest.skip("there is no SeaweedFS: make stores installs it")
    identity = {
        "name": "lists",
        "credentials": [{"accessKey": LOGIN, "secretKey": PASSWORD}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        config = Path(folder, "s3.json")
        config.write_text(json.dumps({"identities": [identity]}))
        options = [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.port={proxy.server_port}"]
        options += [f"-s3.config={config}", "-s3.autoCreateBucket=false", "-s3.iam=false", "-s3.port.iceberg=0"]
        options += ["-s3.port.lance=0", f"-s3.localSocket={folder}/s3.sock", "-master.volumeSizeLimitMB=64"]
        options += ["-master.volumePreallocate=false", "-volume.max=100"]
        ports = [f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")]
        options += [f"-{port}={free_port()}" for port in ports]
        grpc = free_port()
        try:
            yield from _s3("S3 by SeaweedFS", proxy, [str(program), "server", *options, f"-s3.port.grpc={grpc}"])
        finally:
            Path(tempfile.gettempdir(), f"seaweedfs-s3-grpc-{grpc}.sock").unlink(missing_ok=True)
