"""Proofy's calls, against the sandbox, which reads the vendor's pages independently of the hook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    BatchFailedError,
    BatchNotReadyError,
    EmailVerifyError,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS, save

Connect = Callable[..., str]


def test_proofys_published_rows_come_back(sandbox: SandboxServer, connect: Connect, tmp_path: Path) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))

    _, body, media_type = save(hook, hook.submit_batch(EMAILS[:2]), tmp_path)

    answer = json.loads(body)
    assert media_type == "application/json"
    assert answer["status"] == "ready"
    assert [row["syntax"]["username"] for row in answer["list"]] == ["support", "team"]
    assert answer["list"][0]["roleAccount"] is True


def test_proofy_takes_ten_thousand_addresses_and_not_one_more(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))

    with pytest.raises(InvalidRequestError, match="10,000 addresses a batch, not 10,001"):
        hook.submit_batch([f"u{n}@example.com" for n in range(10_001)])
    assert sandbox.ledger.count() == 0
    assert hook.submit_batch([f"u{n}@example.com" for n in range(10_000)])


def test_proofys_batch_can_be_cancelled(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))
    batch_id = sandbox.ledger.create_batch("proofy", EMAILS, ready_after=60.0).batch_id

    hook.cancel_batch(batch_id)

    assert hook.get_batch_status(batch_id).state is BatchState.CANCELLED


def test_proofy_tells_its_balance_and_verifies_one_address(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))

    before = hook.get_credits()
    answer = hook.verify_email("support@proofy.io")

    assert answer["status"] == "valid"
    assert hook.get_credits() == before - 1


def test_a_single_verification_of_unknown_fate_is_never_sent_twice(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url, max_attempts=4))
    sandbox.faults.add(operation="single", kind="server_error")

    with pytest.raises(SubmissionUnknownError):
        hook.verify_email("support@proofy.io")
    assert sandbox.ledger.count("proofy", "single") == 1


@pytest.mark.parametrize("status", [400, 402])
def test_too_few_credits_are_no_malformed_request(raw_server: RawServer, connect: Connect, status: int) -> None:
    raw_server.answer(respond(b'{"message": "You don\'t have checks. Check your balance."}', status=f"{status} No"))

    with pytest.raises(InsufficientCreditsError, match="Buy credits"):
        EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).submit_batch(EMAILS)


def test_an_address_that_speaks_of_credits_is_no_lack_of_them(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(respond(b'{"message": "no address: credits@balance.example"}', status="400 Bad"))

    with pytest.raises(InvalidRequestError) as caught:
        EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).submit_batch(EMAILS)

    assert caught.type is InvalidRequestError
    assert "credits@" not in str(caught.value)


def test_proofys_status_may_be_one_level_down(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(respond(b'{"result": {"status": "ready"}}'))

    assert EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).get_batch_status("b").state is BatchState.READY


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"status": "success", "result": {"status": "ready"}}, BatchState.READY),
        ({"status": True, "result": {"status": "parsing"}}, BatchState.PENDING),
    ],
)
def test_proofys_inner_status_goes_before_the_outer_one(
    raw_server: RawServer, connect: Connect, answer: Any, state: BatchState
) -> None:
    raw_server.answer(respond(json.dumps(answer).encode()))

    assert EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).get_batch_status("b").state is state


def test_an_error_about_the_request_is_no_failed_batch(raw_server: RawServer, connect: Connect) -> None:
    raw_server.answer(respond(b'{"status": "error", "message": "Something is wrong"}'))

    with pytest.raises(UnexpectedResponseError, match="Something is wrong"):
        EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).get_batch_status("b")


@pytest.mark.parametrize(
    "message", ["You already use the maximum number of simultaneous connections", "limit of 25 credits per minute"]
)
def test_a_400_that_speaks_of_the_pace_is_no_lack_of_credits(
    raw_server: RawServer, connect: Connect, message: str
) -> None:
    raw_server.answer(respond(json.dumps({"message": message}).encode(), status="400 Bad"))

    with pytest.raises(RateLimitedError):
        EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).get_batch_status("b")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": "processing", "list": []}, BatchNotReadyError),
        ({"status": "ready"}, UnexpectedResponseError),
        ({"list": []}, UnexpectedResponseError),
        ({"status": "ready", "list": {}}, UnexpectedResponseError),
        ({"status": 1, "list": []}, UnexpectedResponseError),
        ({"status": "failed", "list": []}, BatchFailedError),
        ({"message": "Unauthorized"}, UnexpectedResponseError),
        ({"message": "Not enough credits"}, InsufficientCreditsError),
        ([], UnexpectedResponseError),
    ],
)
def test_proofys_answer_is_only_taken_when_it_is_ready_and_has_a_list(
    raw_server: RawServer, connect: Connect, tmp_path: Path, body: Any, expected: type[EmailVerifyError]
) -> None:
    raw_server.answer(respond(json.dumps(body).encode()))

    with pytest.raises(expected) as caught:
        save(EmailVerifyHook.get_hook(connect("proofy", raw_server.url)), "b", tmp_path)
    assert caught.type is expected
