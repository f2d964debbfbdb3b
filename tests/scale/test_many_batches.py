"""A thousand batches in one run; it takes some minutes."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome, airflow_db, empty_database, run_dag  # noqa: F401

DAG = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.task_groups import verify_emails

with DAG("many", schedule=None):
    verify_emails(
        source="file://{folder}/list.txt",
        conn_id="cliova_default",
        destination="file://{folder}/out/",
        submit={{"batch_size": 2}},
        wait={{"poke_interval": 1}},
    )
"""
BATCHES = 1000


def test_a_thousand_batches_are_waited_for_and_landed_in_one_run(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],  # noqa: F811
    tmp_path: Path,
) -> None:
    emails = [f"user{number}@example.com" for number in range(2 * BATCHES)]
    (tmp_path / "list.txt").write_text("\n".join(emails))
    connect("cliova", sandbox.cliova_url)

    tasks = run_dag(DAG.format(folder=tmp_path), "many")

    assert len(tasks) == 4
    assert {task.state for task in tasks.values()} == {"success"}
    path = tasks["verify_emails.merge"].xcoms["return_value"]
    with Path(path.removeprefix("file://")).open(newline="") as file:
        found = [(row["email"], row["verdict"]) for row in csv.DictReader(file)]
    assert found == [(email, "deliverable") for email in emails]
    assert len(list((tmp_path / "out" / "_results").iterdir())) == BATCHES
    assert sandbox.ledger.charged() == dict.fromkeys(emails, 1)
