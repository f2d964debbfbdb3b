"""A batch that is landed again, with other options, or under a name of any length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.unit.operators.test_download import Ti

EMAILS = ["jane@example.com", "jane+undeliverable@example.com", "jane+unknown@example.com"]
EVERYTHING = {"keep_vendor_file": True, "report": True}


@pytest.fixture
def batch(sandbox: SandboxServer, connect: Callable[..., str]) -> Callable[[str], str]:
    """Make a batch of an id that is ready."""

    def make(batch_id: str) -> str:
        sandbox.ledger.create_batch("cliova", EMAILS, batch_id=batch_id, ready_after=0)
        connect("cliova", sandbox.cliova_url)
        return batch_id

    return make


def land(batch_id: str, destination: str, **arguments: Any) -> Any:
    operator = EmailVerifyDownloadOperator(
        task_id="download",
        batch_id=batch_id,
        conn_id="cliova_default",
        destination=destination,
        **{"output_format": "csv", **arguments},
    )
    return operator.execute({"ti": Ti(), "outlet_events": {}})


def check_folder(folder: Path, names: set[str]) -> None:
    """Assert that a folder holds these files, and that its marker says so."""
    told = {file["name"]: file["sha256"] for file in json.loads((folder / "_SUCCESS").read_bytes())["published"]}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    del found["_SUCCESS"]
    assert found == told
    assert set(found) == names


def test_other_options_leave_nothing_of_the_last_landing(batch: Callable[[str], str], tmp_path: Path) -> None:
    batch_id, folder = batch("b"), tmp_path / "cliova-b"
    verdicts = ["deliverable", "undeliverable", "risky", "unknown"]
    land(batch_id, f"file://{tmp_path}/", split_by_verdict=True, **EVERYTHING)
    check_folder(folder, {f"{verdict}.csv" for verdict in verdicts} | {"vendor.csv", "report.html"})

    (folder / "mine.txt").write_text("a stranger's")
    land(batch_id, f"file://{tmp_path}/", split_by_verdict=True, verdicts=["deliverable"], output_format="jsonl")

    assert (folder / "mine.txt").read_text() == "a stranger's"
    (folder / "mine.txt").unlink()
    check_folder(folder, {"deliverable.jsonl"})


@pytest.mark.parametrize("batch_id", ["x" * 240, "é/::" * 60, "%" * 90])
@pytest.mark.parametrize("split_by_verdict", [True, False])
def test_a_long_batch_id_can_be_landed_again(
    batch: Callable[[str], str], tmp_path: Path, batch_id: str, split_by_verdict: bool
) -> None:
    batch(batch_id)
    seen = []
    for _ in range(3):
        land(batch_id, f"file://{tmp_path}/", split_by_verdict=split_by_verdict, **EVERYTHING)
        seen.append(sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")))

    assert seen[0] == seen[1] == seen[2]


def test_a_destination_whose_report_has_too_long_a_name_is_refused_before_the_download(
    batch: Callable[[str], str], sandbox: SandboxServer, tmp_path: Path
) -> None:
    batch("b")
    sandbox.faults.add(operation="download", kind="server_error")
    land_it = {"batch_id": "b", "destination": f"file://{tmp_path}/{'n' * 247}.csv"}

    with pytest.raises(AirflowFailException, match=r"InvalidDestinationError: .* has a part of more than 255 bytes"):
        land(**land_it, report=True)
    assert list(tmp_path.iterdir()) == []
