"""The submit operator: what it refuses before it spends, what it spends, and what a later try spends again."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    RateLimitedError,
    StorageError,
    SubmissionStoppedError,
    TransientError,
)
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.steps.state import InMemoryStore
from airflow_provider_emailverify.steps.submission import BatchNames
from tests.clock import Clock
from tests.conftest import AWKWARD_KEY
from tests.unit.lists.test_addresses import AWKWARD

EMAILS = [f"user{number}@example.com" for number in range(6)]


class Ti(SimpleNamespace):
    """As much of a task instance as the operator uses."""

    def __init__(self, try_number: int = 1) -> None:
        super().__init__(dag_id="d", run_id="r", task_id="submit", map_index=-1, try_number=try_number, pushed={})

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Task:
    """A submit task over all its tries: what Airflow keeps of it is the state store."""

    def __init__(self, source: Path, conn_id: str) -> None:
        self.source = source
        self.conn_id = conn_id
        self.store = InMemoryStore()
        self.tries = 0
        self.summary: dict[str, Any] = {}

    def attempt(self, context: Any = None, **arguments: Any) -> list[str]:
        """Run a try in what could be a new process, and return the batch ids."""
        self.tries += 1
        ti = Ti(self.tries)
        operator = EmailVerifySubmitOperator(
            **{
                "task_id": "submit",
                "source": f"file://{self.source}",
                "conn_id": self.conn_id,
                "batch_size": 2,
                **arguments,
            }
        )
        try:
            return operator.execute(context or {"ti": ti, "task_state_store": self.store})
        finally:
            self.summary = ti.pushed.get("summary", {})


@pytest.fixture(params=["proofy", "cliova"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
def make_task(sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path) -> Callable[..., Task]:
    """Make a submit task of a vendor and a list."""

    def make(vendor: str = "cliova", emails: Sequence[str] = EMAILS, **connection: Any) -> Task:
        path = tmp_path / "list.txt"
        path.write_text("\n".join(emails))
        return Task(path, connect(vendor, f"{sandbox.url}/{vendor}/v1", **connection))

    return make


def sent(sandbox: SandboxServer) -> list[list[str]]:
    return [list(batch.addresses) for batch in sandbox.ledger.batches()]


def submissions(sandbox: SandboxServer) -> int:
    return sandbox.ledger.count(operation="submit")


# --- what is submitted ---


def test_a_file_becomes_batches_whose_ids_are_returned(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task(vendor)

    assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches(vendor)]
    assert sent(sandbox) == [EMAILS[:2], EMAILS[2:4], EMAILS[4:]]


def test_the_summary_counts_what_was_read_kept_and_submitted(make_task: Callable[..., Task]) -> None:
    task = make_task(emails=[*EMAILS, "USER0@example.com", "user0@EXAMPLE.com", "none"])

    task.attempt()

    assert task.summary == {"read": 9, "dropped": 1, "unique": 7, "submitted": 7, "batches": 4, "resumed": 0}
    assert json.loads(json.dumps(task.summary)) == task.summary


def test_awkward_addresses_reach_the_vendor_unchanged(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task(vendor, AWKWARD).attempt(batch_size=1000)

    assert sent(sandbox) == [AWKWARD]


def test_the_batch_size_is_the_vendors_limit_or_ten_thousand(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task(vendor, [f"user{number}@example.com" for number in range(10_001)]).attempt(batch_size=None)

    assert [len(batch) for batch in sent(sandbox)] == [10_000, 1]


def test_a_file_without_addresses_is_no_error(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    assert make_task(emails=["none"]).attempt() == []
    assert sandbox.ledger.count() == 0


def test_arguments_that_a_template_made_text_are_understood(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task().attempt(batch_size="3", max_emails=" 6 ", source_format="lines")

    assert [len(batch) for batch in sent(sandbox)] == [3, 3]


# --- what is refused before anything is spent ---


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"max_emails": 5}, "more than 5 addresses, which is max_emails"),
        ({"max_emails": 0}, "max_emails is a whole number of at least 1, not 0"),
        ({"batch_size": "many"}, "batch_size is a whole number of at least 1, not 'many'"),
        ({"batch_size": 10_001}, "Proofy takes 10,000 addresses a batch"),
        ({"on_unknown_submission": "ignore"}, "'fail' or 'resubmit', not 'ignore'"),
        ({"source": " "}, "source is empty"),
        ({"source_format": "csv"}, "source_format='lines'"),
    ],
)
def test_what_makes_no_sense_is_refused_without_a_retry(
    make_task: Callable[..., Task], sandbox: SandboxServer, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(AirflowFailException, match=re.escape(says)):
        make_task("proofy").attempt(**arguments)

    assert submissions(sandbox) == 0


def test_a_source_that_is_not_there_may_come_with_a_retry(make_task: Callable[..., Task], tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        make_task().attempt(source=f"file://{tmp_path}/later.txt")


def test_too_few_credits_are_noticed_before_they_are_spent(connect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=5) as poor:
        task = Task(tmp_path / "list.txt", connect("proofy", poor.proofy_url))

        with pytest.raises(AirflowFailException, match="has 5 credits, and 6 addresses are still to be submitted"):
            task.attempt()

        assert submissions(poor) == 0


def test_only_what_is_still_to_be_submitted_has_to_be_affordable(
    connect: Callable[..., str], clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=7) as vendor:
        task = Task(tmp_path / "list.txt", connect("proofy", vendor.proofy_url))
        vendor.faults.add(operation="submit", kind="rate_limit", skip=1, times=1)
        with pytest.raises(RateLimitedError):
            task.attempt()

        assert len(task.attempt()) == 3


def test_the_vendor_decides_about_credits_if_that_is_wanted(connect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=5) as poor:
        task = Task(tmp_path / "list.txt", connect("proofy", poor.proofy_url))

        with pytest.raises(AirflowFailException, match=r"batch 3 of 3 \(2 addresses\).*Not enough credits"):
            task.attempt(check_credits=False)

        assert len(poor.ledger.batches()) == 2
        assert poor.ledger.count(operation="credits") == 0


def test_more_batches_than_airflow_maps_over_are_refused_before_they_are_paid_for(
    make_task: Callable[..., Task], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    task = make_task()
    with DAG("d", schedule=None):
        submit = EmailVerifySubmitOperator(
            task_id="submit", source=f"file://{task.source}", conn_id=task.conn_id, batch_size=2
        )
        EmailVerifyBatchSensor.partial(task_id="each", conn_id=task.conn_id).expand(batch_id=submit.output)

    with pytest.raises(AirflowFailException, match=r"3 batches, and Airflow maps over 2 at most.*max_map_length"):
        submit.execute({"ti": Ti(), "task_state_store": task.store})  # type: ignore[typeddict-item]

    assert submissions(sandbox) == 0
    assert len(task.attempt()) == 3  # nothing is mapped over this one


# --- what another try does ---


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
    assert sent(sandbox) == [EMAILS[:2], EMAILS[2:4], EMAILS[4:]]


@pytest.mark.parametrize(
    ("fault", "params"),
    [("accept_then_reset", {}), ("server_error", {}), ("truncate", {}), ("wrong_shape", {"shape": "object"})],
)
def test_a_batch_whose_fate_is_unknown_is_not_sent_again(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer, fault: str, params: dict[str, Any]
) -> None:
    task = make_task(vendor)
    sandbox.faults.add(operation="submit", kind=fault, skip=1, times=1, **params)

    for _ in range(2):
        with pytest.raises(AirflowFailException) as caught:
            task.attempt()

    assert submissions(sandbox) == 2
    for words in ("batch 2 of 3", "up to 2 credits", "emailverify_batch_00002", "resubmit", "clear the task"):
        assert words in str(caught.value)


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
        with pytest.raises(AirflowFailException, match="its answer is lost"):
            task.attempt()


def test_the_user_can_tell_what_became_of_a_batch(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    lost = sandbox.ledger.batches()[1]

    task.store.set("emailverify_batch_00002", lost.batch_id)

    assert task.attempt()[1] == lost.batch_id
    assert sandbox.ledger.charged_more_than_once() == []


def test_a_vendor_that_can_be_asked_is_asked(
    make_task: Callable[..., Task], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_batch(_hook: CliovaHook, name: str) -> str | None:
        return next((batch.batch_id for batch in sandbox.ledger.batches() if batch.name == name), None)

    monkeypatch.setattr(CliovaHook, "find_batch", find_batch)  # as a vendor with such a call would have it
    for fault in ("accept_then_reset", "reset"):
        sandbox.ledger.reset()
        sandbox.faults.add(operation="submit", kind=fault, skip=1, times=1)
        task = make_task()
        with pytest.raises(AirflowFailException):
            task.attempt()

        assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches()]
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

    with pytest.raises(AirflowFailException, match=f"since then {changed} changed"):
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

    assert len(task.store._values) == 3
    assert "@" not in json.dumps(task.store._values)


# --- before Airflow 3.3 ---


def test_without_a_state_store_the_first_try_warns(
    make_task: Callable[..., Task], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(make_task().attempt({"ti": Ti()})) == 3

    # Airflow 3 writes a task's log with structlog, past the standard library.
    assert "Airflow before 3.3 does not keep what this try submits" in caplog.text + capsys.readouterr().out


def test_without_a_state_store_a_second_try_submits_nothing_unless_that_is_wanted(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    with pytest.raises(AirflowFailException, match="This is try 2"):
        task.attempt({"ti": Ti(2)})
    assert submissions(sandbox) == 0

    assert len(task.attempt({"ti": Ti(2)}, on_unknown_submission="resubmit")) == 3


# --- when the task is killed ---


class KillingStore(InMemoryStore):
    """Kill the task, as Airflow's signal handler does, when a certain thing is written."""

    operator: EmailVerifySubmitOperator
    when: Callable[[str, Any], bool]

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        super().set(key, value, retention=retention)
        if self.when(key, value):
            self.operator.on_kill()


