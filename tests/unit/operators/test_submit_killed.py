"""A submit task that is killed: at any moment it stops before the next batch."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

import airflow_provider_emailverify
from airflow_provider_emailverify.exceptions import SubmissionStoppedError
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.submit_task import EMAILS, Task, Ti, submissions

PACKAGE = str(Path(airflow_provider_emailverify.__file__).parent)
SANDBOX = str(Path(PACKAGE, "sandbox"))
PLAN = "emailverify_plan"


@contextmanager
def at_line(number: int, call: Callable[[], object] | None = None) -> Iterator[list[int]]:
    """
    Call something when so many lines of our package were run, as a signal handler would be called between two of them.

    Lines are counted from the first one of ``execute``. Yields a list with how many were run.
    """
    count = [-1]

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_filename.startswith(SANDBOX):
            return None
        if count[0] < 0 and frame.f_code.co_name == "execute":
            count[0] = 0
        if event == "line" and count[0] >= 0:
            count[0] += 1
            if call and count[0] == number:
                sys.settrace(None)
                call()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def begun(task: Task) -> int:
    """Return how many batches may have been sent."""
    return int(task.store.values.get(PLAN, {}).get("begun", 0))


def lines_of_a_whole_try(task: Task, **arguments: Any) -> int:
    task.attempt()  # imports
    task.store.values.clear()
    task.tries = 0
    with at_line(-1) as count:
        task.attempt(**arguments)
    task.store.values.clear()
    task.tries = 0
    return count[0]


@pytest.fixture
def slow_sandbox() -> Iterator[SandboxServer]:
    """Vendors whose batches take long, so that they can be cancelled."""
    with SandboxServer(ready_after=3600) as server:
        yield server


@pytest.mark.parametrize("cancel_on_kill", [False, True])
def test_a_kill_at_any_moment_stops_before_the_next_batch(
    connect: Callable[..., str], slow_sandbox: SandboxServer, tmp_path: Path, cancel_on_kill: bool, task_clock: Clock
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    task = Task(tmp_path / "list.txt", connect("proofy", slow_sandbox.proofy_url, requests_per_minute=1_000_000))
    lines = lines_of_a_whole_try(task, cancel_on_kill=cancel_on_kill)
    assert lines > 500

    for line in [1, 2, 3, *range(4, lines - 9, lines // 25), *range(lines - 9, lines + 1)]:
        slow_sandbox.ledger.reset()
        task.store.values.clear()
        task.tries = 0
        at_kill: list[int] = []

        def kill(at_kill: list[int] = at_kill) -> None:
            at_kill.append(max(begun(task), submissions(slow_sandbox)))
            task.kill()

        is_over = False
        with at_line(line, kill), suppress(SubmissionStoppedError):
            task.attempt(cancel_on_kill=cancel_on_kill)
            is_over = True

        if not at_kill:  # a try has some lines more or less
            assert line > lines - 60
            continue
        assert submissions(slow_sandbox) <= at_kill[0], f"it went on after line {line}"
        assert not is_over or line > lines - 60, f"it did not stop after line {line}"
        if "cancelled" in {batch.state for batch in slow_sandbox.ledger.batches()}:
            assert {batch.state for batch in slow_sandbox.ledger.batches()} == {"cancelled"}
            with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
                task.attempt()
        else:
            assert len(task.attempt()) == 3
            assert slow_sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1), f"killed at line {line}"


def test_a_kill_before_the_first_line_holds(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    """Airflow 3 installs its signal handler, and then renders the templates."""
    task = make_task()
    operator = EmailVerifySubmitOperator(
        task_id="submit", source=f"file://{task.source}", conn_id=task.conn_id, batch_size=2
    )
    context: Any = {"ti": Ti(), "task_state_store": task.store}
    operator.on_kill()

    with pytest.raises(SubmissionStoppedError, match="nothing was submitted yet"):
        operator.prepare_for_execution().execute(context)
    assert sandbox.ledger.count() == 0

    assert len(operator.execute(context)) == 3, "the next try of the same object is another one"


def test_a_kill_between_two_tries_of_one_object_holds(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task()
    sandbox.faults.add(operation="submit", kind="no_credits", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt()
    assert task.operator
    task.kill()

    with pytest.raises(SubmissionStoppedError):
        task.operator.execute({"ti": Ti(2), "task_state_store": task.store})  # type: ignore[typeddict-item]
    assert submissions(sandbox) == 2


@pytest.mark.parametrize("fault", [{"kind": "rate_limit", "retry_after": 30}, {"kind": "rate_limit"}])
def test_a_kill_in_a_pause_between_two_attempts_ends_it(
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    task_clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
) -> None:
    task = make_task(max_attempts=4)
    sandbox.faults.add(operation="submit", skip=1, times=1, **fault)
    monkeypatch.setattr(task_clock, "sleep", lambda _seconds: task.kill())

    with pytest.raises(SubmissionStoppedError, match="1 of 3 batches were submitted"):
        task.attempt()

    assert submissions(sandbox) == 2
    monkeypatch.undo()
    sandbox.faults.clear()


def test_a_killed_task_goes_on_when_it_is_cleared(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    task = make_task("proofy")
    task.store.on_set = lambda key, value: key == "emailverify_batch_00002" and "id" in value and task.kill()

    with pytest.raises(SubmissionStoppedError, match="2 of 3 batches were submitted"):
        task.attempt()

    assert submissions(sandbox) == 2
    assert sandbox.ledger.count(operation="cancel") == 0
    assert len(task.attempt()) == 3
    assert sandbox.ledger.charged_more_than_once() == []


def test_a_batch_that_was_not_sent_because_of_the_kill_is_in_no_doubt(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task()
    task.store.on_set = lambda key, _value: key == "emailverify_batch_00002" and task.kill()
    with pytest.raises(SubmissionStoppedError):
        task.attempt()
    assert submissions(sandbox) == 1
    task.store.on_set = lambda _key, _value: None

    assert len(task.attempt()) == 3


def kill_after_two(
    connect: Callable[..., str], vendor: SandboxServer, folder: Path, name: str = "proofy", **connection: Any
) -> Task:
    """Run a task that is killed when its second batch is accepted, and that cancels then."""
    (folder / "list.txt").write_text("\n".join(EMAILS))
    task = Task(folder / "list.txt", connect(name, f"{vendor.url}/{name}/v1", **connection))
    task.store.on_set = lambda key, value: key == "emailverify_batch_00002" and "id" in value and task.kill()
    with pytest.raises(SubmissionStoppedError):
        task.attempt(cancel_on_kill=True, check_credits=False)
    return task


def test_a_killed_task_cancels_what_it_submitted_if_that_is_wanted(
    connect: Callable[..., str], slow_sandbox: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = kill_after_two(connect, slow_sandbox, tmp_path)

    assert [batch.state for batch in slow_sandbox.ledger.batches()] == ["cancelled", "cancelled"]
    with pytest.raises(AirflowFailException, match="batch 1 of 3"):  # what was cancelled is no result
        task.attempt()
    assert "It was accepted, and cancelled when an earlier try was killed." in caplog.text
    assert f"Its id is\n   {slow_sandbox.ledger.batches()[0].batch_id}" in "\n".join(caplog.messages)
    assert "if it is to be bought again, to false" in caplog.text


def test_cancelling_does_not_wait_for_the_turns_that_submitting_has_taken(
    connect: Callable[..., str], slow_sandbox: SandboxServer, tmp_path: Path, task_clock: Clock
) -> None:
    kill_after_two(connect, slow_sandbox, tmp_path, requests_per_minute=2)

    assert task_clock.now == 0  # Airflow leaves a task that it kills five seconds
    assert [batch.state for batch in slow_sandbox.ledger.batches()] == ["cancelled", "cancelled"]


def test_a_kill_after_the_last_batch_leaves_no_cancelled_batch_as_a_good_one(
    connect: Callable[..., str], slow_sandbox: SandboxServer, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    task = Task(tmp_path / "list.txt", connect("proofy", slow_sandbox.proofy_url))
    task.store.on_set = lambda key, value: key == "emailverify_batch_00003" and "id" in value and task.kill()

    with pytest.raises(SubmissionStoppedError, match="3 of 3 batches"):
        task.attempt(cancel_on_kill=True)

    assert [batch.state for batch in slow_sandbox.ledger.batches()] == ["cancelled"] * 3
    assert all("cancelled" in task.store.values[f"emailverify_batch_0000{number}"] for number in (1, 2, 3))


def test_a_vendor_that_cannot_cancel_is_said_to_be_one(
    connect: Callable[..., str], slow_sandbox: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        kill_after_two(connect, slow_sandbox, tmp_path, "cliova")

    assert "was not cancelled: Cliova documents no call to cancel a batch" in caplog.text


def test_an_operator_with_its_switch_can_be_copied() -> None:
    """Airflow copies whole Dags."""
    operator = EmailVerifySubmitOperator(task_id="submit", source="s", conn_id="c")
    other = copy.deepcopy(operator)
    operator.on_kill()

    assert operator._kill_switch.is_pulled
    assert not other._kill_switch.is_pulled
