"""Cliova's calls, against the sandbox, which reads the vendor's pages independently of the hook."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    BatchNotReadyError,
    EmailVerifyError,
    IncompleteResponseError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.raw_server import RawServer, respond
from tests.unit.hooks.conftest import EMAILS, save

Connect = Callable[..., str]


CSV = b'email,result\r\na@example.com,valid\r\n"b,b@example.com",invalid\r\n'


@pytest.mark.parametrize(
    ("options", "media_type", "rows"),
    [
        ({}, "text/csv", 3),
        ({"output": "csv", "verified_only": True}, "text/csv", 2),
        ({"output": "json"}, "application/json", 3),
        ({"output": "json", "verified_only": "True"}, "application/json", 2),
    ],
)
def test_cliovas_options_choose_format_and_rows(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, options: dict[str, Any], media_type: str, rows: int
) -> None:
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url))

    found = save(hook, hook.submit_batch(EMAILS, name="n"), tmp_path, **options)

    assert (found[0], found[2]) == (rows, media_type)


def test_an_awkward_address_reaches_cliova_as_it_is(sandbox: SandboxServer, connect: Connect) -> None:
    emails = ['"a,b"@example.com', '"quo\\"te"@example.com', "plus+tag@example.com", "jürgen@exämple.example"]
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url))

    hook.submit_batch(emails, name="n")

    assert set(sandbox.ledger.charged("cliova")) == set(emails)


def test_a_download_of_several_requests_is_repeated_as_a_whole(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, clock: Clock
) -> None:
    """Cliova's asks for the status first: three attempts are three questions, not nine."""
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, max_attempts=3))
    sandbox.faults.add(operation="status", kind="server_error")

    with pytest.raises(VendorUnavailableError):
        save(hook, "b", tmp_path)
    assert sandbox.ledger.count("cliova", "status") == 3


@pytest.mark.parametrize(
    "payload",
    [
        {"id": "b", "status": "COMPLETED", "totalEmails": 5},
        [{"id": "b", "status": "COMPLETED", "totalEmails": 5}],
        [{"id": "a", "status": "FAILED"}, {"id": "b", "status": "COMPLETED", "totalEmails": 5}],
        [{"status": "COMPLETED", "totalEmails": 5}],
    ],
)
def test_cliovas_payload_may_be_an_object_or_a_list(raw_server: RawServer, connect: Connect, payload: Any) -> None:
    raw_server.answer(respond(json.dumps({"code": "SUCCESS", "payload": payload}).encode()))

    status = EmailVerifyHook.get_hook(connect("cliova", raw_server.url)).get_batch_status("b")

    assert (status.state, status.total) == (BatchState.READY, 5)


@pytest.mark.parametrize("payload", [[], [{"id": "another", "status": "COMPLETED"}]])
def test_a_payload_without_the_list_is_an_unknown_batch(raw_server: RawServer, connect: Connect, payload: Any) -> None:
    raw_server.answer(respond(json.dumps({"code": "SUCCESS", "payload": payload}).encode()))

    with pytest.raises(BatchNotFoundError):
        EmailVerifyHook.get_hook(connect("cliova", raw_server.url)).get_batch_status("b")


@pytest.mark.parametrize("entry", [{"id": None}, {"id": ""}, {"id": "B"}, {}])
def test_a_list_need_not_say_its_id(raw_server: RawServer, connect: Connect, entry: Any) -> None:
    answer = {"code": "OK", "payload": [{**entry, "status": "COMPLETED"}]}
    raw_server.answer(respond(json.dumps(answer).encode()))

    assert EmailVerifyHook.get_hook(connect("cliova", raw_server.url)).get_batch_status("b").state is BatchState.READY


@pytest.mark.parametrize(
    ("answer", "output", "expected"),
    [
        (respond(b'{"error": {"message": "List not found"}}'), "csv", UnexpectedResponseError),
        (respond(b'{"code": "IN_PROGRESS", "message": "not yet"}'), "csv", UnexpectedResponseError),
        (respond(b"[]"), "csv", UnexpectedResponseError),
        (respond(b"<html>"), "csv", UnexpectedResponseError),
        (respond(b""), "csv", UnexpectedResponseError),
        (respond(b"Please try again later"), "csv", UnexpectedResponseError),
        (respond(b"Service unavailable\nPlease try again later\n"), "csv", UnexpectedResponseError),
        (respond(CSV[:-3], length=None), "csv", IncompleteResponseError),
        (respond(CSV[:-3], length=None, Content_Length="abc"), "csv", IncompleteResponseError),
        (respond(CSV[:-3], length=None, Transfer_Encoding="identity"), "csv", IncompleteResponseError),
        (respond(CSV[:-10], length=None), "csv", IncompleteResponseError),
        (respond(CSV), "json", UnexpectedResponseError),
        (respond(b'{"code": "SUCCESS"}'), "json", UnexpectedResponseError),
        (respond(b'{"code": "ERROR", "payload": []}'), "json", UnexpectedResponseError),
        (respond(b'[{"email": '), "json", IncompleteResponseError),
        (respond(b"", status="202 Accepted"), "csv", BatchNotReadyError),
        (respond(CSV, status="206 Partial"), "csv", UnexpectedResponseError),
    ],
)
def test_an_error_in_disguise_is_no_result_of_cliova(
    raw_server: RawServer, connect: Connect, tmp_path: Path, answer: Any, output: str, expected: type[EmailVerifyError]
) -> None:
    raw_server.answer(respond(b'{"code": "SUCCESS", "payload": [{"status": "COMPLETED"}]}'), answer)

    with pytest.raises(expected) as caught:
        save(EmailVerifyHook.get_hook(connect("cliova", raw_server.url)), "b", tmp_path, output=output)
    assert caught.type is expected


@pytest.mark.parametrize(
    ("body", "output", "rows"),
    [
        (CSV, "csv", 2),
        (b"\xef\xbb\xbf" + CSV, "csv", 2),
        (b"email,result\n", "csv", 0),
        (b'[{"email": "a@example.com"}, {"email": "b@example.com", "x": [1, {"y": 2}]}]', "json", 2),
        (b'{"code": "SUCCESS", "message": "ok", "payload": [{"a": 1}, {"b": [1]}]}', "json", 2),
        (b'{"payload": [], "code": "SUCCESS"}', "json", 0),
    ],
)
def test_cliovas_results_are_counted_in_each_likely_shape(
    raw_server: RawServer, connect: Connect, tmp_path: Path, body: bytes, output: str, rows: int
) -> None:
    raw_server.answer(respond(b'{"code": "SUCCESS", "payload": [{"status": "COMPLETED"}]}'), respond(body))

    found = save(EmailVerifyHook.get_hook(connect("cliova", raw_server.url)), "b", tmp_path, output=output)

    assert found[:2] == (rows, body)
