"""Each kind of fault, as a client sees it."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest
import requests

from airflow_provider_emailverify.sandbox.faults import KINDS, Fault
from airflow_provider_emailverify.sandbox.playing import PLAYERS


@pytest.fixture(autouse=True)
def batch(sandbox):
    return sandbox.ledger.create_batch(
        "proofy", [f"user{n}@example.com" for n in range(20)], batch_id="x", state="ready"
    )


def test_a_fault_hits_its_operation_as_often_as_asked(sandbox, proofy):
    sandbox.faults.add(vendor="proofy", operation="status", kind="server_error", times=2, skip=1)

    codes = [proofy.get("/verify/batch/x").status_code for _ in range(4)]

    assert codes == [200, 500, 500, 200]
    assert proofy.get("/credits").status_code == 200


def test_a_fault_for_one_batch_leaves_others_alone(sandbox, proofy):
    sandbox.ledger.create_batch("proofy", batch_id="y")
    sandbox.faults.add(kind="not_found", batch_id="y")

    assert [proofy.get(f"/verify/batch/{each}").status_code for each in "xy"] == [200, 404]


def test_a_fault_for_one_vendor_leaves_the_other_alone(sandbox, cliova):
    sandbox.ledger.create_batch("cliova", batch_id="x")
    sandbox.faults.add(vendor="proofy", kind="reset")

    assert cliova.get("/x/status").status_code == 200


@pytest.mark.parametrize(
    ("params", "header"), [({}, None), ({"retry_after": 7}, "7"), ({"retry_after": "soon"}, "soon")]
)
def test_a_rate_limit_may_say_when_to_come_back(sandbox, proofy, params, header):
    sandbox.faults.add(kind="rate_limit", **params)

    answer = proofy.get("/credits")

    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, header)


def test_a_rate_limit_may_name_a_date(sandbox, proofy):
    sandbox.faults.add(kind="rate_limit", retry_after=60, retry_after_as="date")

    moment = parsedate_to_datetime(proofy.get("/credits").headers["Retry-After"])

    assert 50 < moment.timestamp() - time.time() <= 60


@pytest.mark.parametrize(
    ("kind", "code"),
    [("unauthorized", 401), ("forbidden", 403), ("no_credits", 400), ("not_found", 404), ("unprocessable", 422)],
)
def test_an_error_comes_in_the_vendors_shape(sandbox, proofy, kind, code):
    sandbox.faults.add(kind=kind)

    answer = proofy.get("/verify/batch/x")

    assert (answer.status_code, list(answer.json())) == (code, ["message"])


def test_a_server_error_can_be_a_gateways_page(sandbox, proofy):
    sandbox.faults.add(kind="server_error", status=503, body="html", retry_after=1)

    answer = proofy.get("/credits")

    assert (answer.status_code, answer.text[:6], answer.headers["Retry-After"]) == (503, "<html>", "1")


def test_a_reset_ends_the_connection_without_an_answer(sandbox, proofy):
    sandbox.faults.add(kind="reset")

    with pytest.raises(requests.ConnectionError) as caught:
        proofy.get("/credits")

    assert "ConnectionResetError" in repr(caught.value)


def test_a_submission_can_be_accepted_and_its_answer_lost(sandbox, proofy):
    sandbox.faults.add(operation="submit", kind="accept_then_reset", times=1)
    body = {"emails": ["ann@example.com"]}

    with pytest.raises(requests.ConnectionError):
        proofy("POST", "/verify/batch/create", json=body)
    proofy("POST", "/verify/batch/create", json=body)

    assert sandbox.ledger.charged_more_than_once("proofy") == ["ann@example.com"]
    assert [each.fault for each in sandbox.ledger.requests("proofy", "submit")] == ["accept_then_reset", None]


@pytest.mark.parametrize("encoding", ["length", "chunked"])
@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_a_cut_body_never_looks_whole(sandbox, proofy, encoding, ending, accepted):
    sandbox.faults.add(operation="download", kind="truncate", encoding=encoding, ending=ending, keep=0.4)

    answer = proofy.get("/verify/batch/x/download", stream=True, headers={"Accept-Encoding": accepted})
    names = {name.lower() for name in answer.headers}

    assert answer.status_code == 200
    assert ("content-length" in names) == (encoding == "length")
    assert answer.headers.get("Content-Encoding") == (accepted if accepted == "gzip" else None)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        _ = answer.content


def test_a_slow_answer_arrives_whole(sandbox, proofy):
    sandbox.faults.add(kind="slow", size=4, interval=0.02)

    began = time.monotonic()
    answer = proofy.get("/credits")

    assert "credits" in answer.json()
    assert time.monotonic() - began > 0.06


def test_a_hang_lasts_as_long_as_asked(sandbox, proofy):
    sandbox.faults.add(kind="hang", seconds=0.3)

    with pytest.raises(requests.Timeout):
        proofy.get("/credits", timeout=0.1)
    assert proofy.get("/credits", timeout=2).status_code == 200


def test_a_redirect_points_where_asked(sandbox, proofy):
    sandbox.faults.add(kind="redirect", status=307, location="http://127.0.0.2:1/away")

    answer = proofy.get("/credits")

    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.2:1/away")


@pytest.mark.parametrize(
    ("shape", "body"),
    [("list", b'[{"status": "ready"}]'), ("null", b"null"), ("string", b'"ready"'), ("empty", b"")],
)
def test_an_answer_can_have_a_wrong_shape(sandbox, proofy, shape, body):
    sandbox.faults.add(kind="wrong_shape", shape=shape)

    answer = proofy.get("/verify/batch/x/download")

    assert (answer.status_code, answer.content) == (200, body)


def test_an_error_can_come_with_200(sandbox, proofy):
    sandbox.faults.add(kind="error_envelope", message="Try again")

    answer = proofy.get("/verify/batch/x/download")

    assert (answer.status_code, answer.json()) == (200, {"message": "Try again"})


def test_an_error_can_repeat_the_key_and_an_address(sandbox, proofy):
    sandbox.faults.add(kind="echo_key", status=422)

    message = proofy.get("/verify/batch/x", key="k+/=& %").json()["message"]

    assert "k+/=& %" in message
    assert "k%2B%2F%3D%26+%25" in message
    assert "user0@example.com" in message


@pytest.mark.parametrize(("kind", "word"), [("not_ready", "processing"), ("batch_failed", "failed")])
def test_a_batch_can_look_like_something_else(sandbox, proofy, kind, word):
    sandbox.faults.add(kind=kind, times=2)

    answers = [proofy.get("/verify/batch/x"), proofy.get("/verify/batch/x/download")]

    assert [each.json()["status"] for each in answers] == [word, word]
    assert proofy.get("/verify/batch/x").json()["status"] == "ready"


def test_every_kind_has_a_player():
    assert set(KINDS) == set(PLAYERS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "earthquake"},
        {"kind": "reset", "vendor": "nobody"},
        {"kind": "reset", "operation": "dance"},
        {"kind": "reset", "seconds": 1},
        {"kind": "wrong_shape", "shape": "round"},
    ],
)
def test_a_fault_that_nobody_knows_is_refused(sandbox, wrong):
    with pytest.raises(ValueError, match="isn't known: choose one of"):
        sandbox.faults.add(**wrong)


def test_a_fault_can_be_written_on_one_line():
    fault = Fault.parse("proofy:status:rate_limit:2:retry_after=3,retry_after_as=date")
    endless = Fault.parse("*:download:redirect::location=http://127.0.0.1:9/x")

    assert (fault.vendor, fault.operation, fault.kind, fault.times) == ("proofy", "status", "rate_limit", 2)
    assert fault.params == {"retry_after": 3, "retry_after_as": "date"}
    assert (endless.times, endless.params["location"]) == (None, "http://127.0.0.1:9/x")
