"""The download operator's results in one schema: names, contents, figures, and what outsiders are told."""

from __future__ import annotations

import csv
import hashlib
import html.parser
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias
from pyarrow.parquet import read_table

from airflow_provider_emailverify.exceptions import IncompleteResponseError
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.results.report import render_report
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps import fetching
from tests.outlet_events import OutletEvents
from tests.raw_server import Behaviour, RawServer, respond
from tests.unit.operators.test_download import Ti

EMAILS = [
    "support@proofy.io",
    "jane@example.com",
    "jane+undeliverable@example.com",
    "jane+catchall@example.com",
    "jane+unknown@example.com",
    "not an address",
]
VERDICTS = ["deliverable", "undeliverable", "risky", "unknown"]
COUNTS = {"deliverable": 2, "undeliverable": 2, "risky": 1, "unknown": 1}


@pytest.fixture
def vendors(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Both vendors, each with a batch that is ready."""
    for vendor, url in (("proofy", sandbox.proofy_url), ("cliova", sandbox.cliova_url)):
        sandbox.ledger.create_batch(vendor, EMAILS, batch_id="b", ready_after=0)
        connect(vendor, url)
    return sandbox


class Landing:
    """One run of the operator."""

    def __init__(self, folder: Path, vendor: str = "proofy", context: Any = None, **arguments: Any) -> None:
        self.folder = folder
        self.operator = EmailVerifyDownloadOperator(
            **{
                "task_id": "download",
                "batch_id": "b",
                "conn_id": f"{vendor}_default",
                "destination": f"file://{folder}/out/",
                "output_format": "csv",
                **arguments,
            }
        )
        ti = Ti()
        self.result = self.operator.execute({"ti": ti, "outlet_events": {}, **(context or {})})
        self.summary = ti.pushed["summary"]

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


def read(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(path.removeprefix("file://")).read_text(), newline="")))


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_the_file_is_called_after_vendor_batch_and_format(
    vendors: SandboxServer, tmp_path: Path, vendor: str, output_format: str
) -> None:
    landing = Landing(tmp_path, vendor, output_format=output_format)

    assert landing.result == f"file://{tmp_path}/out/{vendor}-b.{output_format}"
    assert landing.names() == [f"out/{vendor}-b.{output_format}"]


def test_both_vendors_give_the_same_columns_and_words(vendors: SandboxServer, tmp_path: Path) -> None:
    proofy, cliova = (read(Landing(tmp_path, vendor).result) for vendor in ("proofy", "cliova"))

    assert list(proofy[0]) == list(cliova[0])
    assert [row["verdict"] for row in proofy] == [row["verdict"] for row in cliova]
    assert [row["email"] for row in cliova] == EMAILS
    assert [row["email"] for row in proofy] == [*EMAILS[:-1], ""]  # Proofy's row has no address if its syntax is bad


def test_the_summary_has_the_figures(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, "cliova")

    content = (tmp_path / "out/cliova-b.csv").read_bytes()
    assert landing.summary == {
        "rows": 6,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "text/csv",
        "vendor": "cliova",
        "batch_id": "b",
        "schema_version": 1,
        "expected": 6,
        "received": 6,
        "without_address": 0,
        "verdicts": COUNTS,
        "reasons": landing.summary["reasons"],
        "unmapped": {},
    }
    assert sum(landing.summary["reasons"].values()) == 6
    assert json.loads(json.dumps(landing.summary)) == landing.summary


@pytest.mark.parametrize("cliova_json", ["list", "envelope"])
@pytest.mark.parametrize("cliova_csv", ["status", "title_case", "flags", "semicolon"])
def test_every_plausible_layout_of_cliova_is_read(
    connect: Callable[..., str], tmp_path: Path, cliova_csv: str, cliova_json: str
) -> None:
    from airflow_provider_emailverify.sandbox.settings import Readings

    readings = Readings(cliova_csv=cliova_csv, cliova_json=cliova_json, cliova_booleans="string")  # type: ignore[arg-type]
    with SandboxServer(ready_after=0.0, readings=readings) as server:
        server.ledger.create_batch("cliova", EMAILS, batch_id="b", ready_after=0)
        connect("cliova", server.cliova_url)

        for output in ("csv", "json"):
            landing = Landing(tmp_path, "cliova", download_options={"output": output})
            assert landing.summary["verdicts"] == COUNTS
            assert [row["email"] for row in read(landing.result)] == EMAILS


def test_verdicts_keep_only_their_rows_and_all_are_counted(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, verdicts=["deliverable", "risky"])

    assert [row["verdict"] for row in read(landing.result)] == ["deliverable", "deliverable", "risky"]
    assert (landing.summary["rows"], landing.summary["received"], landing.summary["verdicts"]) == (3, 6, COUNTS)


def test_a_file_for_each_verdict_and_a_marker(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, split_by_verdict=True, keep_vendor_file=True, report=True)

    assert landing.result == {verdict: f"file://{tmp_path}/out/proofy-b/{verdict}.csv" for verdict in VERDICTS}
    for verdict, path in landing.result.items():
        assert [row["verdict"] for row in read(path)] == [verdict] * COUNTS[verdict]
        content = Path(path[7:]).read_bytes()
        assert landing.summary["files"][verdict] == {
            "path": path,
            "rows": COUNTS[verdict],
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    others = ["_SUCCESS", "report.html", "vendor.json"]
    assert landing.names() == sorted(f"out/proofy-b/{name}" for name in [*(f"{v}.csv" for v in VERDICTS), *others])
    marker = json.loads((tmp_path / "out/proofy-b/_SUCCESS").read_bytes())
    published = {file["name"] for file in marker.pop("published")}
    assert published == {path.name for path in (tmp_path / "out/proofy-b").iterdir()} - {"_SUCCESS"}
    assert marker == landing.summary
    assert (landing.summary["rows"], landing.summary["bytes"]) == (
        6,
        sum(file["bytes"] for file in landing.summary["files"].values()),
    )


def test_only_the_wanted_verdicts_get_a_file(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, split_by_verdict=True, verdicts=["risky"])

    assert list(landing.result) == ["risky"]
    assert landing.names() == ["out/proofy-b/_SUCCESS", "out/proofy-b/risky.csv"]


@pytest.mark.parametrize(
    ("destination", "names"),
    [
        ("out/", ["out/cliova-b.csv", "out/cliova-b.report.html", "out/cliova-b.vendor.csv"]),
        ("out/mine.csv", ["out/mine.csv", "out/mine.report.html", "out/mine.vendor.csv"]),
        ("out/mine", ["out/mine", "out/mine.report.html", "out/mine.vendor.csv"]),
    ],
)
def test_the_vendors_bytes_and_the_report_are_beside_the_results(
    vendors: SandboxServer, tmp_path: Path, destination: str, names: list[str]
) -> None:
    plain = Landing(tmp_path / "plain", "cliova", output_format="vendor")
    landing = Landing(
        tmp_path / "kept",
        "cliova",
        destination=f"file://{tmp_path}/kept/{destination}",
        keep_vendor_file=True,
        report=True,
    )

    assert landing.names() == names
    vendor_file = Path(landing.summary["vendor_file"].removeprefix("file://"))
    assert vendor_file.read_bytes() == Path(plain.result.removeprefix("file://")).read_bytes()
    assert Path(landing.summary["report"].removeprefix("file://")).name == names[1].rpartition("/")[2]


def test_the_users_words_may_stand_on_the_connection_and_on_the_task(
    vendors: SandboxServer, connect: Callable[..., str], tmp_path: Path
) -> None:
    connect("proofy", vendors.proofy_url, status_map='{"valid": "risky", "risky": "unknown"}')

    landing = Landing(tmp_path, status_map={"risky": "undeliverable"})

    assert landing.summary["verdicts"] == {"deliverable": 0, "undeliverable": 3, "risky": 2, "unknown": 1}


def test_columns_that_nobody_knows_fail_at_once_and_leave_nothing(
    vendors: SandboxServer, tmp_path: Path, connect: Callable[..., str]
) -> None:
    vendors.ledger.create_batch("cliova", [], batch_id="b", ready_after=0, content=b"Who,Outcome\nx@example.com,fine\n")

    with pytest.raises(AirflowFailException, match=r"UnknownColumnsError: .*the columns are Who, Outcome"):
        Landing(tmp_path, "cliova")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    connect("cliova", vendors.cliova_url, column_map={"email": "who", "verdict": "outcome"})
    assert Landing(tmp_path, "cliova").summary["unmapped"] == {"fine": 1}


def test_rows_of_a_body_that_was_cut_are_written_anew(vendors: SandboxServer, tmp_path: Path, connect: Any) -> None:
    connect("proofy", vendors.proofy_url, max_attempts=2)
    vendors.faults.add(operation="download", kind="truncate", keep=0.6, encoding="chunked", times=1)

    assert Landing(tmp_path).summary["verdicts"] == COUNTS


def test_a_parquet_file_can_be_read_whose_first_attempt_was_cut(
    vendors: SandboxServer, tmp_path: Path, connect: Any
) -> None:
    emails = [f"user{number}@example.com" for number in range(100)]
    vendors.ledger.create_batch("proofy", emails, batch_id="many", ready_after=0)
    connect("proofy", vendors.proofy_url, max_attempts=2)
    vendors.faults.add(operation="download", kind="truncate", keep=0.9, encoding="chunked", times=1)

    landing = Landing(tmp_path, batch_id="many", output_format="parquet")

    assert landing.summary["rows"] == 100
    assert read_table(landing.result.removeprefix("file://")).column("email").to_pylist() == emails


@pytest.mark.parametrize("output_format", ["csv", "parquet"])
def test_all_rows_tell_when_the_fetch_that_brought_them_began(
    vendors: SandboxServer, tmp_path: Path, connect: Any, monkeypatch: pytest.MonkeyPatch, output_format: str
) -> None:
    clock = iter([1_795_685_000.0, 1_795_685_400.9, 0.0])  # of two attempts, and no more
    monkeypatch.setattr(fetching, "time", SimpleNamespace(time=lambda: next(clock)))
    connect("proofy", vendors.proofy_url, max_attempts=2)
    vendors.faults.add(operation="download", kind="truncate", keep=0.6, encoding="chunked", times=1)

    path = Landing(tmp_path, output_format=output_format).result.removeprefix("file://")

    found = {row["verified_at"] for row in (read_table(path).to_pylist() if output_format == "parquet" else read(path))}
    began = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    assert found == ({began} if output_format == "parquet" else {"2026-11-26T09:30:00Z"})


def answers_without_length(rows: int, total: int) -> list[Behaviour]:
    status = {"code": "SUCCESS", "payload": [{"id": "b", "status": "COMPLETED", "totalEmails": total}]}
    table = "email,status\n" + "a@example.com,valid\n" * rows
    return [respond(json.dumps(status).encode()), respond(table.encode(), length=None)]


@pytest.mark.parametrize("output_format", ["vendor", "csv", "parquet"])
def test_fewer_rows_than_announced_are_a_cut_answer_where_nothing_else_tells(
    raw_server: RawServer, connect: Any, tmp_path: Path, output_format: str
) -> None:
    connect("cliova", raw_server.url)
    raw_server.answer(*answers_without_length(rows=2, total=5))

    with pytest.raises(IncompleteResponseError, match="2 of 5 rows came"):
        Landing(tmp_path, "cliova", output_format=output_format)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_user_may_accept_fewer_rows_than_announced(raw_server: RawServer, connect: Any, tmp_path: Path) -> None:
    connect("cliova", raw_server.url)
    raw_server.answer(*answers_without_length(rows=2, total=5))

    assert Landing(tmp_path, "cliova", allow_missing_rows=True).summary["rows"] == 2


def test_all_announced_rows_are_enough_where_nothing_else_tells(
    raw_server: RawServer, connect: Any, tmp_path: Path
) -> None:
    connect("cliova", raw_server.url)
    raw_server.answer(*answers_without_length(rows=5, total=5))

    assert Landing(tmp_path, "cliova").summary["rows"] == 5


@pytest.mark.parametrize("output_format", ["csv", "parquet"])
def test_a_body_that_stays_cut_leaves_what_was_there(
    vendors: SandboxServer, tmp_path: Path, output_format: str
) -> None:
    old = Path(Landing(tmp_path, output_format=output_format, report=True).result.removeprefix("file://"))
    before = {path: path.read_bytes() for path in old.parent.iterdir()}
    vendors.faults.add(operation="download", kind="truncate", keep=0.6, encoding="chunked")

    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path, output_format=output_format, report=True)
    assert {path: path.read_bytes() for path in old.parent.iterdir()} == before


def test_events_of_the_outlets_carry_the_figures(vendors: SandboxServer, tmp_path: Path) -> None:
    asset, alias = Asset("s3://bucket/verified"), AssetAlias("verified")
    events = OutletEvents(asset, alias)

    landing = Landing(
        tmp_path, context={"outlet_events": events}, outlets=[asset, alias], split_by_verdict=True, verdicts=["risky"]
    )

    assert events[asset].extra == landing.summary
    assert events[alias].added == [(landing.result["risky"], landing.summary)]


# --- the report ---


class Page(html.parser.HTMLParser):
    """What a page refers to and shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_shows_the_figures_and_nothing_personal(vendors: SandboxServer, tmp_path: Path) -> None:
    vendors.ledger.create_batch(
        "cliova", [], batch_id="b", ready_after=0, content=b"email,status\nx@example.com,valid\ny@example.com,<b>gold\n"
    )
    landing = Landing(tmp_path, "cliova", report=True)

    text = Path(landing.summary["report"].removeprefix("file://")).read_text()
    page = Page(text)
    assert "cliova, batch b" in page.text
    assert re.search(r"deliverable 1 50\.0%", page.text)
    assert "<b>gold" in page.text
    assert "@" not in text.partition("</style>")[2]
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "b", "a", "object", "svg"})
    assert page.attributes.isdisjoint({"src", "href", "onload", "onclick", "action"})
    assert "url(" not in text


