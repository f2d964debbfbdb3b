"""
Object stores on loopback, each with a bucket, an Airflow connection to it, and a proxy that can break off.

moto and SeaweedFS speak S3, Azurite speaks Azure's Blob storage, fake-gcs-server speaks Google's. Each is a
program of its own: ``make stores`` installs those that are not here for other tests.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.azure import azure
from tests.stores.google import google
from tests.stores.proxy import StoreProxy
from tests.stores.s3 import s3_by_moto, s3_by_seaweed
from tests.stores.server import ObjectStore, free_port


def disk(_: StoreProxy) -> Iterator[ObjectStore]:
    """A folder of this machine."""
    with tempfile.TemporaryDirectory() as folder:

        def put(key: str, content: bytes) -> None:
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        def read(prefix: str) -> dict[str, bytes]:
            found = [path for path in Path(folder).rglob("*") if path.is_file()]
            by_key = {str(path.relative_to(folder)): path for path in found}
            return {k.removeprefix(prefix): path.read_bytes() for k, path in by_key.items() if k.startswith(prefix)}

        yield ObjectStore("disk", "file", folder, {}, put=put, read=read, media_type=lambda _: "")


STORES = {
    "disk": disk,
    "s3-moto": s3_by_moto,
    "s3-seaweed": s3_by_seaweed,
    "azure": azure,
    "google": google,
}


@contextmanager
def object_store(name: str) -> Iterator[ObjectStore]:
    """
    Start an object store; skip the test if its program is not here.

    :param name: one of :data:`STORES`.
    """
    with StoreProxy() as proxy:
        proxy.server_port = free_port()
        started = STORES[name](proxy)
        store = next(started)
        try:
            yield store
        finally:
            for conn_id in store.conn_ids.values():
                del os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"]
            for _ in started:
                pass
