"""What submit and merge tell of lineage: from the list to batches, and from list and results to the verified list."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.lineage import tell_lineage
from tests.submit_task import EMAILS, Task, Ti

MERGE: Any = {"task_id": "merge", "source": "file:///a.csv", "results": "file:///r/", "destination": "file:///o/"}


@pytest.fixture
def merged(tmp_path: Path) -> EmailVerifyMergeOperator:
    """A merge of two lists that has run."""
    for name in ("one", "two"):
        (tmp_path / "lists").mkdir(exist_ok=True)
        (tmp_path / f"lists/{name}.csv").write_text(f"email\n{name}@example.com\n")
    (tmp_path / "results.csv").write_text(
        "email,verdict,reason,vendor,verified_at\none@example.com,risky,role,proofy,\n"
    )
    operator = EmailVerifyMergeOperator(
        task_id="merge",
        source=f"file://{tmp_path}/lists/",
        results=f"file://{tmp_path}/results.csv",
        destination=f"file://{tmp_path}/out/",
    )
    context: Any = {"ti": Ti(), "outlet_events": {}}
    operator.execute(context)
    return operator


def names(datasets: Any) -> list[tuple[str, str]]:
    return [(each.namespace, each.name) for each in datasets]


def test_a_submission_leads_from_the_list_to_its_batches(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")
    task = make_task("cliova")
    ids = task.attempt()
    assert task.operator

    facets = task.operator.get_openlineage_facets_on_complete(None)

    assert names(facets.inputs) == [("file", str(task.source))]
    assert names(facets.outputs) == [(sandbox.url, f"batches/{batch_id}") for batch_id in ids]
    assert not any(text in repr(facets) for text in [*EMAILS, "cliova_default"])


def test_a_merge_leads_from_lists_and_results_to_the_verified_lists(
    merged: EmailVerifyMergeOperator, tmp_path: Path
) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")

    facets = merged.get_openlineage_facets_on_complete(None)

    read = [*(f"lists/{name}.csv" for name in ("one", "two")), "results.csv"]
    assert names(facets.inputs) == [("file", f"{tmp_path}/{name}") for name in read]
    assert names(facets.outputs) == [("file", f"{tmp_path}/out/{name}.verified.csv") for name in ("one", "two")]
    assert [output.outputFacets["outputStatistics"].rowCount for output in facets.outputs] == [1, 1]


def test_airflows_own_collector_hears_of_it(
    make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    heard: list[tuple[str, str]] = []

    class Collector:
        def add_input_asset(self, context: Any, uri: str) -> None:
            heard.append(("input", uri))

        def add_output_asset(self, context: Any, uri: str) -> None:
            heard.append(("output", uri))

    monkeypatch.setattr("airflow.providers.common.compat.lineage.hook.get_hook_lineage_collector", Collector)
    task = make_task("cliova")

    task.attempt(answers=f"file://{tmp_path}/answers.csv", prescreen="syntax")

    assert heard == [("input", f"file://{task.source}"), ("output", f"file://{tmp_path}/answers.csv")]


def test_of_very_many_files_their_folders_are_told(tmp_path: Path) -> None:
    told = tell_lineage(
        None,
        read=[f"file://{tmp_path}/in/{number}.csv" for number in range(21)],
        written={f"s3://bucket/{number % 2}/{number}.csv": 1 for number in range(21)},
        vendor_url="https://vendor.example/v1",
        batch_ids=[str(number) for number in range(21)],
    )

    assert told is not None
    assert [uri.rstrip("/") for uri in told.read] == [f"file://{tmp_path}/in"]
    assert {uri.rstrip("/"): rows for uri, rows in told.written.items()} == {
        "s3://bucket/0": None,
        "s3://bucket/1": None,
    }
    assert told.batches == [("https://vendor.example", "batches")]


def test_lineage_that_cannot_be_told_fails_no_task(
    make_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("airflow.providers.common.compat.lineage.hook.get_hook_lineage_collector", broken)
    task = make_task("cliova")

    assert len(task.attempt()) == 3
    assert "The lineage of this task is not told (RuntimeError)." in [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    assert task.operator
    assert task.operator.get_openlineage_facets_on_complete(None) is None


def test_airflows_real_collector_takes_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = tell_lineage(
        EmailVerifyMergeOperator(**MERGE), read=[f"file://{tmp_path}/a.csv"], written={"s3://b/c.csv": 1}
    )

    assert told is not None
    assert not caplog.records
