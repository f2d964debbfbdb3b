"""The vendors' calls, against the sandbox, which reads the vendors' pages independently of the hooks."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchFailedError,
    BatchNotFoundError,
    BatchNotReadyError,
    ConnectionConfigError,
    EmailVerifyError,
    IncompleteResponseError,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    TransientError,
    UnexpectedResponseError,
    UnsupportedOperationError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.landing import ResultOptions, land
from airflow_provider_emailverify.storage.destination import Destination
from tests.raw_server import RawServer, respond

EMAILS = ["support@proofy.io", "team@proofy.io", "no+undeliverable@example.com"]
Connect = Callable[..., str]
VENDORS = ["proofy", "cliova"]


def url_of(sandbox: SandboxServer, vendor: str) -> str:
    return {"proofy": sandbox.proofy_url, "cliova": sandbox.cliova_url}[vendor]


@pytest.fixture(params=VENDORS)
def hook(request: pytest.FixtureRequest, sandbox: SandboxServer, connect: Connect) -> EmailVerifyHook:
    """A hook of each vendor, connected to the sandbox."""
    return EmailVerifyHook.get_hook(connect(request.param, url_of(sandbox, request.param)))


def save(hook: EmailVerifyHook, batch_id: str, folder: Path, **options: Any) -> tuple[int, bytes, str]:
    """Land a batch; return its rows, bytes and media type."""
    landed = land(hook, batch_id, Destination(f"{folder}/landed/"), ResultOptions(download=options))
    summary = landed.summary
    return summary["rows"], Path(landed.files[0].destination.path.path).read_bytes(), summary["media_type"]


# --- which hook ---


def test_the_connection_type_picks_the_vendor(connect: Connect) -> None:
    assert type(EmailVerifyHook.get_hook(connect("proofy", ""))) is ProofyHook
    assert type(EmailVerifyHook.get_hook(connect("cliova", ""))) is CliovaHook


@pytest.mark.parametrize("conn_type", ["http", "nosuchtype"])
def test_a_connection_of_another_type_is_refused(connect: Connect, conn_type: str) -> None:
    with pytest.raises(ConnectionConfigError, match=f"'other'.*'{conn_type}'.*set it to proofy, cliova"):
        EmailVerifyHook.get_hook(connect(conn_type, "", conn_id="other"))


def test_a_missing_connection_is_named_with_the_fix() -> None:
    with pytest.raises(ConnectionConfigError, match=r"'nowhere': there is none; create it .* AIRFLOW_CONN_NOWHERE"):
        EmailVerifyHook.get_hook("nowhere")


def test_a_hook_does_not_take_another_vendors_connection(connect: Connect) -> None:
    with pytest.raises(ConnectionConfigError, match="set it to 'cliova'"):
        CliovaHook(connect("proofy", "")).get_conn()


def test_nothing_is_read_or_sent_by_making_a_hook() -> None:
    ProofyHook("nowhere")


# --- a batch's life ---


def test_a_batch_can_be_submitted_watched_and_downloaded(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path
) -> None:
    batch_id = hook.submit_batch(EMAILS, name="list 1/ü")

    assert hook.get_batch_status(batch_id).state is BatchState.READY
    rows, body, _ = save(hook, batch_id, tmp_path)
    assert rows == 3
    assert b"proofy.io" in body
    assert set(sandbox.ledger.charged(hook.conn_type)) == set(EMAILS)
    assert sandbox.ledger.charged_more_than_once() == []


def test_proofys_published_rows_come_back(sandbox: SandboxServer, connect: Connect, tmp_path: Path) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))

    _, body, media_type = save(hook, hook.submit_batch(EMAILS[:2]), tmp_path)

    answer = json.loads(body)
    assert media_type == "application/json"
    assert answer["status"] == "ready"
    assert [row["syntax"]["username"] for row in answer["list"]] == ["support", "team"]
    assert answer["list"][0]["roleAccount"] is True


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


@pytest.mark.parametrize("options", [{"output": "xml"}, {"verified_only": "yes"}])
def test_an_option_that_cliova_does_not_have_is_refused_before_any_request(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, options: dict[str, Any]
) -> None:
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url))

    with pytest.raises(InvalidRequestError, match="Cliova's"):
        save(hook, "b", tmp_path, **options)
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("emails", [[], "jane@example.com", ["a@example.com", ""], [None]])
def test_a_list_that_is_no_batch_is_refused_before_any_request(
    hook: EmailVerifyHook, sandbox: SandboxServer, emails: Any
) -> None:
    with pytest.raises(InvalidRequestError, match="A batch"):
        hook.submit_batch(emails)
    assert sandbox.ledger.count() == 0


def test_proofy_takes_ten_thousand_addresses_and_not_one_more(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url))

    with pytest.raises(InvalidRequestError, match="10,000 addresses a batch, not 10,001"):
        hook.submit_batch([f"u{n}@example.com" for n in range(10_001)])
    assert sandbox.ledger.count() == 0
    assert hook.submit_batch([f"u{n}@example.com" for n in range(10_000)])


def test_an_awkward_address_reaches_cliova_as_it_is(sandbox: SandboxServer, connect: Connect) -> None:
    emails = ['"a,b"@example.com', '"quo\\"te"@example.com', "plus+tag@example.com", "jürgen@exämple.example"]
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url))

    hook.submit_batch(emails, name="n")

    assert set(sandbox.ledger.charged("cliova")) == set(emails)


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


@pytest.mark.parametrize("call", ["cancel_batch", "verify_email", "get_credits"])
def test_what_cliova_does_not_have_says_so(connect: Connect, call: str) -> None:
    hook = EmailVerifyHook.get_hook(connect("cliova", ""))

    with pytest.raises(UnsupportedOperationError, match="Cliova documents no call"):
        getattr(hook, call)(*([] if call == "get_credits" else ["x"]))


@pytest.mark.parametrize("batch_id", ["a/b", "../..", "..", ".", "a b", "ü%2F?#&", "list_12345"])
def test_a_batch_id_is_one_segment_whatever_it_holds(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, batch_id: str
) -> None:
    sandbox.ledger.create_batch(hook.conn_type, EMAILS, batch_id=batch_id, ready_after=0.0)

    assert hook.get_batch_status(batch_id).batch_id == batch_id
    assert save(hook, batch_id, tmp_path)[0] == 3


@pytest.mark.parametrize("batch_id", ["", "  ", None, 7])
def test_an_empty_batch_id_is_refused_before_any_request(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, batch_id: Any
) -> None:
    with pytest.raises(InvalidRequestError, match=r"batch id is (empty|no text)"):
        hook.get_batch_status(batch_id)
    with pytest.raises(InvalidRequestError, match=r"batch id is (empty|no text)"):
        save(hook, batch_id, tmp_path)
    assert sandbox.ledger.count() == 0


# --- what a vendor may answer ---


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "unauthorized"}, AuthenticationError),
        ({"kind": "forbidden"}, AuthenticationError),
        ({"kind": "no_credits"}, InsufficientCreditsError),
        ({"kind": "not_found"}, BatchNotFoundError),
        ({"kind": "unprocessable"}, InvalidRequestError),
        ({"kind": "rate_limit"}, RateLimitedError),
        ({"kind": "server_error", "status": 502, "body": "html"}, VendorUnavailableError),
        ({"kind": "reset"}, VendorUnavailableError),
        ({"kind": "redirect"}, UnexpectedResponseError),
        ({"kind": "error_envelope"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "null"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "list"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "string"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "html"}, UnexpectedResponseError),
        ({"kind": "wrong_shape", "shape": "empty"}, UnexpectedResponseError),
    ],
)
@pytest.mark.parametrize("operation", ["status", "download"])
def test_each_answer_becomes_its_error(
    hook: EmailVerifyHook,
    sandbox: SandboxServer,
    tmp_path: Path,
    fault: dict[str, Any],
    expected: type[EmailVerifyError],
    operation: str,
) -> None:
    batch_id = hook.submit_batch(EMAILS, name="n")
    sandbox.faults.add(vendor=hook.conn_type, operation=operation, **fault)

    with pytest.raises(expected) as caught:
        hook.get_batch_status(batch_id) if operation == "status" else save(hook, batch_id, tmp_path)

    assert caught.type is expected
    assert str(caught.value).startswith(f"{hook.hook_name} (connection '{hook.conn_id}'), batch {batch_id!r}")


@pytest.mark.parametrize("encoding", ["length", "chunked"])
def test_a_cut_download_is_tried_again_from_its_beginning(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
    for vendor in VENDORS:
        hook = EmailVerifyHook.get_hook(connect(vendor, url_of(sandbox, vendor), max_attempts=3))
        batch_id = hook.submit_batch(EMAILS, name="n")
        sandbox.faults.add(vendor=vendor, operation="download", kind="truncate", encoding=encoding, times=2)

        assert save(hook, batch_id, tmp_path)[0] == 3


def test_a_download_that_is_cut_every_time_is_an_error(hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path):
    batch_id = hook.submit_batch(EMAILS, name="n")
    sandbox.faults.add(operation="download", kind="truncate")

    with pytest.raises(IncompleteResponseError):
        save(hook, batch_id, tmp_path)
    assert list((tmp_path / "landed").iterdir()) == []


def test_a_download_of_several_requests_is_repeated_as_a_whole(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cliova's asks for the status first: three attempts are three questions, not nine."""
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, max_attempts=3))
    sandbox.faults.add(operation="status", kind="server_error")

    with pytest.raises(VendorUnavailableError):
        save(hook, "b", tmp_path)
    assert sandbox.ledger.count("cliova", "status") == 3


