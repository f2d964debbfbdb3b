"""The download operator's names, refusals and events; that it is atomic is shown in the integration tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias, ObjectStoragePath

from airflow_provider_emailverify.exceptions import BatchNotReadyError
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer

EMAILS = ["support@proofy.io", "team@proofy.io"]


class Ti:
    """As much of a task instance as the operator uses."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def vendors(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Both vendors, each with a batch that is ready."""
    for vendor, url in (("proofy", sandbox.proofy_url), ("cliova", sandbox.cliova_url)):
        sandbox.ledger.create_batch(vendor, EMAILS, batch_id="b/1 ü", ready_after=0)
        connect(vendor, url)
    return sandbox


def download(folder: Path, vendor: str = "proofy", context: Any = None, **arguments: Any) -> str:
    operator = EmailVerifyDownloadOperator(
        **{
            "task_id": "download",
            "batch_id": "b/1 ü",
            "conn_id": f"{vendor}_default",
            "destination": f"file://{folder}/out/",
            **arguments,
        }
    )
    return operator.execute(context or {"ti": Ti(), "outlet_events": {}})


@pytest.mark.parametrize(
    ("vendor", "options", "name"),
    [
        ("proofy", None, "proofy-b%2F1%20%C3%BC.json"),
        ("cliova", None, "cliova-b%2F1%20%C3%BC.csv"),
        ("cliova", {"output": "json"}, "cliova-b%2F1%20%C3%BC.json"),
    ],
)
def test_the_path_names_vendor_and_batch_and_can_be_opened(
    vendors: SandboxServer, tmp_path: Path, vendor: str, options: Any, name: str
) -> None:
    path = download(tmp_path, vendor, download_options=options)

    assert type(path) is str
    assert path == f"file://{tmp_path}/out/{name}"
    assert b"proofy.io" in ObjectStoragePath(path).read_bytes()


def test_the_summary_describes_the_file(vendors: SandboxServer, tmp_path: Path) -> None:
    ti = Ti()
    path = download(tmp_path, context={"ti": ti, "outlet_events": {}})

    content = ObjectStoragePath(path).read_bytes()
    assert ti.pushed == {
        "summary": {
            "rows": 2,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "media_type": "application/json",
            "vendor": "proofy",
            "batch_id": "b/1 ü",
        }
    }
    assert json.loads(json.dumps(ti.pushed)) == ti.pushed


def test_a_retry_writes_the_same_path_again(vendors: SandboxServer, tmp_path: Path) -> None:
    assert download(tmp_path) == download(tmp_path)
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_the_outlets_events_carry_the_summary(vendors: SandboxServer, tmp_path: Path) -> None:
    class Event:
        def __init__(self) -> None:
            self.extra: dict[str, Any] = {}
            self.added: list[Any] = []

        def add(self, asset: Any, extra: dict[str, Any]) -> None:
            self.added.append((asset.uri, extra))

    class Events:
        """Airflow's, too, take outlets that have no hash."""

        def __init__(self) -> None:
            self._known: list[tuple[Any, Event]] = []

        def __getitem__(self, outlet: Any) -> Event:
            known = next((event for one, event in self._known if one is outlet), None) or Event()
            self._known.append((outlet, known))
            return known

    asset, alias = Asset("s3://bucket/verified"), AssetAlias("verified")
    events = Events()
    reference = Asset.ref(uri="s3://bucket/other") if hasattr(Asset, "ref") else asset
    ti = Ti()

    path = download(tmp_path, context={"ti": ti, "outlet_events": events}, outlets=[asset, alias, reference])

    summary = ti.pushed["summary"]
    assert events[asset].extra == events[reference].extra == summary
    assert events[alias].added == [(path, summary)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"download_options": {"output": "csv"}}, "Proofy has no download option 'output'; it has none"),
        ({"vendor": "cliova", "download_options": {"only": 1}}, "'only'; it has output, verified_only"),
        ({"vendor": "cliova", "download_options": {"output": "xml"}}, "output is 'csv' or 'json'"),
        ({"output_format": "xls"}, "output_format"),
        ({"output_format": "csv", "verdicts": ["good"]}, "verdicts is a list of deliverable, .* not \\['good'\\]"),
        ({"output_format": "csv", "verdicts": []}, "verdicts is a list of"),
        ({"output_format": "csv", "column_map": {"email": "x"}}, "Proofy has no map 'column_map'; it has status_map"),
        (
            {"output_format": "csv", "status_map": {"gold": "superb"}},
            "status_map maps the vendor's words",
        ),
        ({"output_format": "csv", "vendor": "cliova", "column_map": {"e": "x"}}, "not 'e'"),
        ({"output_format": "csv", "split_by_verdict": True, "destination": "file:///tmp/x.csv"}, "End it with a slash"),
        ({"split_by_verdict": True}, "set output_format to csv, jsonl or parquet"),
        ({"report": True}, "set output_format to csv, jsonl or parquet"),
        ({"keep_vendor_file": True}, "set output_format to csv, jsonl or parquet"),
        ({"batch_id": ""}, "batch_id is empty"),
        ({"destination": ""}, "destination is empty"),
    ],
)
def test_arguments_that_make_no_sense_fail_at_once_and_before_any_request(
    vendors: SandboxServer, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        download(tmp_path, **arguments)
    assert vendors.ledger.count() == 0


def test_a_destination_of_the_xcom_backend_is_refused_before_any_request(
    vendors: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", f"file://{tmp_path}")

    with pytest.raises(AirflowFailException, match="Choose another folder"):
        download(tmp_path)
    assert vendors.ledger.count() == 0


def test_a_batch_that_is_not_ready_can_be_retried(vendors: SandboxServer, tmp_path: Path) -> None:
    vendors.ledger.batch("b/1 ü").state = "IN PROGRESS"
    vendors.faults.add(kind="not_ready")

    for vendor in ("proofy", "cliova"):
        with pytest.raises(BatchNotReadyError):
            download(tmp_path, vendor)


def test_the_arguments_are_kept_as_they_are_given() -> None:
    given = {
        "batch_id": "{{ a }}",
        "conn_id": "{{ b }}",
        "destination": "{{ c }}",
        "download_options": {"d": "{{ e }}"},
        "verdicts": ["{{ f }}"],
        "column_map": {"email": "{{ g }}"},
        "status_map": {"{{ h }}": "risky"},
        "ledger": "{{ i }}",
    }

    made = EmailVerifyDownloadOperator(task_id="download", **given)

    assert {name: getattr(made, name) for name in given} == given
    assert set(EmailVerifyDownloadOperator.template_fields) == set(given)
