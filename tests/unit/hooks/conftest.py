"""A hook of each vendor, connected to the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.landing import land
from airflow_provider_emailverify.steps.result_options import ResultOptions
from airflow_provider_emailverify.storage.destination import Destination
from tests.unit.hooks.cases import CASES
from tests.unit.hooks.cases.case import VendorCase

EMAILS = ["support@proofy.io", "team@proofy.io", "no+undeliverable@example.com"]


@pytest.fixture(params=CASES, ids=[case.vendor for case in CASES])
def case(request: pytest.FixtureRequest) -> VendorCase:
    """Each vendor."""
    return request.param


@pytest.fixture
def hook(case: VendorCase, sandbox: SandboxServer, connect: Callable[..., str]) -> EmailVerifyHook:
    """A hook of each vendor, connected to the sandbox."""
    return EmailVerifyHook.get_hook(connect(case.vendor, case.url(sandbox)))


def save(hook: EmailVerifyHook, batch_id: str, folder: Path, **options: Any) -> tuple[int, bytes, str]:
    """Land a batch; return its rows, bytes and media type."""
    landed = land(hook, batch_id, Destination(f"{folder}/landed/"), ResultOptions(download=options))
    summary = landed.summary
    return summary["rows"], Path(landed.files[0].destination.path.path).read_bytes(), summary["media_type"]
