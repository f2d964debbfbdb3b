"""The HTTP client, over a real socket, against a server that misbehaves."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
import traceback
import zlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    BatchNotReadyError,
    EmailVerifyError,
    IncompleteResponseError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.auth import Key, Secret, Site
from airflow_provider_emailverify.http.bodies import Form, Json, Text
from airflow_provider_emailverify.http.client import VendorClient
from airflow_provider_emailverify.http.errors import ErrorRules
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.rate_limit import RateLimit
from airflow_provider_emailverify.http.retries import pause_asked_for
from airflow_provider_emailverify.http.wire import SealedRequest
from airflow_provider_emailverify.redaction import renderings
from tests.conftest import AWKWARD_KEY
from tests.raw_server import RawServer, reset, respond


class Naps(list[float]):
    """A clock whose pauses take no time; it lists them."""

    def monotonic(self) -> float:
        return time.monotonic() + sum(self)

    time = monotonic

    def sleep(self, seconds: float, /) -> None:
        self.append(seconds)


def make_client(
    server: RawServer | str,
    *,
    key: Key | None = None,
    clock: Any = time,
    rules: ErrorRules | None = None,
    per_minute: float | None = None,
    **options: Any,
) -> VendorClient:
    url = server if isinstance(server, str) else server.url
    return VendorClient(
        name="Vendor (connection 'c')",
        site=Site(url, key or Key.query("key")),
        key=Secret(AWKWARD_KEY),
        limit=RateLimit(per_minute, clock=clock),
        problem_of=(rules or ErrorRules()).problem_of,
        **options,
    )


@pytest.fixture
def naps() -> Naps:
    """The pauses between attempts and of the account, which take no time but by their own clock."""
    return Naps()


def buy(client: VendorClient) -> int:
    return client.spend("POST", "/create", lambda answer: (answer or {}).get("id"), body=Json({"emails": []}))


def download(client: VendorClient) -> bytes:
    with client.stream("/file", batch_id="b") as body:
        return b"".join(body)


def test_the_key_travels_in_the_query_and_only_there(raw_server: RawServer) -> None:
    make_client(raw_server).request_json("GET", "/credits", params={"a": "1 2"})

    assert raw_server.targets == ["/v1/credits?a=1%202&key=sk%2Blive%2F1%252B%3Da%26%20b%3F%23%C3%BC"]
    head = raw_server.requests[0].decode().partition("\r\n")[2]
    assert not any(spelling in head for spelling in renderings(AWKWARD_KEY))


BASIC = b64encode(f"api:{AWKWARD_KEY}".encode()).decode()
QUOTED = "sk%2Blive%2F1%252B%3Da%26%20b%3F%23%C3%BC"


@pytest.mark.parametrize(
    ("key", "body", "expected"),
    [
        (Key.query("k"), None, f"POST /v1/x?a=1&k={QUOTED} HTTP/1.1"),
        (Key.query("k"), Json({"b": 1}), f"POST /v1/x?a=1&k={QUOTED} HTTP/1.1"),
        (Key.query("k", body="kk"), None, f"POST /v1/x?a=1&k={QUOTED} HTTP/1.1"),
        (Key.query("k", body="kk"), Json({"b": 1}), f'\r\n\r\n{{"kk": {json.dumps(AWKWARD_KEY)}, "b": 1}}'),
        (Key.query("k", body="kk"), Json({}), f'\r\n\r\n{{"kk": {json.dumps(AWKWARD_KEY)}}}'),
        (Key.query("k", body="kk"), Form({"b": "1&2"}), f"\r\n\r\nb=1%262&kk={QUOTED}"),
        (Key.query("k", body="kk"), Form(), f"\r\n\r\nkk={QUOTED}"),
        (
            Key.query("k", body="kk"),
            Form({"b": "1"}, {"f": ("list.csv", "a,b\r\n", "text/csv")}),
            f'name="kk"\r\n\r\n{AWKWARD_KEY}\r\n',
        ),
        (Key.header("X-Key"), None, f"\r\nX-Key: {AWKWARD_KEY}\r\n"),
        (Key.header("X-Key", "token {key}!"), Json({}), f"\r\nX-Key: token {AWKWARD_KEY}!\r\n"),
        (Key.bearer(), Json({}), f"\r\nAuthorization: Bearer {AWKWARD_KEY}\r\n"),
        (Key.basic("api:{key}"), Form({"b": "1"}), f"\r\nAuthorization: Basic {BASIC}\r\n"),
        (Key.bearer(), Json([{"b": 1}, {"b": 2}]), '\r\n\r\n[{"b": 1}, {"b": 2}]'),
        (Key.bearer(), Json([]), "\r\n\r\n[]"),
        (Key.header("X-Key"), Text("a@example.com\r\n", "text/csv"), "Content-Type: text/csv\r\n"),
        (Key.header("X-Key"), Text("a@example.com\r\n", "text/csv"), "\r\n\r\na@example.com\r\n"),
    ],
)
def test_the_key_goes_where_the_vendor_takes_it_and_nowhere_else(
    raw_server: RawServer, key: Key, body: Any, expected: str
) -> None:
    client = make_client(raw_server, key=key)

    for _ in range(2):  # over a new connection and over one that was kept
        client.request_json("POST", "/x", params={"a": "1"}, body=body)

    for request in raw_server.requests:
        text = request.decode("latin-1" if key.header_name else "utf-8")
        head, _, content = request.partition(b"\r\n\r\n")
        assert expected in text
        assert sum(text.count(spelling) for spelling in {AWKWARD_KEY, QUOTED, BASIC, json.dumps(AWKWARD_KEY)}) == 1
        assert text.startswith("POST /v1/x?a=1")
        assert f"Content-Length: {len(content)}\r\n".encode() in head + b"\r\n"
        assert head.count(b"Host: ") == 1


@pytest.mark.parametrize("key", [Key.basic("api:{key}"), Key.bearer(), Key.query("k", body="kk")])
def test_what_a_header_makes_of_the_key_is_redacted_too(raw_server: RawServer, key: Key) -> None:
    raw_server.answer(respond(json.dumps({"message": f"no {BASIC} {AWKWARD_KEY}"}).encode(), status="400 Bad"))

    with pytest.raises(InvalidRequestError) as caught:
        make_client(raw_server, key=key).request_json("GET", "/status")

    assert AWKWARD_KEY not in str(caught.value)
    assert BASIC not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "pair"), [("app-key-1", "app-key-1:"), ("user:pa:ss", "user:pa:ss"), ("user:", "user:")]
)
def test_a_key_is_a_user_without_a_password_or_both(raw_server: RawServer, given: str, pair: str) -> None:
    client = VendorClient(
        name="V",
        site=Site(raw_server.url, Key.basic("{key}:")),
        key=Secret(given),
        limit=RateLimit(),
        problem_of=ErrorRules().problem_of,
    )

    client.request_json("GET", "/x")

    coded = b64encode(pair.encode()).decode()
    assert f"\r\nAuthorization: Basic {coded}\r\n" in raw_server.requests[0].decode()
    for part in {coded, given, given.partition(":")[2]} - {""}:
        assert part not in client.redact(f"no account for {part} here")


def test_a_requests_own_headers_go_along(raw_server: RawServer) -> None:
    client = make_client(raw_server, key=Key.bearer())
    raw_server.answer(respond(b"{}"), respond(b'{"id": 1}'), respond(b"x"))

    client.request_json("PUT", "/x", body=Text("a", "text/csv"), headers={"X-File": "a.csv"})
    client.spend("PUT", "/x", lambda answer: answer["id"], headers={"X-File": "b.csv"})
    with client.stream("/x", batch_id="b", headers={"Accept": "text/csv"}) as body:
        assert b"".join(body) == b"x"

    first, second, third = (request.decode("latin-1") for request in raw_server.requests)
    assert "\r\nX-File: a.csv\r\n" in first
    assert "\r\nX-File: b.csv\r\n" in second
    assert "\r\nAccept: text/csv\r\n" in third
    assert third.lower().count("\r\naccept:") == 1


@pytest.mark.parametrize("status", [202, 204, 249])
def test_a_success_that_brings_nothing_yet_is_not_ready(raw_server: RawServer, status: int) -> None:
    raw_server.answer(respond(b"", status=f"{status} Later"))

    with pytest.raises(BatchNotReadyError):
        download(make_client(raw_server))


def test_a_key_that_a_header_cannot_carry_is_a_problem_of_the_connection() -> None:
    assert "header" in Key.bearer().problem(Secret("ключ"))
    assert "no text" in Key.query("k").problem(Secret("k\ud800"))
    assert Key.query("k").problem(Secret("ключ")) == ""
    assert Key.basic().problem(Secret("ключ")) == ""


def test_a_secret_and_what_carries_it_do_not_show_it() -> None:
    sealed = SealedRequest(
        "/x", {"a": "jane@example.com"}, Json({"b": "jane@example.com"}), Key.query("k"), Secret("k3y")
    )

    for shown in (
        Secret("k3y"),
        sealed,
        Json({"a": "k3y"}),
        Form({"a": "k3y"}),
        next(sealed.pieces(b"GET / HTTP/1.1\r\n\r\n")),
    ):
        assert "k3y" not in repr(shown)
        assert "jane" not in repr(shown)


def test_the_vendors_own_codes_go_before_the_status(raw_server: RawServer) -> None:
    rules = ErrorRules(
        codes={"auth_failure": AuthenticationError, "slow": RateLimitedError, "down": VendorUnavailableError}
    )

    for code, status, kind in [
        ("auth_failure", "200 OK", AuthenticationError),
        ("auth_failure", "500 Oops", AuthenticationError),
        ("slow", "200 OK", RateLimitedError),
        ("down", "400 Bad", VendorUnavailableError),
    ]:
        raw_server.answer(respond(json.dumps({"status": code, "message": "m"}).encode(), status=status))
        with pytest.raises(kind) as caught:
            make_client(raw_server, rules=rules, policy=CallPolicy(attempts=1)).request_json("GET", "/x")
        assert caught.type is kind


@pytest.mark.parametrize("status", ["200 OK", "409 Conflict", "500 Oops"])
def test_a_code_that_stands_for_a_refusal_settles_what_became_of_a_purchase(
    raw_server: RawServer, naps: Naps, status: str
) -> None:
    rules = ErrorRules(codes={"auth_failure": AuthenticationError, "down": VendorUnavailableError})

    for code, kind in (("auth_failure", AuthenticationError), ("down", SubmissionUnknownError)):
        raw_server.answer(respond(json.dumps({"code": code}).encode(), status=status))
        with pytest.raises(kind):
            buy(make_client(raw_server, clock=naps, rules=rules))


def test_the_log_says_when_the_next_attempt_will_really_be(
    raw_server: RawServer, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """The account's pause and its pace count, not only the back-off."""
    raw_server.answer(respond(status="429 Too Many"), respond(status="500 Oops"), respond(b"{}"))
    client = make_client(raw_server, clock=naps, per_minute=2)

    with caplog.at_level(logging.INFO):
        client.request_json("GET", "/x")

    told = [float(record.getMessage().removesuffix(" s.").rpartition(" ")[2]) for record in caplog.records]
    assert told == [pytest.approx(2.0, abs=0.2), pytest.approx(59.0, abs=0.5)]
    assert sum(naps) == pytest.approx(sum(told), abs=0.2)


