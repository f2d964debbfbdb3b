"""A second try of the submit operator: nothing is bought again, and nothing is left out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import (
    ConnectionConfigError,
    EmailVerifyError,
    StorageError,
    TransientError,
)
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.settings import Readings
from tests.clock import Clock
from tests.raw_server import RawServer, respond
from tests.submit_task import BATCHES, EMAILS, Task, sent, submissions

PLAN = "emailverify_plan"


def key(number: int) -> str:
    return f"emailverify_batch_{number:05d}"


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


def test_a_second_try_submits_nothing_again(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task(vendor)
    first = task.attempt()

    assert task.attempt() == first
    assert submissions(sandbox) == 3
    assert task.summary["resumed"] == task.summary["batches"] == 3


@pytest.mark.parametrize("fault", ["rate_limit", "no_credits", "unauthorized", "unprocessable"])
def test_a_batch_that_the_vendor_refused_is_sent_by_the_next_try(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer, clock: Clock, fault: str
) -> None:
    task = make_task(vendor)
    sandbox.faults.add(operation="submit", kind=fault, skip=1, times=1)

    with pytest.raises((EmailVerifyError, AirflowFailException), match=r"batch 2 of 3 \(2 addresses\)"):
        task.attempt()

    assert len(task.attempt()) == 3
    assert sent(sandbox) == BATCHES


@pytest.mark.parametrize(
    ("fault", "params"),
    [("accept_then_reset", {}), ("server_error", {}), ("truncate", {}), ("wrong_shape", {"shape": "object"})],
)
def test_a_batch_whose_fate_is_unknown_is_not_sent_again(
    vendor: str,
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    fault: str,
    params: dict[str, Any],
) -> None:
    task = make_task(vendor)
    sandbox.faults.add(operation="submit", kind=fault, skip=1, times=1, **params)

    for _ in range(2):
        caplog.clear()
        with pytest.raises(AirflowFailException, match=r"batch 2 of 3 \(2 addresses\): nobody knows"):
            task.attempt()

    assert submissions(sandbox) == 2
    for words in ("up to 2 credits", "emailverify_batch_00002", "'resubmit'", "3. Clear the task"):
        assert words in caplog.text


def test_what_there_is_to_do_about_a_doubt_is_logged_in_short_lines(
    make_task: Callable[..., Task], sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="accept_then_reset", times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    caplog.clear()

    with pytest.raises(AirflowFailException) as caught:
        task.attempt()

    lines = errors(caplog)
    assert lines == [
        "Nobody knows whether this batch was accepted:",
        "Cliova (connection 'cliova_default'), batch 1 of 3 (2 addresses)",
        "An earlier try began to submit it, and its answer is lost.",
        "Cliova may have accepted it and charged up to 2 credits.",
        "1. Look for it in the vendor's dashboard, by its name or its 2 addresses. Its name is",
        f"   {sandbox.ledger.batches()[0].name}",
        "2. If it is there, set this task's state key 'emailverify_batch_00001'",
        "   to its id, a JSON string; if it is not, to false.",
        "   The task's tab Storage, Task State Store, does it, with the expiration Never.",
        "3. Clear the task. If Airflow asks whether to keep its state, keep it.",
        "Or set on_unknown_submission='resubmit', clear the task, and risk paying twice.",
    ]
    assert max(map(len, lines)) <= 88
    assert len(str(caught.value)) < 130


def test_a_batch_without_a_name_is_looked_for_by_its_time_and_size(
    make_task: Callable[..., Task], sandbox: SandboxServer, task_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Proofy's batches have no names. The first try says the same as the second, which reads when it was sent."""
    task_clock.epoch = 1_796_119_200.0
    task = make_task("proofy", EMAILS[:5], requests_per_minute=1_000_000)
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=2, times=1)

    for _ in range(2):
        caplog.clear()
        with pytest.raises(AirflowFailException):
            task.attempt()
        task_clock.now += 3600

        lines = errors(caplog)
        assert lines[-9:] == [
            "Proofy may have accepted it and charged up to 1 credit.",
            "1. Look for it in the vendor's dashboard, or ask its support. It has no name, but",
            "   1 address, and was sent at 2026-12-01 10:00:00 UTC.",
            "   It is none of those whose ids the logs of this task tell.",
            "2. If it is there, set this task's state key 'emailverify_batch_00003'",
            "   to its id, a JSON string; if it is not, to false.",
            "   The task's tab Storage, Task State Store, does it, with the expiration Never.",
            "3. Clear the task. If Airflow asks whether to keep its state, keep it.",
            "Or set on_unknown_submission='resubmit', clear the task, and risk paying twice.",
        ]
        assert "d-submit" not in caplog.text


