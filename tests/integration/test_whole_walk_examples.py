"""The example DAGs that begin with a file: they run as they stand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
LIST = EXAMPLES / "data" / "emails.csv"


@pytest.fixture
def both_vendors(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Both vendors, with a connection each."""
    for vendor in ("proofy", "cliova"):
        connect(vendor, f"{sandbox.url}/{vendor}/v1")
    return sandbox


def example(dag_id: str) -> str:
    return (EXAMPLES / f"{dag_id}.py").read_text()


def test_a_csv_file_is_verified_from_end_to_end(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("verify_csv"),
        "verify_csv",
        {"source": f"file://{LIST}", "destination": f"file://{tmp_path}", "conn_id": "cliova_default"},
    )

    (batch,) = both_vendors.ledger.batches()
    assert {task.state for task in tasks.values()} == {"success"}
    assert tasks["verify_emails.submit"].xcoms["summary"]["dropped"] == 1
    assert tasks["verify_emails.paths"].xcoms["return_value"] == [f"file://{tmp_path}/cliova-{batch.batch_id}.csv"]
    assert tasks["count"].xcoms["return_value"] == {"deliverable": 5, "risky": 4, "undeliverable": 3, "unknown": 1}


def test_what_one_vendor_does_not_know_is_asked_of_the_other(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("waterfall"), "waterfall", {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/"}
    )

    assert {task.state for task in tasks.values()} == {"success"}
    asked = [batch.addresses for batch in both_vendors.ledger.batches("cliova")]
    assert asked == [("margaret+unknown@example.com",)]
    (path,) = tasks["second.paths"].xcoms["return_value"]
    assert "margaret+unknown@example.com" in Path(path.removeprefix("file://")).read_text()


def test_a_list_that_is_too_long_costs_nothing(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("verify_csv"),
        "verify_csv",
        {"source": f"file://{LIST}", "destination": f"file://{tmp_path}", "max_emails": 5},
    )

    assert tasks["verify_emails.submit"].state == "failed"
    assert both_vendors.ledger.charged() == {}
