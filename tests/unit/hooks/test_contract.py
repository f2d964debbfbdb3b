"""What every vendor's hook fulfils, against the sandbox, which reads the vendors' pages independently of the hooks."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
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
from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.redaction import renderings
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.conftest import AWKWARD_KEY
from tests.raw_server import RawServer, respond
from tests.unit.hooks.cases import CASES
from tests.unit.hooks.cases.case import VendorCase
from tests.unit.hooks.conftest import EMAILS, save

Connect = Callable[..., str]
#: Whatever a link answers in place of results, the vendor has another link.
ANSWERS_OF_A_LINK = ("unauthorized", "forbidden", "no_credits", "not_found", "unprocessable", "rate_limit", "redirect")


def entry_of(case: VendorCase) -> dict[str, Any]:
    return next(entry for entry in get_provider_info()["connection-types"] if entry["connection-type"] == case.vendor)


# --- which hook ---


def test_every_connection_type_has_a_case() -> None:
    assert {entry["connection-type"] for entry in get_provider_info()["connection-types"]} == {
        case.vendor for case in CASES
    }


def test_the_connection_type_picks_the_vendor(case: VendorCase, connect: Connect) -> None:
    assert type(EmailVerifyHook.get_hook(connect(case.vendor, ""))) is case.hook
    assert entry_of(case)["hook-class-name"] == f"{case.hook.__module__}.{case.hook.__qualname__}"
    assert entry_of(case)["hook-name"] == case.hook.hook_name


@pytest.mark.parametrize("conn_type", ["http", "nosuchtype"])
def test_a_connection_of_another_type_is_refused(connect: Connect, conn_type: str) -> None:
    with pytest.raises(ConnectionConfigError, match=f"'other'.*'{conn_type}'.*set it to proofy, zerobounce"):
        EmailVerifyHook.get_hook(connect(conn_type, "", conn_id="other"))


def test_a_missing_connection_is_named_with_the_fix() -> None:
    with pytest.raises(
        ConnectionConfigError, match=r"'nowhere': there is none in .*; create it .* AIRFLOW_CONN_NOWHERE"
    ):
        EmailVerifyHook.get_hook("nowhere")


def test_a_hook_does_not_take_another_vendors_connection(case: VendorCase, connect: Connect) -> None:
    with pytest.raises(ConnectionConfigError, match=f"set it to '{case.vendor}'"):
        case.hook(connect("http", "", conn_id="other")).get_conn()


def test_nothing_is_read_or_sent_by_making_a_hook(case: VendorCase) -> None:
    case.hook("nowhere")


def test_the_form_shows_the_fields_that_the_connection_may_hold(case: VendorCase, connect: Connect) -> None:
    fields = entry_of(case)["conn-fields"]
    texts = {"string": '{"email": "deliverable"}', "number": 2.5, "integer": 3, "boolean": True}

    extra = {name: texts[next(iter({*field["schema"]["type"]} - {"null"}))] for name, field in fields.items()}
    hook = case.hook(connect(case.vendor, "", **extra))

    assert hook.get_conn()
    assert "password" in entry_of(case)["ui-field-behaviour"]["relabeling"]


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


def test_a_person_finds_a_batch_by_the_name_that_the_hook_declares(
    hook: EmailVerifyHook, sandbox: SandboxServer
) -> None:
    batch_id = hook.submit_batch(EMAILS, name="dag-submit-0123456789abcdef-00001")

    named = (hook.batch_name or "").format(name="dag-submit-0123456789abcdef-00001")
    assert sandbox.ledger.batch(batch_id).name == named


def test_each_download_option_brings_its_format(case: VendorCase, hook: EmailVerifyHook, tmp_path: Path) -> None:
    batch_id = hook.submit_batch(EMAILS, name="n")

    for options, media_type in case.formats:
        assert save(hook, batch_id, tmp_path, **options)[2] == media_type


def test_a_download_option_that_makes_no_sense_is_refused_before_any_request(
    case: VendorCase, hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path
) -> None:
    for options in case.refused_options:
        with pytest.raises(InvalidRequestError, match=hook.hook_name):
            save(hook, "b", tmp_path, **options)
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("emails", [[], "jane@example.com", ["a@example.com", ""], [None]])
def test_a_list_that_is_no_batch_is_refused_before_any_request(
    hook: EmailVerifyHook, sandbox: SandboxServer, emails: Any
) -> None:
    with pytest.raises(InvalidRequestError, match="A batch"):
        hook.submit_batch(emails)
    assert sandbox.ledger.count() == 0


def test_more_addresses_than_the_vendor_takes_are_refused_before_any_request(
    hook: EmailVerifyHook, sandbox: SandboxServer
) -> None:
    if limit := hook.max_batch_size:
        with pytest.raises(InvalidRequestError, match=f"{limit:,} addresses a batch, not {limit + 1:,}"):
            hook.submit_batch([f"u{number}@example.com" for number in range(limit + 1)])
    assert sandbox.ledger.count() == 0


def test_what_the_vendor_does_not_have_says_so(case: VendorCase, hook: EmailVerifyHook) -> None:
    for call in case.has_not:
        with pytest.raises(UnsupportedOperationError, match=f"{hook.hook_name} documents no call"):
            getattr(hook, call)(*([] if call == "get_credits" else ["x"]))


@pytest.mark.parametrize("batch_id", ["a/b", "../..", "..", ".", "a b", "ü%2F?#&", "list_12345"])
def test_a_batch_id_is_one_segment_whatever_it_holds(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, batch_id: str
) -> None:
    sandbox.ledger.create_batch(hook.conn_type, EMAILS, batch_id=batch_id, ready_after=0.0)

    assert hook.get_batch_status(batch_id).batch_id == batch_id
    assert save(hook, batch_id, tmp_path)[0] == 3


@pytest.mark.parametrize("batch_id", ["", "  ", None])
def test_an_empty_batch_id_is_refused_before_any_request(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, batch_id: Any
) -> None:
    with pytest.raises(InvalidRequestError, match=r"batch.id"):
        hook.get_batch_status(batch_id)
    with pytest.raises(InvalidRequestError, match=r"batch.id"):
        save(hook, batch_id, tmp_path)
    assert sandbox.ledger.count() == 0


# --- one request a question: the poller and the submission take the turn for it beforehand ---


def test_a_question_for_the_status_is_one_request(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    sandbox.ledger.create_batch(hook.conn_type, EMAILS, batch_id="b", ready_after=0.0)

    hook.get_batch_status("b")

    assert sandbox.ledger.count() == 1


def test_a_submission_is_one_request(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    hook.submit_batch(EMAILS, name="n")

    assert sandbox.ledger.count() == 1


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
    case: VendorCase,
    hook: EmailVerifyHook,
    sandbox: SandboxServer,
    tmp_path: Path,
    fault: dict[str, Any],
    expected: type[EmailVerifyError],
    operation: str,
) -> None:
    batch_id = hook.submit_batch(EMAILS, name="n")
    asked = "status" if operation == "status" else case.fetches
    sandbox.faults.add(vendor=hook.conn_type, operation=asked, **fault)
    if asked == "link" and fault["kind"] in ANSWERS_OF_A_LINK:
        expected = VendorUnavailableError
    expected = case.meanings.get(f"{asked} {fault['kind']}", case.meanings.get(fault["kind"], expected))

    with pytest.raises(expected) as caught:
        hook.get_batch_status(batch_id) if operation == "status" else save(hook, batch_id, tmp_path)

    assert caught.type is expected
    assert str(caught.value).startswith(f"{hook.hook_name} (connection '{hook.conn_id}'), batch {batch_id!r}")


@pytest.mark.parametrize("encoding", ["length", "chunked"])
def test_a_cut_download_is_tried_again_from_its_beginning(
    case: VendorCase, sandbox: SandboxServer, connect: Connect, tmp_path: Path, encoding: str, clock: Clock
) -> None:
    hook = EmailVerifyHook.get_hook(connect(case.vendor, case.url(sandbox), max_attempts=3))
    batch_id = hook.submit_batch(EMAILS, name="n")
    sandbox.faults.add(vendor=case.vendor, operation=case.fetches, kind="truncate", encoding=encoding, times=2)

    assert save(hook, batch_id, tmp_path)[0] == 3


def test_a_download_that_is_cut_every_time_is_an_error_and_leaves_nothing(
    case: VendorCase, hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path
) -> None:
    batch_id = hook.submit_batch(EMAILS, name="n")
    sandbox.faults.add(operation=case.fetches, kind="truncate")

    with pytest.raises(IncompleteResponseError):
        save(hook, batch_id, tmp_path)
    assert list((tmp_path / "landed").glob("*")) == []


@pytest.mark.parametrize("fault", ["reset", "accept_then_reset", "server_error", "truncate", "wrong_shape"])
def test_a_submission_of_unknown_fate_is_never_sent_twice(
    case: VendorCase, sandbox: SandboxServer, connect: Connect, fault: str
) -> None:
    hook = EmailVerifyHook.get_hook(connect(case.vendor, case.url(sandbox), max_attempts=4))
    sandbox.faults.add(operation="submit", kind=fault)

    with pytest.raises(SubmissionUnknownError, match="may have been accepted"):
        hook.submit_batch(EMAILS, name="n")
    assert sandbox.ledger.count(hook.conn_type, "submit") == 1


@pytest.mark.parametrize("key", ["invalid-key", "forbidden-key"])
def test_a_wrong_key_is_an_authentication_error(
    case: VendorCase, sandbox: SandboxServer, connect: Connect, key: str
) -> None:
    hook = EmailVerifyHook.get_hook(connect(case.vendor, case.url(sandbox), key=key))

    with pytest.raises(AuthenticationError, match="Check that the connection's Password"):
        hook.submit_batch(EMAILS, name="n")


def test_the_id_of_a_new_batch_is_found_or_its_fate_is_unknown(
    case: VendorCase, raw_server: RawServer, connect: Connect
) -> None:
    hook = EmailVerifyHook.get_hook(connect(case.vendor, raw_server.url))

    for answer, batch_id in case.accepted:
        raw_server.answer(respond(json.dumps(answer).encode()))
        if batch_id:
            assert hook.submit_batch(EMAILS, name="n") == batch_id
        else:
            with pytest.raises(SubmissionUnknownError):
                hook.submit_batch(EMAILS, name="n")


# --- states ---


def test_the_vendors_words_become_ours(case: VendorCase, raw_server: RawServer, connect: Connect) -> None:
    hook = EmailVerifyHook.get_hook(connect(case.vendor, raw_server.url))

    for word, state in case.words.items():
        raw_server.answer(respond(json.dumps(case.status_answer(word)).encode()))
        status = hook.get_batch_status("b")
        assert (status.state, status.known, status.vendor_status) == (state, True, word)


def test_a_word_that_nobody_has_seen_means_not_yet(case: VendorCase, raw_server: RawServer, connect: Connect) -> None:
    if not case.words:
        pytest.skip("this vendor has no word for the state of a batch")
    hook = EmailVerifyHook.get_hook(connect(case.vendor, raw_server.url))
    raw_server.answer(respond(json.dumps(case.status_answer("brand-new word")).encode()))

    status = hook.get_batch_status("b")

    assert (status.state, status.known, status.vendor_status) == (BatchState.RUNNING, False, "brand-new word")


@pytest.mark.parametrize("word", [None, 7, "", " ", [], {}])
def test_a_status_that_is_no_word_is_no_useful_answer(
    case: VendorCase, raw_server: RawServer, connect: Connect, word: Any
) -> None:
    if not case.words:
        pytest.skip("this vendor has no word for the state of a batch")
    hook = EmailVerifyHook.get_hook(connect(case.vendor, raw_server.url))
    raw_server.answer(respond(json.dumps(case.status_answer(word)).encode()))

    with pytest.raises(TransientError):
        hook.get_batch_status("b")


# --- results that are none ---


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_an_early_download_can_be_retried_whatever_status_the_vendor_gives_it(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, status: int
) -> None:
    batch_id = sandbox.ledger.create_batch(hook.conn_type, EMAILS, ready_after=60.0).batch_id
    kind = "not_found" if status == 404 else "unprocessable"
    sandbox.faults.add(vendor=hook.conn_type, operation="download", kind=kind)

    with pytest.raises(BatchNotReadyError) as caught:
        save(hook, batch_id, tmp_path)
    assert issubclass(caught.type, TransientError)


def test_a_vendor_whose_rows_nobody_has_written_down_keeps_its_own_format(case: VendorCase, connect: Connect) -> None:
    class Newcomer(case.hook):  # type: ignore[name-defined, misc]
        """A third party's vendor."""

        layout = None

    hook = Newcomer(connect(case.vendor, ""))
    file = VendorFile(batch_id="b", about="b", content=io.BytesIO(b"{}"), media_type="application/json")

    with pytest.raises(
        UnsupportedOperationError, match="cannot be read as rows of the schema; use output_format='vendor'"
    ):
        hook.read_results(file)