def test_the_time_of_a_batch_whose_own_record_is_gone_is_told_as_the_latest(
    make_task: Callable[..., Task], task_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    task_clock.epoch = 1_796_119_200.0
    task = make_task("proofy", requests_per_minute=1_000_000)
    task.attempt()
    del task.store.values[key(2)]

    with pytest.raises(AirflowFailException):
        task.attempt()

    assert "   2 addresses, and was sent at 2026-12-01 10:00:00 UTC or before." in errors(caplog)


@pytest.mark.parametrize(
    ("vendor", "emails", "told"),
    [
        ("cliova", 5, ["Their names begin with", "   d-submit-"]),
        ("zerobounce", 5, ["Their names begin with", "   d-submit-"]),
        (
            "proofy",
            5,
            ["   no names, but 2 addresses each (the last one 1), and came while earlier tries ran."],
        ),
        ("emailable", 4, ["   no names, but 2 addresses each, and came while earlier tries ran."]),
        ("bouncer", 2, ["   name, but 2 addresses, and came while an earlier try ran."]),
    ],
)
def test_where_all_records_are_gone_the_words_fit_the_vendor(
    make_task: Callable[..., Task],
    caplog: pytest.LogCaptureFixture,
    vendor: str,
    emails: int,
    told: list[str],
) -> None:
    task = make_task(vendor, EMAILS[:emails])
    task.tries = 1

    with pytest.raises(AirflowFailException, match="no record of what earlier tries bought"):
        task.attempt()

    said = "\n".join(errors(caplog))
    assert all(words in said for words in told)
    assert ("d-submit" in said) == ("names begin" in told[0])


@pytest.mark.parametrize("vendor", ["kickbox", "zerobounce"])
def test_a_name_is_told_as_the_vendor_shows_it(
    make_task: Callable[..., Task], sandbox: SandboxServer, caplog: pytest.LogCaptureFixture, vendor: str
) -> None:
    sandbox.faults.add(operation="submit", kind="accept_then_reset", times=1)

    with pytest.raises(AirflowFailException):
        make_task(vendor).attempt()

    assert f"   {sandbox.ledger.batches()[0].name}" in errors(caplog)
    assert sandbox.ledger.batches()[0].name.endswith("-00001.csv")


@pytest.mark.parametrize("vendor", ["mailgun", "millionverifier", "neverbounce", "verifalia"])
def test_where_the_vendor_can_be_asked_a_person_has_only_to_clear_the_task(
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    vendor: str,
) -> None:
    task = make_task(vendor)
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)

    with pytest.raises(AirflowFailException, match="nobody knows whether it was accepted"):
        task.attempt()

    steps = [line for line in errors(caplog) if line[:2] in ("1.", "2.", "Or")]
    assert steps == ["1. Clear the task. If Airflow asks whether to keep its state, keep it."]
    assert "dashboard" not in caplog.text
    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_a_batch_whose_fate_is_unknown_is_sent_by_the_next_try_if_that_is_wanted(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task(vendor)
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)

    with pytest.raises(TransientError, match="next try submits it again"):
        task.attempt(on_unknown_submission="resubmit")
    assert len(task.attempt(on_unknown_submission="resubmit")) == 3

    assert sandbox.ledger.charged_more_than_once() == EMAILS[2:4]