def kill(task: Task, when: Callable[[str, Any], bool], **arguments: Any) -> KillingStore:
    store = KillingStore()
    store.when = when
    store.operator = EmailVerifySubmitOperator(
        task_id="submit", source=f"file://{task.source}", conn_id=task.conn_id, batch_size=2, **arguments
    )
    with pytest.raises(SubmissionStoppedError):
        store.operator.execute({"ti": Ti(), "task_state_store": store})  # type: ignore[typeddict-item]
    return store


def second_batch_is_accepted(key: str, value: Any) -> bool:
    return key == "emailverify_batch_00002" and isinstance(value, str)


def test_a_killed_task_submits_no_further_batch_and_goes_on_when_it_is_cleared(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task("proofy")

    task.store = kill(task, second_batch_is_accepted)

    assert submissions(sandbox) == 2
    assert sandbox.ledger.count(operation="cancel") == 0
    task.store.when = lambda _key, _value: False
    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged_more_than_once() == []


def test_a_killed_task_cancels_what_it_submitted_if_that_is_wanted(connect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(ready_after=3600) as vendor:
        task = Task(tmp_path / "list.txt", connect("proofy", vendor.proofy_url))

        task.store = kill(task, second_batch_is_accepted, cancel_on_kill=True)

        assert [batch.state for batch in vendor.ledger.batches()] == ["cancelled", "cancelled"]
        task.store.when = lambda _key, _value: False
        with pytest.raises(AirflowFailException, match="batch 1 of 3"):  # what was cancelled is no result
            task.attempt()


def test_cancelling_does_not_wait_for_the_turns_that_submitting_has_taken(
    connect: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(ready_after=3600) as vendor:
        conn_id = connect("proofy", vendor.proofy_url, requests_per_minute=2)
        task = Task(tmp_path / "list.txt", conn_id)
        started = time.monotonic()

        kill(task, second_batch_is_accepted, cancel_on_kill=True, check_credits=False)

        assert time.monotonic() - started < 5  # as long as Airflow leaves a task that it kills
        assert [batch.state for batch in vendor.ledger.batches()] == ["cancelled", "cancelled"]


def test_a_vendor_that_cannot_cancel_is_said_to_be_one(
    make_task: Callable[..., Task], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        kill(make_task("cliova"), second_batch_is_accepted, cancel_on_kill=True)

    assert "was not cancelled: Cliova documents no call to cancel a batch" in caplog.text


def test_a_kill_outside_of_the_submission_does_nothing() -> None:
    EmailVerifySubmitOperator(task_id="submit", source="s", conn_id="c", cancel_on_kill=True).on_kill()


# --- names, logs ---


def test_batch_names_are_the_same_in_every_try_and_differ_between_instances() -> None:
    identities = [
        ("d", "r", "t", -1),
        ("d", "r", "t", 0),
        ("d", "r", "t", 1),
        ("d", "r2", "t", -1),
        ("d", "r", "t2", -1),
    ]
    names = [BatchNames(*identity)[number] for identity in identities for number in (1, 2)]

    assert names == [BatchNames(*identity)[number] for identity in identities for number in (1, 2)]
    assert len(set(names)) == len(names)


def test_batch_names_are_short_and_plain() -> None:
    name = BatchNames("dag ü/?&" * 30, "scheduled__2026-01-01T00:00:00+00:00", "group.task" * 20, 7)[123]

    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,110}", name)


def test_no_log_holds_an_address_or_the_key(
    vendor: str,
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        task = make_task(vendor, [*EMAILS, "no address, not@all"])
        sandbox.faults.add(operation="submit", kind="echo_key", skip=1, times=1)
        with pytest.raises(AirflowFailException) as caught:
            task.attempt()
        task.attempt()

    told = caplog.text + capsys.readouterr().out + str(caught.value)
    assert "was accepted, id" in told
    assert "@" not in told
    assert AWKWARD_KEY not in told
