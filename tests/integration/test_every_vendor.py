"""The whole walk with every vendor, against the sandbox: each mode of waiting, each format, and what goes wrong."""

from __future__ import annotations

import asyncio
import csv
import importlib.util
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_emailverify.commands.vendor_page import vendor_dag
from airflow_provider_emailverify.commands.vendors import hooks
from airflow_provider_emailverify.get_provider_info import VENDORS
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.steps.state import InMemoryStore
from tests.clock import Clock
from tests.submit_task import Ti
from tests.unit.hooks.cases import CASES

IS_AIRFLOW_3 = importlib.util.find_spec("airflow.sdk") is not None
ROWS = [
    ["id", "Email", "note"],
    ["1", "ada@example.com", "two\nlines"],
    ["2", "Bob <bob+undeliverable@example.com>", 'a "quoted" note'],
    ["3", "carol+unknown@example.com", ""],
    ["4", "dan+catchall@example.com", "semi;colon"],
    ["5", "ADA@example.com", "twice"],
    ["6", "erin+nomx@example.com", "é"],
    ["7", "nothing", ""],
    ["8", "", ""],
]
VERDICTS = ["deliverable", "undeliverable", "unknown", "risky", "deliverable", "undeliverable", "undeliverable", ""]
FINDERS = {case.vendor for case in CASES if "find_batch" not in case.has_not}
FETCHES = {case.vendor: case.fetches for case in CASES}

pytestmark = pytest.mark.parametrize("vendor", list(VENDORS))


