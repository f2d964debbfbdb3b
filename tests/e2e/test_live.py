"""
The vendors themselves, for holders of an account. Each vendor's test spends two credits.

They are skipped without a key: set ``EMAILVERIFY_LIVE_PROOFY_KEY`` or ``EMAILVERIFY_LIVE_CLIOVA_KEY`` and ``make e2e``.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.steps.landing import land
from airflow_provider_emailverify.steps.result_options import ResultOptions
from airflow_provider_emailverify.storage.destination import Destination

#: The addresses in the vendor's own published example.
EMAILS = ["support@proofy.io", "team@proofy.io"]
PATIENCE_SECONDS = 1800.0
POLL_SECONDS = 75.0  # below every limit that Proofy documents


@pytest.fixture(params=["proofy", "cliova"])
def hook(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> EmailVerifyHook:
    """A hook with a real key; skips without one."""
    variable = f"EMAILVERIFY_LIVE_{request.param.upper()}_KEY"
    key = os.environ.get(variable)
    if not key:
        pytest.skip(f"{variable} is not set; with a key of an account there, this test spends two of its credits")
    connection = {"conn_type": request.param, "password": key}
    monkeypatch.setenv(f"AIRFLOW_CONN_LIVE_{request.param.upper()}", json.dumps(connection))
    return EmailVerifyHook.get_hook(f"live_{request.param}")


def test_a_batch_is_submitted_awaited_and_downloaded(hook: EmailVerifyHook, tmp_path: Path) -> None:
    works, message = hook.test_connection()
    assert works, message

    batch_id = hook.submit_batch(EMAILS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (status := hook.get_batch_status(batch_id)).state.is_final:
        print(f"{hook.hook_name} says {status.vendor_status!r} (known word: {status.known})")
        assert time.monotonic() < deadline, f"batch {batch_id} is still {status.vendor_status!r}"
        time.sleep(POLL_SECONDS)
    assert status.state is BatchState.READY, status

    landed = land(hook, batch_id, Destination(f"file://{tmp_path}/"), ResultOptions())
    head = Path(landed.files[0].destination.path.path).read_text()[:4000]
    print(f"{hook.hook_name} answered {landed.summary['rows']} rows of {landed.summary['media_type']}:\n{head}")
    assert landed.summary["rows"] == len(EMAILS)
