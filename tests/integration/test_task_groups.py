"""The whole walk as one call, in runs of real Airflow."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, TaskGroup

from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.task_groups import verify_emails
from tests.unit.lists.test_addresses import AWKWARD

HEAD = """
from airflow.providers.common.compat.sdk import DAG, task, task_group
from airflow_provider_emailverify.task_groups import verify_emails

@task
def reached(path):
    return path

"""
ONE_SOURCE = """
@task
def find(name):
    return "file://{folder}/" + name

with DAG("one_source", schedule=None, default_args={{"retries": 0}}, params={{"vendor": "{vendor}"}}):
    path = verify_emails(
        source=find("list.csv"),
        conn_id="{{{{ params.vendor }}}}_default",
        destination={destination},
        submit={{"batch_size": {batch_size}}},
        wait={{"poke_interval": 0.1}},
        download={{"retries": 0}},
    )
    reached(path)
"""
SEVERAL_SOURCES = """
with DAG("several_sources", schedule=None):
    paths = verify_emails(
        source="file://{folder}/lists/",
        conn_id="{vendor}_default",
        destination="file://{folder}/out/",
        submit={{"batch_size": {batch_size}}},
        wait={{"poke_interval": 0.1}},
    )
    reached.expand(path=paths)
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

with DAG("export", schedule=None):
    path = verify_emails(
        source="file://{folder}/list.csv",
        conn_id="{vendor}_default",
        destination="file://{folder}/out/",
        wait={{"poke_interval": 0.1}},
    )
    export() >> path
    reached(path)
"""
CLIENTS = """
@task_group
def client(source, destination):
    reached(
        verify_emails(
            source=source, conn_id="{vendor}_default", destination=destination,
            submit={{"batch_size": 1}}, wait={{"poke_interval": 0.1}},
        )
    )

with DAG("clients", schedule=None):
    client.expand_kwargs(
        [
            {{"source": f"file://{folder}/{{name}}/list.csv", "destination": f"file://{folder}/out/{{name}}/"}}
            for name in ("one", "two", "three")
        ]
    )
"""
MONEY = """
with DAG("money", schedule=None, default_args={{"retries": 0}}):
    reached(
        verify_emails(
            source="file://{folder}/list.csv",
            conn_id="proofy_default",
            destination="file://{folder}/out/",
            known=True,
            prescreen="syntax",
            then=["cliova_default"],
            submit={{"batch_size": 2, "price_per_address": 0.01}},
            wait={{"poke_interval": 0.1}},
            merge={{"report": True}},
        )
    )
