"""A thousand batches in one task, and the kernel kills it at the nine hundredth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.download_task import fetched, finish, kill_when

BATCHES = 1000
KILLED_AT = 900


@pytest.fixture(scope="module")
def batches() -> Iterator[tuple[SandboxServer, list[str]]]:
    """Batches that are ready."""
    ids = [f"batch-{number:04d}" for number in range(BATCHES)]
    with SandboxServer(ready_after=0.0) as server:
        for batch in ids:
            emails = [f"{batch}-{number}@example.com" for number in range(20)]
            server.ledger.create_batch("cliova", emails, batch_id=batch, ready_after=0)
        yield server, ids


@pytest.mark.parametrize("name", ["", "all.csv"])
def test_at_most_a_few_more_downloads_than_were_missing(
    batches: tuple[SandboxServer, list[str]], connect: Callable[..., str], tmp_path: Path, name: str
) -> None:
    vendors, ids = batches
    already = fetched(vendors)
    arguments: dict[str, Any] = {
        "batch_id": ids,
        "conn_id": connect("cliova", vendors.cliova_url),
        "destination": f"file://{tmp_path}/{name}",
        "output_format": "csv",
    }

    kill_when(lambda: fetched(vendors) - already >= KILLED_AT, **arguments)

    before = fetched(vendors)
    returned = finish(**arguments)
    assert fetched(vendors) - before <= BATCHES - KILLED_AT + 10
    paths = [returned] if name else returned
    lines = [line for path in paths for line in Path(path[7:]).read_text().splitlines() if "@" in line]
    assert [line.partition("@")[0] for line in lines] == [f"{batch}-{number}" for batch in ids for number in range(20)]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        path.rpartition("/")[2] for path in paths
    )
