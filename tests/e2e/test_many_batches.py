"""A thousand batches in one run; it takes some minutes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome, airflow_db, run_dag  # noqa: F401

DAG = """
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.task_groups import verify_emails

with DAG("many", schedule=None):
    verify_emails(
        source="file://{folder}/list.txt",
        conn_id="cliova_default",
        destination="file://{folder}/out/",
        submit={{"batch_size": 2}},
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

    paths = tasks["verify_emails.paths"].xcoms["return_value"]
    ids = [batch.batch_id for batch in sandbox.ledger.batches()]
    assert paths == [f"file://{tmp_path}/out/cliova-{batch_id}.csv" for batch_id in ids]
    assert len(list((tmp_path / "out").iterdir())) == BATCHES
    assert sandbox.ledger.charged() == dict.fromkeys(emails, 1)