def test_what_was_asked_too_often_is_waited_out_and_is_no_failed_attempt(raw_server: RawServer, naps: Naps) -> None:
    """Other tasks ask too, and the vendor counts a minute."""
    refused = respond(status="429 Too Many")
    raw_server.answer(*[refused] * 5, respond(status="500 Oops"), refused, respond(b'{"x": 1}'))

    assert make_client(raw_server, clock=naps, policy=CallPolicy(attempts=2)).request_json("GET", "/x") == {"x": 1}
    assert 60 < sum(naps) < 180


def test_what_goes_on_being_asked_too_often_ends_after_three_minutes(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="429 Too Many"))

    with pytest.raises(RateLimitedError):
        make_client(raw_server, clock=naps, policy=CallPolicy(attempts=4)).request_json("GET", "/x")
    assert 60 < sum(naps) <= 180
    assert len(raw_server.requests) >= 5


def test_one_attempt_is_one_request(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="429 Too Many"))

    with pytest.raises(RateLimitedError):
        make_client(raw_server, clock=naps, policy=CallPolicy(attempts=1)).request_json("GET", "/x")
    assert len(raw_server.requests) == 1


def test_dots_in_a_path_reach_the_vendor_as_they_were_quoted(raw_server: RawServer) -> None:
    make_client(raw_server).request_json("GET", "/batch/%2E%2E/..%2Fx/status")

    assert raw_server.targets[0].startswith("/v1/batch/%2E%2E/..%2Fx/status?")


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (respond(b'{"message": "slow down"}', status="429 Too Many"), RateLimitedError),
        (respond(b"<html>down</html>", status="503 Unavailable"), VendorUnavailableError),
        (respond(b'{"message": "what?"}', status="400 Bad"), InvalidRequestError),
        (respond(b'{"a": 1', length=100), IncompleteResponseError),
        (respond(b'{"a": 1', length=None), IncompleteResponseError),
        (respond(b"<html>", length=None), UnexpectedResponseError),
        (respond(b"", status="204 None"), UnexpectedResponseError),
        (respond(b"", status="302 Found", Location="https://elsewhere.example/?x=1"), UnexpectedResponseError),
        (respond(b"{}", Content_Encoding="br"), UnexpectedResponseError),
        (reset, VendorUnavailableError),
    ],
)
def test_each_bad_answer_has_its_class_and_never_shows_the_key(
    raw_server: RawServer, behaviour: Any, expected: type[EmailVerifyError], caplog: pytest.LogCaptureFixture
) -> None:
    raw_server.answer(behaviour)

    with caplog.at_level(logging.DEBUG), pytest.raises(expected) as caught:
        make_client(raw_server, policy=CallPolicy(attempts=1)).request_json("GET", "/status", batch_id="b")

    assert caught.type is expected
    with_locals = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = caplog.text + "".join(with_locals.format())  # as rich, Sentry and Airflow 3.0's console show errors
    error: BaseException | None = caught.value
    while error:  # the hidden contexts too: some log formats show them
        shown += repr(error) + "".join(traceback.format_exception(error)) + repr(vars(error))
        error = error.__context__
    assert "Vendor (connection 'c'), batch 'b': GET /status" in str(caught.value)
    assert not [spelling for spelling in renderings(AWKWARD_KEY) if spelling in shown]


