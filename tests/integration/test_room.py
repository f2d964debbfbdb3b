"""A list of more batches than the vendor works on at a time, on real Airflow: each is bought once."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.integration.conftest import Outcome
from tests.integration.test_parity import HAS_STATE_STORE

DAG = """
from datetime import datetime, UTC
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.task_groups import verify_emails

with DAG("room", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
    verify_emails(
        source="file://{folder}/list.csv",
        conn_id="mailgun_default",
        destination="file://{folder}/out/",
        submit={{"batch_size": 2, "deferrable": {deferrable}, "poll_interval": 0.2}},
        wait={{"poke_interval": 0.1, "deferrable": True}},
    )
"""


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_list_of_many_batches_goes_to_a_vendor_that_takes_five(
    connect: Callable[..., str],
    run_dag: Callable[..., dict[str, Outcome]],
    tmp_path: Path,
    deferrable: bool,
) -> None:
    if not deferrable and not HAS_STATE_STORE:
        pytest.skip("before Airflow 3.3 an operator cannot be rescheduled: it waits in its slot")
    addresses = [f"user{number}@example.com" for number in range(18)]
    (tmp_path / "list.csv").write_text("email\n" + "\n".join(addresses) + "\n")

    with SandboxServer(ready_after=1.0) as vendor:
        connect("mailgun", vendor.vendor_urls["mailgun"], requests_per_minute=1_000_000)
        tasks = run_dag(DAG.format(folder=tmp_path, deferrable=deferrable), "room")
        charged = sorted(vendor.ledger.charged().elements())

    assert {task.state for task in tasks.values()} == {"success"}
    assert len(tasks["verify_emails.submit"].xcoms["return_value"]) == 9
    assert charged == sorted(addresses)
    verified = list(csv.reader(io.StringIO((tmp_path / "out" / "list.verified.csv").read_text())))
    assert [row[0] for row in verified[1:]] == addresses
    assert {row[1] for row in verified[1:]} == {"deliverable"}
