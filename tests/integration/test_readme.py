"""The code of the README runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
BLOCKS = re.findall(r"(?ms)^```python\n(.*?)^```", README)
HEAD = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_emailverify.task_groups import verify_emails

with DAG("verify_and_save", schedule=None):
"""


@pytest.fixture
def vendors(sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path) -> Path:
    """Both vendors; return the folder that stands for the bucket, with a list."""
    for vendor in ("proofy", "cliova"):
        connect(vendor, f"{sandbox.url}/{vendor}/v1")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "list.csv").write_text("email\nada@example.com\nbob+unknown@example.com\n")
    return tmp_path


def test_the_example_at_the_top_gives_the_list_back(vendors: Path, run_dag: Callable[..., dict[str, Outcome]]) -> None:
    pytest.importorskip("airflow.sdk", reason="the example is written for Airflow 3")
    code = BLOCKS[0].replace("s3://my_aws@bucket", f"file://{vendors}").replace("{{ ds }}", "list")

    tasks = run_dag(code, "verify")

    assert {task.state for task in tasks.values()} == {"success"}
    verified = (vendors / "verified" / "list.verified.csv").read_text().splitlines()
    assert verified[0] == "email,verdict,reason,vendor,verified_at"
    assert verified[1].startswith("ada@example.com,deliverable,")


def test_the_example_that_saves_asks_a_second_vendor(
    vendors: Path, sandbox: SandboxServer, run_dag: Callable[..., dict[str, Outcome]]
) -> None:
    # There is no name server here.
    code = BLOCKS[1].replace("s3://my_aws@bucket", f"file://{vendors}").replace('"dns"', '"syntax"')

    run_dag(HEAD + "".join(f"    {line}\n" for line in code.splitlines()), "verify_and_save")

    assert (vendors / "verified" / "list.verified.csv").exists()
    assert [batch.addresses for batch in sandbox.ledger.batches("cliova")] == [("bob+unknown@example.com",)]


def test_no_code_of_the_readme_is_left_out() -> None:
    assert len(BLOCKS) == 2