def test_a_redirect_is_not_followed(raw_server: RawServer) -> None:
    with RawServer() as elsewhere:
        raw_server.answer(respond(status="307 Moved", Location=elsewhere.url))

        with pytest.raises(UnexpectedResponseError, match=r"redirect to 127\.0\.0\.1"):
            make_client(raw_server).request_json("GET", "/status")

    assert elsewhere.requests == []


def test_a_message_that_repeats_key_and_address_is_redacted(raw_server: RawServer) -> None:
    text = f"key {AWKWARD_KEY} of jane@example.com, {renderings(AWKWARD_KEY)[0]}".encode()
    raw_server.answer(respond(b'{"message": "' + text + b'"}', status="400 Bad"))

    with pytest.raises(InvalidRequestError, match="key \\*\\*\\* of <address>"):
        make_client(raw_server).request_json("GET", "/status")


def test_a_get_is_repeated_until_it_succeeds(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="500 Oops"), reset, respond(b'{"a"', length=9), respond(b'{"a": 1}'))

    assert make_client(raw_server, clock=naps, policy=CallPolicy(attempts=4)).request_json("GET", "/status") == {"a": 1}
    assert len(raw_server.requests) == 4
    assert all(nap > 0 for nap in naps)


def test_a_get_is_given_up_after_max_attempts(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="500 Oops"))

    with pytest.raises(VendorUnavailableError):
        make_client(raw_server, clock=naps, policy=CallPolicy(attempts=3)).request_json("GET", "/status")
    assert len(raw_server.requests) == 3


