"""From a batch to a checked result in one schema, by Airflow's own hand; and several files, none or all, in S3."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome
from tests.integration.test_atomicity import Forwarder, Ti, forwarder, object_store  # noqa: F401 - fixtures

s3fs = pytest.importorskip("s3fs", reason="the S3 tests need s3fs")

DAG = """
from datetime import datetime
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.operators.check import EmailVerifyCheckOperator
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator

with DAG("results", schedule=None, start_date=datetime(2024, 1, 1)):
    for vendor in ("proofy", "cliova"):
        results = EmailVerifyDownloadOperator(
            task_id=f"download_{vendor}", conn_id=f"{vendor}_default", batch_id="b",
            destination="file://{{ params.out }}/", params={"out": ""}, output_format="parquet", report=True,
        )
        EmailVerifyCheckOperator(task_id=f"good_{vendor}", result=results.output["summary"], max_undeliverable=0.5)
        EmailVerifyCheckOperator(task_id=f"path_{vendor}", result=results.output, min_rows=3)
        EmailVerifyCheckOperator(task_id=f"poor_{vendor}", result=results.output["summary"], max_unknown=0, retries=2)
        EmailVerifyCheckOperator(
            task_id=f"skip_{vendor}", result=results.output["summary"], max_unknown="10%", soft_fail=True
        )
"""
EMAILS = ["support@proofy.io", "jane+undeliverable@example.com", "jane+unknown@example.com"]


def test_a_dag_lands_results_of_both_vendors_in_one_schema_and_checks_them(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    tmp_path: Path,
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs the extra parquet")
    for vendor, url in (("proofy", sandbox.proofy_url), ("cliova", sandbox.cliova_url)):
        sandbox.ledger.create_batch(vendor, EMAILS, batch_id="b", ready_after=0)
        connect(vendor, url)

    tasks = run_dag(DAG.replace('params={"out": ""}', f'params={{"out": "{tmp_path}"}}'), "results")

    tables = []
    for vendor in ("proofy", "cliova"):
        download = tasks[f"download_{vendor}"]
        assert download.state == "success"
        assert download.xcoms["return_value"] == f"file://{tmp_path}/{vendor}-b.parquet"
        assert Path(download.xcoms["summary"]["report"].removeprefix("file://")).exists()
        tables.append(parquet.read_table(f"{tmp_path}/{vendor}-b.parquet"))
        assert [tasks[f"{name}_{vendor}"].state for name in ("good", "path", "poor", "skip")] == [
            "success",
            "success",
            "failed",
            "skipped",
        ]
        assert tasks[f"poor_{vendor}"].tries == 1
    assert tables[0].schema.equals(tables[1].schema, check_metadata=False)
    columns = ["email", "verdict"]
    assert tables[0].select(columns).to_pylist() == tables[1].select(columns).to_pylist()


class Store:
    """A folder in S3, where results of a large list are landed, a file for each verdict."""

    def __init__(self, client: Any, conn_id: str, folder: str) -> None:
        self._client = client
        self._prefix = f"{folder}/"
        self._destination = f"s3://{conn_id}@results/{folder}/"

    def land(self) -> None:
        operator = EmailVerifyDownloadOperator(
            task_id="download",
            batch_id="b",
            conn_id="cliova_default",
            destination=self._destination,
            output_format="jsonl",
            split_by_verdict=True,
            report=True,
        )
        operator.execute({"ti": Ti(), "outlet_events": {}})

    def read(self) -> dict[str, bytes]:
        listed = self._client.list_objects_v2(Bucket="results", Prefix=self._prefix).get("Contents", [])
        return {
            entry["Key"].removeprefix(self._prefix): self._client.get_object(Bucket="results", Key=entry["Key"])[
                "Body"
            ].read()
            for entry in listed
        }


@pytest.fixture
def store(
    object_store: tuple[int, Any],  # noqa: F811
    forwarder: Forwarder,  # noqa: F811
    sandbox: SandboxServer,
    connect: Callable[..., str],
    tmp_path: Path,
) -> Store:
    """A folder in S3, and a list that is ready."""
    words = ("valid", "invalid", "risky", "unknown")
    lines = (f"user{number:06d}@example.com,{words[number % 4]}\n" for number in range(40_000))
    content = b"email,status\n" + "".join(lines).encode()
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0, content=content)
    connect("cliova", sandbox.cliova_url)
    return Store(object_store[1], f"store_{forwarder.url.rpartition(':')[2]}", tmp_path.name)


NAMES = ["_SUCCESS", "deliverable.jsonl", "report.html", "risky.jsonl", "undeliverable.jsonl", "unknown.jsonl"]


def test_all_files_of_a_set_are_in_the_object_store(store: Store) -> None:
    store.land()

    objects = store.read()
    assert sorted(objects) == [f"cliova-b/{name}" for name in NAMES]
    assert len(list(io.BytesIO(objects["cliova-b/risky.jsonl"]))) == 10_000
    store.land()
    again = store.read()  # but for the time of the answer, the same
    assert {name: len(content) for name, content in again.items()} == {
        name: len(content) for name, content in objects.items()
    }


@pytest.mark.parametrize("already", [False, True])
def test_an_object_that_is_refused_leaves_none_of_a_new_set_or_all_of_the_old(
    store: Store, already: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []
    puts = 0
    put_file = s3fs.S3FileSystem._put_file

    async def refuse(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal puts
        puts += 1
        if puts in refused:
            raise PermissionError("Access Denied")
        return await put_file(self, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", refuse)
    if already:
        store.land()
    old = store.read()
    assert len(old) == already * len(NAMES)

    for number in range(1, len(NAMES) + 1):
        refused[:], puts = [number], 0
        with pytest.raises(StorageError, match="Access Denied"):
            store.land()
        assert store.read() == old, f"after object {number}"
