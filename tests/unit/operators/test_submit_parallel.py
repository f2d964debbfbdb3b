"""A list of more batches than the vendor works on at a time: submitted as others end, without holding a slot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_emailverify.exceptions import SubmissionStoppedError, VendorOutageError
from airflow_provider_emailverify.operators import leaving_slot, submit
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from airflow_provider_emailverify.version_compat import AirflowRescheduleException
from tests.clock import Clock
from tests.submit_task import Task, Ti

EMAILS = [f"user{number}@example.com" for number in range(14)]  # seven batches of two, of which Mailgun takes five


class LeavingTask(Task):
    """
    A submit task that may leave its slot, as it runs in one process after the other.

    :ivar left: how the last process left its slot; None if it did not.
    """

    left: Any = None

    def go_on(self, event: Any = None, **arguments: Any) -> list[str]:
        """Run until the end, or until the slot is left."""
        self.operator = submit.EmailVerifySubmitOperator(
            task_id="submit", source=f"file://{self.source}", conn_id=self.conn_id, batch_size=2, **arguments
        )
        ti = Ti()
        context: Any = {"ti": ti} if self.store is None else {"ti": ti, "task_state_store": self.store}
        self.left = None
        try:
            ids = self.operator.execute_complete(context, event) if event else self.operator.execute(context)
        except (TaskDeferred, AirflowRescheduleException) as left:
            self.left = left
            return []
        self.summary = ti.pushed["summary"]
        return ids

    def event(self) -> Any:
        """Run the trigger of the deferral, stored and read again, and return what it says."""
        path, arguments = self.left.trigger.serialize()
        assert path.endswith(".EmailVerifyBatchTrigger")
        trigger = EmailVerifyBatchTrigger(**json.loads(json.dumps(arguments)))

        async def first() -> Any:
            return (await asyncio.wait_for(anext(trigger.run()), 20)).payload

        return json.loads(json.dumps(asyncio.run(first())))


@pytest.fixture(scope="module")
def slow_vendor() -> Iterator[SandboxServer]:
    """Vendors whose batches take as long as a test wants."""
    with SandboxServer(ready_after=1e9) as server:
        yield server


@pytest.fixture
def vendor(slow_vendor: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Mailgun, as new."""
    slow_vendor.faults.clear()
    slow_vendor.ledger.reset()
    connect("mailgun", slow_vendor.vendor_urls["mailgun"], requests_per_minute=1_000_000)
    return slow_vendor


@pytest.fixture
def task(vendor: SandboxServer, tmp_path: Path, task_clock: Clock) -> LeavingTask:
    """A submit task for the list."""
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    return LeavingTask(tmp_path / "list.txt", "mailgun_default")


def end(vendor: SandboxServer, count: int, state: str | None = None) -> None:
    """Let the oldest batches end."""
    for batch in [each for each in vendor.ledger.batches() if each.ready_after and not each.state][:count]:
        batch.ready_after, batch.state = 0, state


def bought(vendor: SandboxServer) -> list[str]:
    return sorted(vendor.ledger.charged().elements())


def asked(vendor: SandboxServer) -> int:
    return vendor.ledger.count(operation="status")


@pytest.mark.parametrize("keeps", [True, False])
def test_it_defers_until_a_batch_has_ended_and_buys_each_once(
    task: LeavingTask, vendor: SandboxServer, keeps: bool
) -> None:
    """Before Airflow 3.3 nobody keeps what was bought: it travels with the deferral."""
    if not keeps:
        task.store = None
    arguments: Any = {"deferrable": True, "poll_interval": 0.01}

    assert task.go_on(**arguments) == []
    assert len(vendor.ledger.batches()) == 5
    end(vendor, 1)
    task.go_on(task.event(), **arguments)
    assert len(vendor.ledger.batches()) == 6
    assert task.left.trigger.batch_id == [batch.batch_id for batch in vendor.ledger.batches()[1:]]
    end(vendor, 1, "failed")
    ids = task.go_on(task.event(), **arguments)

    assert task.left is None
    assert ids == [batch.batch_id for batch in vendor.ledger.batches()]
    assert bought(vendor) == sorted(EMAILS)
    assert not vendor.ledger.charged_more_than_once()
    assert task.summary["batches"] == 7


def test_without_a_triggerer_airflow_runs_it_again_later(task: LeavingTask, vendor: SandboxServer) -> None:
    task.go_on(deferrable=False, poll_interval=300)
    assert isinstance(task.left, AirflowRescheduleException)
    task.go_on(deferrable=False)
    assert len(vendor.ledger.batches()) == 5, "none of them has ended"

    end(vendor, 2)
    assert len(task.go_on(deferrable=False)) == 7
    assert bought(vendor) == sorted(EMAILS)


