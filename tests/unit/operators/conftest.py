"""Submit tasks of either vendor, on a clock that passes when somebody waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.clock import Clock
from tests.submit_task import EMAILS, Task


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
        return Task(path, connect(vendor, f"{sandbox.url}/{vendor}/v1", **connection))

    return make
