"""A download of a list that does not end well, and what the next try is spared."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import (
    BatchNotReadyError,
    IncompleteResponseError,
    StorageError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps import fetching_many
from tests.raw_server import Behaviour, RawServer, respond
from tests.unit.operators.many_batches import Landing, downloads, emails_of, names, read


def test_an_error_of_one_batch_names_it_and_leaves_what_was_there(vendors: SandboxServer, tmp_path: Path) -> None:
    Landing(tmp_path, report=True)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    vendors.faults.add(operation="download", kind="truncate", keep=0.5, batch_id="b")

    with pytest.raises(IncompleteResponseError, match="batch 'b'"):
        Landing(tmp_path, report=True)

    after = {name: (tmp_path / name).read_bytes() for name in names(tmp_path) if "_incomplete" not in name}
    assert after == before


def test_a_batch_that_failed_fails_the_task_and_is_named(vendors: SandboxServer, tmp_path: Path) -> None:
    vendors.ledger.batch("b").state = "FAILED"
    vendors.ledger.find("cliova", "b").state = "FAILED"  # type: ignore[union-attr]

    with pytest.raises(AirflowFailException, match=r"BatchFailedError: .*batch 'b'"):
        Landing(tmp_path)
    assert not (tmp_path / "out/cliova-a.csv").exists()


def test_a_batch_that_is_not_ready_can_be_retried(vendors: SandboxServer, tmp_path: Path) -> None:
    vendors.faults.add(operation="status", kind="not_ready", batch_id="c", times=1)

    with pytest.raises(BatchNotReadyError, match="batch 'c'"):
        Landing(tmp_path)
    assert len(Landing(tmp_path).result) == 3


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything of a batch be done before the next one is asked for."""
    monkeypatch.setattr(fetching_many, "_THREADS", 1)


def fail_once(vendors: SandboxServer, batch: str) -> None:
    vendors.faults.add(operation="download", kind="truncate", keep=0.5, batch_id=batch, times=1)