def test_pauses_differ_and_grow(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="500 Oops"))

    for _ in range(20):
        with pytest.raises(VendorUnavailableError):
            make_client(raw_server, clock=naps, policy=CallPolicy(attempts=5)).request_json("GET", "/status")

    by_attempt = [naps[attempt::4] for attempt in range(4)]
    assert max(by_attempt[0]) <= 1.0 < max(by_attempt[3])
    assert len(set(by_attempt[3])) > 10


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_in_both_forms(raw_server: RawServer, naps: Naps, form: str) -> None:
    value = "7" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True)
    raw_server.answer(respond(status="429 Too Many", Retry_After=value), respond(b"{}"))

    make_client(raw_server, clock=naps).request_json("GET", "/status")

    assert 6 <= naps[0] <= 9


def test_a_long_retry_after_is_left_to_the_caller(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="429 Too Many", Retry_After="3600"))

    with pytest.raises(RateLimitedError) as caught:
        make_client(raw_server, clock=naps).request_json("GET", "/status")

    assert caught.value.retry_after == 3600
    assert (len(raw_server.requests), naps) == (1, [])


@pytest.mark.parametrize("name", ["RateLimit-Reset", "ratelimit-reset", "X-RateLimit-Reset"])
@pytest.mark.parametrize("form", ["seconds", "time"])
def test_a_reset_of_the_limit_is_waited_for_where_nothing_else_is_said(
    raw_server: RawServer, naps: Naps, name: str, form: str
) -> None:
    value = "7" if form == "seconds" else str(int(time.time()) + 8)
    raw_server.answer(respond(b'{"message": "m"}', status="429 Too Many", **{name: value}), respond(b"{}"))

    make_client(raw_server, clock=naps).request_json("GET", "/x")

    assert 6 <= naps[0] <= 9


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"Retry-After": "3", "RateLimit-Reset": "50"}, 3),
        (429, {"RateLimit-Reset": "1000000001"}, 0),
        (429, {"RateLimit-Reset": "999999"}, 86_400),
        (429, {"RateLimit-Reset": "soon"}, None),
        (429, {}, None),
        (400, {"RateLimit-Reset": "50"}, None),
        (200, {"Retry-After": "3"}, None),
        (503, {"Retry-After": "3"}, 3),
    ],
)
def test_what_an_answer_asks_for(status: int, headers: dict[str, str], pause: float | None) -> None:
    assert pause_asked_for(status, headers) == pause


