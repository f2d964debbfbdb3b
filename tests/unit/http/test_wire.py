"""What was sent is told by the socket: over plain, TLS, refused, closed and proxied connections, cut at each byte."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import (
    ConnectionConfigError,
    EmailVerifyError,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from tests.clock import Clock
from tests.raw_server import ConnectProxy, RawServer, reset, respond

EMAILS = ["a@example.com", "b@example.com"]
ACCEPTED = respond(b'{"status": "parsing", "id": "b-1"}')
Connect = Callable[..., str]


@pytest.fixture
def tls(certificates: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """What a server speaks TLS by; its certificate is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates[0]))
    return certificates[1]


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


def hook_of(connect: Connect, url: str, vendor: str = "proofy", **extra: Any) -> EmailVerifyHook:
    return EmailVerifyHook.get_hook(connect(vendor, url, **{"max_attempts": 3, "timeout": 5, **extra}))


def posts(server: RawServer) -> int:
    return sum(request.startswith(b"POST") for request in server.requests)


# --- not sent, or in doubt ---


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes no more connections, and does not refuse them either."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        yield address[1]
        for each in waiting:
            each.close()


def test_a_refused_connection_sends_nothing(connect: Connect, clock: Clock) -> None:
    with pytest.raises(VendorUnreachableError, match=r"was not sent: 127\.0\.0\.1:.* cannot be reached"):
        hook_of(connect, f"http://127.0.0.1:{free_port()}").submit_batch(EMAILS)


def test_a_host_that_does_not_exist_gets_nothing(connect: Connect, clock: Clock) -> None:
    with pytest.raises(VendorUnreachableError, match=r"was not sent: nowhere\.invalid cannot be reached"):
        hook_of(connect, "https://nowhere.invalid/v1").submit_batch(EMAILS)


def test_a_connection_that_takes_too_long_sends_nothing(connect: Connect, clock: Clock, deaf_port: int) -> None:
    with pytest.raises(VendorUnreachableError, match=r"was not sent: 127\.0\.0\.1:.* cannot be reached"):
        hook_of(connect, f"http://127.0.0.1:{deaf_port}", timeout=0.2, max_attempts=1).submit_batch(EMAILS)


def test_a_certificate_that_nobody_trusts_gets_nothing(
    connect: Connect, clock: Clock, certificates: tuple[Path, ssl.SSLContext]
) -> None:
    with (
        RawServer(tls=certificates[1]) as server,
        pytest.raises(VendorUnreachableError, match=r"was not sent: the certificate of 127\.0\.0\.1:.* is not trusted"),
    ):
        hook_of(connect, server.url).submit_batch(EMAILS)
    assert server.requests == []


def test_a_server_that_speaks_no_tls_gets_nothing(connect: Connect, clock: Clock, raw_server: RawServer) -> None:
    with pytest.raises(VendorUnreachableError, match="was not sent"):
        hook_of(connect, raw_server.url.replace("http:", "https:"), timeout=0.2).submit_batch(EMAILS)


def test_a_handshake_that_breaks_off_sends_nothing(connect: Connect, clock: Clock) -> None:
    with RawServer(most_bytes=10) as server:
        server.answer(reset)
        with pytest.raises(VendorUnreachableError, match="was not sent"):
            hook_of(connect, server.url.replace("http:", "https:")).submit_batch(EMAILS)
    assert server.connections == 3


def test_a_connection_that_is_closed_as_soon_as_it_is_there_leaves_a_doubt(connect: Connect, clock: Clock) -> None:
    """A byte may have been written before it was closed."""
    with RawServer(most_bytes=0) as server:
        server.answer(lambda connection: None)
        with pytest.raises(SubmissionUnknownError):
            hook_of(connect, server.url).submit_batch(EMAILS)
    assert server.connections == 1


