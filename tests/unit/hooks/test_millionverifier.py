"""MillionVerifier's answers and results, as its pages show them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    EmailVerifyError,
    InsufficientCreditsError,
    SubmissionUnknownError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.results.schema import Reason, Verdict
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS

Connect = Callable[..., str]

FILE = {
    "file_id": "500000",
    "file_name": "list.csv",
    "status": "in_progress",
    "unique_emails": 3,
    "percent": 0,
    "total_rows": 3,
    "verified": 0,
    "credit": 3,
    "estimated_time_sec": 60,
    "error": "",
}


def as_json(value: Any) -> Any:
    return respond(json.dumps(value).encode())


@pytest.mark.parametrize(
    "header", [b"email,quality,result,free,role", b"Email,Quality,Result,Free,Role", b"EMAIL,QUALITY,RESULT,FREE,ROLE"]
)
def test_its_results_become_the_rows_one_would_write_by_hand(connect: Connect, header: bytes) -> None:
    content = header + (
        b"\r\nada@example.com,good,ok,no,no\r\nbob@gmail.com,bad,invalid,yes,no\r\n"
        b"sales@example.org,risky,catch_all,no,yes\r\nx@mailinator.com,bad,disposable,no,no\r\n"
        b"y@example.net,risky,unknown,,\r\nz@example.net,risky,reverify,no,no\r\n"
    )
    file = VendorFile(batch_id="b", about="b", content=io.BytesIO(content), media_type="text/csv")

    rows = EmailVerifyHook.get_hook(connect("millionverifier", "")).read_results(file)

    assert [
        (email, said.verdict, said.reason, said.vendor_status, said.free, said.role, said.catch_all)
        for email, said in rows
    ] == [
        ("ada@example.com", Verdict.DELIVERABLE, Reason.ACCEPTED, "ok", False, False, None),
        ("bob@gmail.com", Verdict.UNDELIVERABLE, Reason.OTHER, "invalid", True, False, None),
        ("sales@example.org", Verdict.RISKY, Reason.CATCH_ALL, "catch_all", False, True, None),
        ("x@mailinator.com", Verdict.RISKY, Reason.DISPOSABLE, "disposable", False, False, None),
        ("y@example.net", Verdict.UNKNOWN, Reason.OTHER, "unknown", None, None, None),
        ("z@example.net", Verdict.UNKNOWN, Reason.OTHER, "reverify", False, False, None),
    ]


def test_each_address_calls_the_key_by_its_own_name(raw_server: RawServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url, key="k3y"))
    raw_server.answer(as_json(FILE), as_json(FILE), as_json({"credits": 7}), as_json({"result": "ok", "error": ""}))

    hook.submit_batch(EMAILS, "list")
    hook.get_batch_status("500000")
    assert hook.get_credits() == 7
    assert hook.verify_email("a@example.com") == {"result": "ok", "error": ""}

    assert raw_server.targets == [
        "/v1/upload?key=k3y",
        "/v1/fileinfo?file_id=500000&key=k3y",
        "/v1/credits?api=k3y",
        "/v1/?email=a%40example.com&api=k3y",
    ]


@pytest.mark.parametrize(("path", "wrong"), [("/fileinfo", "api"), ("/credits", "key"), ("/filelist", "api")])
def test_the_sandbox_takes_the_key_by_no_other_name(sandbox: SandboxServer, path: str, wrong: str) -> None:
    sandbox.ledger.create_batch("millionverifier", EMAILS, batch_id="b")
    url = f"{sandbox.vendor_urls['millionverifier']}{path}"

    answer = requests.get(url, params={wrong: "k3y", "file_id": "b"}, timeout=5)

    assert answer.json() == {"error": "invalid_api_key"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("apikey_not_found", AuthenticationError),
        ("invalid_api_key", AuthenticationError),
        ("ip_blocked", AuthenticationError),
        ("insufficient_credits", InsufficientCreditsError),
        ("file_not_found", BatchNotFoundError),
        ("a_new_code", UnexpectedResponseError),
    ],
)
def test_a_success_with_a_code_is_an_error(
    raw_server: RawServer, connect: Connect, code: str, expected: type[EmailVerifyError]
) -> None:
    raw_server.answer(as_json({"error": code}))

    with pytest.raises(expected):
        EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url)).get_batch_status("b")


def test_an_unknown_code_leaves_a_submission_in_doubt_and_a_known_one_does_not(
    raw_server: RawServer, connect: Connect
) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url))
    raw_server.answer(as_json({"error": "a_new_code"}), as_json({"error": "insufficient_credits"}))

    with pytest.raises(SubmissionUnknownError):
        hook.submit_batch(EMAILS)
    with pytest.raises(InsufficientCreditsError):
        hook.submit_batch(EMAILS)


def test_a_files_own_error_is_its_state_and_no_refusal(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json({**FILE, "status": "error", "error": "insufficient_credits"}))

    status = EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url)).get_batch_status("500000")

    assert status.state is BatchState.FAILED


def test_a_list_that_is_not_whole_is_no_proof_that_there_is_no_file(raw_server: RawServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url))

    for answer in ({"files": [], "total": 2}, {"files": [FILE]}, {"files": None, "total": 0}, {"error": ""}, []):
        raw_server.answer(as_json(answer))
        with pytest.raises(UnexpectedResponseError):
            hook.find_batch("another")


@pytest.mark.parametrize(
    "fault", [{"kind": "accept_then_reset"}, {"kind": "truncate"}, {"kind": "truncate", "keep": 0}]
)
def test_after_a_lost_answer_to_a_stop_the_state_tells(
    sandbox: SandboxServer, connect: Connect, clock: Clock, fault: dict[str, Any]
) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", sandbox.vendor_urls["millionverifier"], max_attempts=3))
    batch_id = hook.submit_batch(EMAILS)
    sandbox.faults.add(operation="cancel", **fault)

    hook.cancel_batch(batch_id)

    assert sandbox.ledger.count("millionverifier", "cancel") == 1
    assert hook.get_batch_status(batch_id).state is BatchState.CANCELLED


def test_a_stop_that_was_not_heard_is_said_so(sandbox: SandboxServer, connect: Connect, clock: Clock) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", sandbox.vendor_urls["millionverifier"], max_attempts=3))
    batch_id = sandbox.ledger.create_batch("millionverifier", EMAILS, ready_after=60.0).batch_id
    sandbox.faults.add(operation="cancel", kind="reset")

    with pytest.raises(VendorUnavailableError):
        hook.cancel_batch(batch_id)
    assert sandbox.ledger.count("millionverifier", "cancel") == 1


def test_nothing_but_cancelling_asks_for_what_destroys(raw_server: RawServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("millionverifier", raw_server.url))
    raw_server.answer(as_json({"credits": 7}))

    assert hook.test_connection()[0]
    assert [target.partition("?")[0] for target in raw_server.targets] == ["/v1/credits"]