@pytest.mark.usefixtures("one_by_one")
def test_a_retry_fetches_only_what_is_missing_and_leaves_nothing_behind(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path)
    assert all(name.startswith("out/_incomplete/") for name in names(tmp_path))

    landing = Landing(tmp_path)

    assert [downloads(vendors, batch) for batch in "abc"] == [1, 1, 2]
    assert names(tmp_path) == [f"out/cliova-{batch}.csv" for batch in "abc"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == []
    assert [row["email"] for path in landing.result for row in read(path)] == [
        email for batch in "abc" for email in emails_of(batch)
    ]


@pytest.mark.usefixtures("one_by_one")
def test_what_was_fetched_is_right_whatever_the_next_try_makes_of_it(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path, output_format="vendor")

    landing = Landing(tmp_path, output_format="jsonl", verdicts=["unknown"], status_map={"risky": "unknown"})

    assert [downloads(vendors, batch) for batch in "abc"] == [1, 1, 2]
    assert landing.summary["rows"] == 6


@pytest.mark.usefixtures("one_by_one")
def test_other_options_of_the_vendor_fetch_again(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path)

    Landing(tmp_path, download_options={"output": "json"})

    assert [downloads(vendors, batch) for batch in "abc"] == [2, 2, 2]
    assert names(tmp_path) == [f"out/cliova-{batch}.csv" for batch in "abc"]


@pytest.mark.usefixtures("one_by_one")
def test_another_run_fetches_again(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path)

    Landing(tmp_path, run_id="another")

    assert [downloads(vendors, batch) for batch in "abc"] == [2, 2, 2]
    assert any(name.startswith("out/_incomplete/") for name in names(tmp_path))  # of the run that did not end well


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def change(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("spoil", [cut, change, empty, Path.unlink])
@pytest.mark.parametrize("suffix", ["bytes", "json"])
@pytest.mark.usefixtures("one_by_one")
def test_half_a_kept_file_is_never_used(
    vendors: SandboxServer, tmp_path: Path, spoil: Callable[[Path], None], suffix: str
) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path)
    for path in (tmp_path / "out/_incomplete").rglob(f"*.{suffix}"):
        spoil(path)

    landing = Landing(tmp_path)

    assert [downloads(vendors, batch) for batch in "abc"] == [2, 2, 2]
    assert [row["email"] for path in landing.result for row in read(path)] == [
        email for batch in "abc" for email in emails_of(batch)
    ]
    assert names(tmp_path) == [f"out/cliova-{batch}.csv" for batch in "abc"]


@pytest.mark.usefixtures("one_by_one")
def test_what_was_fetched_lies_in_the_ledger_if_there_is_one(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path, ledger=f"file://{tmp_path}/ledger/")
    kept = names(tmp_path)
    assert len(kept) >= 2
    assert all(name.startswith("ledger/d-download-") for name in kept)

    Landing(tmp_path, ledger=f"file://{tmp_path}/ledger/")

    assert [downloads(vendors, batch) for batch in "abc"] == [1, 1, 2]
    assert names(tmp_path) == [f"out/cliova-{batch}.csv" for batch in "abc"]


@pytest.mark.usefixtures("one_by_one")
def test_one_file_keeps_what_was_fetched_beside_it(vendors: SandboxServer, tmp_path: Path) -> None:
    fail_once(vendors, "c")
    destination = f"file://{tmp_path}/results/all.csv"
    with pytest.raises(IncompleteResponseError):
        Landing(tmp_path, destination=destination)
    assert all(name.startswith("results/_incomplete/") for name in names(tmp_path))

    Landing(tmp_path, destination=destination)

    assert [downloads(vendors, batch) for batch in "abc"] == [1, 1, 2]
    assert names(tmp_path) == ["results/all.csv"]


def test_rows_that_were_allowed_to_be_missing_are_fetched_again_when_they_no_longer_are(
    raw_server: RawServer, connect: Callable[..., str], tmp_path: Path, one_by_one: None
) -> None:
    def answers(batch: str, rows: int) -> list[Behaviour]:
        status = {"code": "SUCCESS", "payload": [{"id": batch, "status": "COMPLETED", "totalEmails": 3}]}
        table = "email,status\n" + "a@example.com,valid\n" * rows
        return [respond(json.dumps(status).encode()), respond(table.encode(), length=None)]

    connect("cliova", raw_server.url)
    raw_server.answer(*answers("a", 2), respond(b"", status="503 Busy"))
    with pytest.raises(VendorUnavailableError):
        Landing(tmp_path, ("a", "b"), allow_missing_rows=True)
    raw_server.requests.clear()
    raw_server.answer(*answers("a", 3), *answers("b", 3))

    landing = Landing(tmp_path, ("a", "b"))

    assert landing.summary["rows"] == 6


@pytest.mark.usefixtures("one_by_one")
def test_a_place_that_keeps_nothing_costs_a_warning_only(
    vendors: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/_incomplete").write_text("a file where the folder should be")

    landing = Landing(tmp_path)

    assert len(landing.result) == 3
    assert caplog.text.count("A retry may fetch all batches again") == 1


# --- several at a time ---


def test_batches_are_fetched_a_few_at_a_time_and_stay_in_order(
    many: list[str], sandbox: SandboxServer, tmp_path: Path
) -> None:
    sandbox.faults.add(operation="download", kind="slow", size=10, interval=0.05, batch_id=many[0])

    landing = Landing(tmp_path, many, destination=f"file://{tmp_path}/all.csv")

    rows = read(landing.result)
    assert [row["batch_id"] for row in rows[::2]] == many
    asked = [request.batch_id for request in sandbox.ledger.requests(operation="download")]
    assert set(asked[:3]) <= set(many[:4])


def test_an_error_of_one_ends_the_others_soon(
    many: list[str], sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path
) -> None:
    connect("cliova", sandbox.cliova_url, requests_per_minute=12)  # four batches and more would wait for a minute
    sandbox.faults.add(operation="download", kind="forbidden", batch_id=many[2])

    began = time.monotonic()
    with pytest.raises(AirflowFailException, match=f"batch '{many[2]}'"):
        Landing(tmp_path, many)

    assert time.monotonic() - began < 10
    assert not any(name.endswith(".part") for name in names(tmp_path))


def test_a_full_disk_leaves_nothing(vendors: SandboxServer, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/cliova-b.csv").mkdir()  # a rename onto it must fail

    with pytest.raises(StorageError, match="cliova-b"):
        Landing(tmp_path)
    assert not (tmp_path / "out/cliova-a.csv").exists()


def test_the_files_of_many_batches_are_not_all_open_at_a_time(many: list[str], tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - names only
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 40, hard))
    try:
        landing = Landing(tmp_path, many, keep_vendor_file=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert len(landing.result) == 30
