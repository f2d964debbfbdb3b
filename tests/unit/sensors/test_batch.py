"""The sensor's own arithmetic; how its modes agree is shown in the integration tests."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, BaseHook, TaskDeferred

from airflow_provider_emailverify.exceptions import ConnectionMissingError, VendorOutageError
from airflow_provider_emailverify.http import rate_limit
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.vendor import REFUSED_KEYS
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from tests.clock import Clock
from tests.raw_server import RawServer


class Ti:
    """As much of a task instance as the sensor uses."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.try_number = 1
        self.dag_id, self.run_id, self.task_id, self.map_index = "d", "r", "wait", -1

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
        ({"timeout": 0}, 0),
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
    arguments = deferred.value.trigger.serialize()[1]
    assert arguments.pop("started") == pytest.approx(time.time(), abs=10)
    assert arguments == {
        "conn_id": "cliova_default",
        "batch_id": "b",
        "poll_interval": 120.0,
        "max_outage": 3600.0,
    }


def test_a_batch_that_is_ready_does_not_defer(sandbox: SandboxServer, connect: Any) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)

    assert sensor().execute({"ti": Ti()}) == "b"


@pytest.mark.parametrize("batch_id", ["b", ["b"]])
def test_a_mapped_wait_leaves_the_first_question_to_the_triggerer(
    sandbox: SandboxServer, connect: Any, batch_id: Any
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    ti = Ti()
    ti.map_index = 3

    with pytest.raises(TaskDeferred) as deferred:
        sensor(batch_id=batch_id).execute({"ti": ti})

    assert sandbox.ledger.count(operation="status") == 0
    arguments = deferred.value.trigger.serialize()[1]
    assert (arguments["batch_id"], arguments["started"]) == (batch_id, None)
    # A later try comes after the batch has had its time.
    ti.try_number = 2
    assert sensor(batch_id=batch_id).execute({"ti": ti}) == batch_id


def test_a_mapped_wait_whose_connection_is_missing_fails_at_once() -> None:
    ti = Ti()
    ti.map_index = 0

    with pytest.raises(ConnectionMissingError, match="there is none in"):
        sensor(conn_id="nowhere").execute({"ti": ti})


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
    with pytest.raises(ValueError, match="an unknown event"):
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
    assert set(EmailVerifyBatchSensor.template_fields) == {"batch_id", "conn_id", "max_outage", "ledger"}


class Store:
    """A task's state, as Airflow 3.3 keeps it from one poke to the next."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = json.loads(json.dumps(value))


def poke(store: Store | None, try_number: int = 1, **arguments: Any) -> bool:
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

    with pytest.raises(VendorOutageError, match="no useful answer for 1600 s"):
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


# --- what users and Airflow hand over ---


@pytest.mark.parametrize("batch_id", [4711, "4711"])
def test_a_batch_id_that_airflow_made_a_number_is_its_digits(
    sandbox: SandboxServer, connect: Callable[..., str], batch_id: Any
) -> None:
    connect("cliova", sandbox.cliova_url)
    batch = sandbox.ledger.create_batch("cliova", [], batch_id="4711", ready_after=600)
    with pytest.raises(TaskDeferred) as deferred:
        sensor(batch_id=batch_id).execute({"ti": Ti()})
    assert deferred.value.trigger.serialize()[1]["batch_id"] == "4711"

    batch.state = "COMPLETED"

    assert sensor(batch_id=batch_id).execute({"ti": Ti()}) == "4711"


@pytest.mark.parametrize("batch_id", [True, None, 1.5, "", " ", [["a"]], ["a", None], {"a": 1}, "[a]", "\ud800"])
def test_what_is_no_batch_id_fails_at_once(connect: Callable[..., str], sandbox: SandboxServer, batch_id: Any) -> None:
    connect("cliova", sandbox.cliova_url)

    with pytest.raises(AirflowFailException, match="batch_id"):
        sensor(batch_id=batch_id).execute({"ti": Ti()})
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("max_outage", [90, 90.0, "90", " 90.0 ", timedelta(seconds=90)])
def test_the_budget_is_a_number_text_or_a_timedelta(
    sandbox: SandboxServer, connect: Callable[..., str], max_outage: Any, sensor_clock: Clock
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")
    with pytest.raises(TaskDeferred) as deferred:
        sensor(max_outage=max_outage).execute({"ti": Ti()})
    assert deferred.value.trigger.serialize()[1]["max_outage"] == 90.0

    store = Store()
    assert not poke(store, max_outage=max_outage)
    sensor_clock.now = 91
    with pytest.raises(VendorOutageError, match="max_outage is 90 s"):
        poke(store, max_outage=max_outage)


@pytest.mark.parametrize("max_outage", ["soon", "", -1, float("nan"), float("inf"), True, [], "{{ x }}"])
def test_what_is_no_budget_is_refused_with_words(
    connect: Callable[..., str], sandbox: SandboxServer, max_outage: Any
) -> None:
    connect("cliova", sandbox.cliova_url)

    with pytest.raises(AirflowFailException, match="max_outage must be seconds, as a number or a timedelta, got"):
        sensor(max_outage=max_outage).execute({"ti": Ti()})


# --- while Airflow's own API is away ---

MODES: dict[str, dict[str, Any]] = {
    "poke": {"mode": "poke", "deferrable": False},
    "reschedule": {"mode": "reschedule", "deferrable": False},
    "deferrable": {},
}


def ask_once(mode: str, ti: Ti, store: Any, **arguments: Any) -> bool:
    """Return whether a wait has ended with its first poll."""
    made = sensor(**MODES[mode], **arguments)
    if not made.deferrable:
        return made.poke({"ti": ti, "task_state_store": store}).is_done
    try:
        made.execute({"ti": ti, "task_state_store": store})
    except TaskDeferred:
        return False
    return True


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_cannot_be_read_now_is_waited_for(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    sensor_clock: Clock,
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)

    def down(*_: Any) -> Any:
        raise RuntimeError("API_SERVER_ERROR")

    with monkeypatch.context() as patched:
        patched.setattr(BaseHook, "get_connection", down)
        assert not ask_once(mode, Ti(), None)

    assert ask_once(mode, Ti(), None)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_connection_that_stays_unreadable_ends_the_wait_with_its_budget(
    monkeypatch: pytest.MonkeyPatch, mode: str, sensor_clock: Clock
) -> None:
    def down(*_: Any) -> Any:
        raise RuntimeError("API_SERVER_ERROR")

    monkeypatch.setattr(BaseHook, "get_connection", down)
    made = sensor(**MODES[mode], max_outage=60)
    store = Store()

    assert not made.poke({"ti": Ti(), "task_state_store": store}).is_done
    sensor_clock.now += 61
    with pytest.raises(VendorOutageError, match="no useful answer for 61 s"):
        made.poke({"ti": Ti(), "task_state_store": store})


@pytest.mark.parametrize("batch_id", ["b", ["b"]])
def test_a_wait_that_has_begun_goes_on_for_minutes_without_its_connection(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, monkeypatch: Any, batch_id: Any
) -> None:
    """Airflow says "not found" of a secrets backend that is away, too."""
    store = Store()
    with pytest.raises(ConnectionMissingError):
        poke(store, batch_id=batch_id)
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    assert not poke(store, batch_id=batch_id)

    monkeypatch.delenv("AIRFLOW_CONN_CLIOVA_DEFAULT")
    for sensor_clock.now in (100, 400, 690):
        assert not poke(store, batch_id=batch_id)
    sensor_clock.now = 701
    with pytest.raises(ConnectionMissingError):
        poke(store, batch_id=batch_id)


@pytest.mark.parametrize("batch_id", ["b", ["b"]])
def test_a_wait_goes_on_with_the_new_key_when_the_old_one_is_refused(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, monkeypatch: Any, batch_id: Any
) -> None:
    """In poke mode too, which keeps its connection open from poke to poke."""
    connect("cliova", sandbox.cliova_url, key="old-key")
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0, state="PROCESSING")
    wait = sensor(mode="poke", batch_id=batch_id)
    context: Any = {"ti": Ti()}
    assert not wait.poke(context).is_done

    monkeypatch.setitem(REFUSED_KEYS, "old-key", 401)
    sensor_clock.now += 60
    assert not wait.poke(context).is_done
    connect("cliova", sandbox.cliova_url, key="new-key")
    sandbox.ledger.batch("b").state = None
    sensor_clock.now += 60

    assert wait.poke(context).is_done


@pytest.mark.parametrize("method", ["get", "set"])
def test_notes_that_cannot_be_read_or_kept_now_end_no_wait_and_are_not_overwritten(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, method: str
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")
    store = Store()
    assert not poke(store, max_outage=100)
    works = getattr(store, method)
    setattr(store, method, lambda *_: (_ for _ in ()).throw(RuntimeError("API_SERVER_ERROR")))
    sensor_clock.now = 50
    assert not poke(store, max_outage=100)
    setattr(store, method, works)

    sensor_clock.now = 101
    with pytest.raises(VendorOutageError, match="no useful answer for 101 s"):
        poke(store, max_outage=100)


@pytest.mark.parametrize("mode", MODES)
def test_a_result_that_cannot_be_kept_at_once_is_kept_a_moment_later(
    sandbox: SandboxServer, connect: Callable[..., str], mode: str, sensor_clock: Clock
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    ti = Ti()
    keep, calls = ti.xcom_push, []

    def flaky(key: str, value: Any) -> None:
        calls.append(key)
        if len(calls) < 3:
            raise RuntimeError("API_SERVER_ERROR")
        keep(key, value)

    ti.xcom_push = flaky  # type: ignore[method-assign]

    assert ask_once(mode, ti, None)
    assert ti.pushed["status"]["state"] == "ready"


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_result_that_cannot_be_kept_is_asked_for_again(
    sandbox: SandboxServer, connect: Callable[..., str], mode: str, sensor_clock: Clock
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    ti = Ti()
    ti.xcom_push = lambda **_: (_ for _ in ()).throw(RuntimeError("down"))  # type: ignore[method-assign]

    assert not ask_once(mode, ti, None)
    assert ask_once(mode, Ti(), None)


# --- slots, logs, ledgers ---


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_poke_asks_once_while_the_vendor_hangs(
    raw_server: RawServer, connect: Callable[..., str], mode: str, sensor_clock: Clock
) -> None:
    raw_server.answer(lambda _connection: time.sleep(0.5))
    connect("cliova", raw_server.url, timeout=1, max_attempts=4)

    assert not ask_once(mode, Ti(), None)

    assert len(raw_server.requests) == 1
    assert sensor_clock.now == 0, "it held its slot for pauses between attempts"


def test_without_a_state_store_a_ledger_keeps_the_notes(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, tmp_path: Path
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")
    ledger = f"file://{tmp_path}/ledger/"

    for sensor_clock.now in (0, 600, 1200):
        assert not poke(None, max_outage=1500, ledger=ledger)
    sensor_clock.now = 1600

    with pytest.raises(VendorOutageError, match="no useful answer for 1600 s"):
        poke(None, max_outage=1500, ledger=ledger)
    assert [path.name for path in tmp_path.rglob("*.json")] == ["wait.json"]


def test_what_there_is_to_do_about_an_outage_is_logged_in_short_lines(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connect("cliova", sandbox.cliova_url)
    sandbox.faults.add(kind="server_error")

    with pytest.raises(VendorOutageError) as caught:
        poke(Store(), max_outage=0)

    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert lines == [
        "Batch 'b': no useful answer for 0 s, and max_outage is 0 s.",
        "This is what came last:",
        "GET /webhooks/email-validations/bulk-emails/b/status answered 500: 'Internal Server",
        "Error'.",
        "(Cliova (connection 'cliova_default'), batch 'b')",
        "It is the vendor's side; try again later.",
        "The batch goes on at the vendor. Nothing is lost, and nothing is paid for again.",
        "1. Wait until the vendor answers, or mend what the lines above say.",
        "2. Clear this task.",
    ]
    assert str(caught.value) == lines[0]


def test_what_there_is_to_do_comes_from_the_triggerer_too(caplog: pytest.LogCaptureFixture) -> None:
    error = {"type": "VendorOutageError", "message": "No answer.", "steps": ["No answer.", "1. Wait.", "2. Clear it."]}

    with pytest.raises(VendorOutageError, match=r"^No answer\.$"):
        sensor().execute_complete({"ti": Ti()}, {"batch_id": "b", "error": error})

    assert caplog.messages == ["No answer.", "1. Wait.", "2. Clear it."]