def test_before_airflow_3_3_and_without_a_triggerer_it_waits_in_its_slot(
    task: LeavingTask, vendor: SandboxServer, task_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.store = None

    def sleep(seconds: float) -> None:
        task_clock.now += seconds
        end(vendor, 1)

    monkeypatch.setattr(task_clock, "sleep", sleep)

    assert len(task.go_on(deferrable=False, poll_interval=300)) == 7
    assert task_clock.now == 600
    assert bought(vendor) == sorted(EMAILS)


def test_with_a_ledger_it_defers_on_every_airflow(task: LeavingTask, vendor: SandboxServer, tmp_path: Path) -> None:
    task.store = None
    arguments: Any = {"deferrable": True, "poll_interval": 0.01, "ledger": f"file://{tmp_path}/ledger"}

    task.go_on(**arguments)
    assert task.left.trigger.notes == {"records": ""}
    end(vendor, 5)

    assert len(task.go_on(task.event(), **arguments)) == 7
    assert bought(vendor) == sorted(EMAILS)


def test_what_has_ended_is_not_asked_for_again(task: LeavingTask, vendor: SandboxServer) -> None:
    task.go_on(deferrable=False)
    end(vendor, 1)
    task.go_on(deferrable=False)
    before = asked(vendor)
    task.go_on(deferrable=False)

    assert asked(vendor) - before == 5
    del task.store.values["emailverify_open"]
    task.go_on(deferrable=False)
    assert asked(vendor) - before == 11, "what nobody wrote down is asked for"


def test_a_crash_between_two_parts_buys_nothing_twice(task: LeavingTask, vendor: SandboxServer) -> None:
    """The vendor accepted a batch, and the process died before it was written down; Mailgun can be asked by name."""
    task.go_on(deferrable=False)
    end(vendor, 1)
    lost: list[Any] = []

    def die(key: str, value: Any) -> None:
        if key == "emailverify_batch_00006" and "id" in value:
            lost.append(task.store.values.pop(key))
            task.store.values[key] = {name: each for name, each in value.items() if name != "id"}
            raise KeyboardInterrupt

    task.store.on_set = die
    with pytest.raises(KeyboardInterrupt):
        task.go_on(deferrable=False)
    task.store.on_set = lambda _key, _value: None
    end(vendor, 5)

    assert len(task.go_on(deferrable=False)) == 7
    assert lost
    assert bought(vendor) == sorted(EMAILS)


def test_a_batch_whose_state_nobody_tells_counts_as_one_at_work(task: LeavingTask, vendor: SandboxServer) -> None:
    task.go_on(deferrable=False)
    end(vendor, 1)
    vendor.faults.add(operation="status", kind="server_error", times=1)

    task.go_on(deferrable=False)
    assert len(vendor.ledger.batches()) == 5
    task.go_on(deferrable=False)
    assert len(vendor.ledger.batches()) == 6


@pytest.mark.parametrize(
    ("error", "expected"), [("VendorOutageError", VendorOutageError), ("AuthenticationError", AirflowFailException)]
)
def test_a_wait_for_room_that_is_pointless_ends_the_task(task: LeavingTask, error: str, expected: Any) -> None:
    with pytest.raises(expected, match="words"):
        task.go_on({"error": {"type": error, "message": "words", "steps": []}}, deferrable=True)


def test_a_kill_ends_the_wait_in_the_slot(
    task: LeavingTask, vendor: SandboxServer, task_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.store = None
    monkeypatch.setattr(task_clock, "sleep", lambda _seconds: task.kill())

    with pytest.raises(SubmissionStoppedError, match="5 of 7 batches were submitted"):
        task.go_on(deferrable=False)
    assert len(vendor.ledger.batches()) == 5


def test_more_than_a_trigger_can_carry_waits_in_its_slot(
    task: LeavingTask, vendor: SandboxServer, task_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    task.store = None
    monkeypatch.setattr(leaving_slot, "_MOST_CARRIED_BYTES", 10)
    monkeypatch.setattr(task_clock, "sleep", lambda _seconds: end(vendor, 2))

    assert len(task.go_on(deferrable=True)) == 7


def test_a_vendor_without_such_a_limit_takes_all_batches_at_once(
    slow_vendor: SandboxServer, task: LeavingTask, connect: Callable[..., str]
) -> None:
    task.conn_id = connect("cliova", slow_vendor.cliova_url)

    assert len(task.go_on(deferrable=True)) == 7
    assert asked(slow_vendor) == 0
