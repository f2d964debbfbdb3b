"""A vendor in a package of its own appears in Airflow and walks, and nothing of this package has to change for it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent / "third_party"
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
DAG = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.task_groups import verify_emails

with DAG("acme", schedule=None):
    verify_emails(
        source="file://{folder}/list.csv", conn_id="acme_default", destination="file://{folder}/out/",
        wait={{"mode": "poke", "poke_interval": 0.1}},
    )
"""
RUN = """
import json, sys
sys.path.insert(0, {root!r})
from airflow.providers_manager import ProvidersManager
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from tests.integration.conftest import _dag_bag
print(json.dumps({{
    "listed": ProvidersManager().hooks["acme"].hook_name,
    "hook": type(EmailVerifyHook.get_hook("acme_default")).__name__,
    "state": str(_dag_bag({folder!r}).dags["acme"].test().state),
}}))
"""
ROWS = [["id", "email"], ["1", "ada@example.com"], ["2", "bad@example.com"]]


class Acme(BaseHTTPRequestHandler):
    """A vendor that this package has never heard of."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.emails = json.loads(self.rfile.read(length))["emails"]  # type: ignore[attr-defined]
        self._answer(b'{"id": "acme-1"}', "application/json")

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer acme-key":
            self.send_error(401)
        elif self.path.endswith("/rows"):
            rows = [f"{email},{'bad' if 'bad' in email else 'good'}" for email in self.server.emails]  # type: ignore[attr-defined]
            self._answer("\r\n".join(["email,outcome", *rows, ""]).encode(), "text/csv")
        else:
            self._answer(b'{"id": "acme-1", "state": "done"}', "application/json")

    def _answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def acme_url() -> Iterator[str]:
    """Acme, on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Acme) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The package, built and installed into a folder."""
    shutil.copytree(PACKAGE, tmp_path / "package")
    subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path)], cwd=tmp_path / "package", check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    return tmp_path / "site"


def test_a_vendor_of_somebody_else_is_listed_and_walks(
    site: Path, acme_url: str, tmp_path: Path, empty_database: Path
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/acme.py").write_text(DAG.format(folder=tmp_path))
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows(ROWS)
    environment = {
        **os.environ,
        "PYTHONPATH": str(site),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW_CONN_ACME_DEFAULT": json.dumps({"conn_type": "acme", "host": acme_url, "password": "acme-key"}),
    }
    shutil.copy(empty_database, tmp_path / "airflow.db")

    script = RUN.format(root=str(Path.cwd()), folder=str(tmp_path / "dags"))
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"listed": "Acme Verify", "hook": "AcmeHook", "state": "success"}
    verified = list(csv.reader(io.StringIO((tmp_path / "out/list.verified.csv").read_text(), newline="")))
    assert [row[:3] for row in verified] == [
        [*ROWS[0], "verdict"],
        [*ROWS[1], "deliverable"],
        [*ROWS[2], "undeliverable"],
    ]