@pytest.mark.parametrize("value", ["soon", "-5", "Thu, 99 Foo 2026", "1e9999", ""])
def test_a_retry_after_that_nobody_understands_is_ignored(raw_server: RawServer, naps: Naps, value: str) -> None:
    raw_server.answer(respond(status="429 Too Many", Retry_After=value), respond(b"{}"))

    make_client(raw_server, clock=naps).request_json("GET", "/status")

    assert naps == [pytest.approx(2.0, abs=0.1)]


@pytest.mark.parametrize("location", ["http://[::1", "//[bad/", "http://x:99999999/", "", "\\\\", "http://é.example"])
def test_a_redirect_to_nowhere_is_a_redirect_too(raw_server: RawServer, location: str) -> None:
    raw_server.answer(respond(status="302 Found", Location=location))

    with pytest.raises(SubmissionUnknownError, match="answered 302"):
        buy(make_client(raw_server))


def test_the_body_of_a_redirect_is_not_waited_for(raw_server: RawServer) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 100\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.1)

    raw_server.answer(drip)

    started = time.monotonic()
    with pytest.raises(UnexpectedResponseError, match="redirect to another path"):
        make_client(raw_server, timeout=5).request_json("GET", "/status")

    assert time.monotonic() - started < 5


def test_a_policy_is_of_the_copy_that_it_was_given_to(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="500 Oops"))
    client = make_client(raw_server, clock=naps, policy=CallPolicy(attempts=3))
    once = client.with_policy(CallPolicy(attempts=1))

    for each, requests in ((once, 1), (client, 1 + 3)):
        with pytest.raises(VendorUnavailableError):
            each.request_json("GET", "/status")
        assert len(raw_server.requests) == requests
    assert once.limit is client.limit