@pytest.mark.parametrize("speaks_tls", [False, True])
def test_a_request_that_is_cut_at_any_byte_is_in_doubt(
    connect: Connect, clock: Clock, tls: ssl.SSLContext, speaks_tls: bool
) -> None:
    with RawServer() as whole:
        whole.answer(ACCEPTED)
        hook_of(connect, whole.url).submit_batch(EMAILS)
    length = len(whole.requests[0])

    for most_bytes in range(1, length + 1, 97 if speaks_tls else 7):
        with RawServer(tls=tls if speaks_tls else None, most_bytes=most_bytes) as server:
            server.answer(reset)
            with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
                hook_of(connect, server.url).submit_batch(EMAILS)
        assert server.connections == 1


@pytest.mark.parametrize("speaks_tls", [False, True])
def test_an_answer_that_is_cut_at_any_byte_is_an_acceptance_or_a_doubt(
    connect: Connect, clock: Clock, tls: ssl.SSLContext, speaks_tls: bool
) -> None:
    answer = b'HTTP/1.1 201 Created\r\nX-More: 1\r\nContent-Length: 14\r\n\r\n{"id": "b-12"}'

    for length in range(0, len(answer) + 1, 17 if speaks_tls else 1):
        with RawServer(tls=tls if speaks_tls else None) as server:
            server.answer(lambda connection, part=answer[:length]: connection.sendall(part))  # type: ignore[misc]
            hook = hook_of(connect, server.url)
            if length == len(answer):
                assert hook.submit_batch(EMAILS) == "b-12"
            else:
                with pytest.raises(SubmissionUnknownError):
                    hook.submit_batch(EMAILS)
        assert posts(server) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"\x00\x01\x02garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_a_doubt(
    connect: Connect, clock: Clock, raw_server: RawServer, answer: bytes
) -> None:
    raw_server.answer(lambda connection: connection.sendall(answer))

    with pytest.raises(SubmissionUnknownError):
        hook_of(connect, raw_server.url).submit_batch(EMAILS)
    assert posts(raw_server) == 1


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("speaks_tls", [False, True])
@pytest.mark.parametrize("behaviour", [reset, lambda connection: None], ids=["reset", "closed"])
def test_a_connection_that_breaks_behind_a_proxy_after_the_post_leaves_a_doubt(
    connect: Connect,
    clock: Clock,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Any,
    speaks_tls: bool,
) -> None:
    with RawServer(tls=tls) as vendor, ConnectProxy(vendor.port, tls=tls if speaks_tls else None) as proxy:
        vendor.answer(behaviour)
        monkeypatch.setenv("https_proxy", proxy.url)

        with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
            hook_of(connect, "https://vendor.example/v1").submit_batch(EMAILS)

    assert posts(vendor) == 1
    assert proxy.heads[0].startswith(b"CONNECT vendor.example:443 ")


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("speaks_tls", [False, True])
def test_a_submission_through_a_proxy_arrives(
    connect: Connect, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, speaks_tls: bool
) -> None:
    with RawServer(tls=tls) as vendor, ConnectProxy(vendor.port, tls=tls if speaks_tls else None) as proxy:
        vendor.answer(ACCEPTED)
        monkeypatch.setenv("https_proxy", proxy.url)

        assert hook_of(connect, "https://vendor.example/v1").submit_batch(EMAILS) == "b-1"

    assert b"api_key" not in b"".join(proxy.heads)
    assert vendor.targets[0].startswith("/v1/verify/batch/create?api_key=")


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize(
    ("answer", "tunnels"),
    [
        (None, False),
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", False),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", False),
        (b"HTTP/1.1 20", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False),
    ],
    ids=["closed", "407", "502", "cut", "closed after 200"],
)
def test_a_proxy_that_gives_no_tunnel_lets_nothing_through(
    connect: Connect,
    clock: Clock,
    tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes | None,
    tunnels: bool,
) -> None:
    with RawServer(tls=tls) as vendor, ConnectProxy(vendor.port, answer=answer, tunnels=tunnels) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)

        with pytest.raises(VendorUnreachableError, match="was not sent"):
            hook_of(connect, "https://vendor.example/v1").submit_batch(EMAILS)

    assert vendor.connections == 0


