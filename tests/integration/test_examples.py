"""The DAG that users copy who have a batch id: it runs as it stands, up to a path that the next task opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome

EXAMPLE = (Path(__file__).resolve().parents[2] / "dags_examples" / "one_batch.py").read_text()
EMAILS = ["support@proofy.io", "team@proofy.io", "ada+undeliverable@example.com"]


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
def test_the_example_lands_the_results_and_hands_on_their_path(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    tmp_path: Path,
    vendor: str,
) -> None:
    sandbox.ledger.create_batch(vendor, EMAILS, batch_id="b-1")
    conn_id = connect(vendor, getattr(sandbox, f"{vendor}_url"))

    tasks = run_dag(EXAMPLE, "one_batch", {"conn_id": conn_id, "batch_id": "b-1", "destination": f"file://{tmp_path}/"})

    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(("wait", "download", "count"), "success")
    assert tasks["download"].xcoms["return_value"] == f"file://{tmp_path}/{vendor}-b-1.csv"
    assert tasks["download"].xcoms["summary"]["rows"] == len(EMAILS)
    assert tasks["count"].xcoms["return_value"] == {"deliverable": 2, "undeliverable": 1}


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
def test_the_example_without_a_batch_id_says_so_before_any_request(
    sandbox: SandboxServer, connect: Callable[..., str], run_dag: Callable[..., dict[str, Outcome]], vendor: str
) -> None:
    conn_id = connect(vendor, getattr(sandbox, f"{vendor}_url"))

    with pytest.raises(Exception, match="batch_id"):
        run_dag(EXAMPLE, "one_batch", {"conn_id": conn_id})

    assert sandbox.ledger.requests(vendor) == []