"""
ADDED = ["verdict", "reason", "vendor", "verified_at"]


@pytest.fixture(params=["proofy", "cliova"])
def vendor(request: pytest.FixtureRequest, sandbox: SandboxServer, connect: Callable[..., str]) -> str:
    """Each vendor in turn, with a connection."""
    connect(request.param, f"{sandbox.url}/{request.param}/v1")
    return str(request.param)


def write(path: Path, emails: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "Email"], *enumerate(emails)])


def rows(path: str) -> list[list[str]]:
    """Return the rows of a verified list, its header among them, without the time."""
    text = ObjectStoragePath(path).read_text(encoding="utf-8")
    return [row[:-1] for row in csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_list_comes_back_with_the_verdicts_beside_its_rows(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path, batch_size: int
) -> None:
    emails = ["ada@example.com", "ada+undeliverable@example.com", "ada+unknown@example.com"]
    write(tmp_path / "list.csv", [*emails, "ada@EXAMPLE.com", "none", "", "ada+risky@example.com"])

    dag = ONE_SOURCE.format(
        folder=tmp_path, vendor=vendor, batch_size=batch_size, destination=f'"file://{tmp_path}/out/"'
    )
    outcomes = run_dag(HEAD + dag, "one_source")

    assert {outcome.state for outcome in outcomes.values()} == {"success"}
    assert len(outcomes) == 6
    path = outcomes["reached"].xcoms["return_value"]
    assert path == f"file://{tmp_path}/out/list.verified.csv"
    header, *found = rows(path)
    assert header == ["id", "Email", *ADDED[:3]]
    assert [(row[0], row[1], row[2]) for row in found] == [
        ("0", "ada@example.com", "deliverable"),
        ("1", "ada+undeliverable@example.com", "undeliverable"),
        ("2", "ada+unknown@example.com", "unknown"),
        ("3", "ada@EXAMPLE.com", "deliverable"),
        ("4", "none", "undeliverable"),
        ("5", "", ""),
        ("6", "ada+risky@example.com", "risky"),
    ]
    bought = [address for batch in sandbox.ledger.batches() for address in batch.addresses]
    assert bought == [*emails, "ada+risky@example.com"]
    results = sorted(path.name for path in (tmp_path / "out" / "_results").iterdir())
    assert len(results) == -(-4 // batch_size)
    assert all(name.startswith(f"{vendor}-") and name.endswith(".csv") for name in results)


@pytest.mark.parametrize(
    ("destination", "path", "results"),
    [
        ('"file://{folder}/out/mine.csv"', "out/mine.csv", "out/_results"),
        ('find("out/")', "out/list.verified.csv", "out/_results"),
        ('"file://{folder}/out/", results="file://{folder}/batches/"', "out/list.verified.csv", "batches"),
    ],
    ids=["a file", "a task's output", "results elsewhere"],
)
def test_the_list_and_the_results_go_where_they_are_told(
    run_dag: Callable[..., Any],
    sandbox: SandboxServer,
    connect: Callable[..., str],
    tmp_path: Path,
    destination: str,
    path: str,
    results: str,
) -> None:
    connect("proofy", sandbox.proofy_url)
    write(tmp_path / "list.csv", ["ada@example.com"])
    destination = destination.format(folder=tmp_path)

    outcomes = run_dag(
        HEAD + ONE_SOURCE.format(folder=tmp_path, vendor="proofy", batch_size=2, destination=destination), "one_source"
    )

    assert outcomes["reached"].xcoms["return_value"] == f"file://{tmp_path}/{path}"
    assert [each.name.partition("-")[0] for each in (tmp_path / results).iterdir()] == ["proofy"]


def test_a_list_without_rows_comes_back_too(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", [])

    dag = ONE_SOURCE.format(folder=tmp_path, vendor=vendor, batch_size=2, destination=f'"file://{tmp_path}/out/"')
    outcomes = run_dag(HEAD + dag, "one_source")

    assert {outcome.state for outcome in outcomes.values()} == {"success"}
    assert rows(outcomes["reached"].xcoms["return_value"]) == [["id", "Email", *ADDED[:3]]]
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("name", ["proofy", "cliova"])
def test_awkward_addresses_come_back_as_they_were(
    run_dag: Callable[..., Any], connect: Callable[..., str], tmp_path: Path, name: str
) -> None:
    write(tmp_path / "list.csv", AWKWARD)
    # What Proofy's rows hold for an address that it calls malformed is not published. If that is nothing at all, there
    # is nothing to join by.
    with SandboxServer(ready_after=0.0, readings=Readings(proofy_bad_syntax="as_given")) as sandbox:
        connect(name, f"{sandbox.url}/{name}/v1")

        dag = ONE_SOURCE.format(folder=tmp_path, vendor=name, batch_size=1000, destination=f'"file://{tmp_path}/out/"')
        outcomes = run_dag(HEAD + dag, "one_source")

        (batch,) = sandbox.ledger.batches()
    assert list(batch.addresses) == AWKWARD
    _, *found = rows(outcomes["reached"].xcoms["return_value"])
    assert [row[1] for row in found] == AWKWARD
    assert {row[4] for row in found} == {name}


def test_several_lists_come_back_as_one_list_of_paths(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "lists" / "de" / "list.csv", ["a@example.com", "b@example.com", "c@example.com"])
    write(tmp_path / "lists" / "empty.csv", [])
    write(tmp_path / "lists" / "fr" / "list.csv", ["c@example.com", "d+risky@example.com"])

    outcomes = run_dag(HEAD + SEVERAL_SOURCES.format(folder=tmp_path, vendor=vendor, batch_size=2), "several_sources")

    names = ["de/list.verified.csv", "empty.verified.csv", "fr/list.verified.csv"]
    paths = outcomes["verify_emails.merge"].xcoms["return_value"]
    assert paths == [f"file://{tmp_path}/out/{name}" for name in names]
    assert [[row[2] for row in rows(path)[1:]] for path in paths] == [
        ["deliverable"] * 3,
        [],
        ["deliverable", "risky"],
    ]
    assert set(sandbox.ledger.charged().values()) == {1}


def test_each_of_many_clients_gets_a_list_of_its_own(
    run_dag: Callable[..., Any], sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path
) -> None:
    connect("cliova", sandbox.cliova_url)
    for name in ("one", "two", "three"):
        write(tmp_path / name / "list.csv", [f"{name}@example.com", f"{name}+risky@example.com"])

    run_dag(HEAD + CLIENTS.format(folder=tmp_path, vendor="cliova"), "clients")

    for name in ("one", "two", "three"):
        _, *found = rows(f"file://{tmp_path}/out/{name}/list.verified.csv")
        assert [(row[1], row[2]) for row in found] == [
            (f"{name}@example.com", "deliverable"),
            (f"{name}+risky@example.com", "risky"),
        ]
    assert len(sandbox.ledger.charged()) == 6


def test_what_is_known_is_not_bought_again_and_a_second_vendor_is_asked_about_what_is_unknown(
    run_dag: Callable[..., Any], sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path
) -> None:
    for name in ("proofy", "cliova"):
        connect(name, f"{sandbox.url}/{name}/v1")
    write(
        tmp_path / "list.csv", ["ada@example.com", "bob+unknown@example.com", "cy@x.invalid", "dan+risky@example.com"]
    )
    dag = HEAD + MONEY.format(folder=tmp_path)

    def asked(vendor: str) -> list[str]:
        return [address for batch in sandbox.ledger.batches(vendor) for address in batch.addresses]

    first = run_dag(dag, "money")

    assert asked("proofy") == ["ada@example.com", "bob+unknown@example.com", "dan+risky@example.com"]
    assert asked("cliova") == ["bob+unknown@example.com"]
    _, *found = rows(first["reached"].xcoms["return_value"])
    assert [(row[2], row[4]) for row in found] == [
        ("deliverable", "proofy"),
        ("unknown", "cliova"),
        ("undeliverable", "prescreen"),
        ("risky", "proofy"),
    ]
    summary = first["verify_emails.merge"].xcoms["summary"]
    assert (summary["bought"], summary["known"], summary["prescreened"]) == (4, 0, 1)
    assert (summary["price"], summary["saved"]) == (0.03, 0.01)

    write(tmp_path / "list.csv", ["ada@example.com", "dan+risky@example.com", "new@example.com"])
    second = run_dag(dag, "money")

    assert asked("proofy")[3:] == ["new@example.com"]
    summary = second["verify_emails.merge"].xcoms["summary"]
    assert (summary["bought"], summary["known"], summary["missing"]) == (1, 2, 0)
    assert [row[2] for row in rows(second["reached"].xcoms["return_value"])[1:]] == [
        "deliverable",
        "risky",
        "deliverable",
    ]
    assert "<th>Known from earlier</th><td>2</td>" in (tmp_path / "out" / "list.verified.report.html").read_text()


def test_a_walk_that_a_branch_skips_is_skipped_to_its_end(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", ["a@example.com"])

    outcomes = run_dag(HEAD + BRANCH.format(folder=tmp_path, vendor=vendor), "branch")

    assert {name: outcome.state for name, outcome in outcomes.items()} == {
        "is_wanted": "success",
        **{f"verify_emails.{name}": "skipped" for name in ("submit", "wait", "download", "merge")},
    }
    assert sandbox.ledger.count() == 0


def test_a_list_that_a_task_exports_is_read_after_that_task(
    run_dag: Callable[..., Any], sandbox: SandboxServer, vendor: str, tmp_path: Path
) -> None:
    write(tmp_path / "list.csv", ["old@example.com"])

    outcomes = run_dag(HEAD + EXPORT.format(folder=tmp_path, vendor=vendor), "export")

    assert sandbox.ledger.charged() == {"new@example.com": 1}
    assert outcomes["reached"].xcoms["return_value"] == f"file://{tmp_path}/out/list.verified.csv"


WALK: dict[str, Any] = {"source": "a.csv", "conn_id": "proofy_default", "destination": "s3://bucket/"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"source": None}, "give source, the list to verify"),
        ({"source": None, "sources": ["b.csv"]}, "no argument 'sources' any more: give source a list of URIs"),
        ({"paths": {}}, "no argument 'paths' any more: the group returns the path of the verified list"),
        ({"sauce": "a.csv"}, "no argument 'sauce'"),
        ({"submit": {"email_column": "mail"}}, "email_column is said once, as an argument of the group, not in submit"),
        ({"merge": {"sheet": "x", "encoding": "cp1252"}}, "encoding, sheet is said once"),
        ({"known": True, "destination": "s3://b/{{ ds }}/"}, "known=True reads the results of earlier runs"),
        ({"known": True, "results": "s3://b/{{ run_id }}/"}, "known=True reads the results of earlier runs"),
        ({"then": "cliova_default"}, "then is a literal list"),
        ({"then": ["c"], "then_verdicts": ["bad"]}, "then_verdicts is a list of deliverable"),
        ({"answers": "s3://b/a.csv", "prescreen": "dns"}, "give one of them"),
        ({"download": {"output_format": "vendor"}}, "merge reads the results of download"),
        ({"download": {"split_by_verdict": True}}, r"Use merge=\{'split_by_verdict': True\}"),
    ],
)
def test_a_walk_that_cannot_end_well_is_refused_in_the_dag_file(arguments: dict[str, Any], says: str) -> None:
    with DAG("d", schedule=None), pytest.raises((TypeError, ValueError), match=says):
        verify_emails(**{**WALK, **arguments})


def test_every_argument_of_every_part_can_be_given() -> None:
    with DAG("d", schedule=None) as dag:
        verify_emails(
            "walk",
            **WALK,
            email_column="mail",
            source_format="csv",
            encoding="cp1252",
            sheet="x",
            submit={"pool": "vendor"},
            wait={"deferrable": True, "timeout": 60},
            download={"download_options": {}, "retries": 7, "output_format": "parquet"},
            merge={"trigger_rule": "all_done", "columns": ["verdict"]},
        )

    for name in ("submit", "merge"):
        each = dag.get_task(f"walk.{name}")
        assert (each.email_column, each.source_format, each.encoding, each.sheet) == ("mail", "csv", "cp1252", "x")
    assert dag.get_task("walk.submit").ledger is None
    assert dag.get_task("walk.submit").pool == "vendor"
    assert (dag.get_task("walk.wait").timeout, dag.get_task("walk.wait").mode) == (60, "poke")
    assert (dag.get_task("walk.download").retries, dag.get_task("walk.download").output_format) == (7, "parquet")
    assert dag.get_task("walk.merge").trigger_rule == "all_done"


def test_retries_and_timeouts_are_there_unless_somebody_says_otherwise() -> None:
    defaults = {"retries": 1, "mode": "poke", "timeout": 5}
    with DAG("ours", schedule=None) as ours:
        verify_emails(**WALK)
    with DAG("dags", schedule=None, default_args=defaults) as dags:
        verify_emails(**WALK, merge={"retries": 0})
    with DAG("groups", schedule=None, default_args=defaults) as groups, TaskGroup("g", default_args={"retries": 2}):
        verify_emails(**WALK)

    wait = ours.get_task("verify_emails.wait")
    assert (wait.retries, wait.retry_delay, wait.mode, wait.timeout) == (4, timedelta(minutes=1), "reschedule", 172800)
    wait = dags.get_task("verify_emails.wait")
    assert (wait.retries, wait.mode, wait.timeout) == (1, "poke", 5)
    assert dags.get_task("verify_emails.merge").retries == 0
    assert groups.get_task("g.verify_emails.submit").retries == 2


def test_a_ledger_is_for_all_tasks_that_keep_something() -> None:
    with DAG("d", schedule=None) as dag:
        verify_emails(**WALK, ledger="s3://b/ledger/")

    for name in ("submit", "wait", "download"):
        assert dag.get_task(f"verify_emails.{name}").ledger == "s3://b/ledger/"
