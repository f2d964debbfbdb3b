"""Neither key nor body in what watches Python's HTTP: Sentry, rich, structlog, audit hooks, debug output and logs."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.redaction import renderings
from tests.conftest import AWKWARD_KEY
from tests.raw_server import Behaviour, ConnectProxy, RawServer, reset, respond

WAYS = ("plain", "tls", "proxied")
ADDRESSES = ["jane.roe@example.com", "john+tag@example.com"]
SPELLINGS = [*renderings(AWKWARD_KEY), *(spelling.lower() for spelling in renderings(AWKWARD_KEY))]
ECHO = f"{AWKWARD_KEY} {renderings(AWKWARD_KEY)[0]}".encode()
JSON_ECHO = json.dumps({"message": ECHO.decode(), "error": {"message": ECHO.decode()}}).encode()


def raw(answer: bytes) -> Behaviour:
    return lambda connection: connection.sendall(answer)


BEHAVIOURS: dict[str, Behaviour] = {
    "accepted": respond(b'{"id": "b-1", "code": "SUCCESS", "payload": {"id": "b-1", "status": "COMPLETED"}}'),
    "reset": reset,
    "echo": respond(JSON_ECHO, status="401 Unauthorized"),
    "echo in a success": respond(JSON_ECHO),
    "page": respond(b"<html>" + ECHO, status="403 Forbidden", Content_Type="text/html"),
    "cut": respond(b'{"message": "' + ECHO, length=9999),
    "broken gzip": respond(b"\x1f\x8b\x08" + ECHO, Content_Encoding="gzip"),
    "redirect": respond(status="302 Found", Location=f"https://elsewhere.example/?key={AWKWARD_KEY}".replace("ü", "")),
    "odd status line": raw(b"HTTX " + ECHO + b"\r\n\r\n"),
    "odd header": raw(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nno header " + ECHO + b"\r\nContent-Length: 2\r\n\r\n{}"),
    "odd chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + ECHO + b"\r\n"),
}


CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "bad Host": {"host": "https://vendor..example"},
    "Host with a query": {"host": f"https://vendor.example/?api_key={AWKWARD_KEY}"},
    "Host in clear": {"host": "http://vendor.example"},
    "bad Extra": {"extra": {"api_key": AWKWARD_KEY}},
    "Extra that is no JSON": {"extra": f"api_key={AWKWARD_KEY}"},
    "bad number": {"extra": {"timeout": AWKWARD_KEY}},
    "bad map": {"extra": {"status_map": AWKWARD_KEY}},
    "another type": {"conn_type": "http"},
    "no hook": {"conn_type": "generic"},
    "no text": {"host": 7},
}


@pytest.fixture(scope="module")
def servers(certificates: tuple[Path, ssl.SSLContext]) -> Iterator[dict[str, RawServer]]:
    """A server for each behaviour and each way to it."""
    _, tls = certificates
    with ExitStack() as stack:
        servers = {}
        for way in WAYS:
            for name, behaviour in BEHAVIOURS.items() if way == "plain" else list(BEHAVIOURS.items())[:3]:
                server = servers[f"{way} {name}"] = stack.enter_context(RawServer(tls=tls if way != "plain" else None))
                server.answer(behaviour)
        yield servers


@pytest.fixture(scope="module")
def seen(
    servers: dict[str, RawServer],
    certificates: tuple[Path, ssl.SSLContext],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What is seen of the calls of both vendors, by place."""
    home = tmp_path_factory.mktemp("watched")
    connections = {}
    for way_and_name, server in servers.items():
        host = server.url.replace("127.0.0.1", "vendor.example") if way_and_name.startswith("proxied") else server.url
        for vendor in ("proofy", "cliova"):
            connections[f"{vendor} {way_and_name}"] = {"conn_type": vendor, "host": host}
    connections |= {name: {"conn_type": "proofy", **fields} for name, fields in CONFIGURATIONS.items()}
    extra = {"max_attempts": 1, "timeout": 5, "requests_per_minute": 100_000}
    with ConnectProxy() as proxy:
        environment = {
            **os.environ,
            **{
                f"AIRFLOW_CONN_{name.upper()}": json.dumps({"password": AWKWARD_KEY, "extra": extra, **fields})
                for name, fields in connections.items()
            },
            "ADDRESSES": json.dumps(ADDRESSES),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "REQUESTS_CA_BUNDLE": str(certificates[0]),
            "HTTPS_PROXY": proxy.url,
        }
        command = [sys.executable, "-m", "tests.integration.watched_calls", str(home / "seen.json"), *connections]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert any(b"vendor.example" in head for head in proxy.heads)
    return {**json.loads((home / "seen.json").read_text()), "output": done.stdout + done.stderr}


def leaks(text: str, *secrets: str) -> list[tuple[str, str]]:
    """Return which of the secrets is in a text, and what stands around it."""
    return [(secret, text[max(0, at - 300) : at + 100]) for secret in secrets if (at := text.find(secret)) >= 0]


def test_what_is_searched_holds_what_was_to_be_watched(seen: dict[str, Any], servers: dict[str, RawServer]) -> None:
    outcomes = seen["outcomes"]
    for name, server in servers.items():
        sent = b"".join(server.requests)
        assert any(spelling.encode() in sent for spelling in SPELLINGS), name
        assert b"jane.roe" in sent, name
        for vendor in ("proofy", "cliova"):
            assert (outcomes[f"{vendor} {name} submit"] == "'b-1'") == name.endswith("accepted")
    assert {outcomes[f"{name} connect"] for name in CONFIGURATIONS} == {"ConnectionConfigError"}
    assert "http.client.send" in seen["audit"]
    assert "Starting new HTTPS connection" in seen["output"]
    assert '"category":"httplib"' in seen["sentry"]
    assert "SubmissionUnknownError" in seen["sentry"]


@pytest.mark.parametrize("place", ["sentry", "tracebacks", "frames", "audit", "output"])
def test_no_spelling_of_the_key_is_there(seen: dict[str, Any], place: str) -> None:
    assert leaks(seen[place], *SPELLINGS) == []


@pytest.mark.parametrize("place", ["frames", "audit", "output"])
def test_no_address_is_there_below_the_call_that_was_given_them(seen: dict[str, Any], place: str) -> None:
    assert leaks(seen[place], *ADDRESSES, "jane.roe") == []