def test_a_deletion_whose_answer_got_lost_has_succeeded(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(reset, respond(b'{"message": "no such batch"}', status="404 Not Found"))

    make_client(raw_server, clock=naps).send("DELETE", "/batch/b", batch_id="b")
    with pytest.raises(BatchNotFoundError):
        make_client(raw_server, clock=naps).send("DELETE", "/batch/b", batch_id="b")


@pytest.mark.parametrize(
    "behaviour", [reset, respond(status="500 Oops"), respond(b'{"id"', length=99), respond(b"<html>"), respond(b"")]
)
def test_a_request_that_spends_is_not_repeated_when_its_fate_is_unknown(
    raw_server: RawServer, naps: Naps, behaviour: Any
) -> None:
    raw_server.answer(behaviour)

    with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
        buy(make_client(raw_server, clock=naps))
    assert len(raw_server.requests) == 1


def test_a_request_that_spends_is_repeated_after_a_refusal(raw_server: RawServer, naps: Naps) -> None:
    raw_server.answer(respond(status="429 Too Many"), respond(b'{"id": 1}'))

    assert buy(make_client(raw_server, clock=naps)) == 1


def test_a_request_that_spends_and_never_left_is_repeated(naps: Naps) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(VendorUnreachableError, match="was not sent"):
        buy(make_client(f"http://127.0.0.1:{port}", clock=naps))
    assert len(naps) == 3


def test_silence_ends_after_the_timeout(raw_server: RawServer) -> None:
    release = threading.Event()
    raw_server.answer(lambda connection: release.wait(10))

    started = time.monotonic()
    with pytest.raises(VendorUnavailableError, match=r"within 0\.2 s"):
        make_client(raw_server, timeout=0.2, policy=CallPolicy(attempts=1)).request_json("GET", "/status")
    release.set()

    assert time.monotonic() - started < 5


def test_a_short_answer_that_drips_in_ends_after_the_timeout(raw_server: RawServer) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b" ")
            time.sleep(0.05)

    raw_server.answer(drip)

    started = time.monotonic()
    with pytest.raises(VendorUnavailableError, match="too slowly"):
        make_client(raw_server, timeout=0.3, policy=CallPolicy(attempts=1)).request_json("GET", "/status")

    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 ", b""], ids=["header", "status", "interim"]
)
def test_headers_that_drip_in_end_after_the_timeout(raw_server: RawServer, start: bytes) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(b"x" if start else b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.05)

    raw_server.answer(drip)

    started = time.monotonic()
    with pytest.raises(VendorUnavailableError, match=r"within 0\.3 s"):
        make_client(raw_server, timeout=0.3, policy=CallPolicy(attempts=1)).request_json("GET", "/status")

    assert time.monotonic() - started < 5


