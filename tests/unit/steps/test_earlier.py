"""The figures of each merge stay in a folder, and the report shows them over time."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.steps.earlier import MOST_EARLIER, Earlier
from airflow_provider_emailverify.storage.destination import Destination
from tests.submit_task import Ti

ROWS = "email,verdict,reason,vendor,vendor_status,batch_id\nada@example.com,deliverable,accepted,proofy,valid,b\n"


class Weekly:
    """A merge that runs each week."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "list.csv").write_text("email\nada@example.com\ngone@example.com\n")
        (folder / "results.csv").write_text(ROWS)

    def run(self, day: int, run_id: str = "", **arguments: Any) -> str:
        """Merge in the run of a day, and return the page."""
        operator = EmailVerifyMergeOperator(
            task_id="merge",
            source=f"file://{self.folder}/list.csv",
            results=f"file://{self.folder}/results.csv",
            destination=f"file://{self.folder}/out/",
            **{"report": True, "history": f"file://{self.folder}/history/", **arguments},
        )
        ti = Ti()
        ti.run_id = run_id or f"scheduled__{day}"
        due = SimpleNamespace(run_after=datetime(2026, 11, day, 6, tzinfo=UTC))
        operator.execute({"ti": ti, "outlet_events": {}, "dag_run": due})  # type: ignore[typeddict-item, typeddict-unknown-key]
        page = self.folder / "out" / "list.verified.report.html"
        return page.read_text() if page.exists() else ""

    def kept(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "history").glob("*"))


@pytest.fixture
def weekly(tmp_path: Path) -> Weekly:
    """A list whose results are there."""
    return Weekly(tmp_path)


def days(page: str) -> list[str]:
    """Return the days that a page shows over time."""
    part = page.partition("<h2>Over time</h2>")[2].partition("<h2>")[0]
    return re.findall(r'<th class="name">([^<]+)</th>', part)


def test_each_run_sees_those_before_it(weekly: Weekly) -> None:
    assert [days(weekly.run(day)) for day in (5, 12, 19)] == [
        [],
        ["2026-11-05", "2026-11-12, this run"],
        ["2026-11-05", "2026-11-12", "2026-11-19, this run"],
    ]


def test_a_retry_replaces_its_own_figures_and_a_run_of_long_ago_does_not_see_later_ones(weekly: Weekly) -> None:
    for day in (5, 12, 19):
        weekly.run(day)
    before = weekly.kept()

    assert days(weekly.run(12)) == ["2026-11-05", "2026-11-12, this run"]
    assert weekly.kept() == before


@pytest.mark.parametrize("digests", [("a", "b"), ("b", "a")])
def test_of_two_runs_in_one_second_the_later_one_sees_the_other(tmp_path: Path, digests: tuple[str, str]) -> None:
    folder = Destination(f"file://{tmp_path}/")
    dues = (datetime(2026, 11, 5, 6, 0, 0, number, tzinfo=UTC) for number in (1, 2))
    first, second = (Earlier(folder, due, digest) for due, digest in zip(dues, digests, strict=True))
    for run in (first, second):
        run.write({"rows": 1, "verdicts": dict.fromkeys(Verdict, 0)})

    assert (len(first.read()), len(second.read())) == (0, 1)


def test_what_is_kept_is_numbers_and_no_address(weekly: Weekly) -> None:
    weekly.run(5, submitted=None)

    (name,) = weekly.kept()
    assert re.fullmatch(r"2026-11-05T060000\.000000Z-[0-9a-f]{16}\.summary\.json", name)
    text = (weekly.folder / "history" / name).read_text()
    assert json.loads(text) == {
        "moment": "2026-11-05T06:00:00Z",
        "schema_version": 1,
        "rows": 2,
        "addresses": 2,
        "missing": 1,
        "verdicts": {"deliverable": 1, "undeliverable": 0, "risky": 0, "unknown": 1},
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"verdicts": null}',
        b'{"moment": 5, "rows": 1, "verdicts": {}}',
        b'{"moment": "2026", "rows": 1, "bought": "x", "verdicts": '
        b'{"deliverable": 1, "undeliverable": 0, "risky": 0, "unknown": 0}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_file_of_somebody_else_is_left_out(weekly: Weekly, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    weekly.run(5)
    (weekly.folder / "history" / "2026-11-06T000000Z-x.summary.json").write_bytes(content)
    (weekly.folder / "history" / "notes.txt").write_text("mine")

    assert days(weekly.run(12)) == ["2026-11-05", "2026-11-12, this run"]
    assert "holds no figures of a merge" in caplog.text


def test_without_a_folder_nothing_is_kept_and_without_a_report_it_is(weekly: Weekly) -> None:
    weekly.run(5, history=None)
    assert weekly.kept() == []

    weekly.run(5, report=False)
    assert len(weekly.kept()) == 1


def test_a_year_of_weeks_is_read_and_no_more(tmp_path: Path) -> None:
    folder = Destination(f"file://{tmp_path}/")
    figures = {"rows": 1, "verdicts": dict.fromkeys(("deliverable", "undeliverable", "risky", "unknown"), 1)}
    for year in range(1900, 1970):
        Earlier(folder, datetime(year, 1, 1, tzinfo=UTC), "d").write(figures)

    found = Earlier(folder, datetime(1970, 1, 1, tzinfo=UTC), "d").read()

    assert [each["moment"][:4] for each in found] == [str(year) for year in range(1970 - MOST_EARLIER, 1970)]


def test_a_folder_that_cannot_be_is_refused_before_anything_is_written(weekly: Weekly) -> None:
    with pytest.raises(AirflowFailException, match="history"):
        weekly.run(5, history="s3://bucket/a::b/")

    assert not (weekly.folder / "out").exists()


@pytest.mark.parametrize("date", ["logical_date", "run_after"])
def test_runs_of_every_airflow_say_when_they_were_due(date: str) -> None:
    run = SimpleNamespace(**{"logical_date": None, date: datetime(2026, 11, 5, tzinfo=UTC)})

    assert Earlier.of("file:///x/history", {"ti": Ti(), "dag_run": run}).moment == "2026-11-05T00:00:00Z"
