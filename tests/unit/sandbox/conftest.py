"""Sandboxes whose clock stands still until a test moves it; one server for each set of settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.settings import Readings

READY_AFTER = 10.0


class Clock:
    """A clock that only tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True)
class Client:
    """Call one vendor with a key, as curl would."""

    base: str
    key_parameter: str

    def __call__(self, method: str, path: str, *, key: str | None = "some-key", **options: Any) -> requests.Response:
        params = dict(options.pop("params", {}))
        if key is not None:
            params[self.key_parameter] = key
        options.setdefault("timeout", 5)
        options.setdefault("allow_redirects", False)
        return requests.request(method, self.base + path, params=params, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self("GET", path, **options)


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def servers(clock: Clock) -> Iterator[dict[Any, SandboxServer]]:
    running: dict[Any, SandboxServer] = {}
    yield running
    with ThreadPoolExecutor() as stopping:
        stopping.map(SandboxServer.stop, running.values())


Serve = Callable[..., SandboxServer]


@pytest.fixture
def serve(servers: dict[Any, SandboxServer], clock: Clock) -> Serve:
    """Return a function that gives a sandbox with these settings and readings, with empty books."""

    def server_with(*, settings: dict[str, Any] | None = None, **readings: str) -> SandboxServer:
        key = (tuple(sorted((settings or {}).items())), tuple(sorted(readings.items())))
        if key not in servers:
            chosen: dict[str, Any] = {"ready_after": READY_AFTER, **(settings or {})}
            chosen["readings"] = Readings(**readings)  # type: ignore[arg-type]
            servers[key] = SandboxServer(clock=clock, **chosen).start()
        servers[key].ledger.reset()
        servers[key].faults.clear()
        return servers[key]

    return server_with


@pytest.fixture
def sandbox(serve: Serve) -> SandboxServer:
    return serve()


@pytest.fixture
def proofy(sandbox: SandboxServer) -> Client:
    return proofy_at(sandbox)


@pytest.fixture
def cliova(sandbox: SandboxServer) -> Client:
    return cliova_at(sandbox)


def proofy_at(server: SandboxServer) -> Client:
    return Client(server.proofy_url, "api_key")


def cliova_at(server: SandboxServer) -> Client:
    return Client(server.cliova_url + "/webhooks/email-validations/bulk-emails", "apiKey")


@pytest.fixture
def clients() -> tuple[Callable[[SandboxServer], Client], Callable[[SandboxServer], Client]]:
    """Return what makes a client of Proofy and one of Cliova from a server."""
    return proofy_at, cliova_at


def upload(cliova: Client, content: bytes, name: str | None = "a list", **options: Any) -> requests.Response:
    params = {} if name is None else {"name": name}
    return cliova("POST", "", params=params, files={"file": ("list.csv", content, "text/csv")}, **options)


@pytest.fixture(name="upload")
def _upload() -> Callable[..., requests.Response]:
    return upload
