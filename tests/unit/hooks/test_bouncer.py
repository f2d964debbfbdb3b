"""Bouncer's answers and results, as its pages show them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_emailverify.exceptions import (
    BatchNotReadyError,
    InsufficientCreditsError,
    SubmissionUnknownError,
    TransientError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.results.schema import Reason, Verdict
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS

Connect = Callable[..., str]

NO_CREDITS = {"status": "402", "error": "Payment Required", "message": "1 credits left"}


def as_json(value: Any, status: str = "200 OK") -> Any:
    return respond(json.dumps(value).encode(), status=status)


def row(email: str, status: str, reason: str, of_domain: str, of_account: str, **changed: Any) -> dict[str, Any]:
    """Return a row of the published shape, in which each flag of an object says the same but for those that change."""
    return {
        "email": email,
        "status": status,
        "reason": reason,
        "domain": {"name": email.partition("@")[2], "acceptAll": of_domain, "disposable": of_domain, "free": of_domain},
        "account": {"role": of_account, "disabled": of_account, "fullMailbox": of_account},
        "dns": {"type": "MX", "record": "mx.example.com."},
        "provider": "other",
        "score": 50,
        "toxic": "unknown",
        "toxicity": 0,
        **changed,
    }


def test_its_results_become_the_rows_one_would_write_by_hand(connect: Connect) -> None:
    catch_all = {"name": "example.org", "acceptAll": "yes", "disposable": "no", "free": "no"}
    full = {"role": "no", "disabled": "no", "fullMailbox": "yes"}
    rows = [
        row("ada@example.com", "deliverable", "accepted_email", "no", "no"),
        row("bob@example.com", "undeliverable", "rejected_email", "no", "unknown"),
        row("sales@example.org", "risky", "low_deliverability", "no", "no", domain=catch_all),
        row("c@example.com", "risky", "low_deliverability", "no", "no", account=full),
        row("d@example.invalid", "undeliverable", "dns_error", "unknown", "unknown", dns=None),
        row("e@example.com", "unknown", "timeout", "unknown", "unknown", retryAfter="2026-11-27T00:00:00Z"),
        row("f@example.com", "undeliverable", "invalid_email", "no", "no", domain=None, account=None),
    ]
    content = io.BytesIO(json.dumps(rows).encode())
    file = VendorFile(batch_id="b", about="b", content=content, media_type="application/json")

    found = EmailVerifyHook.get_hook(connect("bouncer", "")).read_results(file)

    assert [
        (email, said.verdict, said.reason, said.catch_all, said.free, said.role, said.disabled, said.mailbox_full)
        for email, said in found
    ] == [
        ("ada@example.com", Verdict.DELIVERABLE, Reason.ACCEPTED, False, False, False, False, False),
        ("bob@example.com", Verdict.UNDELIVERABLE, Reason.REJECTED, False, False, None, None, None),
        ("sales@example.org", Verdict.RISKY, Reason.CATCH_ALL, True, False, False, False, False),
        ("c@example.com", Verdict.RISKY, Reason.MAILBOX_FULL, False, False, False, False, True),
        ("d@example.invalid", Verdict.UNDELIVERABLE, Reason.NO_MX, None, None, None, None, None),
        ("e@example.com", Verdict.UNKNOWN, Reason.TIMEOUT, None, None, None, None, None),
        ("f@example.com", Verdict.UNDELIVERABLE, Reason.INVALID_SYNTAX, None, None, None, None, None),
    ]


def test_a_submission_is_a_list_of_objects_with_the_key_in_a_header(raw_server: RawServer, connect: Connect) -> None:
    answer = {"batchId": "5f2", "created": "2026-11-26T00:00:00Z", "status": "queued", "quantity": 3, "duplicates": 0}
    raw_server.answer(as_json(answer))

    batch_id = EmailVerifyHook.get_hook(connect("bouncer", raw_server.url, key="k3y")).submit_batch(EMAILS)

    head, _, body = raw_server.requests[0].partition(b"\r\n\r\n")
    assert batch_id == "5f2"
    assert head.startswith(b"POST /v1/email/verify/batch HTTP/1.1\r\n")
    assert b"\r\nx-api-key: k3y\r\n" in head
    assert json.loads(body) == [{"email": email} for email in EMAILS]


def test_an_account_with_too_few_credits_is_a_refusal(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json(NO_CREDITS, "402 Payment Required"))

    with pytest.raises(InsufficientCreditsError, match="1 credits left"):
        EmailVerifyHook.get_hook(connect("bouncer", raw_server.url)).submit_batch(EMAILS)


def test_the_same_words_with_a_success_say_nothing_of_what_was_taken(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(as_json(NO_CREDITS))

    with pytest.raises(SubmissionUnknownError, match="1 credits left"):
        EmailVerifyHook.get_hook(connect("bouncer", raw_server.url)).submit_batch(EMAILS)


def test_a_busy_vendor_is_asked_again(raw_server: RawServer, connect: Connect) -> None:
    answer = {"status": "503", "error": "Service Unavailable", "message": "Retry later"}
    raw_server.answer(as_json(answer, "503 Service Unavailable"))

    with pytest.raises(TransientError):
        EmailVerifyHook.get_hook(connect("bouncer", raw_server.url)).get_batch_status("b")


@pytest.mark.parametrize("word", ["queued", "processing"])
def test_rows_are_not_fetched_before_the_vendor_says_that_they_are_all_there(
    raw_server: RawServer, connect: Connect, word: str
) -> None:
    raw_server.answer(as_json({"batchId": "b", "status": word, "quantity": 3}))
    hook = EmailVerifyHook.get_hook(connect("bouncer", raw_server.url))

    with pytest.raises(BatchNotReadyError), hook.download_results("b"):
        pass
    assert raw_server.targets == ["/v1/email/verify/batch/b"]


def test_the_sandbox_deletes_no_batch_that_is_at_work(sandbox: SandboxServer) -> None:
    sandbox.ledger.create_batch("bouncer", EMAILS, batch_id="b", ready_after=60.0)
    url = f"{sandbox.vendor_urls['bouncer']}/email/verify/batch/b"

    assert requests.delete(url, headers={"x-api-key": "k"}, timeout=5).status_code == 405
