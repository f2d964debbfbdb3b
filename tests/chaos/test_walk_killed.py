"""A worker dies in each task of the walk, under Airflow's own scheduler: the list comes back all the same, and once."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.deployment import STEP_SECONDS, Deployment, eventually

pytest.importorskip("airflow.sdk.execution_time.context", reason="before Airflow 3.3 there is no task state store")

EMAILS = [f"user{number}@example.com" for number in range(40)]
# A task that has come to a certain place waits there, in its first try, until somebody kills it.
DAGS = """
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from airflow.sdk.definitions.context import get_current_context
from airflow_provider_emailverify import task_groups
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.steps import landing_many, merging

def linger(module, name, task_id):
    original = getattr(module, name)

    def slow(*arguments, **options):
        ti = get_current_context()["ti"]
        if ti.dag_id == task_id and ti.task_id.endswith(task_id) and ti.try_number == 1:
            Path("{folder}", f"{{ti.dag_id}}.there").touch()
            time.sleep(60)
        return original(*arguments, **options)

    setattr(module, name, slow)

def walk(dag_id, module, name):
    with DAG(dag_id, schedule=None, default_args={{"retry_delay": timedelta(seconds=0), "retries": 2}}):
        task_groups.verify_emails(
            source="file://{folder}/list.csv",
            conn_id="cliova_default",
            destination="file://{folder}/" + dag_id + "/",
            submit={{"batch_size": 10}},
            wait={{"poke_interval": 1, "mode": "poke"}},
        )
    linger(module, name, dag_id)

walk("wait", CliovaHook, "get_batch_status")
walk("download", landing_many, "publish_together")
walk("merge", merging, "publish_together")
"""


@pytest.fixture(scope="module")
def vendor() -> Iterator[SandboxServer]:
    """Cliova, whose batches are ready at once."""
    with SandboxServer(ready_after=0) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(vendor: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One Airflow for all tests of this module."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "list.csv").write_text("Email\n" + "".join(f"{email}\n" for email in EMAILS))
    connection = {"conn_type": "cliova", "host": vendor.cliova_url, "password": "sandbox-key"}
    with Deployment(folder, {"dags": DAGS.format(folder=folder)}, {"cliova_default": connection}) as running:
        yield running


def rows(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="") as file:
        return [(row["Email"], row["verdict"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("task", ["wait", "download", "merge"])
def test_the_list_comes_back_once_and_whole_after_a_kill(vendor: SandboxServer, airflow: Deployment, task: str) -> None:
    vendor.ledger.reset()
    verified = airflow.home / task / "list.verified.csv"
    verified.parent.mkdir()
    verified.write_text("Email,verdict\nold,old\n")

    run_id = airflow.trigger(task)
    eventually((airflow.home / f"{task}.there").exists, STEP_SECONDS, lambda: airflow.log(run_id)[-4000:])
    os.kill(airflow.task(run_id, f"verify_emails.{task}")["pid"], signal.SIGKILL)

    assert rows(verified) == [("old", "old")]
    airflow.wait_for_state(run_id, "verify_emails.merge", "success")
    assert rows(verified) == [(email, "deliverable") for email in EMAILS]
    assert airflow.task(run_id, f"verify_emails.{task}")["try"] == 2
    assert vendor.ledger.charged() == dict.fromkeys(EMAILS, 1)
    assert vendor.ledger.count(operation="download") == 4
    assert not list(verified.parent.rglob("*.part")) + list((verified.parent / "_results").glob("_incomplete"))
