"""The DAGs that users copy: they run as they stand, from a batch id to a path that the next task opens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
EMAILS = ["support@proofy.io", "team@proofy.io", "ada+undeliverable@example.com"]


@pytest.mark.parametrize(
    ("vendor", "extension", "counted"), [("proofy", "json", {"valid": 2, "invalid": 1}), ("cliova", "csv", 3)]
)
def test_an_example_lands_the_results_and_hands_on_their_path(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    tmp_path: Path,
    vendor: str,
    extension: str,
    counted: object,
) -> None:
    sandbox.ledger.create_batch(vendor, EMAILS, batch_id="b-1")
    connect(vendor, getattr(sandbox, f"{vendor}_url"))
    dag_id = f"{vendor}_batch"

    tasks = run_dag(
        (EXAMPLES / f"{dag_id}.py").read_text(), dag_id, {"batch_id": "b-1", "destination": f"file://{tmp_path}/"}
    )

    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(("wait", "download", "count"), "success")
    assert tasks["download"].xcoms["return_value"] == f"file://{tmp_path}/{vendor}-b-1.{extension}"
    assert tasks["download"].xcoms["summary"]["rows"] == len(EMAILS)
    assert tasks["count"].xcoms["return_value"] == counted


def test_proofys_example_lands_the_vendors_published_rows(
    sandbox: SandboxServer, connect: Callable[..., str], run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    sandbox.ledger.create_batch("proofy", EMAILS[:2], batch_id="b-1")
    connect("proofy", sandbox.proofy_url)

    run_dag(
        (EXAMPLES / "proofy_batch.py").read_text(),
        "proofy_batch",
        {"batch_id": "b-1", "destination": f"file://{tmp_path}/"},
    )

    document = json.loads((tmp_path / "proofy-b-1.json").read_text())
    assert document["status"] == "ready"
    assert [(row["syntax"]["username"], row["syntax"]["domain"], row["status"]) for row in document["list"]] == [
        ("support", "proofy.io", "valid"),
        ("team", "proofy.io", "valid"),
    ]


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
def test_an_example_without_a_batch_id_says_so_before_any_request(
    sandbox: SandboxServer, connect: Callable[..., str], run_dag: Callable[..., dict[str, Outcome]], vendor: str
) -> None:
    connect(vendor, getattr(sandbox, f"{vendor}_url"))
    dag_id = f"{vendor}_batch"

    with pytest.raises(Exception, match="batch_id"):
        run_dag((EXAMPLES / f"{dag_id}.py").read_text(), dag_id, {})

    assert sandbox.ledger.requests(vendor) == []