# --- the key, and the Test button ---


def test_the_key_and_the_addresses_are_seen_by_nobody_but_the_vendor(
    hook: EmailVerifyHook, sandbox: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Log level DEBUG, and an answer that repeats the key."""
    with caplog.at_level(logging.DEBUG):
        batch_id = hook.submit_batch(EMAILS, name="n")
        hook.get_batch_status(batch_id)
        save(hook, batch_id, tmp_path)
        sandbox.faults.add(kind="echo_key")
        with pytest.raises(EmailVerifyError) as caught:
            hook.get_batch_status(batch_id)

    told = f"{caplog.text}\n{caught.value}\n{caught.value.__context__}\n{vars(hook)}\n{hook.client!r}"
    assert not [spelling for spelling in renderings(AWKWARD_KEY) if spelling in told]
    assert not [email for email in EMAILS if email in told]


def test_a_good_connection_tests_well_and_spends_nothing(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    works, message = hook.test_connection()

    assert works, message
    assert not sandbox.ledger.charged()


@pytest.mark.parametrize("key", ["invalid-key", None])
def test_a_bad_connection_tests_badly_with_the_fix_and_without_the_key(
    case: VendorCase, sandbox: SandboxServer, connect: Connect, key: str | None
) -> None:
    works, message = case.hook(connect(case.vendor, case.url(sandbox), key=key)).test_connection()

    assert not works
    assert "Password" in message
    assert "invalid-key" not in message
    assert "onnection '" not in message
    assert "?" not in message


def test_a_vendor_that_hangs_or_is_down_is_told_at_once_in_words_that_fit_a_form(
    case: VendorCase, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(3)

    monkeypatch.setattr("airflow_provider_emailverify.hooks.base.IN_A_FORM", CallPolicy(1, False, timeout=0.3))
    with RawServer() as server:
        server.behaviours = [hang]
        started = time.monotonic()
        works, message = case.hook(connect(case.vendor, server.url)).test_connection()
        asked = server.connections

    assert not works
    assert asked == 1
    assert time.monotonic() - started < 10
    assert "clear the task" not in message
    assert "connection '" not in message


def test_a_vendor_that_cannot_be_reached_is_told_in_the_form_with_what_to_check(
    case: VendorCase, connect: Connect
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    works, message = case.hook(connect(case.vendor, f"http://127.0.0.1:{port}")).test_connection()

    assert not works
    assert "cannot be reached. Check Host, or try again later." in message
    assert "batch '" not in message


def test_the_test_never_raises(case: VendorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{case.vendor.upper()}_DEFAULT", f"{case.vendor}://:k3y@[broken")

    works, message = case.hook().test_connection()

    assert not works
    assert "k3y" not in message
