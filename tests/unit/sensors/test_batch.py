"""The sensor's own arithmetic; how its modes agree is shown in the integration tests."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_emailverify.exceptions import VendorOutageError
from airflow_provider_emailverify.http import rate_limit
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from tests.clock import Clock


class Ti:
    """As much of a task instance as the sensor uses."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.try_number = 1

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def sensor(**arguments: Any) -> EmailVerifyBatchSensor:
    return EmailVerifyBatchSensor(
        **{"task_id": "wait", "batch_id": "b", "conn_id": "cliova_default", "deferrable": True, **arguments}
    )


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({"timeout": 50}, 50),
        ({"timeout": timedelta(minutes=1)}, 60),
        ({"timeout": 50, "execution_timeout": timedelta(seconds=20)}, 20),
        ({"timeout": 50, "execution_timeout": timedelta(seconds=90)}, 50),
    ],
)
def test_the_deferral_has_the_nearer_of_both_timeouts(
    sandbox: SandboxServer, connect: Any, arguments: dict[str, Any], seconds: int
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=600)

    with pytest.raises(TaskDeferred) as deferred:
        sensor(**arguments).execute({"ti": Ti()})

    assert deferred.value.timeout == timedelta(seconds=seconds)
    assert isinstance(deferred.value.trigger, EmailVerifyBatchTrigger)
    assert deferred.value.trigger.serialize()[1] == {
        "conn_id": "cliova_default",
        "batch_id": "b",
        "poll_interval": 120.0,
        "max_outage": 3600.0,
    }


def test_a_batch_that_is_ready_does_not_defer(sandbox: SandboxServer, connect: Any) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)

    assert sensor().execute({"ti": Ti()}) == "b"


def test_an_event_of_readiness_is_the_result() -> None:
    ti = Ti()

    status = {"state": "ready", "vendor": "cliova"}
    assert sensor().execute_complete({"ti": ti}, {"batch_id": "b", "status": status}) == "b"
    assert ti.pushed == {"status": status}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("BatchFailedError", {}, AirflowFailException),
        ("BatchFailedError", {"soft_fail": True}, AirflowSkipException),
        ("BatchFailedError", {"never_fail": True}, AirflowSkipException),
        ("VendorOutageError", {}, VendorOutageError),
        ("VendorOutageError", {"soft_fail": True}, VendorOutageError),
        ("VendorOutageError", {"never_fail": True}, AirflowSkipException),
    ],
)
def test_an_event_of_an_error_is_that_error(
    name: str, arguments: dict[str, Any], expected: type[BaseException]
) -> None:
    event = {"batch_id": "b", "error": {"type": name, "message": "what happened"}}

    with pytest.raises(expected):
        sensor(**arguments).execute_complete({"ti": Ti()}, event)


@pytest.mark.parametrize(
    "event",
    [
        None,
        "ready",
        {},
        {"batch_id": "b", "status": {"state": "running"}},
        {"status": {"state": "ready"}},
        {"batch_id": "b", "error": {"type": "SystemExit", "message": "x"}},
        {"batch_id": "b", "error": {"type": "ClassVar", "message": "x"}},
        {"batch_id": "b", "error": "x"},
    ],
)
def test_an_event_that_nobody_knows_is_no_success(event: Any) -> None:
    with pytest.raises(ValueError, match="an event that nobody knows"):
        sensor().execute_complete({"ti": Ti()}, event)


def test_silent_fail_waits_through_everything_but_a_verdict(sandbox: SandboxServer, connect: Any) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error", times=1)

    with pytest.raises(TaskDeferred) as deferred:
        sensor(silent_fail=True, max_outage=0).execute({"ti": Ti()})
    assert deferred.value.trigger.serialize()[1]["max_outage"] is None

    with pytest.raises(AirflowFailException, match="BatchNotFoundError"):
        sensor(silent_fail=True).execute({"ti": Ti()})


def test_the_arguments_are_kept_as_they_are_given() -> None:
    given = {"batch_id": "{{ x }}", "conn_id": "{{ y }}", "max_outage": 5, "deferrable": False}

    made = sensor(**given)

    assert {name: getattr(made, name) for name in given} == given
    assert set(EmailVerifyBatchSensor.template_fields) == {"batch_id", "conn_id"}


class Store:
    """A task's state, as Airflow 3.3 keeps it from one poke to the next."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = json.loads(json.dumps(value))


def poke(store: Store, try_number: int = 1, **arguments: Any) -> bool:
    """Poke as reschedule mode does: in a process of its own."""
    ti = Ti()
    ti.try_number = try_number
    made = sensor(deferrable=False, mode="reschedule", **arguments)
    return made.poke({"ti": ti, "task_state_store": store}).is_done


@pytest.fixture
def sensor_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of all sensors."""
    monkeypatch.setattr(EmailVerifyBatchSensor, "_clock", clock)
    return clock


def test_an_outage_is_counted_from_poke_to_poke(sandbox: SandboxServer, connect: Any, sensor_clock: Clock) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")
    clock, store = sensor_clock, Store()

    for clock.now in (0, 600, 1200):
        assert not poke(store, max_outage=1500)
    clock.now = 1600

    with pytest.raises(VendorOutageError, match="No useful answer for 1600 s"):
        poke(store, max_outage=1500)


def test_an_answer_between_two_pokes_starts_the_budget_anew(
    sandbox: SandboxServer, connect: Any, sensor_clock: Clock
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    clock, store = sensor_clock, Store()

    for clock.now in (0, 1000, 2000):
        sandbox.faults.add(kind="server_error", times=1)
        assert not poke(store, max_outage=1500)
        clock.now += 500
        assert not poke(store, max_outage=1500)


def test_a_retry_has_a_budget_of_its_own(sandbox: SandboxServer, connect: Any, sensor_clock: Clock) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")
    clock, store = sensor_clock, Store()
    poke(store, max_outage=100)
    clock.now = 200

    assert not poke(store, try_number=2, max_outage=100)


def test_retry_after_is_kept_from_poke_to_poke(
    sandbox: SandboxServer, connect: Any, sensor_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    sandbox.faults.add(kind="rate_limit", retry_after=600, times=1)
    clock, store = sensor_clock, Store()

    assert not poke(store)
    monkeypatch.setattr(rate_limit, "_limits", rate_limit.AccountLimits(clock=clock))  # another process
    clock.now = 590
    assert not poke(store)
    assert sandbox.ledger.count() == 1
    clock.now = 601
    assert poke(store)


def test_a_rescheduled_wait_says_once_that_it_waits_and_in_which_state(
    sandbox: SandboxServer, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    connect("cliova", sandbox.cliova_url)
    batch = sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    store = Store()

    with caplog.at_level("INFO", "airflow_provider_emailverify"):
        for _ in range(3):
            poke(store)
        batch.state = "COMPLETED"
        poke(store)

    assert [record.getMessage().partition("batch 'b'")[2] or record.getMessage() for record in caplog.records] == [
        ": waiting until it is ready.",
        "Batch 'b' at cliova is running ('IN PROGRESS').",
        "Batch 'b' at cliova is ready ('COMPLETED').",
        ": waited 0 s; it is ready.",
    ]