def test_the_report_warns_of_rows_that_did_not_come(vendors: SandboxServer, tmp_path: Path) -> None:
    summary = {**Landing(tmp_path).summary, "expected": 1000, "vendor": "<script>", "unmapped": {}}

    text = render_report(summary)

    assert "994 of 1,000 expected rows did not come." in text
    assert "<script>" not in text


def test_the_report_of_no_rows_is_a_page(vendors: SandboxServer, tmp_path: Path) -> None:
    vendors.ledger.create_batch("cliova", [], batch_id="b", ready_after=0, content=b"email,status\n")

    assert "deliverable 0 <small>0.0%</small>" in render_report(Landing(tmp_path, "cliova").summary)


# --- OpenLineage ---


def test_openlineage_is_told_of_batch_and_files_without_the_connection(vendors: SandboxServer, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")
    landing = Landing(tmp_path, output_format="jsonl")

    facets = landing.operator.get_openlineage_facets_on_complete(None)

    (source,), (target,) = facets.inputs, facets.outputs
    assert (source.namespace, source.name) == (vendors.url, "batches/b")
    assert (target.namespace, target.name) == ("file", f"{tmp_path}/out/proofy-b.jsonl")
    statistics = target.outputFacets["outputStatistics"]
    assert (statistics.rowCount, statistics.size) == (6, landing.summary["bytes"])
    assert [field.name for field in target.facets["schema"].fields][:3] == ["email", "verdict", "reason"]
    assert not any(text in repr(facets) for text in [*EMAILS, "proofy_default"])


def test_openlineage_is_told_of_each_file_and_of_the_vendors_format(vendors: SandboxServer, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")

    split = Landing(tmp_path, split_by_verdict=True).operator.get_openlineage_facets_on_complete(None)
    vendor = Landing(tmp_path, output_format="vendor").operator.get_openlineage_facets_on_complete(None)

    assert [output.name.rpartition("/")[2] for output in split.outputs] == [f"{verdict}.csv" for verdict in VERDICTS]
    assert [output.outputFacets["outputStatistics"].rowCount for output in split.outputs] == list(COUNTS.values())
    assert "schema" not in vendor.outputs[0].facets


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("s3://conn@bucket/a/b.csv", ("s3://bucket", "a/b.csv")),
        ("gs://bucket/b.csv", ("gs://bucket", "b.csv")),
        ("file:///a/b.csv", ("file", "/a/b.csv")),
        ("/a/b.csv", ("file", "/a/b.csv")),
    ],
)
def test_datasets_are_named_by_openlineages_rules(uri: str, names: tuple[str, str]) -> None:
    from airflow_provider_emailverify.steps.lineage import dataset_name
    from airflow_provider_emailverify.storage.destination import Destination

    assert dataset_name(Destination(uri).asset_uri) == names


def test_a_task_that_did_nothing_has_no_lineage() -> None:
    operator = EmailVerifyDownloadOperator(task_id="d", batch_id="b", conn_id="c", destination="d")

    assert operator.get_openlineage_facets_on_complete(None) is None


def test_downloads_need_no_openlineage(vendors: SandboxServer, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['airflow.providers.openlineage.extractors'] = sys.modules['openlineage'] = None\n"
        "from tests.unit.operators.test_download_rows import Landing; from pathlib import Path\n"
        f"print(Landing(Path({str(tmp_path)!r})).summary['rows'])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split()[-1] == "6"
