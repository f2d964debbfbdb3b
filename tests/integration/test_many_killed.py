"""A download of many batches is killed: what was there stays, and the next try does not ask for everything again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.download_task import fetched, finish, kill_when
from tests.integration.test_atomicity import Forwarder, forwarder, object_store  # noqa: F401 - fixtures

s3fs = pytest.importorskip("s3fs", reason="the S3 tests need s3fs")

BATCHES = 40
#: So many downloads are on their way at a time, or were not kept yet when the process was killed.
ON_THE_WAY = 5


@pytest.fixture
def batches(sandbox: SandboxServer, connect: Callable[..., str]) -> list[str]:
    """Batches that are ready."""
    ids = [f"batch-{number:03d}" for number in range(BATCHES)]
    for batch in ids:
        sandbox.ledger.create_batch("cliova", [f"{batch}@example.com"], batch_id=batch, ready_after=0)
    connect("cliova", sandbox.cliova_url)
    return ids


@pytest.mark.parametrize(("name", "ledger"), [("", False), ("all.csv", True)])
def test_a_task_that_is_killed_does_not_ask_again_for_what_it_had(
    sandbox: SandboxServer, batches: list[str], tmp_path: Path, name: str, ledger: bool
) -> None:
    out = tmp_path / "out"
    arguments: dict[str, Any] = {
        "batch_id": batches,
        "conn_id": "cliova_default",
        "destination": f"file://{out}/{name}",
        "output_format": "csv",
        "ledger": f"file://{tmp_path}/ledger/" if ledger else None,
    }

    kill_when(lambda: fetched(sandbox) >= 30, **arguments)

    assert [path.name for path in out.glob("*.csv")] == []
    before = fetched(sandbox)
    returned = finish(**arguments)
    assert fetched(sandbox) - before <= BATCHES - 30 + ON_THE_WAY
    paths = [returned] if name else returned
    lines = [line for path in paths for line in Path(path[7:]).read_text().splitlines()]
    assert [line.partition("@")[0] for line in lines if "@" in line] == batches
    # Neither what was kept nor a spool is left behind.
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        path.rpartition("/")[2] for path in paths
    )


def test_another_worker_finds_in_an_object_store_what_was_fetched(
    sandbox: SandboxServer,
    batches: list[str],
    object_store: tuple[int, Any],  # noqa: F811
    forwarder: Forwarder,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    conn_id = f"store_{forwarder.url.rpartition(':')[2]}"
    arguments = {
        "batch_id": batches,
        "conn_id": "cliova_default",
        "destination": f"s3://{conn_id}@results/{tmp_path.name}/",
        "output_format": "csv",
    }

    kill_when(lambda: fetched(sandbox) >= 30, **arguments)

    def keys() -> list[str]:
        listed = object_store[1].list_objects_v2(Bucket="results", Prefix=f"{tmp_path.name}/")
        return [entry["Key"].removeprefix(f"{tmp_path.name}/") for entry in listed.get("Contents", [])]

    assert all(key.startswith("_incomplete/") for key in keys())
    before = fetched(sandbox)
    returned = finish(**arguments)
    assert fetched(sandbox) - before <= BATCHES - 30 + ON_THE_WAY
    assert keys() == [f"cliova-{batch}.csv" for batch in batches]
    assert [path.rpartition("/")[2] for path in returned] == keys()


def test_an_object_that_is_refused_leaves_none_of_many_files_and_keeps_what_was_fetched(
    sandbox: SandboxServer,
    batches: list[str],
    object_store: tuple[int, Any],  # noqa: F811
    forwarder: Forwarder,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = [f"cliova-{batches[20]}.csv"]
    put_file = s3fs.S3FileSystem._put_file

    async def refuse(self: Any, lpath: str, rpath: str, *arguments: Any, **options: Any) -> Any:
        if any(map(rpath.endswith, refused)):
            raise PermissionError("Access Denied")
        return await put_file(self, lpath, rpath, *arguments, **options)

    destination = f"s3://store_{forwarder.url.rpartition(':')[2]}@results/{tmp_path.name}/"
    arguments = {"batch_id": batches, "conn_id": "cliova_default", "destination": destination, "output_format": "csv"}
    monkeypatch.setattr(s3fs.S3FileSystem, "_put_file", refuse)

    with pytest.raises(StorageError, match="Access Denied"):
        finish(**arguments)

    def keys() -> list[str]:
        listed = object_store[1].list_objects_v2(Bucket="results", Prefix=f"{tmp_path.name}/")
        return [entry["Key"].removeprefix(f"{tmp_path.name}/") for entry in listed.get("Contents", [])]

    assert all(key.startswith("_incomplete/") for key in keys())
    refused.clear()
    finish(**arguments)
    assert fetched(sandbox) == BATCHES
    assert keys() == [f"cliova-{batch}.csv" for batch in batches]
