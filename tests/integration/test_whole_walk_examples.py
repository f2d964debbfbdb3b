"""The example DAGs that begin with a file: they run as they stand."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
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


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(), newline="")))


def example(dag_id: str) -> str:
    return (EXAMPLES / f"{dag_id}.py").read_text()


def test_a_list_comes_back_with_the_verdicts_beside_its_rows(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("verify_csv"),
        "verify_csv",
        {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/", "conn_id": "cliova_default"},
    )

    assert {task.state for task in tasks.values()} == {"success"}
    assert tasks["verify_emails.submit"].xcoms["summary"]["dropped"] == 2
    assert tasks["verify_emails.merge"].xcoms["return_value"] == f"file://{tmp_path}/emails.verified.csv"
    source, verified = rows(LIST), rows(tmp_path / "emails.verified.csv")
    assert [row[:2] for row in verified] == source
    assert verified[0][2:] == ["verdict", "reason", "vendor", "verified_at"]
    assert Counter(row[2] for row in verified[1:]) == {
        "deliverable": 6,  # a duplicate among them
        "risky": 4,
        "undeliverable": 4,  # one is no address
        "unknown": 1,
        "": 1,
    }


def test_what_one_vendor_does_not_know_is_asked_of_the_other(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("waterfall"), "waterfall", {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/"}
    )

    assert {task.state for task in tasks.values()} == {"success"}
    asked = [batch.addresses for batch in both_vendors.ledger.batches("cliova")]
    assert asked == [("margaret+unknown@example.com",)]
    verified = rows(Path(tasks["both"].xcoms["return_value"].removeprefix("file://")))
    assert [row[:2] for row in verified] == rows(LIST)
    assert {row[4] for row in verified if row[0].startswith("margaret")} <= {"proofy", "cliova"}


def test_a_walk_with_a_task_for_each_batch_gives_the_list_back(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    text = example("mapped_walk").replace('task_id="submit",', 'task_id="submit", batch_size=4,')

    tasks = run_dag(text, "mapped_walk", {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/"})

    assert {task.state for task in tasks.values()} == {"success"}
    assert tasks["merge"].xcoms["summary"]["results"]["files"] == tasks["submit"].xcoms["summary"]["batches"] == 4
    assert [row[:2] for row in rows(tmp_path / "emails.verified.csv")] == rows(LIST)


def test_a_list_that_is_too_long_costs_nothing(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    tasks = run_dag(
        example("verify_csv"),
        "verify_csv",
        {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/", "max_emails": 5},
    )

    assert tasks["verify_emails.submit"].state == "failed"
    assert both_vendors.ledger.charged() == {}


def test_one_run_gives_the_list_back_and_a_second_file_of_what_is_deliverable(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_bytes(LIST.read_bytes())
    text = example("two_files")

    tasks = run_dag(text.replace("s3://my_aws@bucket", f"file://{tmp_path}"), "two_files")

    assert {task.state for task in tasks.values()} == {"success"}
    whole = rows(tmp_path / "verified" / "list.verified.csv")
    assert [row[:2] for row in whole] == rows(LIST)
    assert rows(tmp_path / "deliverable" / "list.verified.csv") == [
        row for row in whole if row[2] in (whole[0][2], "deliverable")
    ]
    assert both_vendors.ledger.charged_more_than_once() == []
    code = [line for line in text.splitlines()[1:] if line]
    assert len(code) <= 15, "short enough to be written by heart"


def test_a_list_that_is_verified_every_week_is_bought_once(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    conf = {"source": f"file://{LIST}", "destination": f"file://{tmp_path}/"}
    text = example("weekly").replace('"5%"', '"50%"')

    first, second = (run_dag(text, "weekly", conf) for _ in range(2))

    for tasks in (first, second):
        assert {task.state for task in tasks.values()} == {"success"}
    summaries = [tasks["verify_emails.submit"].xcoms["summary"] for tasks in (first, second)]
    bought, again = (each["to_buy"] for each in summaries)
    assert bought == 13 - summaries[0]["prescreened"]
    kept = {path.name: rows(path) for path in (tmp_path / "_results").glob("*.csv")}
    assert again == 1, f"only the one that is unknown: {summaries} {kept}"
    assert len(list((tmp_path / "_history").iterdir())) == 2
    page = (tmp_path / "emails.verified.report.html").read_text()
    assert "<h2>Over time</h2>" in page
    assert "<h2>Bought over time</h2>" in page
    assert second["announce"].xcoms["return_value"].endswith(f"{tmp_path}/emails.verified.csv")


def test_each_client_gets_a_list_of_its_own(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    for name in ("acme", "globex"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "list.csv").write_text(f"email\nada@{name}.example\n")
    text = example("clients").replace('"pool": "proofy", ', "")

    run_dag(text, "clients", {"lists": f"file://{tmp_path}/", "destination": f"file://{tmp_path}/out/"})

    for name in ("acme", "globex"):
        assert rows(tmp_path / "out" / name / "list.verified.csv")[1][0] == f"ada@{name}.example"


def test_a_run_that_is_repeated_replaces_its_rows_in_the_warehouse(
    both_vendors: SandboxServer, run_dag: Callable[..., dict[str, Outcome]], tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_text("email\nada@example.com\nbob+undeliverable@example.com\n")
    conf = {
        "source": f"file://{tmp_path}/list.csv",
        "destination": f"file://{tmp_path}/out/",
        "database": f"{tmp_path}/warehouse.db",
    }

    for _ in range(2):
        tasks = run_dag(example("warehouse"), "warehouse", conf)
        assert tasks["load"].xcoms["return_value"] == 2

    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
        found = database.execute("select email, verdict from verdicts order by email").fetchall()
    assert found == [("ada@example.com", "deliverable"), ("bob+undeliverable@example.com", "undeliverable")]
