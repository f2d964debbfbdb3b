"""However the sensor waits, it ends in the same state with the same XCom."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import timedelta
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
