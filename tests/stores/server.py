"""What every object store of the tests is: a bucket, an Airflow connection to it, and a program that serves it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.stores.proxy import Refusal, StoreProxy

#: The bucket that every store has.
BUCKET = "lists"


@dataclass
class ObjectStore:
    """
    A bucket, seen from outside of the package.

    :param name: whose it is.
    :param scheme: the URI's scheme.
    :param bucket: the bucket's name, or a folder.
    :param connection: the fields of its Airflow connection.
    :param put: writes an object, as strangers do.
    :param read: returns the objects below a prefix, by what follows it in their keys.
    :param media_type: returns the media type of an object.
    :param proxy: what stands before it; None on this machine's own disk.
    :param refusal: how it says that something is forbidden.
    :param wrong: the fields in which a connection with wrong credentials differs; None if it asks for none.
    :param secrets: what nobody must read.
    :param storage_class: returns how an object is kept and encrypted, where the store tells.
    :param unfinished: returns how many uploads below a prefix were begun and neither completed nor given up.
    """

    name: str
    scheme: str
    bucket: str
    connection: dict[str, Any]
    put: Callable[[str, bytes], None]
    read: Callable[[str], dict[str, bytes]]
    media_type: Callable[[str], str]
    proxy: StoreProxy | None = None
    refusal: Refusal | None = None
    wrong: dict[str, Any] | None = None
    secrets: tuple[str, ...] = ()
    storage_class: Callable[[str], tuple[str, ...]] = lambda _: ()
    unfinished: Callable[[str], int] = lambda _: 0
    conn_ids: dict[str, str] = field(default_factory=dict)

    def uri(self, key: str = "", *, bucket: str = "", **changes: Any) -> str:
        """
        Return the URI of a key, by an Airflow connection.

        :param key: the key.
        :param bucket: another bucket.
        :param changes: fields in which the connection differs. File systems are kept by the connection's id, so that
            one that differs has an id of its own.
        """
        if self.scheme == "file":
            return f"file://{bucket or self.bucket}/{key}"
        name = json.dumps(changes, sort_keys=True)
        if name not in self.conn_ids:
            self.conn_ids[name] = f"{self.scheme}_{uuid.uuid4().hex}"
            extra = {**self.connection["extra"], **changes.get("extra", {})}
            fields = json.dumps({**self.connection, **changes, "extra": extra})
            os.environ[f"AIRFLOW_CONN_{self.conn_ids[name].upper()}"] = fields
        conn_id = self.conn_ids[name]
        return f"{self.scheme}://{conn_id}@{bucket or self.bucket}/{key}"


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert server.poll() is None, f"{command[0]} ended"
                    assert time.monotonic() < deadline, f"{command[0]} does not listen"
                    time.sleep(0.02)
            yield
        finally:
            server.kill()  # SeaweedFS would take half a minute to say goodbye