def test_the_dag_of_its_page_gives_the_list_back(
    vendor: str, sandbox: SandboxServer, connect: Callable[..., str], run_dag: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("airflow.sdk", reason="the page is written for Airflow 3")
    connect(vendor, sandbox.vendor_urls[vendor], requests_per_minute=1_000_000)
    (tmp_path / "list.csv").write_text("email\nada@example.com\nbob+undeliverable@example.com\n")
    code = next(vendor_dag(hook) for hook in hooks() if hook.conn_type == vendor)

    tasks = run_dag(code.replace("s3://my_aws@bucket", f"file://{tmp_path}"), f"verify_with_{vendor}")

    assert {task.state for task in tasks.values()} == {"success"}
    with (tmp_path / "verified" / "list.verified.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[:2] for row in rows[1:]] == [
        ["ada@example.com", "deliverable"],
        ["bob+undeliverable@example.com", "undeliverable"],
    ]


class Walk:
    """The four operators as the group runs them, on one list."""

    def __init__(self, folder: Path, conn_id: str) -> None:
        self.folder, self.conn_id = folder, conn_id
        self.source = folder / "list.csv"
        with self.source.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(ROWS)
        self.ti = Ti()
        began = datetime.now(UTC)
        self.ti.get_first_reschedule_date = lambda _context: began
        self.context: Any = {"ti": self.ti, "task_state_store": InMemoryStore(), "outlet_events": {}}

    def submit(self, **options: Any) -> list[str]:
        given = {"source": f"file://{self.source}", "conn_id": self.conn_id, "batch_size": 3, **options}
        return list(EmailVerifySubmitOperator(task_id="submit", **given).execute(self.context))

    def wait(self, ids: list[str], mode: str) -> list[str]:
        options: Any = {"deferrable": True} if mode == "deferrable" else {"mode": mode}
        sensor = EmailVerifyBatchSensor(
            task_id="wait", batch_id=ids, conn_id=self.conn_id, poke_interval=0.01, timeout=60, **options
        )
        while True:
            try:
                return list(sensor.execute(self.context))
            except AirflowRescheduleException:
                continue
            except TaskDeferred as deferral:
                event = asyncio.run(anext(deferral.trigger.run()))  # type: ignore[arg-type]
                resumed = getattr(sensor, deferral.method_name)
                return list(resumed(self.context, event.payload, **(deferral.kwargs or {})))

    def download(self, ids: list[str], output_format: str = "csv") -> list[str]:
        operator = EmailVerifyDownloadOperator(
            task_id="download",
            batch_id=ids,
            conn_id=self.conn_id,
            destination=f"file://{self.folder}/{output_format}/",
            output_format=output_format,  # type: ignore[arg-type]
        )
        return list(operator.execute(self.context))

    def merge(self, results: list[str]) -> list[list[str]]:
        operator = EmailVerifyMergeOperator(
            task_id="merge",
            source=f"file://{self.source}",
            results=results,
            destination=f"file://{self.folder}/merged/",
            columns=["verdict"],
        )
        path = Path(str(operator.execute(self.context)).removeprefix("file://"))
        return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.fixture
def walk(vendor: str, sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path) -> Walk:
    """A list on its way to each vendor, whose limit does not count here."""
    url = sandbox.vendor_urls[vendor]
    return Walk(tmp_path, connect(vendor, url, requests_per_minute=1_000_000, max_attempts=4))


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_a_list_comes_back_whatever_the_mode_of_waiting(
    vendor: str, walk: Walk, sandbox: SandboxServer, mode: str
) -> None:
    if mode == "reschedule" and not IS_AIRFLOW_3:
        pytest.skip("Airflow 2 keeps reschedules in its database; test_parity.py has them")
    ids = walk.submit()
    sandbox.faults.add(vendor=vendor, operation="status", kind="not_ready", times=2)

    verified = walk.merge(walk.download(walk.wait(ids, mode)))

    assert len(ids) == 2
    assert [row[:3] for row in verified] == ROWS
    assert [row[3] for row in verified] == ["verdict", *VERDICTS]
    # The vendor's own way of not charging for what it does not know is its own.
    assert set(sandbox.ledger.charged(vendor)) <= {"ada@example.com", *(email for email in sent(sandbox, vendor))}
    assert sandbox.ledger.charged_more_than_once() == []


def sent(sandbox: SandboxServer, vendor: str) -> list[str]:
    return [email for batch in sandbox.ledger.batches(vendor) for email in batch.addresses]


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_every_format_of_the_schema_gives_the_same_list(vendor: str, walk: Walk, output_format: str) -> None:
    ids = walk.submit()

    verified = walk.merge(walk.download(walk.wait(ids, "poke"), output_format))

    assert [row[3] for row in verified] == ["verdict", *VERDICTS]


def test_the_vendors_own_bytes_are_kept_as_they_came(vendor: str, walk: Walk) -> None:
    paths = [Path(path.removeprefix("file://")) for path in walk.download(walk.submit(), "vendor")]

    assert len(paths) == 2
    for path in paths:
        start = path.read_bytes()[:4]
        kind = "zip" if start == b"PK\x03\x04" else "json" if start[:1] in b"{[" else "csv"
        assert path.suffix == f".{kind}"
        if kind == "json":
            json.loads(path.read_text())


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rate_limit", "retry_after": 2},
        {"kind": "server_error", "status": 503, "body": "html"},
        {"kind": "reset"},
        {"kind": "truncate", "encoding": "chunked"},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_list_comes_back_although_each_request_fails_now_and_then(
    vendor: str, walk: Walk, sandbox: SandboxServer, clock: Clock, fault: dict[str, Any]
) -> None:
    ids = walk.submit()
    for operation in {"status", "download", FETCHES[vendor]}:
        sandbox.faults.add(vendor=vendor, operation=operation, times=1, **fault)

    verified = walk.merge(walk.download(ids))

    assert [row[3] for row in verified] == ["verdict", *VERDICTS]


def test_a_refused_batch_costs_nothing_and_can_be_bought_by_the_next_try(
    vendor: str, walk: Walk, sandbox: SandboxServer, clock: Clock
) -> None:
    sandbox.faults.add(vendor=vendor, operation="submit", kind="unauthorized", times=1, skip=1)
    with pytest.raises(Exception, match="Password"):
        walk.submit()
    sandbox.faults.clear()

    ids = walk.submit()

    assert len(ids) == 2
    assert sandbox.ledger.charged_more_than_once() == []
    assert len(sandbox.ledger.batches(vendor)) == 2


def test_an_answer_that_was_lost_is_paid_once(vendor: str, walk: Walk, sandbox: SandboxServer, clock: Clock) -> None:
    """Where the vendor can be asked for a batch by its name, the next try goes on; elsewhere a person has to look."""
    sandbox.faults.add(vendor=vendor, operation="submit", kind="accept_then_reset", times=1, skip=1)
    with pytest.raises(Exception, match="nobody knows whether it was accepted"):
        walk.submit()
    walk.ti.try_number = 2

    if vendor in FINDERS:
        assert len(walk.submit()) == 2
    else:
        with pytest.raises(Exception, match="nobody knows"):
            walk.submit()

    assert len(sandbox.ledger.batches(vendor)) == 2
    assert sandbox.ledger.charged_more_than_once() == []


def test_a_process_that_is_killed_between_the_request_and_its_answer_pays_once(
    vendor: str, walk: Walk, sandbox: SandboxServer
) -> None:
    """SIGKILL, while the vendor has taken the batch and its answer is on the way."""
    if vendor not in FINDERS:
        pytest.skip("the vendor cannot be asked for a batch by its name: a person has to look")
    sandbox.faults.add(vendor=vendor, operation="submit", kind="slow", times=1, size=1, interval=2.0)
    ledger = f"file://{walk.folder}/ledger"
    code = f"""
from tests.submit_task import Ti
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator

EmailVerifySubmitOperator(
    task_id="submit", source="file://{walk.source}", conn_id="{walk.conn_id}", batch_size=3, ledger="{ledger}"
).execute({{"ti": Ti(), "outlet_events": {{}}}})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if sandbox.ledger.batches(vendor):
                break
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert len(sandbox.ledger.batches(vendor)) == 1
    walk.ti.try_number = 2
    ids = walk.submit(ledger=ledger)

    assert ids == [batch.batch_id for batch in sandbox.ledger.batches(vendor)]
    assert len(ids) == 2
    assert sandbox.ledger.charged_more_than_once() == []
