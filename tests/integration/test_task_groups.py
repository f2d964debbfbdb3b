"""The whole walk as one call, in runs of real Airflow."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task_group

from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.task_groups import verify_emails
from tests.unit.lists.test_addresses import AWKWARD

HEAD = """
from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.task_groups import verify_emails

@task
def reached(paths):
    return list(paths)

@task
def each(path):
    return path

"""
ONE_SOURCE = """
@task
def find_list():
    return "file://{folder}/list.csv"

with DAG("one_source", schedule=None, params={{"vendor": "{vendor}"}}):
    paths = verify_emails(
        source=find_list(),
        conn_id="{{{{ params.vendor }}}}_default",
        destination="file://{folder}/out/{{{{ run_id }}}}/",
        submit={{"batch_size": {batch_size}}},
        wait={{"poke_interval": 0.1}},
        download={{"retries": 0}},
    )
    reached(paths)
    each.expand(path=paths)
"""
SEVERAL_SOURCES = """
with DAG("several_sources", schedule=None):
    paths = verify_emails(
        sources=["file://{folder}/list.csv", "file://{folder}/empty.csv", "file://{folder}/list2.csv"],
        conn_id="{vendor}_default",
        destination="file://{folder}/out/",
        submit={{"batch_size": {batch_size}}},
        wait={{"poke_interval": 0.1}},
    )
    reached(paths)
"""
BRANCH = """
@task.short_circuit
def is_wanted():
    return False

with DAG("branch", schedule=None):
    is_wanted() >> verify_emails(
        source="file://{folder}/list.csv", conn_id="{vendor}_default", destination="file://{folder}/out/"
    )
"""
EXPORT = """
from pathlib import Path

@task
def export():
    Path("{folder}/list.csv").write_text("id,Email\\n1,new@example.com\\n")

@task
def use(path):
    return path

with DAG("export", schedule=None):
    paths = verify_emails(
        source="file://{folder}/list.csv",
        conn_id="{vendor}_default",
        destination="file://{folder}/out/",
        wait={{"poke_interval": 0.1}},
    )
    export() >> paths
    use.expand(path=paths.map(lambda path: path.upper()))
"""


@pytest.fixture(params=["proofy", "cliova"])
def vendor(request: pytest.FixtureRequest, sandbox: SandboxServer, connect: Callable[..., str]) -> str:
    """Each vendor in turn, with a connection."""
    connect(request.param, f"{sandbox.url}/{request.param}/v1")
    return str(request.param)


def write(path: Path, emails: list[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "Email"], *enumerate(emails)])


def addresses_in(path: str, vendor: str) -> list[str]:
    """Return the addresses of a result in the vendor's own format."""
    text = ObjectStoragePath(path).read_text(encoding="utf-8")
    if vendor == "cliova":
        return [row["email"] for row in csv.DictReader(text.splitlines())]
    return ["{username}@{domain}".format(**row["syntax"]) for row in json.loads(text)["list"]]