def test_a_submission_never_uses_a_connection_that_was_kept_alive(connect: Connect, clock: Clock) -> None:
    """The vendor may just be closing it, and that would be a doubt over nothing."""

    def keep(body: bytes) -> Callable[[socket.socket], None]:
        def answer(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            connection.recv(65536)  # the vendor closes the connection when the next request comes

        return answer

    with RawServer() as server:
        server.answer(keep(b'{"credits": 5}'), keep(b'{"id": "b-1"}'), keep(b'{"id": "b-2"}'))
        hook = hook_of(connect, server.url)

        hook.get_credits()
        assert hook.submit_batch(EMAILS) == "b-1"
        assert hook.submit_batch(EMAILS) == "b-2"


# --- accepted, refused, or in doubt ---

REFUSALS = {400, 401, 402, 403, 404, 405, 410, 411, 413, 414, 415, 422, 426, 428, 429, 431, 451}


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
@pytest.mark.parametrize(
    "body", [b"", b'{"message": "no"}', b'{"error": {"message": "no"}}', b"<html>no</html>"], ids=str
)
def test_only_a_status_that_can_mean_nothing_else_is_a_refusal(
    connect: Connect, clock: Clock, raw_server: RawServer, vendor: str, body: bytes
) -> None:
    hook = hook_of(connect, raw_server.url, vendor, max_attempts=1)
    refused = set()

    for status in [*range(300, 309), *range(400, 432), 440, 444, 449, 450, 451, 460, 463, 494, 499, 500, 502, 503, 599]:
        clock.now += 1000
        raw_server.answer(respond(body, status=f"{status} What", Content_Type="text/html"))
        try:
            hook.submit_batch(EMAILS)
        except SubmissionUnknownError:
            pass
        except EmailVerifyError:
            refused.add(status)

    assert refused == REFUSALS


@pytest.mark.parametrize(
    ("vendor", "answer", "batch_id"),
    [
        ("cliova", {"code": "CREATED", "message": "1 credit will be charged", "payload": {"id": "L1"}}, "L1"),
        ("cliova", {"code": "ERROR", "error": "quota", "payload": [{"id": 9}]}, "9"),
        ("proofy", {"id": 7, "error": "credits run out soon"}, "7"),
        ("proofy", {"id": "x", "status": "error", "message": "rate limit: too many requests"}, "x"),
        ("proofy", {"message": "Unauthorized", "result": {"id": "y"}}, "y"),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted"])
def test_an_answer_of_success_that_carries_an_id_is_an_acceptance_whatever_its_words_say(
    connect: Connect, raw_server: RawServer, vendor: str, answer: Any, batch_id: str, status: str
) -> None:
    raw_server.answer(respond(json.dumps(answer).encode(), status=status))

    assert hook_of(connect, raw_server.url, vendor).submit_batch(EMAILS) == batch_id
    assert len(raw_server.requests) == 1


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
@pytest.mark.parametrize(
    "answer",
    [
        {"message": "Not enough credits"},
        {"error": "quota"},
        {"code": "ERROR", "message": "balance"},
        {"id": "  ", "payload": {"id": " \t"}},
        {"id": "\u200b", "payload": {"id": "\u200b\ufeff"}},
        {"id": "\ud800", "payload": {"id": "\ud800"}},
        {"id": 7.5, "payload": {"id": {"id": 1}}},
        None,
        "L1",
    ],
    ids=str,
)
def test_an_answer_of_success_without_an_id_is_a_doubt(
    connect: Connect, clock: Clock, raw_server: RawServer, vendor: str, answer: Any
) -> None:
    raw_server.answer(respond(json.dumps(answer).encode()))

    with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
        hook_of(connect, raw_server.url, vendor).submit_batch(EMAILS)
    assert len(raw_server.requests) == 1


# --- what cannot be sent at all ---


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "https://vendor..example/v1"}, "its Host"),
        ({"url": "https://.vendor.example/v1"}, "its Host"),
        ({"url": "https://ven\u200bdor.example/v1"}, r"its Host holds an invisible character \(U\+200B\)"),
        ({"url": "https://ven\u00addor.example"}, r"its Host holds an invisible character \(U\+00AD\)"),
        ({"url": "https://vendor\u00a0.example"}, "its Host"),
        ({"url": "https://ven dor.example"}, "its Host"),
        ({"url": f"https://{'x' * 64}.example"}, "its Host"),
        ({"url": "https://*.example"}, "its Host"),
        ({"url": "https://vendor.example:port"}, "its Host"),
    ],
)
def test_a_connection_that_no_request_can_go_to_is_a_configuration_error(
    connect: Connect, clock: Clock, fields: dict[str, str], message: str
) -> None:
    hook = EmailVerifyHook.get_hook(
        connect("proofy", fields.get("url", ""), key=fields.get("key", "k3y"), max_attempts=3)
    )

    for call in (lambda: hook.client.check_sendable(), lambda: hook.submit_batch(EMAILS), lambda: hook.get_credits()):
        with pytest.raises(ConnectionConfigError, match=f"proofy_default'.*{message}") as caught:
            call()
        assert "k3y" not in str(caught.value)


