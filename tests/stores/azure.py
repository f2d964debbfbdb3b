"""Azure's Blob storage by Azurite, Microsoft's own emulator."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.stores.proxy import Refusal, StoreProxy
from tests.stores.server import BUCKET, ObjectStore, running

AZURITE = Path(__file__).parents[2] / ".stores/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "example"
ACCOUNT_KEY = base64.b64encode(b"an account's key" * 4).decode()


def signature() -> str:
    """Return a shared access signature for an hour, as Azure's portal makes it."""
    from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

    return generate_account_sas(
        ACCOUNT,
        ACCOUNT_KEY,
        ResourceTypes(service=True, container=True, object=True),
        AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True),
        datetime.now(UTC) + timedelta(hours=1),
    )


def azure(proxy: StoreProxy) -> Iterator[ObjectStore]:
    """Azurite, Microsoft's own emulator, which checks signatures."""
    blob = pytest.importorskip("azure.storage.blob", reason="there is no Azure provider: make stores installs it")
    pytest.importorskip("adlfs", reason="there is no Azure provider: make stores installs it")
    node = shutil.which("node")
    if node is None or not AZURITE.exists():
        pytest.skip("there is no Azurite: make stores installs it, with npm")
    # The name and key are its only account.
    os.environ["AZURITE_ACCOUNTS"] = f"{ACCOUNT}:{ACCOUNT_KEY}"

    def settings(port: int, key: str = ACCOUNT_KEY) -> str:
        url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={url};"

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", folder]
        port = proxy.server_port
        stack.enter_context(running([node, str(AZURITE), *options, "--blobPort", str(port)], port))
        service = stack.enter_context(blob.BlobServiceClient.from_connection_string(settings(port)))
        container = service.create_container(BUCKET)

        def read(prefix: str) -> dict[str, bytes]:
            names = [found.name for found in container.list_blobs(name_starts_with=prefix)]
            return {name.removeprefix(prefix): container.download_blob(name).readall() for name in names}

        wrong_key = base64.b64encode(b"another's key").decode()
        body = b"<?xml version='1.0'?><Error><Code>AuthorizationPermissionMismatch</Code><Message>This request is not "
        body += b"authorized to perform this operation using this permission.</Message></Error>"
        yield ObjectStore(
            "Azure by Azurite",
            "abfs",
            BUCKET,
            {"conn_type": "wasb", "extra": {"connection_string": settings(proxy.port)}},
            put=lambda key, content: container.upload_blob(key, content, overwrite=True) and None,
            read=read,
            media_type=lambda key: container.get_blob_client(key).get_blob_properties().content_settings.content_type,
            proxy=proxy,
            refusal=Refusal(403, "application/xml", body, (("x-ms-error-code", "AuthorizationPermissionMismatch"),)),
            wrong={"extra": {"connection_string": settings(proxy.port, wrong_key)}},
            secrets=(ACCOUNT_KEY, wrong_key),
        )
