"""An Airflow of its own for the tests, vendors on loopback, and connections from the environment."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import ssl
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

# Airflow reads these when it is first imported.
_HOME = Path(tempfile.mkdtemp(prefix="emailverify-tests-"))
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=str(_HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(_HOME / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_HOME}/airflow.db",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    AIRFLOW__OPENLINEAGE__DISABLED="True",
    NO_PROXY="127.0.0.1,localhost",
)

import pytest
from hypothesis import settings

from airflow_provider_emailverify.http import machine_turns, rate_limit
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.certificates import make_certificates
from tests.clock import Clock
from tests.raw_server import RawServer

# The same examples on every run; those that change are make fuzz's.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

#: A key with every character that URLs, patterns and masks get wrong.
AWKWARD_KEY = "sk+live/1%2B=a& b?#ü"


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """Both vendors, on loopback; batches are ready at once."""
    with SandboxServer(ready_after=0.0) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """Both vendors, as new."""
    sandbox_server.faults.clear()
    sandbox_server.ledger.reset()
    return sandbox_server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """The certificate of an authority, and what a server on this machine speaks TLS by, also as vendor.example."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def rested_accounts(monkeypatch: pytest.MonkeyPatch) -> Path:
    """No turns and no pauses left over from other tests, which use the same key. Return where turns are counted."""
    monkeypatch.setattr(rate_limit, "_limits", rate_limit.AccountLimits())
    folder = _HOME / "turns" / uuid.uuid4().hex
    folder.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(machine_turns, "folder", lambda: folder)
    return folder


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that moves when somebody waits by it."""
    return Clock(monkeypatch)


@pytest.fixture
def raw_server() -> Iterator[RawServer]:
    """A server that answers with the bytes that a test gives it."""
    with RawServer() as server:
        yield server


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Declare a connection and return its id."""

    def declare(vendor: str, url: str, *, conn_id: str = "", key: str | None = AWKWARD_KEY, **extra: object) -> str:
        conn_id = conn_id or f"{vendor}_default"
        fields = {"conn_type": vendor, "host": url, "password": key, "extra": {"max_attempts": 1, **extra}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        return conn_id

    return declare
