"""What only one vendor does, and what would go wrong without care."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    BatchNotReadyError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS, save

Open = Callable[[str], EmailVerifyHook]


@pytest.fixture
def open_hook(sandbox: SandboxServer, connect: Callable[..., str]) -> Open:
    """Return a hook of a vendor, connected to the sandbox."""
    return lambda vendor: EmailVerifyHook.get_hook(
        connect(vendor, sandbox.vendor_urls[vendor], requests_per_minute=1_000_000, max_attempts=3)
    )


def test_neverbounce_starts_a_job_and_gives_the_disposable_addresses_too(open_hook: Open, tmp_path: Path) -> None:
    hook = open_hook("neverbounce")

    batch_id = hook.submit_batch([*EMAILS, "throwaway@mailinator.com"], "n")

    assert hook.get_batch_status(batch_id).state is BatchState.READY  # one that never starts is waiting
    rows, body, _ = save(hook, batch_id, tmp_path)
    assert rows == 4
    assert b"throwaway@mailinator.com,disposable" in body


@pytest.mark.parametrize("vendor", ["neverbounce", "mailgun", "verifalia", "millionverifier"])
def test_a_batch_is_found_by_exactly_its_name(open_hook: Open, vendor: str) -> None:
    hook = open_hook(vendor)
    ids = {name: hook.submit_batch(EMAILS, name) for name in ("list", "list-1", "my-list", "LIST", "another")}

    assert {name: hook.find_batch(name) for name in ids} == ids
    assert hook.find_batch("lis") is None
    assert hook.find_batch("list-12") is None


def test_millionverifier_walks_all_pages_of_its_files(open_hook: Open, sandbox: SandboxServer) -> None:
    hook = open_hook("millionverifier")
    for number in range(60):
        sandbox.ledger.create_batch("millionverifier", EMAILS, batch_id=f"{number}", name=f"other-list{number}.csv")
    sandbox.ledger.create_batch("millionverifier", EMAILS, batch_id="60", name="list.csv")
    sandbox.ledger.create_batch("millionverifier", EMAILS, batch_id="61", name="an-other-list.csv")

    assert hook.find_batch("list") == "60"
    assert hook.find_batch("other-list") is None


def test_millionverifier_is_told_to_stop_once(open_hook: Open, sandbox: SandboxServer, clock: Clock) -> None:
    hook = open_hook("millionverifier")
    batch_id = hook.submit_batch(EMAILS, "n")
    sandbox.faults.add(operation="cancel", kind="reset", times=1)

    with pytest.raises(VendorUnavailableError):
        hook.cancel_batch(batch_id)
    assert sandbox.ledger.count("millionverifier", "cancel") == 1

    sandbox.faults.add(operation="cancel", kind="accept_then_reset", times=1)
    hook.cancel_batch(batch_id)  # the answer is lost, and the state tells that it was heard
    assert sandbox.ledger.count("millionverifier", "cancel") == 2
    assert hook.get_batch_status(batch_id).state is BatchState.CANCELLED


def test_emailable_gives_the_results_of_a_large_batch_by_a_link(
    open_hook: Open, sandbox: SandboxServer, tmp_path: Path
) -> None:
    emails = [f"user{number}@example.com" for number in range(1_001)]
    sandbox.ledger.create_batch("emailable", emails, batch_id="b", ready_after=0.0)

    rows, body, media_type = save(open_hook("emailable"), "b", tmp_path)

    assert (rows, media_type) == (1_001, "text/csv")
    assert body.startswith(b"email,state,reason")
    assert sandbox.ledger.count("emailable", "link") == 1


def test_emailable_has_no_results_while_a_batch_is_at_work(
    open_hook: Open, sandbox: SandboxServer, tmp_path: Path
) -> None:
    hook = open_hook("emailable")
    batch = sandbox.ledger.create_batch("emailable", EMAILS, batch_id="b")
    for state in ("fresh", "running"):  # the first of them is a 249
        batch.state = state
        assert hook.get_batch_status("b").state is BatchState.RUNNING
        with pytest.raises(BatchNotReadyError):
            save(hook, "b", tmp_path)

    batch.state = None
    batch.ready_after = 0.0
    row = b'{"email": "a@example.com", "state": "deliverable"}'
    batch.content = b'{"emails": [' + row + b'], "total_counts": {"processed": 1, "total": 3}}'
    with pytest.raises(BatchNotReadyError):
        save(hook, "b", tmp_path)


@pytest.mark.parametrize("vendor", ["mailgun", "kickbox"])
def test_a_link_that_has_expired_is_asked_for_again(
    open_hook: Open, sandbox: SandboxServer, clock: Clock, tmp_path: Path, vendor: str
) -> None:
    hook = open_hook(vendor)
    batch_id = hook.submit_batch(EMAILS, "n")
    sandbox.faults.add(operation="link", kind="forbidden", times=1)

    assert save(hook, batch_id, tmp_path)[0] == 3

    assert sandbox.ledger.count(vendor, "link") == 2
    assert sandbox.ledger.count(vendor, "status") == 2


@pytest.mark.parametrize("vendor", ["mailgun", "kickbox"])
def test_the_sandbox_lets_a_link_expire_and_refuses_a_key_on_it(
    open_hook: Open, sandbox: SandboxServer, vendor: str
) -> None:
    hook = open_hook(vendor)
    batch_id = hook.submit_batch(EMAILS, "n")
    answer = hook._ask(batch_id)  # type: ignore[attr-defined]
    link = answer["download_url"]["csv"] if vendor == "mailgun" else answer["download_url"]

    assert requests.get(link, timeout=5).status_code == 200
    assert requests.get(link, headers={"Authorization": "token another-key"}, timeout=5).status_code == 400
    assert requests.get(link.replace("Signature=", "Signature=x"), timeout=5).status_code == 403


def test_mailgun_refuses_a_sixth_list_and_that_is_a_limit(
    open_hook: Open, sandbox: SandboxServer, clock: Clock
) -> None:
    for number in range(5):
        sandbox.ledger.create_batch("mailgun", EMAILS, batch_id=f"b{number}", ready_after=1e9)

    with pytest.raises(RateLimitedError, match="parallel"):
        open_hook("mailgun").submit_batch(EMAILS, "n")


def test_mailgun_takes_no_id_with_an_at_sign(open_hook: Open) -> None:
    hook = open_hook("mailgun")

    batch_id = hook.submit_batch(EMAILS, "dag@home")

    assert "@" not in batch_id
    assert hook.find_batch("dag@home") == batch_id


def test_a_page_of_verifalias_rows_is_not_taken_for_all_of_them(
    open_hook: Open, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_emailverify.hooks import verifalia

    monkeypatch.setattr(verifalia, "CSV_TYPE", verifalia.JSON_TYPE)  # as a server that gives JSON whatever is asked for
    hook = open_hook("verifalia")
    batch_id = hook.submit_batch(EMAILS, "n")
    assert save(hook, batch_id, tmp_path)[::2] == (3, "application/json")

    from starlette.responses import JSONResponse

    from airflow_provider_emailverify.sandbox.vendors import verifalia as played

    class Truncated(JSONResponse):
        def render(self, content: dict[str, object]) -> bytes:
            if "data" in content:
                content = {**content, "meta": {"isTruncated": True, "cursor": "1"}}
            return super().render(content)

    monkeypatch.setattr(played, "JSONResponse", Truncated)
    with pytest.raises(UnexpectedResponseError, match="a page of JSON"):
        save(hook, batch_id, tmp_path)


def test_verifalias_jobs_are_walked_from_the_oldest_of_a_month_to_the_last(
    open_hook: Open, sandbox: SandboxServer
) -> None:
    for days in (200, 40, *[20] * 7, 10):
        batch = sandbox.ledger.create_batch("verifalia", EMAILS, batch_id=f"{days}", name=f"job of {days}")
        batch.created -= timedelta(days=days)
    sandbox.ledger.create_batch("verifalia", EMAILS, batch_id="new", name="job")

    hook = open_hook("verifalia")

    assert hook.find_batch("job") == "new"
    assert hook.find_batch("job of 10") == "10"
    assert hook.find_batch("jo") is None


@pytest.mark.parametrize(
    "answer",
    [
        {"meta": {"isTruncated": True}, "data": []},
        {"meta": {"isTruncated": True, "cursor": "c"}, "data": [{"id": "x", "name": "another"}]},
        {"meta": {"isTruncated": False}, "data": ["no job"]},
        {"meta": {"isTruncated": False}, "data": None},
        {"meta": [], "data": {}},
        {"meta": "x", "data": []},
    ],
)
def test_a_list_of_verifalias_jobs_that_does_not_end_is_no_proof(
    raw_server: RawServer, connect: Callable[..., str], answer: Any
) -> None:
    raw_server.answer(respond(json.dumps(answer).encode()))

    with pytest.raises(UnexpectedResponseError, match="cannot be read to its end"):
        EmailVerifyHook.get_hook(connect("verifalia", raw_server.url)).find_batch("n")


def test_verifalias_words_become_reasons(raw_server: RawServer, connect: Callable[..., str]) -> None:
    """Rows as its clients describe them, once as CSV and once as JSON."""
    rows = [
        ("a@example.com", "Deliverable", "Success"),
        ("b@example.com", "Undeliverable", "MailboxDoesNotExist"),
        ("c@mailinator.com", "Risky", "MailExchangerIsWellKnownDea"),
        ("d@example.com", "Unknown", "CatchAllValidationTimeout"),
        ("e@@example.com", "Undeliverable", "DomainPartCompliancyFailure"),
        ("a@example.com", "Unknown", "Duplicate"),
        ("f@example.com", "Risky", "AWordOfTomorrow"),
    ]
    table = "inputData,classification,status\r\n" + "".join(f"{','.join(row)}\r\n" for row in rows)
    objects = [dict(zip(("inputData", "classification", "status"), row, strict=True)) for row in rows]
    document = {"meta": {"isTruncated": False}, "data": objects}
    hook = EmailVerifyHook.get_hook(connect("verifalia", raw_server.url))

    for content, media_type in ((table, "text/csv"), (json.dumps(document), "application/json")):
        file = VendorFile(batch_id="b", about="b", content=io.BytesIO(content.encode()), media_type=media_type)
        found = [(email, finding.verdict, finding.reason) for email, finding in hook.read_results(file)]
        assert found == [
            ("a@example.com", "deliverable", "accepted"),
            ("b@example.com", "undeliverable", "rejected"),
            ("c@mailinator.com", "risky", "disposable"),
            ("d@example.com", "unknown", "timeout"),
            ("e@@example.com", "undeliverable", "invalid_syntax"),
            ("a@example.com", "unknown", "duplicate"),
            ("f@example.com", "risky", "other"),
        ]