def test_a_vendor_that_refuses_a_name_twice_is_not_paid_twice_even_if_that_is_wanted(
    connect: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(readings=Readings(cliova_duplicate_name="409")) as strict:
        task = Task(tmp_path / "list.txt", connect("cliova", strict.cliova_url))
        strict.faults.add(operation="submit", kind="accept_then_reset", times=1)
        with pytest.raises(TransientError):
            task.attempt(on_unknown_submission="resubmit")

        with pytest.raises(TransientError, match=r"already exists.*may have been accepted"):
            task.attempt(on_unknown_submission="resubmit")

        assert strict.ledger.charged_more_than_once() == []
        with pytest.raises(AirflowFailException, match="nobody knows whether it was accepted"):
            task.attempt()


def test_the_user_can_tell_what_became_of_a_batch(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    lost = sandbox.ledger.batches()[1]

    task.store.set(key(2), lost.batch_id)

    assert task.attempt()[1] == lost.batch_id
    assert sandbox.ledger.charged_more_than_once() == []


def test_the_user_can_tell_that_a_batch_never_arrived(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()

    task.store.set(key(2), False)

    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


@pytest.mark.parametrize(
    ("emails", "arguments", "changed"),
    [
        ([*EMAILS, "new@example.com"], {}, "emails and sha256"),
        ([*EMAILS[1:], EMAILS[0]], {}, "sha256"),
        (EMAILS, {"batch_size": 3}, "batch_size"),
    ],
)
def test_a_list_that_changed_between_two_tries_is_refused(
    make_task: Callable[..., Task], sandbox: SandboxServer, emails: list[str], arguments: dict[str, Any], changed: str
) -> None:
    task = make_task()
    task.attempt()
    task.source.write_text("\n".join(emails))

    with pytest.raises(AirflowFailException, match=f"{changed} changed since an earlier try"):
        task.attempt(**arguments)

    assert submissions(sandbox) == 3


def test_a_list_of_which_nothing_was_submitted_may_change(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="no_credits", times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    task.source.write_text("other@example.com")

    assert len(task.attempt()) == 1


def test_no_address_gets_into_the_state_store(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()

    assert len(task.store.values) == 3
    assert "@" not in json.dumps(task.store.values)


def test_without_a_state_store_the_first_try_warns(
    make_task: Callable[..., Task], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    task = make_task()
    task.store = None

    with caplog.at_level(logging.WARNING):
        assert len(task.attempt()) == 3

    # Airflow 3 writes a task's log with structlog, past the standard library.
    assert "Airflow before 3.3 does not keep what this try submits" in caplog.text + capsys.readouterr().out


def test_without_a_state_store_a_second_try_submits_nothing_unless_that_is_wanted(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    task.store = None
    task.tries = 1
    with pytest.raises(AirflowFailException, match="This is try 2"):
        task.attempt()
    assert submissions(sandbox) == 0

    assert len(task.attempt(on_unknown_submission="resubmit")) == 3


# --- records that are gone ---


def test_a_try_that_bought_nothing_is_no_reason_to_stop(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    for arguments in ({"source": "file:///nowhere.txt"}, {"source": " "}, {"conn_id": "nowhere"}):
        with pytest.raises((EmailVerifyError, AirflowFailException)):
            task.attempt(**arguments)

    assert len(task.attempt()) == 3


def test_what_cannot_be_sent_is_not_written_down(
    make_task: Callable[..., Task], sandbox: SandboxServer, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task()
    with monkeypatch.context() as patched:
        patched.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
        connect("cliova", "https://localhost:1/v1")
        with pytest.raises(ConnectionConfigError, match="no request can be sent"):
            task.attempt()
    assert list(task.store.values) == [PLAN]
    connect("cliova", sandbox.cliova_url)

    assert len(task.attempt()) == 3


@pytest.mark.parametrize("gone", [[PLAN], [PLAN, key(1)], [key(1)], [key(3)], [PLAN, key(1), key(2), key(3)]])
def test_a_record_that_is_gone_is_no_proof_that_nothing_was_bought(
    make_task: Callable[..., Task], sandbox: SandboxServer, gone: list[str]
) -> None:
    task = make_task()
    task.attempt()
    for name in gone:
        del task.store.values[name]

    if gone == [PLAN]:  # the batches tell by themselves that all were bought
        assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
    else:
        with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
            task.attempt()
    assert submissions(sandbox) == 3


@pytest.mark.parametrize("gone", [[PLAN, key(1)], [PLAN, key(3)]])
def test_a_batch_that_was_bought_tells_that_this_is_not_the_first_try(
    make_task: Callable[..., Task], sandbox: SandboxServer, gone: list[str]
) -> None:
    task = make_task()
    task.attempt()
    task.tries = 0
    for name in gone:
        del task.store.values[name]

    with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
        task.attempt()
    assert submissions(sandbox) == 3


def test_a_task_whose_state_airflow_has_discarded_buys_nothing_until_a_person_says_so(
    make_task: Callable[..., Task], sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="no_credits", times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    task.store.values.clear()
    with pytest.raises(AirflowFailException, match="This is try 2, and there is no record of"):
        task.attempt()
    assert "2. If there are none, set this task's state key 'emailverify_plan'" in caplog.text

    task.store.set(PLAN, False)

    assert len(task.attempt()) == 3


def test_a_second_try_begins_when_the_first_one_never_ran(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    """A broker that lost its queue, a worker that died before the task began: Airflow counts that as a try."""
    task = make_task()
    task.clear_number = 0
    task.tries = 1

    assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert submissions(sandbox) == 3


@pytest.mark.parametrize("clear_number", [1, 7])
def test_a_second_try_of_a_run_that_was_cleared_begins_nothing_without_a_record(
    make_task: Callable[..., Task], sandbox: SandboxServer, clear_number: int
) -> None:
    task = make_task()
    task.clear_number = clear_number
    task.tries = 1

    with pytest.raises(AirflowFailException, match="This is try 2, and there is no record of"):
        task.attempt()
    assert submissions(sandbox) == 0


def test_a_second_try_where_nothing_is_kept_begins_nothing(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    task.clear_number, task.store, task.tries = 0, None, 1

    with pytest.raises(AirflowFailException, match="This is try 2, and there is no record of"):
        task.attempt()
    assert submissions(sandbox) == 0


@pytest.mark.parametrize("left", [1, 2, 3])
def test_a_second_try_that_finds_a_batch_but_no_plan_is_in_doubt(
    make_task: Callable[..., Task], sandbox: SandboxServer, left: int
) -> None:
    task = make_task()
    task.clear_number = 0
    task.attempt()
    for name in set(task.store.values) - {key(left)}:
        del task.store.values[name]

    with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
        task.attempt()
    assert submissions(sandbox) == 3


def test_a_person_can_tell_which_batches_were_bought_when_all_records_are_gone(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="no_credits", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    task.store.values.clear()
    task.store.set(PLAN, 3)
    with pytest.raises(AirflowFailException, match="batch 1 of 3"):
        task.attempt()

    for number, value in enumerate([sandbox.ledger.batches()[0].batch_id, False, False], 1):
        task.store.set(key(number), value)

    assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_a_store_that_loses_a_record_for_a_moment_is_asked_again(
    make_task: Callable[..., Task], sandbox: SandboxServer, task_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task()
    batch_ids = task.attempt()
    read = task.store.get
    lost = {PLAN, key(2)}

    def get(name: str) -> Any:
        if name in lost:  # an ingress answers in place of Airflow's API
            lost.remove(name)
            return None
        return read(name)

    monkeypatch.setattr(task.store, "get", get)

    assert task.attempt() == batch_ids
    assert submissions(sandbox) == 3
    assert 0 < task_clock.now < 30


def test_a_store_that_keeps_nothing_ends_the_task_before_anything_is_bought(
    make_task: Callable[..., Task], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task()
    monkeypatch.setattr(task.store, "set", lambda *_, **__: None)  # an ingress says 200 in place of Airflow's API

    with pytest.raises(TransientError, match="Airflow cannot keep this task's state now"):
        task.attempt()

    assert submissions(sandbox) == 0


@pytest.mark.parametrize("method", ["get", "set"])
def test_an_api_that_is_away_for_a_moment_is_waited_for(
    make_task: Callable[..., Task], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    task = make_task()
    works = getattr(task.store, method)
    calls = iter(range(1000))

    def flaky(*arguments: Any, **options: Any) -> Any:
        if next(calls) % 3:
            raise RuntimeError("API_SERVER_ERROR")
        return works(*arguments, **options)

    monkeypatch.setattr(task.store, method, flaky)

    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_an_id_that_cannot_be_recorded_is_told_to_the_user(
    make_task: Callable[..., Task], sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    task = make_task()

    def fail_from_now_on(name: str, _value: Any) -> None:
        if name == PLAN and sandbox.ledger.count() == 1:  # the second batch is about to be sent
            task.store.on_set = lambda *_: (_ for _ in ()).throw(RuntimeError("API_SERVER_ERROR"))

    task.store.on_set = fail_from_now_on
    with pytest.raises(AirflowFailException, match=r"batch 2 of 3.*: accepted, but its id was not recorded"):
        task.attempt()

    batch_id = sandbox.ledger.batches()[1].batch_id
    lines = errors(caplog)
    assert f"   {batch_id}" in lines
    assert "1. Set this task's state key 'emailverify_batch_00002'" in lines
    assert submissions(sandbox) == 2


# --- ids ---


class Vendor:
    """Cliova, as if it had a call to find a batch by its name."""

    def __init__(self, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = True
        self.found: str | None = None
        self.asked = 0
        self._sandbox = sandbox
        monkeypatch.setattr(CliovaHook, "find_batch", lambda _hook, name: self._find(name))

    def _find(self, name: str) -> str | None:
        self.asked += 1
        if self.found:
            return self.found
        batches = self._sandbox.ledger.batches() if self.known else []
        return next((batch.batch_id for batch in batches if batch.name == name), None)


@pytest.fixture
def asked(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """A vendor that can be asked for a batch by its name."""
    return Vendor(sandbox, monkeypatch)


def test_a_vendor_that_can_be_asked_is_asked(
    make_task: Callable[..., Task], sandbox: SandboxServer, asked: Vendor, task_clock: Clock
) -> None:
    for fault in ("accept_then_reset", "reset"):
        sandbox.ledger.reset()
        sandbox.faults.add(operation="submit", kind=fault, skip=1, times=1)
        task = make_task()
        with pytest.raises(AirflowFailException):
            task.attempt()
        task_clock.now += 601

        assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
        assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_not_found_settles_a_doubt_only_when_it_is_ten_minutes_old(
    make_task: Callable[..., Task], sandbox: SandboxServer, asked: Vendor, task_clock: Clock
) -> None:
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    task = make_task()
    with pytest.raises(AirflowFailException):
        task.attempt()
    asked.known = False  # the vendor is still taking it in

    task_clock.now += 500
    with pytest.raises(TransientError, match=r"may still be taking it in; ask again in \d+ s") as caught:
        task.attempt()
    assert caught.value.retry_after == pytest.approx(100, abs=2)
    asked.known = True

    assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_a_doubt_whose_record_is_gone_is_settled_after_ten_minutes_too(
    make_task: Callable[..., Task], sandbox: SandboxServer, asked: Vendor, task_clock: Clock
) -> None:
    task = make_task()
    with pytest.raises(StorageError):
        task.attempt(source="file:///nowhere.txt")
    task.store.values.clear()

    with pytest.raises(TransientError, match="ask again in 600 s"):
        task.attempt()
    task_clock.now += 300
    with pytest.raises(TransientError, match=r"ask again in 29\d s"):
        task.attempt()
    task_clock.now += 301

    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_the_id_of_another_batch_settles_no_doubt(
    make_task: Callable[..., Task], sandbox: SandboxServer, asked: Vendor
) -> None:
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    task = make_task()
    with pytest.raises(AirflowFailException):
        task.attempt()

    for asked.found in (sandbox.ledger.batches()[0].batch_id, " "):
        with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
            task.attempt()
    assert submissions(sandbox) == 2


@pytest.mark.parametrize("answer", ['{"code":"CREATED","payload":{"id":"7"}}', '{"payload":{"id":" "}}'])
def test_an_id_that_is_blank_or_another_batchs_is_refused(
    connect: Callable[..., str], raw_server: RawServer, tmp_path: Path, answer: str, task_clock: Clock
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    raw_server.answer(respond(b'{"payload":{"id":"7"}}'), respond(answer.encode()))
    task = Task(tmp_path / "list.txt", connect("cliova", raw_server.url))

    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"batch 2 of 3.*nobody knows whether it was accepted"):
            task.attempt()

    assert len(raw_server.requests) == 2


def test_an_id_that_a_person_gave_twice_is_refused(make_task: Callable[..., Task]) -> None:
    task = make_task()
    first = task.attempt()[0]
    task.store.set(key(3), first)

    with pytest.raises(AirflowFailException, match="batch 3 of 3"):
        task.attempt()


def test_a_number_that_a_person_gave_is_an_id(make_task: Callable[..., Task]) -> None:
    task = make_task()
    task.attempt()
    task.store.set(key(3), 4711)

    assert task.attempt()[2] == "4711"