@pytest.mark.usefixtures("no_proxy")
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize(
    "proxy", ["http://", "http://:8080", "http://[::1", "http://proxy:port", "ftp://proxy.example", "http://pro..xy:1"]
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(
    connect: Connect, clock: Clock, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str
) -> None:
    monkeypatch.setenv(variable, proxy)
    hook = hook_of(connect, "https://vendor.example/v1")

    for call in (lambda: hook.client.check_sendable(), lambda: hook.submit_batch(EMAILS), lambda: hook.get_credits()):
        with pytest.raises(ConnectionConfigError, match=f"the environment variable {variable} names no proxy"):
            call()


@pytest.mark.usefixtures("no_proxy")
def test_a_socks_proxy_needs_a_package(connect: Connect, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://user:s3cret@proxy.example:1080")
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", _no_socks)
    hook = hook_of(connect, "https://vendor.example/v1")

    for call in (lambda: hook.client.check_sendable(), lambda: hook.submit_batch(EMAILS)):
        with pytest.raises(
            ConnectionConfigError, match="https_proxy names a SOCKS proxy, and PySocks is not"
        ) as caught:
            call()
        assert "s3cret" not in str(caught.value)


def _no_socks(*args: Any, **kwargs: Any) -> None:
    import requests

    raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "", "not a certificate"], ids=["missing", "empty", "garbage"])
