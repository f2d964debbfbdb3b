"""Submit tasks of either vendor, on a clock that passes when somebody waits; and batches that are ready."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.submit_task import EMAILS, Task
from tests.unit.operators.many_batches import emails_of


@pytest.fixture(params=["proofy", "cliova"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Each vendor in turn."""
    return str(request.param)


@pytest.fixture
def task_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of all submit tasks."""
    monkeypatch.setattr(EmailVerifySubmitOperator, "_clock", clock)
    return clock


@pytest.fixture
def make_task(
    sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path, task_clock: Clock
) -> Callable[..., Task]:
    """Make a submit task of a vendor and a list."""

    def make(vendor: str = "cliova", emails: Sequence[str] = EMAILS, **connection: Any) -> Task:
        path = tmp_path / "list.txt"
        path.write_text("\n".join(emails))
        return Task(path, connect(vendor, sandbox.vendor_urls[vendor], **connection))

    return make


@pytest.fixture
def vendors(sandbox: SandboxServer, connect: Callable[..., str]) -> SandboxServer:
    """Both vendors without a limit, each with three batches that are ready."""
    for vendor, url in (("proofy", sandbox.proofy_url), ("cliova", sandbox.cliova_url)):
        for batch in ("a", "b", "c"):
            sandbox.ledger.create_batch(vendor, emails_of(batch), batch_id=batch, ready_after=0)
        connect(vendor, url, requests_per_minute=1_000_000)
    return sandbox


@pytest.fixture
def many(sandbox: SandboxServer, connect: Callable[..., str]) -> list[str]:
    """More batches than are told of one by one."""
    ids = [f"batch-{number:03d}" for number in range(30)]
    for batch in ids:
        sandbox.ledger.create_batch("cliova", emails_of(batch, 2), batch_id=batch, ready_after=0)
    connect("cliova", sandbox.cliova_url)
    return ids