def test_a_list_comes_back_as_a_list_of_paths(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    emails = [f"user{number}@example.com" for number in range(5)]
    write(tmp_path / "list.csv", [*emails, "user0@EXAMPLE.com", "none"])

    outcomes = run_dag(HEAD + ONE_SOURCE.format(folder=tmp_path, vendor=vendor, batch_size=2), "one_source")

    assert {outcome.state for outcome in outcomes.values()} == {"success"}
    paths = outcomes["reached"].xcoms["return_value"]
    assert [email for path in paths for email in addresses_in(path, vendor)] == emails
    assert len(paths) == 3
    assert all(path.startswith(f"file://{tmp_path}/out/manual__") for path in paths)
    assert outcomes["each"].xcoms["return_value"] in paths
    assert sandbox.ledger.charged() == dict.fromkeys(emails, 1)


def test_a_list_without_rows_comes_back_as_an_empty_list(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", [])

    outcomes = run_dag(HEAD + ONE_SOURCE.format(folder=tmp_path, vendor=vendor, batch_size=2), "one_source")

    assert outcomes["reached"].xcoms["return_value"] == []
    assert outcomes["verify_emails.batch.wait"].state == "skipped"
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("name", ["proofy", "cliova"])
def test_results_of_awkward_addresses_can_be_joined_to_the_list(
    run_dag: Callable[..., Any], connect: Callable[..., str], tmp_path: Path, name: str
) -> None:
    write(tmp_path / "list.csv", AWKWARD)
    # What Proofy's rows hold for an address that it calls malformed is not published. If that is nothing at all, there
    # is nothing to join by.
    with SandboxServer(ready_after=0.0, readings=Readings(proofy_bad_syntax="as_given")) as sandbox:
        connect(name, f"{sandbox.url}/{name}/v1")

        outcomes = run_dag(HEAD + ONE_SOURCE.format(folder=tmp_path, vendor=name, batch_size=1000), "one_source")

        (batch,) = sandbox.ledger.batches()
    assert list(batch.addresses) == AWKWARD
    assert addresses_in(outcomes["reached"].xcoms["return_value"][0], name) == AWKWARD


def test_several_lists_come_back_as_one_list_of_paths(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", ["a@example.com", "b@example.com", "c@example.com"])
    write(tmp_path / "empty.csv", [])
    write(tmp_path / "list2.csv", ["d@example.com"])

    outcomes = run_dag(HEAD + SEVERAL_SOURCES.format(folder=tmp_path, vendor=vendor, batch_size=2), "several_sources")

    paths = outcomes["reached"].xcoms["return_value"]
    assert [addresses_in(path, vendor) for path in paths] == [
        ["a@example.com", "b@example.com"],
        ["c@example.com"],
        ["d@example.com"],
    ]


def test_a_walk_that_a_branch_skips_is_skipped_to_its_end(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", ["a@example.com"])

    outcomes = run_dag(HEAD + BRANCH.format(folder=tmp_path, vendor=vendor), "branch")

    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "is_wanted": "success",
        "verify_emails.submit": "skipped",
        "verify_emails.batch.wait": "skipped",
        "verify_emails.batch.download": "skipped",
        "verify_emails.paths": "skipped",
    }
    assert sandbox.ledger.count() == 0


def test_a_list_that_a_task_exports_is_read_after_that_task(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", ["old@example.com"])

    outcomes = run_dag(HEAD + EXPORT.format(folder=tmp_path, vendor=vendor), "export")

    assert sandbox.ledger.charged() == {"new@example.com": 1}
    (path,) = outcomes["verify_emails.paths"].xcoms["return_value"]
    assert outcomes["use"].xcoms["return_value"] == path.upper()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"destination": "s3://bucket/results.csv", "source": "s3://bucket/list.csv"}, "end it in a slash"),
        ({"destination": "s3://bucket/"}, "either source, one file, or sources, several"),
        ({"destination": "s3://bucket/", "source": "a.csv", "sources": ["b.csv"]}, "either source"),
    ],
)
def test_a_walk_that_cannot_end_well_is_refused_in_the_dag_file(arguments: dict[str, Any], says: str) -> None:
    with DAG("d", schedule=None), pytest.raises(ValueError, match=says):
        verify_emails(conn_id="proofy_default", **arguments)


def test_a_walk_in_a_mapped_group_is_refused_in_the_dag_file() -> None:
    @task_group
    def mapped(source: str) -> None:
        verify_emails(source=source, conn_id="proofy_default", destination="s3://bucket/")

    with DAG("d", schedule=None), pytest.raises(ValueError, match=r"give it sources=\[…\] instead"):
        mapped.expand(source=["a.csv", "b.csv"])


def test_every_argument_of_every_part_can_be_given() -> None:
    with DAG("d", schedule=None) as dag:
        verify_emails(
            "walk",
            source="a.csv",
            conn_id="proofy_default",
            destination="s3://bucket/",
            submit={"email_column": "mail", "pool": "vendor"},
            wait={"deferrable": True, "timeout": 60},
            download={"download_options": {}, "retries": 7},
            paths={"trigger_rule": "all_done"},
        )

    assert dag.get_task("walk.submit").ledger is None
    assert dag.get_task("walk.submit").email_column == "mail"
    assert dag.get_task("walk.submit").pool == "vendor"
    assert dag.get_task("walk.batch.wait").timeout == 60
    assert dag.get_task("walk.batch.download").retries == 7
    assert dag.get_task("walk.paths").trigger_rule == "all_done"


def test_a_ledger_is_for_all_tasks_that_keep_something() -> None:
    with DAG("d", schedule=None) as dag:
        verify_emails(source="a.csv", conn_id="proofy_default", destination="s3://b/", ledger="s3://b/ledger/")

    for name in ("verify_emails.submit", "verify_emails.batch.wait"):
        assert dag.get_task(name).ledger == "s3://b/ledger/"
