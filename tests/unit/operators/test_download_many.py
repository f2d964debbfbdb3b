"""The download operator with a list of batch ids: files, rows, figures, and what outsiders are told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias
from pyarrow.parquet import read_table

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.outlet_events import OutletEvents
from tests.unit.operators.many_batches import VERDICTS, Landing, emails_of, names, read

# --- files and rows ---


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
@pytest.mark.parametrize("output_format", ["vendor", "csv", "jsonl", "parquet"])
def test_a_folder_gets_a_file_for_each_batch_as_if_each_were_landed_alone(
    vendors: SandboxServer, tmp_path: Path, vendor: str, output_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_emailverify.steps.fetching.time", SimpleNamespace(time=lambda: 0.0))
    ids = ("c", "a", "b")
    alone = [Landing(tmp_path / "alone", batch, vendor, output_format=output_format).result for batch in ids]

    landing = Landing(tmp_path / "many", ids, vendor, output_format=output_format)

    assert [Path(path).name for path in landing.result] == [Path(path).name for path in alone]
    assert names(tmp_path / "many") == names(tmp_path / "alone")
    for many, one in zip(landing.result, alone, strict=True):
        assert Path(many[7:]).read_bytes() == Path(one[7:]).read_bytes()


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_one_file_holds_the_rows_of_all_batches_in_the_order_of_the_ids(
    vendors: SandboxServer, tmp_path: Path, output_format: str
) -> None:
    path = tmp_path / f"all.{output_format}"

    landing = Landing(tmp_path, ("c", "a", "b"), destination=f"file://{path}", output_format=output_format)

    assert landing.result == f"file://{path}"
    assert names(tmp_path) == [path.name]
    rows: list[dict[str, Any]]
    if output_format == "csv":
        rows = [dict(row) for row in read(landing.result)]
    elif output_format == "jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = read_table(path).to_pylist()
    assert [row["email"] for row in rows] == emails_of("c") + emails_of("a") + emails_of("b")
    assert [row["batch_id"] for row in rows] == ["c"] * 4 + ["a"] * 4 + ["b"] * 4
    assert {row["vendor"] for row in rows} == {"cliova"}
    assert all(row["verified_at"] for row in rows)
    assert landing.summary["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_row_of_one_file_tells_when_its_own_batch_was_fetched(
    vendors: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(100))
    monkeypatch.setattr(
        "airflow_provider_emailverify.steps.fetching.time", SimpleNamespace(time=lambda: float(next(times)))
    )

    rows = read(Landing(tmp_path, destination=f"file://{tmp_path}/all.csv").result)

    assert {row["batch_id"]: row["verified_at"] for row in rows}.keys() == {"a", "b", "c"}
    assert len({row["verified_at"] for row in rows}) == 3


@pytest.mark.parametrize("ids", [["a"], '["a"]'])
def test_a_list_of_one_id_is_a_list(vendors: SandboxServer, tmp_path: Path, ids: Any) -> None:
    landing = Landing(tmp_path, ids)

    assert landing.result == [f"file://{tmp_path}/out/cliova-a.csv"]
    assert landing.summary["batches"] == 1


@pytest.mark.parametrize("output_format", ["vendor", "csv"])
def test_a_list_of_one_id_and_one_file_returns_its_path(
    vendors: SandboxServer, tmp_path: Path, output_format: str
) -> None:
    landing = Landing(tmp_path, ["a"], destination=f"file://{tmp_path}/a.csv", output_format=output_format)

    assert landing.result == f"file://{tmp_path}/a.csv"
    assert landing.summary["batches"] == 1


def test_an_empty_list_makes_no_files_in_a_folder(vendors: SandboxServer, tmp_path: Path) -> None:
    for arguments in ({}, {"output_format": "vendor"}, {"split_by_verdict": True}):
        landing = Landing(tmp_path, [], **arguments)
        assert landing.result == []
        assert (landing.summary["batches"], landing.summary["rows"]) == (0, 0)
    assert names(tmp_path) == []
    assert vendors.ledger.count() == 0


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_an_empty_list_makes_one_file_without_rows(vendors: SandboxServer, tmp_path: Path, output_format: str) -> None:
    from airflow_provider_emailverify.results.read_back import count_files

    landing = Landing(tmp_path, [], destination=f"file://{tmp_path}/all.{output_format}", output_format=output_format)

    path = tmp_path / f"all.{output_format}"
    if output_format == "parquet":
        assert read_table(path).num_rows == 0
    elif output_format == "csv":
        assert path.read_text().startswith("email,verdict,")
        assert count_files([landing.result])["received"] == 0
    else:
        assert path.read_bytes() == b""
    assert (landing.summary["received"], landing.summary["expected"], landing.summary["verdicts"]) == (
        0,
        0,
        dict.fromkeys(VERDICTS, 0),
    )


def test_a_file_for_each_verdict_of_each_batch(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, ("b", "a"), split_by_verdict=True, keep_vendor_file=True, report=True)

    for batch, paths in zip(("b", "a"), landing.result, strict=True):
        assert paths == {verdict: f"file://{tmp_path}/out/cliova-{batch}/{verdict}.csv" for verdict in VERDICTS}
        for verdict, path in paths.items():
            assert [row["verdict"] for row in read(path)] == [verdict]
        folder = tmp_path / f"out/cliova-{batch}"
        assert names(folder) == sorted(["_SUCCESS", "vendor.csv", *(f"{verdict}.csv" for verdict in VERDICTS)])
        assert json.loads((folder / "_SUCCESS").read_bytes())["batch_id"] == batch
    assert Path(landing.summary["report"][7:]).parent == tmp_path / "out"


def test_verdicts_and_the_vendors_words_hold_for_all_batches(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path, destination=f"file://{tmp_path}/all.csv", verdicts=["risky"])

    assert [row["email"] for row in read(landing.result)] == [emails_of(batch)[2] for batch in "abc"]
    assert (landing.summary["rows"], landing.summary["received"]) == (3, 12)
    mapped = Landing(tmp_path, vendor="proofy", status_map={"risky": "undeliverable"})
    assert mapped.summary["verdicts"] == {"deliverable": 3, "undeliverable": 6, "risky": 0, "unknown": 3}


def test_the_vendors_files_of_all_batches_are_kept(vendors: SandboxServer, tmp_path: Path) -> None:
    plain = Landing(tmp_path / "plain", output_format="vendor")
    Landing(tmp_path / "folder", keep_vendor_file=True)
    one = Landing(tmp_path / "one", keep_vendor_file=True, destination=f"file://{tmp_path}/one/all.csv")

    vendor_files = [f"cliova-{batch}.vendor.csv" for batch in "abc"]
    assert names(tmp_path / "one") == ["all.csv", *vendor_files]
    assert [each["vendor_file"] for each in one.summary["by_batch"]] == [
        f"file://{tmp_path}/one/{name}" for name in vendor_files
    ]
    for name, path in zip(vendor_files, plain.result, strict=True):
        for folder in ("folder/out", "one"):
            assert (tmp_path / folder / name).read_bytes() == Path(path[7:]).read_bytes()


# --- figures ---


def test_the_summary_is_of_all_batches(vendors: SandboxServer, tmp_path: Path) -> None:
    landing = Landing(tmp_path)

    files = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    assert landing.summary == {
        "rows": 12,
        "bytes": sum(map(len, files.values())),
        "media_type": "text/csv",
        "vendor": "cliova",
        "batches": 3,
        "schema_version": 1,
        "expected": 12,
        "received": 12,
        "without_address": 0,
        "verdicts": dict.fromkeys(VERDICTS, 3),
        "reasons": landing.summary["reasons"],
        "unmapped": {},
        "by_batch": [
            {
                "batch_id": batch,
                "path": f"file://{tmp_path}/out/cliova-{batch}.csv",
                "rows": 4,
                "bytes": len(files[f"cliova-{batch}.csv"]),
                "sha256": hashlib.sha256(files[f"cliova-{batch}.csv"]).hexdigest(),
            }
            for batch in "abc"
        ],
    }
    assert sum(landing.summary["reasons"].values()) == 12
    assert json.loads(json.dumps(landing.summary)) == landing.summary


def test_rows_are_expected_of_all_batches_or_not_known(vendors: SandboxServer, tmp_path: Path) -> None:
    assert Landing(tmp_path, vendor="proofy").summary["expected"] is None  # Proofy does not say
    for batch in "abc":
        vendors.ledger.batch(batch)
    assert Landing(tmp_path, vendor="cliova").summary["expected"] == 12


def test_of_very_many_batches_outsiders_are_told_in_a_few_words(many: list[str], tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")
    asset, alias = Asset("s3://bucket/verified"), AssetAlias("verified")
    events = OutletEvents(asset, alias)

    landing = Landing(tmp_path, many, context={"outlet_events": events}, outlets=[asset, alias], report=True)

    assert len(landing.result) == landing.summary["batches"] == 30
    assert "by_batch" not in landing.summary
    assert len(json.dumps(landing.summary)) < 1000
    assert events[asset].extra == landing.summary
    assert events[alias].added == [(f"file://{tmp_path}/out", landing.summary)]
    facets = landing.operator.get_openlineage_facets_on_complete(None)
    assert [source.name for source in facets.inputs] == ["batches"]
    (target,) = facets.outputs
    assert (target.namespace, target.name) == ("file", f"{tmp_path}/out")
    statistics = target.outputFacets["outputStatistics"]
    assert (statistics.rowCount, statistics.size, statistics.fileCount) == (60, landing.summary["bytes"], 30)
    assert [name for name in names(tmp_path / "out") if name.endswith("html")] == [Path(landing.summary["report"]).name]


def test_of_a_few_batches_outsiders_are_told_of_each(vendors: SandboxServer, tmp_path: Path) -> None:
    pytest.importorskip("airflow.providers.openlineage", reason="the OpenLineage provider is optional")
    alias = AssetAlias("verified")
    events = OutletEvents(alias)

    landing = Landing(tmp_path, context={"outlet_events": events}, outlets=[alias])

    assert [uri for uri, _ in events[alias].added] == landing.result
    facets = landing.operator.get_openlineage_facets_on_complete(None)
    assert [source.name for source in facets.inputs] == ["batches/a", "batches/b", "batches/c"]
    assert [target.name for target in facets.outputs] == [path[7:] for path in landing.result]


def test_one_report_shows_all_batches(vendors: SandboxServer, tmp_path: Path) -> None:
    first = Landing(tmp_path, report=True)
    again = Landing(tmp_path, report=True)
    other = Landing(tmp_path, ("a", "b"), report=True)
    one = Landing(tmp_path, report=True, destination=f"file://{tmp_path}/all.csv")

    text = Path(first.summary["report"][7:]).read_text()
    assert "cliova, 3 batches" in text
    assert " 3 <small>25.0%</small>" in text
    assert first.summary["report"] == again.summary["report"] != other.summary["report"]
    assert one.summary["report"] == f"file://{tmp_path}/all.report.html"


# --- refusals ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_format": "vendor", "destination": "file:///tmp/x"}, "3 batches make several files"),
        ({"output_format": "vendor", "destination": "file:///tmp/x", "batch_id": []}, "0 batches make several files"),
        ({"split_by_verdict": True, "destination": "file:///tmp/x"}, "End it with a slash"),
        ({"batch_id": ["a", ""]}, "batch_id is empty"),
        ({"batch_id": ["a", 1.5]}, "batch_id must be a str"),
        ({"verdicts": ["good"]}, "verdicts is a list of"),
        ({"download_options": {"only": 1}}, "'only'; it has output, verified_only"),
        ({"ledger": "x"}, "ledger: "),
        ({"ledger": ""}, "ledger: "),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_request(
    vendors: SandboxServer, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        Landing(tmp_path, **arguments)
    assert vendors.ledger.count() == 0
