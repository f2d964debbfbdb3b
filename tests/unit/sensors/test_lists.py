"""A list of batches: deferred in parts, in the time that is left, and poked in short turns."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseHook,
    TaskDeferred,
)
from cryptography.fernet import Fernet

from airflow_provider_emailverify.exceptions import VendorOutageError
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from tests.clock import Clock
from tests.unit.sensors.test_batch import Store, Ti, poke, sensor

IDS = ["b0", "b1", "b2"]


@pytest.fixture
def sensor_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of all sensors."""
    monkeypatch.setattr(EmailVerifyBatchSensor, "_clock", clock)
    return clock


@pytest.fixture
def vendor(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Cliova, with three batches that are not ready."""
    connect("cliova", sandbox.cliova_url, requests_per_minute=1_000_000)
    for batch_id in IDS:
        sandbox.ledger.create_batch("cliova", ["a@example.com"], batch_id=batch_id, ready_after=1e9)
    return sandbox


def deferral(run: Callable[[], Any]) -> tuple[dict[str, Any], timedelta]:
    """Return the arguments of a trigger as Airflow keeps them, and the deferral's timeout."""
    with pytest.raises(TaskDeferred) as deferred:
        run()
    assert deferred.value.method_name == "execute_complete"
    return json.loads(json.dumps(deferred.value.trigger.serialize()[1])), deferred.value.timeout


def event_of(arguments: dict[str, Any], **not_ready: list[str]) -> dict[str, Any]:
    """Return the event of a trigger that has seen all its batches become final."""
    counts = {"batches": len(arguments["batch_id"]), "addresses": None, "addresses_done": None}
    return {**counts, "not_ready": not_ready, "vendor": "cliova", "notes": arguments["notes"]}


def make_ready(vendor: SandboxServer, *batch_ids: str) -> None:
    for batch_id in batch_ids:
        vendor.ledger.batch(batch_id).state = "COMPLETED"


def test_the_trigger_gets_the_batches_that_are_open(vendor: SandboxServer) -> None:
    make_ready(vendor, "b1")

    arguments, timeout = deferral(lambda: sensor(batch_id=IDS, timeout=50).execute({"ti": Ti()}))

    assert arguments["batch_id"] == ["b0", "b2"]
    assert arguments["unasked"] == 0
    assert arguments["others"] == {"batches": 1, "ready": 1, "failed": 0, "addresses": 1, "done": 1}
    assert arguments["started"] == pytest.approx(time.time(), abs=10)
    assert 45 < timeout.total_seconds() <= 50


def test_the_event_of_the_last_part_is_the_result(vendor: SandboxServer) -> None:
    make_ready(vendor, "b1")
    arguments, _ = deferral(lambda: sensor(batch_id=IDS).execute({"ti": Ti()}))
    ti = Ti()

    event = event_of(arguments, failed=["b2"])
    made = sensor(batch_id=IDS, failed_batches="leave_out")

    assert made.execute_complete({"ti": ti}, event) == ["b0", "b1"]
    assert ti.pushed["status"]["states"] == {"ready": 2, "failed": 1, "cancelled": 0, "unknown": 0}
    with pytest.raises(AirflowFailException, match=r"1 of 3 batches failed: 'b2' \(failed\)"):
        sensor(batch_id=IDS).execute_complete({"ti": Ti()}, event)
    with pytest.raises(AirflowSkipException):
        sensor(batch_id=IDS, soft_fail=True).execute_complete({"ti": Ti()}, event)


def test_a_long_list_is_deferred_in_parts_that_the_database_keeps(vendor: SandboxServer, sensor_clock: Clock) -> None:
    ids = [str(uuid.UUID(int=number)) for number in range(2000)]
    parts: list[dict[str, Any]] = []
    ti = Ti()

    def down(*_: Any) -> Any:
        raise RuntimeError("API_SERVER_ERROR")

    def first() -> Any:
        return sensor(batch_id=ids, timeout=1000).execute({"ti": ti})

    def after(event: dict[str, Any]) -> Callable[[], Any]:
        return lambda: sensor(batch_id=ids, timeout=1000).execute_complete({"ti": ti}, event)

    with pytest.MonkeyPatch.context() as patched:  # so that the sensor asks for none of them itself
        patched.setattr(BaseHook, "get_connection", down)
        run = first
        while sum(len(each["batch_id"]) for each in parts) < len(ids):
            arguments, timeout = deferral(run)
            assert timeout.total_seconds() == 1000 - 100 * len(parts)
            parts.append(arguments)
            sensor_clock.now += 100
            event = event_of(arguments, failed=arguments["batch_id"][:5])
            assert len(json.dumps(event)) < 10_000
            run = after(event)
    assert len(parts) == 3

    assert [batch_id for each in parts for batch_id in each["batch_id"]] == ids
    for each in parts:
        kept = Fernet(Fernet.generate_key()).encrypt(json.dumps(each).encode())
        assert len(kept) < 65_535
        assert len(json.dumps(each)) <= 40_000
        assert each["unasked"] == len(each["batch_id"])
    made = sensor(batch_id=ids, failed_batches="leave_out")
    ready = made.execute_complete({"ti": ti}, event_of(parts[-1], unknown=parts[-1]["batch_id"][-1:]))
    assert len(ready) == 2000 - 5 * (len(parts) - 1) - 1
    assert ti.pushed["status"]["more_not_ready"] == 0


def test_an_id_of_any_length_gets_a_trigger(vendor: SandboxServer) -> None:
    vendor.faults.add(kind="server_error")

    arguments, _ = deferral(lambda: sensor(batch_id=["x" * 50_000, "y"]).execute({"ti": Ti()}))

    assert len(arguments["batch_id"]) == 1


def test_a_deferral_whose_time_is_over_times_out(vendor: SandboxServer, sensor_clock: Clock) -> None:
    arguments, _ = deferral(lambda: sensor(batch_id=IDS, timeout=50).execute({"ti": Ti()}))
    event = event_of(arguments | {"batch_id": ["b0"]})
    sensor_clock.now = 51

    kwargs = {"event": event}
    with pytest.raises(AirflowSensorTimeout, match="The list of 3 batches was not ready within 50 s"):
        sensor(batch_id=IDS, timeout=50).resume_execution("execute_complete", kwargs, {"ti": Ti()})
    with pytest.raises(AirflowSkipException):
        sensor(batch_id=IDS, timeout=50, soft_fail=True).resume_execution("execute_complete", kwargs, {"ti": Ti()})


def test_a_list_that_has_changed_is_waited_for_anew(vendor: SandboxServer) -> None:
    arguments, _ = deferral(lambda: sensor(batch_id=IDS).execute({"ti": Ti()}))
    make_ready(vendor, "b0")

    changed = sensor(batch_id=["b0", "b1"])
    again, _ = deferral(lambda: changed.execute_complete({"ti": Ti()}, event_of(arguments)))

    assert again["batch_id"] == ["b1"]


@pytest.mark.parametrize("event", [{"batches": 3}, {"batches": 3, "notes": {}}, {"batch_id": "b0", "notes": None}])
def test_an_event_that_nobody_knows_is_no_success(vendor: SandboxServer, event: Any) -> None:
    with pytest.raises(ValueError, match="an unknown event"):
        sensor(batch_id=IDS).execute_complete({"ti": Ti()}, event)


def test_an_error_of_the_trigger_is_that_error() -> None:
    event = {"error": {"type": "VendorOutageError", "message": "what happened"}}

    with pytest.raises(VendorOutageError, match="what happened"):
        sensor(batch_id=IDS).execute_complete({"ti": Ti()}, event)


def test_a_real_trigger_and_the_sensor_understand_each_other(vendor: SandboxServer) -> None:
    arguments, _ = deferral(lambda: sensor(batch_id=[*IDS, "gone"], poke_interval=0.01).execute({"ti": Ti()}))
    make_ready(vendor, *IDS)

    async def first() -> Any:
        return (await asyncio.wait_for(anext(EmailVerifyBatchTrigger(**arguments).run()), 20)).payload

    event = json.loads(json.dumps(asyncio.run(first())))
    ti = Ti()

    made = sensor(batch_id=[*IDS, "gone"], failed_batches="leave_out")
    assert made.execute_complete({"ti": ti}, event) == IDS
    assert (ti.pushed["status"]["addresses"], ti.pushed["status"]["addresses_done"]) == (3, 3)


def test_an_empty_list_needs_no_vendor() -> None:
    ti = Ti()

    assert sensor(batch_id=[], conn_id="nowhere").execute({"ti": ti}) == []
    assert ti.pushed["status"]["batches"] == 0


def test_failed_batches_is_one_of_two_words(vendor: SandboxServer) -> None:
    with pytest.raises(AirflowFailException, match="failed_batches must be 'fail' or 'leave_out', got 'skip'"):
        sensor(batch_id=IDS, failed_batches="skip").execute({"ti": Ti()})
    assert vendor.ledger.count() == 0


def test_silent_fail_waits_through_an_outage_of_a_list(vendor: SandboxServer) -> None:
    vendor.faults.add(kind="server_error")

    arguments, _ = deferral(lambda: sensor(batch_id=IDS, silent_fail=True, max_outage=0).execute({"ti": Ti()}))

    assert arguments["batch_id"] == IDS
    assert arguments["max_outage"] is None


# --- reschedule ---


def test_a_rescheduled_poke_goes_on_where_the_last_one_stopped(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock
) -> None:
    connect("cliova", sandbox.cliova_url, requests_per_minute=4)
    ids = [f"rescheduled-{number}" for number in range(10)]
    for batch_id in ids:
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    store, pokes = Store(), 0

    while not poke(store, batch_id=ids):
        pokes += 1
        assert sensor_clock.now % 100 <= 20, "the poke held its slot"
        sensor_clock.now = 100 * pokes

    # Of these batches only: a wait of an earlier test may still be ending in a thread of its own.
    asked = [each.batch_id for each in sandbox.ledger.requests() if each.batch_id in ids]
    assert sorted(map(str, asked)) == ids
    assert pokes == 2


def test_a_ledger_keeps_the_notes_of_a_list(vendor: SandboxServer, sensor_clock: Clock, tmp_path: Path) -> None:
    make_ready(vendor, "b0")
    ledger = f"file://{tmp_path}/ledger/"
    assert not poke(None, batch_id=IDS, ledger=ledger)
    make_ready(vendor, *IDS)

    assert poke(None, batch_id=IDS, ledger=ledger)

    assert vendor.ledger.count() == 5, "what was ready was asked for again"


def test_where_nothing_is_kept_a_poke_asks_for_all_and_says_so(
    sandbox: SandboxServer, connect: Callable[..., str], sensor_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    connect("cliova", sandbox.cliova_url, requests_per_minute=4)
    ids = [f"b{number}" for number in range(10)]
    for batch_id in ids:
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)

    with caplog.at_level(logging.INFO):
        assert poke(None, batch_id=ids)

    assert any("each poke asks for all batches" in message for message in caplog.messages)


def test_an_outage_of_a_list_is_counted_from_poke_to_poke(vendor: SandboxServer, sensor_clock: Clock) -> None:
    vendor.faults.add(kind="server_error")
    store = Store()

    for sensor_clock.now in (0, 600, 1200):
        assert not poke(store, batch_id=IDS, max_outage=1500)
    sensor_clock.now = 1600

    with pytest.raises(VendorOutageError, match=r"3 batches \('b0', 'b1', 'b2'\): no useful answer for 1600 s"):
        poke(store, batch_id=IDS, max_outage=1500)
