"""As much of HashiCorp Vault as Airflow's secrets backend for it asks: secrets of version 2, by a token."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "vault-token"
_FOLDER = "/v1/secret/data/connections/"


class Vault:
    """
    Serve connections on loopback, for as long as the ``with`` block lasts.

    :param connections: fields by connection id; may be changed while it serves.
    :ivar port: its port.
    """

    def __init__(self, connections: dict[str, dict[str, Any]]) -> None:
        self.connections = connections
        vault = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                conn_id = self.path.partition("?")[0].removeprefix(_FOLDER)
                fields = vault.connections.get(conn_id)
                if self.headers.get("X-Vault-Token") != TOKEN:
                    self.answer(403, {"errors": ["permission denied"]})
                elif fields is None:
                    self.answer(404, {"errors": []})
                else:
                    self.answer(200, {"data": {"data": vault.of(fields), "metadata": {"version": 1}}})

            def answer(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="vault", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @staticmethod
    def of(fields: dict[str, Any]) -> dict[str, Any]:
        """Return a connection as a secret: its extra is a text."""
        return {**fields, "extra": json.dumps(fields["extra"])} if "extra" in fields else fields


def environment(port: int) -> dict[str, str]:
    """Return the environment variables by which Airflow keeps its connections there."""
    kwargs = {"url": f"http://127.0.0.1:{port}", "token": TOKEN, "auth_type": "token", "kv_engine_version": 2}
    kwargs |= {"mount_point": "secret", "connections_path": "connections", "variables_path": None, "config_path": None}
    backend = "airflow.providers.hashicorp.secrets.vault.VaultBackend"
    return {"AIRFLOW__SECRETS__BACKEND": backend, "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(kwargs)}
