"""A person sees the price in Airflow's UI and decides: a rejection spends nothing, an approval what was told."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.chromium import CHROMIUM, needs_chromium
from tests.e2e.deployment import PATIENT, STEP_SECONDS, Deployment, eventually

pytest.importorskip("airflow.providers.standard.operators.hitl", reason="Airflow 3.1 has it", exc_type=Exception)

PERSON_SECONDS = 8
EMAILS = [f"user{number}@example.com" for number in range(7)]
EXAMPLE = (Path(__file__).resolve().parents[2] / "dags_examples" / "approve.py").read_text()


@pytest.fixture(scope="module")
def vendor() -> Iterator[SandboxServer]:
    """Proofy, whose batches are ready at once."""
    with SandboxServer(ready_after=0) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(vendor: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One Airflow with a triggerer, which waits for the person."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "list.csv").write_text("Email\n" + "".join(f"{email}\n" for email in [*EMAILS, EMAILS[0].upper()]))
    source = EXAMPLE.replace('type="string", minLength=1', f'"file://{folder}/list.csv", type="string"')
    source = source.replace("file:///tmp/emailverify/", f"file://{folder}/out/")
    connection = {"conn_type": "proofy", "host": vendor.proofy_url, "password": "sandbox-key"}
    with Deployment(
        folder, {"approve": source}, {"proofy_default": connection}, triggerer=True, environment=PATIENT
    ) as running:
        yield running


def decide(airflow: Deployment, run_id: str, option: str) -> None:
    """Answer as the button in the UI does, as late as a person could: Airflow 3.3 fails a task that it has to start
    again before its scheduler has seen the end of the first process."""
    time.sleep(PERSON_SECONDS)
    path = f"/api/v2/dags/approve/dagRuns/{quote(run_id)}/taskInstances/approval/-1/hitlDetails"
    eventually(
        lambda: airflow.call("PATCH", path, {"chosen_options": [option], "params_input": {}}) is not None, STEP_SECONDS
    )


def page(airflow: Deployment, run_id: str) -> str:
    """Return what a browser shows of the task that waits for a person, as text."""
    url = f"{airflow.url}/dags/approve/runs/{quote(run_id)}/tasks/approval/required_actions"
    with tempfile.TemporaryDirectory() as profile:
        command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        done = subprocess.run(
            [*command, "--virtual-time-budget=20000", "--dump-dom", url], capture_output=True, text=True, timeout=120
        )
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", done.stdout))


def waiting_run(airflow: Deployment) -> str:
    run_id = airflow.trigger("approve")
    # Airflow before 3.3 defers it.
    eventually(
        lambda: airflow.task(run_id, "approval").get("state") in ("awaiting_input", "deferred"),
        STEP_SECONDS,
        lambda: airflow.log(run_id)[-4000:],
    )
    return run_id


@needs_chromium
def test_the_figures_can_be_read_in_a_browser(airflow: Deployment) -> None:
    run_id = waiting_run(airflow)

    text = page(airflow, run_id)

    decide(airflow, run_id, "Reject")
    for words in ("Verify 7 addresses?", "To buy: 7", "Price: 0.056", "Known from earlier: 0", "Approve", "Reject"):
        assert words in text


def test_a_rejection_spends_nothing(airflow: Deployment, vendor: SandboxServer) -> None:
    run_id = waiting_run(airflow)

    decide(airflow, run_id, "Reject")

    airflow.wait_for_state(run_id, "verify_emails.submit", "skipped")
    assert vendor.ledger.batches() == []


def test_an_approval_spends_what_was_told(airflow: Deployment, vendor: SandboxServer) -> None:
    run_id = waiting_run(airflow)
    told: Any = airflow.xcom(run_id, "estimate")

    decide(airflow, run_id, "Approve")

    airflow.wait_for_state(run_id, "verify_emails.merge", "success")
    assert told["to_buy"] == vendor.ledger.charged().total() == len(EMAILS)
