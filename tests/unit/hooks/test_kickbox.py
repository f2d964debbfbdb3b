"""Kickbox's answers and results, as its pages show them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchFailedError,
    EmailVerifyError,
    InsufficientCreditsError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import Maps, VendorFile
from airflow_provider_emailverify.results.schema import Reason, Verdict
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS

Connect = Callable[..., str]


def as_json(value: Any, status: str = "200 OK") -> Any:
    return respond(json.dumps(value).encode(), status=status)


def read(connect: Connect, content: bytes, **maps: Any) -> list[Any]:
    file = VendorFile(batch_id="b", about="b", content=io.BytesIO(content), media_type="text/csv")
    return list(EmailVerifyHook.get_hook(connect("kickbox", "")).read_results(file, Maps(**maps)))


def test_its_results_become_the_rows_one_would_write_by_hand(connect: Connect) -> None:
    content = (
        b"Email,Result,Reason,Role,Free,Disposable,Accept-All,Sendex\r\n"
        b"ada@example.com,deliverable,accepted_email,false,false,false,false,1\r\n"
        b"bob@gmail.com,undeliverable,rejected_email,false,true,false,false,0\r\n"
        b"sales@example.org,risky,low_deliverability,true,false,false,true,0.4\r\n"
        b"x@mailinator.com,risky,low_quality,false,false,true,false,0.2\r\n"
        b"y@example.net,unknown,timeout,false,false,false,false,0\r\n"
        b"z@example,undeliverable,a_new_reason,,,,,\r\n"
    )

    assert [
        (email, said.verdict, said.reason, said.role, said.free, said.disposable, said.catch_all)
        for email, said in read(connect, content)
    ] == [
        ("ada@example.com", Verdict.DELIVERABLE, Reason.ACCEPTED, False, False, False, False),
        ("bob@gmail.com", Verdict.UNDELIVERABLE, Reason.REJECTED, False, True, False, False),
        ("sales@example.org", Verdict.RISKY, Reason.CATCH_ALL, True, False, False, True),
        ("x@mailinator.com", Verdict.RISKY, Reason.LOW_QUALITY, False, False, True, False),
        ("y@example.net", Verdict.UNKNOWN, Reason.TIMEOUT, False, False, False, False),
        ("z@example", Verdict.UNDELIVERABLE, Reason.OTHER, None, None, None, None),
    ]


def test_columns_that_nobody_expects_can_be_mapped(connect: Connect) -> None:
    content = b"contact,kickbox says\r\nada@example.com,deliverable\r\n"

    [(email, said)] = read(connect, content, column_map={"email": "contact", "verdict": "Kickbox says"})

    assert (email, said.verdict) == ("ada@example.com", Verdict.DELIVERABLE)


def test_a_submission_is_lines_with_the_name_and_the_key_in_headers(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json({"id": 123, "success": True, "message": None}))

    batch_id = EmailVerifyHook.get_hook(connect("kickbox", raw_server.url, key="k3y")).submit_batch(
        ["ada@example.com", "jürgen@exämple.example"], 'my "list"/ü\r\nX: y'
    )

    head, _, body = raw_server.requests[0].partition(b"\r\n\r\n")
    assert batch_id == "123"
    assert head.startswith(b"PUT /v1/verify-batch HTTP/1.1\r\n")
    assert b"\r\nAuthorization: token k3y\r\n" in head
    assert b"\r\nContent-Type: text/csv\r\n" in head
    assert b"\r\nX-Kickbox-Filename: my%20%22list%22/%C3%BC%0D%0AX%3A%20y.csv\r\n" in head
    assert body == "ada@example.com\r\njürgen@exämple.example\r\n".encode()


def test_marks_inside_an_address_are_escaped_with_a_backslash(
    raw_server: RawServer, sandbox: SandboxServer, connect: Connect
) -> None:
    emails = ['"a,b"@example.com', '"quo\\"te"@example.com', "plus+tag@example.com", "o'neil@example.com"]
    raw_server.answer(as_json({"id": 123}))

    EmailVerifyHook.get_hook(connect("kickbox", raw_server.url)).submit_batch(emails)
    EmailVerifyHook.get_hook(connect("kickbox", sandbox.vendor_urls["kickbox"])).submit_batch(emails)

    body = raw_server.requests[0].partition(b"\r\n\r\n")[2].decode()
    assert body.split("\r\n") == [
        r'"\"a,b\"@example.com"',
        r'"\"quo\\\"te\"@example.com"',
        "plus+tag@example.com",
        "o'neil@example.com",
        "",
    ]
    assert set(sandbox.ledger.charged("kickbox")) == set(emails)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("403 Forbidden", "Insufficient balance", InsufficientCreditsError),
        ("403 Forbidden", "Invalid API key", AuthenticationError),
        ("401 Unauthorized", "Unauthorized", AuthenticationError),
        ("200 OK", "Something is wrong", UnexpectedResponseError),
    ],
)
def test_an_empty_account_is_told_from_a_refused_key(
    raw_server: RawServer, connect: Connect, status: str, message: str, expected: type[EmailVerifyError]
) -> None:
    raw_server.answer(as_json({"success": False, "message": message}, status))
    hook = EmailVerifyHook.get_hook(connect("kickbox", raw_server.url))

    with pytest.raises(expected):
        hook.get_batch_status("b")


def test_a_submission_without_balance_was_refused(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json({"success": False, "message": "Insufficient balance"}, "403 Forbidden"))

    with pytest.raises(InsufficientCreditsError):
        EmailVerifyHook.get_hook(connect("kickbox", raw_server.url)).submit_batch(EMAILS)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 123, "status": "failed", "error": "The file could not be parsed"},
        {"id": 123, "status": "failed", "error": "Insufficient balance", "success": True},
    ],
)
def test_a_failed_batch_says_why_and_is_no_failed_question(
    raw_server: RawServer, connect: Connect, answer: Any
) -> None:
    raw_server.answer(as_json(answer))
    hook = EmailVerifyHook.get_hook(connect("kickbox", raw_server.url))

    assert hook.get_batch_status("123").state is BatchState.FAILED
    with pytest.raises(BatchFailedError), hook.download_results("123"):
        pass


def test_the_published_answer_while_it_is_at_work(raw_server: RawServer, connect: Connect) -> None:
    progress = {"deliverable": 1, "undeliverable": 0, "risky": 0, "unknown": 0, "total": 3, "unprocessed": 2}
    raw_server.answer(as_json({"id": 123, "status": "processing", "progress": progress, "success": True}))

    status = EmailVerifyHook.get_hook(connect("kickbox", raw_server.url)).get_batch_status("123")

    assert status.state is BatchState.RUNNING


def test_a_ready_batch_without_a_link_is_asked_again(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json({"id": 123, "status": "completed", "success": True}))
    hook = EmailVerifyHook.get_hook(connect("kickbox", raw_server.url))

    with pytest.raises(UnexpectedResponseError, match="no link"), hook.download_results("123"):
        pass
