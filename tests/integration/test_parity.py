"""However the sensor waits, it ends in the same state with the same XCom."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException, AirflowTaskTimeout

from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.version_compat import TaskDeferralError
from tests.integration.conftest import Outcome

DAG = """
import json, os
from datetime import datetime, timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

with DAG("parity", schedule=None, start_date=datetime(2024, 1, 1)):
    EmailVerifyBatchSensor(
        task_id="wait", conn_id="cliova_default", poke_interval=0.2, retries=1, retry_delay=timedelta(0),
        **json.loads(os.environ["PARITY"]),
    )
"""
HAS_STATE_STORE = importlib.util.find_spec("airflow.models.task_state_store") is not None
MODES = {"poke": {"mode": "poke"}, "reschedule": {"mode": "reschedule"}, "deferrable": {"deferrable": True}}
STATUS = {
    "batch_id": "b",
    "vendor": "cliova",
    "state": "ready",
    "vendor_status": "COMPLETED",
    "known": True,
    "total": 2,
    "processed": None,
    "credits_used": 2,
}
SUCCESS = Outcome("success", 1, {"return_value": "b", "status": STATUS})
SKIPPED = Outcome("skipped", 1)
FAILED_AT_ONCE = Outcome("failed", 1)
FAILED_AFTER_A_RETRY = Outcome("failed", 2)

OUTAGE = {"kind": "server_error", "status": 503}
#: name -> (state of the batch at the vendor, seconds until it is ready, faults, arguments of the sensor, outcome)
CASES: dict[str, tuple[str | None, float, list[dict[str, Any]], dict[str, Any], Outcome]] = {
    "ready": (None, 0, [], {}, SUCCESS),
    "ready later": (None, 1.5, [], {}, SUCCESS),
    "unknown word, then ready": (None, 0, [{"kind": "not_ready", "times": 2}], {}, SUCCESS),
    "failed": ("FAILED", 0, [], {}, FAILED_AT_ONCE),
    "not found": (None, 0, [{"kind": "not_found"}], {}, FAILED_AT_ONCE),
    "wrong key": (None, 0, [{"kind": "unauthorized"}], {}, FAILED_AT_ONCE),
    "no credits": (None, 0, [{"kind": "no_credits"}], {}, FAILED_AT_ONCE),
    "timeout": (None, 600, [], {"timeout": 1}, FAILED_AT_ONCE),
    "failed, soft_fail": ("FAILED", 0, [], {"soft_fail": True}, SKIPPED),
    "timeout, soft_fail": (None, 600, [], {"timeout": 1, "soft_fail": True}, SKIPPED),
    "failed, never_fail": ("FAILED", 0, [], {"never_fail": True}, SKIPPED),
    "timeout, never_fail": (None, 600, [], {"timeout": 1, "never_fail": True}, FAILED_AT_ONCE),
    "short outage": (None, 0, [{**OUTAGE, "times": 3}], {"max_outage": 60}, SUCCESS),
    "short throttling": (None, 0, [{"kind": "rate_limit", "retry_after": 1, "times": 1}], {}, SUCCESS),
    "long outage": (None, 0, [OUTAGE], {"max_outage": 0.5}, FAILED_AFTER_A_RETRY),
    "long outage, soft_fail": (None, 0, [OUTAGE], {"max_outage": 0.5, "soft_fail": True}, FAILED_AFTER_A_RETRY),
    "long outage, never_fail": (None, 0, [OUTAGE], {"max_outage": 0.5, "never_fail": True}, SKIPPED),
}


# dag.test() has no scheduler that ends a deferral: test_a_deferral_that_times_out_ends_alike does it.
RUNS = [(case, mode) for case in CASES for mode in MODES if (case[:7], mode) != ("timeout", "deferrable")]


@pytest.fixture(autouse=True)
def first_reschedule_is_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.0's ``dag.test()`` hands sensors the time of the first reschedule as a text; real tasks get a time."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    except ImportError:  # Airflow 2
        return
    ask = RuntimeTaskInstance.get_first_reschedule_date

    def parsed(self: Any, context: Any) -> Any:
        found: Any = ask(self, context)
        return datetime.fromisoformat(found) if isinstance(found, str) else found

    monkeypatch.setattr(RuntimeTaskInstance, "get_first_reschedule_date", parsed)


@pytest.mark.parametrize(("case", "mode"), RUNS)
def test_every_mode_ends_alike(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    mode: str,
) -> None:
    if "long outage" in case and mode == "reschedule" and not HAS_STATE_STORE:
        pytest.skip("before Airflow 3.3 nothing is kept between two pokes in reschedule mode")
    state, ready_after, faults, arguments, expected = CASES[case]
    sandbox.ledger.create_batch(
        "cliova", ["a@example.com", "b@example.com"], batch_id="b", state=state, ready_after=ready_after
    )
    for fault in faults:
        sandbox.faults.add(operation="status", **fault)
    connect("cliova", sandbox.cliova_url)
    monkeypatch.setenv("PARITY", json.dumps({"batch_id": "b", **MODES[mode], **arguments}))

    assert run_dag(DAG, "parity")["wait"] == expected


IDS = ["b1", "b2", "b3"]


def status_of(ready: int, addresses: int | None = None, **not_ready: str) -> dict[str, Any]:
    """Return the XCom of a list of which so many batches are ready, with two addresses each."""
    words = list(not_ready.values())
    return {
        "vendor": "cliova",
        "batches": ready + len(words),
        "states": {"ready": ready} | {word: words.count(word) for word in ("failed", "cancelled", "unknown")},
        "addresses": 2 * (ready + words.count("failed")) if addresses is None else addresses,
        "addresses_done": 2 * ready,
        "not_ready": not_ready,
        "more_not_ready": 0,
    }


ALL_READY = Outcome("success", 1, {"return_value": IDS, "status": status_of(3)})
EMPTY = {**status_of(0), "vendor": "", "addresses": None, "addresses_done": None}
LEAVE_OUT: dict[str, Any] = {"failed_batches": "leave_out"}
UNKNOWN = {"batch_id": ["b1", "gone", "b2", "b3"]}
#: name -> (what is forced of the batches, seconds until they are ready, faults, arguments of the sensor, outcome)
LISTS: dict[str, tuple[dict[str, str], float, list[dict[str, Any]], dict[str, Any], Outcome]] = {
    "all ready": ({}, 0, [], {}, ALL_READY),
    "all ready later": ({}, 1.2, [], {}, ALL_READY),
    "in the order given, each once": (
        {},
        0,
        [],
        {"batch_id": ["b3", "b1", "b3", "b2"]},
        Outcome("success", 1, {"return_value": ["b3", "b1", "b2"], "status": status_of(3)}),
    ),
    "the text of a list": ({}, 0, [], {"batch_id": str(IDS)}, ALL_READY),
    "one in a list": (
        {},
        0,
        [],
        {"batch_id": ["b1"]},
        Outcome("success", 1, {"return_value": ["b1"], "status": status_of(1)}),
    ),
    "empty": ({}, 0, [], {"batch_id": []}, Outcome("success", 1, {"return_value": [], "status": EMPTY})),
    "some failed": ({"b2": "FAILED"}, 0.8, [], {}, FAILED_AT_ONCE),
    "some failed, leave_out": (
        {"b2": "FAILED"},
        0.8,
        [],
        LEAVE_OUT,
        Outcome("success", 1, {"return_value": ["b1", "b3"], "status": status_of(2, b2="failed")}),
    ),
    "some unknown": ({}, 0, [], UNKNOWN, FAILED_AT_ONCE),
    "some unknown, leave_out": (
        {},
        0.8,
        [],
        {**UNKNOWN, **LEAVE_OUT},
        Outcome("success", 1, {"return_value": IDS, "status": status_of(3, gone="unknown")}),
    ),
    "all failed, leave_out": (dict.fromkeys(IDS, "FAILED"), 0, [], LEAVE_OUT, FAILED_AT_ONCE),
    "all unknown, leave_out": ({}, 0, [], {"batch_id": ["x", "y"], **LEAVE_OUT}, FAILED_AT_ONCE),
    "some failed, soft_fail": ({"b2": "FAILED"}, 0, [], {"soft_fail": True}, SKIPPED),
    "some failed, never_fail": ({"b2": "FAILED"}, 0, [], {"never_fail": True}, SKIPPED),
    "wrong key": ({}, 0, [{"kind": "unauthorized"}], LEAVE_OUT, FAILED_AT_ONCE),
    "no credits later": ({}, 600, [{"kind": "no_credits", "skip": 4}], LEAVE_OUT, FAILED_AT_ONCE),
    "timeout": ({}, 600, [], {"timeout": 1}, FAILED_AT_ONCE),
    "timeout, soft_fail": ({}, 600, [], {"timeout": 1, "soft_fail": True}, SKIPPED),
    "timeout, never_fail": ({}, 600, [], {"timeout": 1, "never_fail": True}, FAILED_AT_ONCE),
    "short outage": ({}, 0, [{**OUTAGE, "times": 7}], {"max_outage": 60}, ALL_READY),
    "short throttling": ({}, 0, [{"kind": "rate_limit", "retry_after": 1, "times": 1}], {}, ALL_READY),
    "long outage": ({}, 0, [OUTAGE], {"max_outage": 0.5}, FAILED_AFTER_A_RETRY),
    "long outage of one batch": ({}, 0, [{**OUTAGE, "batch_id": "b2"}], {"max_outage": 0.5}, FAILED_AFTER_A_RETRY),
    "short outage of one batch": ({}, 0.8, [{**OUTAGE, "batch_id": "b2", "times": 5}], {"max_outage": 60}, ALL_READY),
    "long outage, soft_fail": ({}, 0, [OUTAGE], {"max_outage": 0.5, "soft_fail": True}, FAILED_AFTER_A_RETRY),
    "long outage, never_fail": ({}, 0, [OUTAGE], {"max_outage": 0.5, "never_fail": True}, SKIPPED),
}


@pytest.mark.parametrize(
    ("case", "mode"),
    [(case, mode) for case in LISTS for mode in MODES if (case[:7], mode) != ("timeout", "deferrable")],
)
def test_every_mode_ends_alike_for_a_list(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    mode: str,
) -> None:
    if "long outage" in case and mode == "reschedule" and not HAS_STATE_STORE:
        pytest.skip("before Airflow 3.3 nothing is kept between two pokes in reschedule mode")
    states, ready_after, faults, arguments, expected = LISTS[case]
    for batch_id in IDS:
        sandbox.ledger.create_batch(
            "cliova",
            ["a@example.com", "b@example.com"],
            batch_id=batch_id,
            state=states.get(batch_id),
            ready_after=ready_after,
        )
    for fault in faults:
        sandbox.faults.add(operation="status", **fault)
    connect("cliova", sandbox.cliova_url, requests_per_minute=1_000_000)
    monkeypatch.setenv("PARITY", json.dumps({"batch_id": IDS, **MODES[mode], **arguments}))

    assert run_dag(DAG, "parity")["wait"] == expected


def test_a_ledger_ends_a_long_outage_in_reschedule_mode_on_every_airflow(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    sandbox.faults.add(operation="status", **OUTAGE)
    connect("cliova", sandbox.cliova_url)
    arguments = {"batch_id": "b", "mode": "reschedule", "max_outage": 0.5, "ledger": f"file://{tmp_path}/ledger/"}
    monkeypatch.setenv("PARITY", json.dumps(arguments))

    assert run_dag(DAG, "parity")["wait"] == FAILED_AFTER_A_RETRY


#: What the scheduler says when it ends a deferral.
TIMED_OUT = "Trigger timeout" if airflow.__version__ >= "3" else "Trigger/execution timeout"
SHORT = {"execution_timeout": timedelta(seconds=2)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, AirflowSensorTimeout),
        ({"soft_fail": True}, AirflowSkipException),
        ({"never_fail": True}, AirflowSensorTimeout),
        (SHORT, AirflowTaskTimeout),
        ({"soft_fail": True, **SHORT}, AirflowSkipException),
        ({"never_fail": True, **SHORT}, AirflowSkipException),
    ],
)
def test_a_deferral_that_times_out_ends_alike(arguments: dict[str, Any], expected: type[BaseException]) -> None:
    sensor = EmailVerifyBatchSensor(task_id="wait", batch_id="b", conn_id="c", deferrable=True, timeout=5, **arguments)

    with pytest.raises(expected):
        sensor.resume_execution("__fail__", {"error": TIMED_OUT}, {})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [({}, TaskDeferralError), ({"soft_fail": True}, TaskDeferralError), ({"never_fail": True}, AirflowSkipException)],
)
def test_a_trigger_that_broke_is_no_verdict(arguments: dict[str, Any], expected: type[BaseException]) -> None:
    sensor = EmailVerifyBatchSensor(task_id="wait", batch_id="b", conn_id="c", deferrable=True, **arguments)

    with pytest.raises(expected):
        sensor.resume_execution("__fail__", {"error": "Trigger failure", "traceback": ["it broke"]}, {})