@pytest.mark.parametrize("fault", ["reset", "accept_then_reset", "server_error", "truncate", "wrong_shape"])
def test_a_submission_of_unknown_fate_is_never_sent_twice(
    hook: EmailVerifyHook, sandbox: SandboxServer, connect: Connect, fault: str
) -> None:
    connect(hook.conn_type, url_of(sandbox, hook.conn_type), max_attempts=4)
    sandbox.faults.add(operation="submit", kind=fault)

    with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
        hook.submit_batch(EMAILS, name="n")
    assert sandbox.ledger.count(hook.conn_type, "submit") == 1


def test_a_single_verification_of_unknown_fate_is_never_sent_twice(sandbox: SandboxServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url, max_attempts=4))
    sandbox.faults.add(operation="single", kind="server_error")

    with pytest.raises(SubmissionUnknownError):
        hook.verify_email("support@proofy.io")
    assert sandbox.ledger.count("proofy", "single") == 1


@pytest.mark.parametrize("key", ["invalid-key", "forbidden-key"])
def test_a_wrong_key_is_an_authentication_error(sandbox: SandboxServer, connect: Connect, key: str) -> None:
    for vendor in VENDORS:
        hook = EmailVerifyHook.get_hook(connect(vendor, url_of(sandbox, vendor), key=key))
        with pytest.raises(AuthenticationError, match="Check that the connection's Password"):
            hook.submit_batch(EMAILS, name="n")


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


