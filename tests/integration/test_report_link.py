"""The link to a report, as Airflow's UI asks for it: of the serialized DAG, when the task has ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Outcome

DAG = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator

with DAG("linked", schedule=None):
    EmailVerifyMergeOperator(
        task_id="merge",
        source="file://{folder}/list.csv",
        results="file://{folder}/results.csv",
        destination="file://{folder}/out/",
        report={report},
        report_url={url!r},
    )
"""
ROWS = "email,verdict,reason,vendor,vendor_status,batch_id\nada@example.com,deliverable,accepted,proofy,valid,b\n"


@pytest.fixture
def code(tmp_path: Path) -> Callable[..., str]:
    """Return the code of a DAG that merges a list and links to its report."""
    (tmp_path / "list.csv").write_text("email\nada@example.com\n")
    (tmp_path / "results.csv").write_text(ROWS)

    def make(url: str | None, *, report: bool = True) -> str:
        return DAG.format(folder=tmp_path, report=report, url=url)

    return make


def link(folder: Path) -> str | None:
    """Return what the UI shows of the newest run of the task."""
    from airflow.models import TaskInstance
    from airflow.serialization import serialized_objects
    from airflow.utils.session import create_session

    from tests.integration.conftest import _dag_bag

    serialization: Any = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    dag = serialization.from_dict(serialization.to_dict(_dag_bag(folder).dags["linked"]))
    with create_session() as session:
        newest = TaskInstance.run_id.desc()
        ti = session.query(TaskInstance).filter_by(dag_id="linked", task_id="merge").order_by(newest).first()
        assert ti
        return dag.get_task("merge").get_extra_links(ti, "Report")


def test_a_report_opens_from_the_task(
    code: Callable[..., str], run_dag: Callable[..., dict[str, Outcome]], airflow_db: Path
) -> None:
    tasks = run_dag(code("https://reports.example.com/{{ dag.dag_id }}/"), "linked")

    url = "https://reports.example.com/linked/list.verified.report.html"
    assert tasks["merge"].state == "success"
    assert tasks["merge"].xcoms["summary"]["report_url"] == url
    assert link(airflow_db) == url


def test_without_a_url_there_is_no_link(
    code: Callable[..., str], run_dag: Callable[..., dict[str, Outcome]], airflow_db: Path
) -> None:
    tasks = run_dag(code(None), "linked")

    assert "report_url" not in tasks["merge"].xcoms["summary"]
    assert not link(airflow_db)


@pytest.mark.parametrize(
    ("url", "report"),
    [("https://bucket.example.com/page.html?X-Amz-Signature=secret", True), ("https://reports.example.com/", False)],
)
def test_a_url_that_cannot_be_shown_fails_the_task_before_anything_is_written(
    code: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    airflow_db: Path,
    tmp_path: Path,
    url: str,
    report: bool,
) -> None:
    tasks = run_dag(code(url, report=report), "linked")

    assert tasks["merge"].state == "failed"
    assert not (tmp_path / "out").exists()
    assert not link(airflow_db)
