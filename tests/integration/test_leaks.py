"""No spelling of the key and no address in what Airflow logs and keeps, whatever goes wrong, at log level DEBUG."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from airflow import __version__

from airflow_provider_emailverify.get_provider_info import VENDORS
from airflow_provider_emailverify.redaction import renderings
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.conftest import AWKWARD_KEY

OTHERS = [vendor for vendor in VENDORS if vendor not in ("proofy", "cliova")]
ADDRESSES = ["jane.roe@example.com", "john+tag@example.com"]
DAG = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

# Not in the call: some consoles show the lines of the source.
EMAILS = ADDRESSES

def tasks(vendors):
    for vendor in vendors:
        ours = {"batch_id": "b-" + vendor, "conn_id": vendor + "_default"}
        for deferrable in (False, True):
            EmailVerifyBatchSensor(
                task_id=f"wait_{vendor}_{deferrable}", poke_interval=0.1, max_outage=0.1, deferrable=deferrable, **ours
            )
        EmailVerifyDownloadOperator(task_id=f"download_{vendor}", destination="file:///{{ params.out }}/", **ours)
        EmailVerifyDownloadOperator(
            task_id=f"rows_{vendor}", destination="file:///{{ params.out }}/", output_format="csv",
            split_by_verdict=True, report=True, keep_vendor_file=True, **ours,
        )

        @task(task_id=f"submit_{vendor}")
        def submit(conn_id):
            hook = EmailVerifyHook.get_hook(conn_id)
            print(hook.test_connection())
            hook.submit_batch(EMAILS)

        submit(ours["conn_id"])

# Every fault with two vendors that take the key in the URL, and some with all of them, which take it anywhere.
for dag_id, vendors in (("leaks", ("proofy", "cliova")), ("leaks_of_others", VENDORS)):
    with DAG(dag_id, schedule=None, start_date=datetime(2024, 1, 1)) as dag:
        tasks(vendors)
    globals()[dag_id] = dag
"""
RUN = """
import sys
sys.path.insert(0, {root!r})
from airflow_provider_emailverify.sandbox.server import SandboxServer
import requests
from tests.integration.conftest import _dag_bag
dags = _dag_bag({folder!r}).dags
for dag_id, faults in {faults!r}.items():
    for fault in faults:
        requests.delete({url!r} + "/sandbox/faults")
        for part in fault:
            requests.post({url!r} + "/sandbox/faults", json=part).raise_for_status()
        dags[dag_id].test()
"""
FAULTS = [
    [],
    [{"kind": "echo_key"}],
    [{"kind": "error_envelope", "message": f"{AWKWARD_KEY} {renderings(AWKWARD_KEY)[0]} {ADDRESSES[0]}"}],
    [{"kind": "unauthorized"}],
    [{"kind": "rate_limit", "retry_after": 1}],
    [{"kind": "server_error", "body": "html"}],
    [{"kind": "reset"}],
    [{"kind": "truncate"}],
    [{"kind": "redirect", "location": f"http://elsewhere.example/{AWKWARD_KEY}?key={AWKWARD_KEY}"}],
    # The sensors' first poll is fine; then the trigger is on its own.
    [{"kind": "not_ready", "operation": "status", "times": 4}, {"kind": "echo_key", "operation": "status"}],
]


@pytest.fixture(scope="module")
def trace(
    sandbox_server: SandboxServer, tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> dict[str, str]:
    """Run the tasks of the vendors through the faults; return what is left of it, by place."""
    home = tmp_path_factory.mktemp("home")
    (home / "dags").mkdir()
    (home / "dags/leaks.py").write_text(
        DAG.replace("ADDRESSES", repr(ADDRESSES))
        .replace("VENDORS", repr(OTHERS))
        .replace("/{{ params.out }}", str(home / "out"))
    )
    connections = {
        f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT": json.dumps(
            {
                "conn_type": vendor,
                "host": url,
                "password": AWKWARD_KEY,
                "extra": {"max_attempts": 1, "timeout": 5, "requests_per_minute": 100_000},
            }
        )
        for vendor, url in sandbox_server.vendor_urls.items()
    }
    environment = {
        **os.environ,
        **connections,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }
    shutil.copy(empty_database, home / "airflow.db")
    for vendor in VENDORS:
        sandbox_server.ledger.create_batch(vendor, ADDRESSES, batch_id=f"b-{vendor}", ready_after=0)
    script = RUN.format(
        root=str(Path.cwd()),
        folder=str(home / "dags"),
        faults={"leaks": FAULTS, "leaks_of_others": FAULTS[:3]},
        url=sandbox_server.url,
    )
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    sandbox_server.faults.clear()
    assert done.returncode == 0, done.stderr[-3000:]
    # dag.test() plays the supervisor in the same process, and that one logs the very request to mask a secret.
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "MaskSecret" not in line]
    if __version__.startswith("3.0."):
        # Its dag.test() prints the local variables of each frame in a box. The logs of tasks have none of them.
        lines = [line for line in lines if not line.startswith("│ │")]
    output = "\n".join(lines)
    with sqlite3.connect(home / "airflow.db") as database:
        dump = "\n".join(database.iterdump())
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").rglob("*") if path.is_file())
    return {"output": output, "logs": logs, "database": dump}


def test_the_runs_met_every_fault(trace: dict[str, str]) -> None:
    """A search that finds nothing must have had something to search."""
    everything = trace["output"]
    assert "Proofy (connection 'proofy_default')" in everything
    assert "Cliova (connection 'cliova_default')" in everything
    for error in (
        "AuthenticationError",
        "InvalidRequestError",
        "VendorOutageError",
        "IncompleteResponseError",
        "RateLimitedError",
        "UnexpectedResponseError",
        "SubmissionUnknownError",
    ):
        assert error in everything, error
    assert "/webhooks/email-validations/bulk-emails/b-cliova/status" in everything
    assert "Starting new HTTP connection" in everything, "urllib3 was not at DEBUG"
    assert "b-proofy" in trace["database"]
    for vendor in OTHERS:
        assert f"(connection '{vendor}_default'), batch 'b-{vendor}'" in everything


@pytest.mark.parametrize("place", ["output", "logs", "database"])
def test_no_spelling_of_the_key_is_left(trace: dict[str, str], place: str) -> None:
    text = trace[place].lower()

    assert [spelling for spelling in renderings(AWKWARD_KEY) if spelling.lower() in text] == []


@pytest.mark.parametrize("place", ["output", "logs", "database"])
def test_no_address_is_left(trace: dict[str, str], place: str) -> None:
    # The DAG file itself holds the addresses, and Airflow keeps its source.
    text = trace[place].replace(repr(ADDRESSES), "").replace(repr(ADDRESSES).replace("'", "''"), "")

    assert [address for address in ADDRESSES if address in text] == []