# --- states ---


@pytest.mark.parametrize(
    ("vendor", "word", "state", "known"),
    [
        ("proofy", "parsing", BatchState.PENDING, True),
        ("proofy", "Ready", BatchState.READY, True),
        ("proofy", "error", BatchState.FAILED, True),
        ("proofy", "cancelled", BatchState.CANCELLED, True),
        ("proofy", "brand-new word", BatchState.RUNNING, False),
        ("cliova", "IN PROGRESS", BatchState.RUNNING, True),
        ("cliova", "in_progress", BatchState.RUNNING, True),
        ("cliova", "COMPLETED", BatchState.READY, True),
        ("cliova", "FAILED", BatchState.FAILED, True),
    ],
)
def test_the_vendors_words_become_ours(
    raw_server: RawServer, connect: Connect, vendor: str, word: str, state: BatchState, known: bool
) -> None:
    answer = {"status": word} if vendor == "proofy" else {"code": "SUCCESS", "payload": [{"id": "b", "status": word}]}
    raw_server.answer(respond(json.dumps(answer).encode()))

    status = EmailVerifyHook.get_hook(connect(vendor, raw_server.url)).get_batch_status("b")

    assert (status.state, status.known, status.vendor_status) == (state, known, word)


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
    ("vendor", "answer", "batch_id"),
    [
        ("proofy", {"status": "parsing", "id": 42}, "42"),
        ("proofy", {"result": {"id": "x"}}, "x"),
        ("proofy", {"id": True}, None),
        ("proofy", {"id": ""}, None),
        ("proofy", [], None),
        ("cliova", {"code": "SUCCESS", "payload": {"id": 42}}, "42"),
        ("cliova", {"code": 200, "payload": [{"id": "x"}]}, "x"),
        ("cliova", {"code": "SUCCESS", "payload": {"id": None}}, None),
    ],
)
def test_the_id_of_a_new_batch_is_found_or_its_fate_is_unknown(
    raw_server: RawServer, connect: Connect, vendor: str, answer: Any, batch_id: str | None
) -> None:
    raw_server.answer(respond(json.dumps(answer).encode()))
    hook = EmailVerifyHook.get_hook(connect(vendor, raw_server.url))

    if batch_id:
        assert hook.submit_batch(EMAILS, name="n") == batch_id
    else:
        with pytest.raises(SubmissionUnknownError):
            hook.submit_batch(EMAILS, name="n")


