"""Links to results on another host: they work without the key, they are shown to nobody, and they expire."""

from __future__ import annotations

import logging
import socket
import traceback

import pytest

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    IncompleteResponseError,
    TransientError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.auth import Key
from airflow_provider_emailverify.http.links import ResultsLink
from airflow_provider_emailverify.redaction import renderings
from tests.conftest import AWKWARD_KEY
from tests.raw_server import RawServer, reset, respond
from tests.unit.http.test_client import make_client

SIGNED = "X-Signature=s3cr3t%2Fwith%2Bsigns&X-Expires=300"


def fetch(server: RawServer, link: object, **options: object) -> bytes:
    with make_client(server, **options).stream_link(link, batch_id="b") as body:  # type: ignore[arg-type]
        return b"".join(body)


@pytest.mark.parametrize(
    "key", [Key.query("key"), Key.bearer(), Key.header("x-api-key"), Key.basic("api:{key}"), Key.query("k", body="k")]
)
def test_a_link_is_followed_as_it_stands_and_without_the_key(raw_server: RawServer, key: Key) -> None:
    raw_server.answer(respond(b"email,state\r\n"))

    found = fetch(raw_server, f"http://127.0.0.1:{raw_server.port}/bucket/a%20b/r%C3%A9.csv?{SIGNED}", key=key)

    assert found == b"email,state\r\n"
    assert raw_server.targets == [f"/bucket/a%20b/r%C3%A9.csv?{SIGNED}"]
    request = raw_server.requests[0].decode().lower()
    assert "authorization" not in request
    assert not [spelling for spelling in renderings(AWKWARD_KEY) if spelling.lower() in request]


@pytest.mark.parametrize(
    "status", ["302 Found", "403 Forbidden", "404 Not Found", "410 Gone", "202 Accepted", "503 No"]
)
def test_a_link_that_does_not_lead_to_results_is_worth_another_attempt(raw_server: RawServer, status: str) -> None:
    raw_server.answer(respond(b"<Error>s3cr3t</Error>", status=status, Location="https://elsewhere.example/"))

    with pytest.raises(VendorUnavailableError, match=r"batch 'b'.*may have expired") as caught:
        fetch(raw_server, f"http://127.0.0.1:{raw_server.port}/r.csv?{SIGNED}")

    assert len(raw_server.requests) == 1
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "link",
    [
        *(None, 7, "", "  ", [], {}, "results.csv", "/results.csv", "ftp://storage.example/r.csv"),
        *(
            "http://storage.example/r.csv",
            "http://169.254.169.254/latest/",
            "https://",
            "https://[",
            "file:///etc/passwd",
        ),
        *("https://user:password@storage.example/r.csv", "https://storage.example:0/r.csv"),
        "https://storage.example:port/r.csv",
    ],
)
def test_what_is_no_link_is_not_followed(raw_server: RawServer, link: object) -> None:
    with pytest.raises(UnexpectedResponseError, match=r"batch 'b'.*the answer holds") as caught:
        fetch(raw_server, link)

    assert raw_server.requests == []
    assert isinstance(link, str) is False or len(str(link)) < 9 or str(link) not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "link", "is_taken"),
    [
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/r.csv", True),
        ("http://sandbox:1/v1", "http://sandbox:1/r.csv", True),
        ("http://sandbox:1/v1", "https://storage.example/r.csv", True),
        ("http://sandbox:1/v1", "http://127.0.0.1/r.csv", False),
        ("http://127.0.0.1/v1", "http://storage.example/r.csv", False),
        ("https://vendor.example/v1", "http://vendor.example/r.csv", False),
        ("https://vendor.example/v1", "http://127.0.0.1/r.csv", False),
    ],
)
def test_plain_http_leads_to_a_vendor_that_speaks_it_and_nowhere_else(base_url: str, link: str, is_taken: bool) -> None:
    if is_taken:
        assert ResultsLink.parse(link, "GET the link", base_url=base_url).origin in link
        return
    with pytest.raises(UnexpectedResponseError, match="not https"):
        ResultsLink.parse(link, "GET the link", base_url=base_url)


def test_a_link_that_breaks_off_is_incomplete(raw_server: RawServer) -> None:
    raw_server.answer(respond(b"email,state\r\n", length=100))

    with pytest.raises(IncompleteResponseError):
        fetch(raw_server, f"http://127.0.0.1:{raw_server.port}/r.csv?{SIGNED}")


def test_nobody_sees_a_link(raw_server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    """Log level DEBUG, and reports of errors with the local variables of our own frames."""
    link = f"http://127.0.0.1:{raw_server.port}/secret-path/r.csv?{SIGNED}"
    told: list[str] = []
    for behaviour in (respond(status="403 No"), reset, respond(b"x", length=9)):
        raw_server.answer(behaviour)
        with caplog.at_level(logging.DEBUG), pytest.raises(EmailVerifyError) as caught:
            fetch(raw_server, link)
        assert isinstance(caught.value, TransientError)
        told.append("".join(traceback.format_exception(caught.value)))
        told.append(repr(caught.value.__context__))

    shown = caplog.text + "".join(told)
    assert "s3cr3t" not in shown
    assert "secret-path" not in shown


def test_a_host_that_nobody_serves_is_told_by_name_only(raw_server: RawServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(VendorUnreachableError, match=rf"127\.0\.0\.1:{port} cannot be reached") as caught:
        fetch(raw_server, f"http://127.0.0.1:{port}/r.csv?{SIGNED}")

    assert "s3cr3t" not in str(caught.value)