def test_an_endless_short_answer_is_refused(raw_server: RawServer) -> None:
    raw_server.answer(respond(b" " * (17 * 1024 * 1024)))

    with pytest.raises(UnexpectedResponseError, match="more than"):
        make_client(raw_server, policy=CallPolicy(attempts=1)).request_json("GET", "/status")


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


BODY = bytes(range(256)) * 20_000  # 5 MB, several chunks
PACKED = gzip.compress(BODY, 1)


@pytest.mark.parametrize(
    "behaviour",
    [
        respond(BODY),
        respond(BODY, length=None),
        respond(chunked(BODY[:999], BODY[999:]), length=None, Transfer_Encoding="chunked"),
        respond(PACKED, Content_Encoding="gzip"),
        respond(PACKED, Content_Encoding="gzip", length=None),
        respond(gzip.compress(BODY[:70_000]) + gzip.compress(BODY[70_000:]), Content_Encoding="gzip"),
        respond(chunked(PACKED[:999], PACKED[999:]), length=None, Transfer_Encoding="chunked", Content_Encoding="GZIP"),
    ],
)
def test_a_whole_body_arrives_whole(raw_server: RawServer, behaviour: Any) -> None:
    raw_server.answer(behaviour)

    assert download(make_client(raw_server)) == BODY


@pytest.mark.parametrize(
    "behaviour",
    [
        respond(BODY[:-1], length=len(BODY)),
        respond(b"", length=len(BODY)),
        respond(chunked(BODY, end=b""), length=None, Transfer_Encoding="chunked"),
        respond(chunked(BODY)[:-20_000], length=None, Transfer_Encoding="chunked"),
        respond(PACKED[:-9], Content_Encoding="gzip", length=None),
        respond(PACKED[:-9], Content_Encoding="gzip"),
        respond(zlib.compress(BODY), Content_Encoding="gzip"),
    ],
)
def test_a_cut_body_is_an_error(raw_server: RawServer, behaviour: Any) -> None:
    raw_server.answer(behaviour)

    with pytest.raises(IncompleteResponseError):
        download(make_client(raw_server))


def test_a_gzip_bomb_comes_in_small_pieces(raw_server: RawServer) -> None:
    raw_server.answer(respond(gzip.compress(bytes(200 * 1024 * 1024)), Content_Encoding="gzip"))

    with make_client(raw_server).stream("/file", batch_id="b") as body:
        assert max(len(chunk) for chunk in body) <= 1024 * 1024


def test_what_netrc_has_for_the_host_is_not_sent(
    raw_server: RawServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    make_client(raw_server).request_json("GET", "/status")

    assert b"Authorization" not in raw_server.requests[0]


def test_plain_http_stays_on_this_machine_whatever_proxy_is_set(
    raw_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer() as proxy:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))

        make_client(raw_server).request_json("GET", "/status")

    assert len(raw_server.requests) == 1
    assert proxy.requests == []


def test_a_proxy_for_https_sees_the_host_and_no_more(raw_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", raw_server.url.removesuffix("/v1"))
    raw_server.answer(respond(status="502 Bad Gateway"))

    with pytest.raises(VendorUnreachableError, match="the proxy gave no connection"):
        buy(make_client("https://vendor.example/v1", policy=CallPolicy(attempts=1)))

    assert raw_server.targets == ["vendor.example:443"]
    assert b"key" not in raw_server.requests[0]


def test_many_threads_share_one_client(raw_server: RawServer) -> None:
    client = make_client(raw_server)
    threads = [
        threading.Thread(target=client.request_json, args=("GET", f"/n{n}"), kwargs={"params": {"n": str(n)}})
        for n in range(20)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {target.partition("&")[0] for target in raw_server.targets} == {f"/v1/n{n}?n={n}" for n in range(20)}