@pytest.mark.parametrize("entry", [{"id": None}, {"id": ""}, {"id": "B"}, {}])
def test_a_list_need_not_say_its_id(raw_server: RawServer, connect: Connect, entry: Any) -> None:
    answer = {"code": "OK", "payload": [{**entry, "status": "COMPLETED"}]}
    raw_server.answer(respond(json.dumps(answer).encode()))

    assert EmailVerifyHook.get_hook(connect("cliova", raw_server.url)).get_batch_status("b").state is BatchState.READY


@pytest.mark.parametrize(
    "message", ["You already use the maximum number of simultaneous connections", "limit of 25 credits per minute"]
)
def test_a_400_that_speaks_of_the_pace_is_no_lack_of_credits(
    raw_server: RawServer, connect: Connect, message: str
) -> None:
    raw_server.answer(respond(json.dumps({"message": message}).encode(), status="400 Bad"))

    with pytest.raises(RateLimitedError):
        EmailVerifyHook.get_hook(connect("proofy", raw_server.url)).get_batch_status("b")


# --- results that are none ---


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


CSV = b'email,result\r\na@example.com,valid\r\n"b,b@example.com",invalid\r\n'


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


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_an_early_download_can_be_retried_whatever_status_the_vendor_gives_it(
    sandbox: SandboxServer, connect: Connect, tmp_path: Path, vendor: str, status: int
) -> None:
    hook = EmailVerifyHook.get_hook(connect(vendor, url_of(sandbox, vendor)))
    batch_id = sandbox.ledger.create_batch(vendor, EMAILS, ready_after=60.0).batch_id
    kind = "not_found" if status == 404 else "unprocessable"
    sandbox.faults.add(vendor=vendor, operation="download", kind=kind)

    with pytest.raises(BatchNotReadyError) as caught:
        save(hook, batch_id, tmp_path)
    assert issubclass(caught.type, TransientError)


# --- the Test button ---


def test_a_good_connection_tests_well_and_spends_nothing(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    works, message = hook.test_connection()

    assert works, message
    assert not sandbox.ledger.charged()


@pytest.mark.parametrize("key", ["invalid-key", None])
def test_a_bad_connection_tests_badly_with_the_fix_and_without_the_key(
    sandbox: SandboxServer, connect: Connect, key: str | None
) -> None:
    for vendor in VENDORS:
        connect(vendor, url_of(sandbox, vendor), key=key)
        works, message = {"proofy": ProofyHook, "cliova": CliovaHook}[vendor]().test_connection()

        assert not works
        assert "Password" in message
        assert "invalid-key" not in message
        assert "?" not in message


def test_the_test_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROOFY_DEFAULT", "proofy://:k3y@[broken")

    works, message = ProofyHook().test_connection()

    assert not works
    assert "k3y" not in message


def test_a_vendor_whose_rows_nobody_has_written_down_keeps_its_own_format(connect: Connect, tmp_path: Path) -> None:
    class Newcomer(ProofyHook):
        """A third party's vendor."""

        layout = None

    hook = Newcomer(connect("proofy", ""))
    file = VendorFile(batch_id="b", about="b", content=io.BytesIO(b"{}"), media_type="application/json")

    with pytest.raises(
        UnsupportedOperationError, match="cannot be read as rows of the schema; use output_format='vendor'"
    ):
        hook.read_results(file)