def test_certificates_that_cannot_be_read_are_named_by_their_variable(
    connect: Connect,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tls: ssl.SSLContext,
    variable: str,
    content: str | None,
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv(variable, str(tmp_path / "bundle.pem"))
    if content is not None:
        (tmp_path / "bundle.pem").write_text(content)

    with RawServer(tls=tls) as server:
        hook = hook_of(connect, server.url)
        for call in (lambda: hook.client.check_sendable(), lambda: hook.submit_batch(EMAILS)):
            with pytest.raises(ConnectionConfigError, match=f"the environment variable {variable} names no file"):
                call()


def test_what_can_be_sent_passes_the_check_and_nothing_is_sent(connect: Connect, raw_server: RawServer) -> None:
    hook_of(connect, raw_server.url).client.check_sendable()
    hook_of(connect, "").client.check_sendable()
    hook_of(connect, "https://exämple.example/v1").client.check_sendable()
    hook_of(connect, "https://[2001:db8::1]:8443/v1").client.check_sendable()

    assert raw_server.connections == 0


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
def test_half_a_character_is_refused_before_anything_is_sent(
    connect: Connect, raw_server: RawServer, vendor: str
) -> None:
    hook = hook_of(connect, raw_server.url, vendor)
    calls = [lambda: hook.submit_batch(EMAILS, name="\ud800")]
    if vendor == "cliova":
        calls.append(lambda: hook.submit_batch(["\ud800@example.com"]))
    else:
        calls = [lambda: hook.verify_email("\ud800@example.com")]

    for call in calls:
        with pytest.raises(InvalidRequestError, match="half a character"):
            call()
    assert raw_server.connections == 0


# --- pages and codes ---


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 406, 409, 410, 418, 422])
@pytest.mark.parametrize(
    "body",
    [b"<html>Attention Required! | A challenge</html>", b"Forbidden", b"", b'{"title": "Blocked", "status": 403}'],
    ids=["html", "text", "empty", "problem"],
)
def test_a_page_that_is_not_the_vendors_is_an_outage_and_no_verdict(
    connect: Connect, clock: Clock, raw_server: RawServer, vendor: str, status: int, body: bytes
) -> None:
    raw_server.answer(respond(body, status=f"{status} No", Content_Type="text/html"))
    hook = hook_of(connect, raw_server.url, vendor, max_attempts=1)

    with pytest.raises(VendorUnavailableError, match="not in the vendor's own form") as caught:
        hook.get_batch_status("b")
    assert not caught.value.permanent


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_submission_that_a_firewall_refuses_was_not_taken_and_may_be_tried_again(
    connect: Connect, clock: Clock, raw_server: RawServer, status: int
) -> None:
    raw_server.answer(respond(b"<html>blocked</html>", status=f"{status} No", Content_Type="text/html"))

    with pytest.raises(VendorUnavailableError, match="not in the vendor's own form") as caught:
        hook_of(connect, raw_server.url).submit_batch(EMAILS)
    assert not caught.value.permanent


def test_a_page_in_place_of_the_answer_to_a_cancellation_is_no_success(
    connect: Connect, clock: Clock, raw_server: RawServer
) -> None:
    raw_server.answer(respond(b"<html>Log in to the Wi-Fi</html>", Content_Type="text/html"))

    with pytest.raises(EmailVerifyError, match="no JSON"):
        hook_of(connect, raw_server.url, max_attempts=1).cancel_batch("b")


@pytest.mark.parametrize("body", [b"", b"OK", b"{}", b'{"status": "cancelled"}'])
def test_a_cancellation_succeeds_whatever_the_vendor_says_of_it(
    connect: Connect, raw_server: RawServer, body: bytes
) -> None:
    raw_server.answer(respond(body))

    hook_of(connect, raw_server.url, max_attempts=1).cancel_batch("b")


def test_a_long_upload_has_the_time_out_for_each_piece(connect: Connect, raw_server: RawServer) -> None:
    emails = [f"user{number}@example.com" for number in range(10_000)]
    raw_server.answer(ACCEPTED)

    hook_of(connect, raw_server.url).submit_batch(emails)

    head, _, body = raw_server.requests[0].partition(b"\r\n\r\n")
    assert json.loads(body) == {"emails": emails}
    assert f"Content-Length: {len(body)}".encode() in head


def test_a_refusal_of_the_pace_is_repeated(connect: Connect, clock: Clock, raw_server: RawServer) -> None:
    raw_server.answer(respond(status="429 Too Many"), ACCEPTED)

    assert hook_of(connect, raw_server.url).submit_batch(EMAILS) == "b-1"


def test_too_few_credits_are_a_refusal(connect: Connect, raw_server: RawServer) -> None:
    raw_server.answer(respond(b'{"message": "Not enough credits"}', status="400 Bad"))

    with pytest.raises(InsufficientCreditsError):
        hook_of(connect, raw_server.url).submit_batch(EMAILS)


def test_an_error_says_that_nothing_was_sent_while_the_account_is_held(
    connect: Connect, clock: Clock, raw_server: RawServer
) -> None:
    hook = hook_of(connect, raw_server.url)
    hook.client.limit.hold(3600)

    with pytest.raises(RateLimitedError, match="was not sent"):
        hook.submit_batch(EMAILS)
    assert raw_server.connections == 0
