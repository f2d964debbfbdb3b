"""Fifty lists at once on a deployment as teams have it; and what is left of the key and the addresses afterwards."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.redaction import renderings
from tests.e2e.cluster import BUCKET, KEY, Surroundings
from tests.e2e.deployment import eventually
from tests.redis_server import IS_THERE as REDIS_IS_THERE

pytest.importorskip("airflow.sdk.execution_time.context", reason="what is deployed is the newest Airflow")
pytestmark = pytest.mark.skipif(not REDIS_IS_THERE, reason="there is no redis-server here")

LISTS = 25
ROWS = 12
VENDORS = ("proofy", "cliova")
# It takes four minutes on two cores that others use too.
SECONDS = 1500
DAGS = """
from airflow.sdk import DAG, task_group
from airflow_provider_emailverify.task_groups import verify_emails

for vendor in {vendors}:
    with DAG("lists_of_" + vendor, schedule=None) as dag:

        @task_group
        def one(source, destination):
            verify_emails(
                source=source,
                conn_id=vendor,
                destination=destination,
                submit={{"batch_size": 6}},
                wait={{"poke_interval": 5}},
            )

        folder = "s3://bucket@lists/" + vendor
        one.expand_kwargs(
            [
                {{"source": f"{{folder}}/in/{{number}}.csv", "destination": f"{{folder}}/out/{{number}}.csv"}}
                for number in range({lists})
            ]
        )
    globals()[dag.dag_id] = dag
"""


class Arguments:
    """Note the arguments of every process of the machine, for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Arguments:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue


def address(vendor: str, number: int, row: int) -> str:
    return f"{vendor}.person{number}.{row}@example.com"


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """The deployment, and the lists in the bucket."""
    dags = {"dags": DAGS.format(vendors=VENDORS, lists=LISTS)}
    with Surroundings(tmp_path_factory.mktemp("cluster"), dags, ready_after=8.0) as around:
        for vendor in VENDORS:
            for number in range(LISTS):
                rows = "".join(f"{address(vendor, number, row)},{row}\n" for row in range(ROWS))
                around.put(f"{vendor}/in/{number}.csv", "Email,row\n" + rows)
        yield around


@pytest.fixture(scope="module")
def seen(around: Surroundings) -> set[str]:
    """Verify all lists at once; return the arguments of the processes that were seen meanwhile."""
    with Arguments() as arguments:
        runs = {vendor: around.airflow.trigger(f"lists_of_{vendor}") for vendor in VENDORS}
        eventually(
            lambda: all(around.airflow.run_state(run_id) in ("success", "failed") for run_id in runs.values()),
            SECONDS,
            lambda: "".join(around.airflow.log(run_id)[-4000:] for run_id in runs.values()),
        )
    for run_id in runs.values():
        assert around.airflow.run_state(run_id) == "success", around.airflow.log(run_id)[-6000:]
    return arguments.seen


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_list_comes_back_and_each_address_was_bought_once(
    around: Surroundings, seen: set[str], vendor: str
) -> None:
    for number in range(LISTS):
        text = around.get(f"s3://{BUCKET}/{vendor}/out/{number}.csv")
        rows = [(row["Email"], row["row"], row["verdict"]) for row in csv.DictReader(io.StringIO(text))]
        assert rows == [(address(vendor, number, row), str(row), "deliverable") for row in range(ROWS)]
    mine = {email: times for email, times in around.vendors.ledger.charged().items() if email.startswith(vendor)}
    assert mine == {address(vendor, number, row): 1 for number in range(LISTS) for row in range(ROWS)}


def test_no_minute_holds_more_requests_than_the_account_allows(around: Surroundings, seen: set[str]) -> None:
    """By Redis, over both workers and both triggerers."""
    for vendor in VENDORS:
        times = sorted(each.at for each in around.vendors.ledger.requests() if each.vendor == vendor)
        busiest = max(sum(at <= other < at + 60 for other in times) for at in times)
        print(f"{vendor}: {len(times)} requests, at most {busiest} in a minute")
        assert busiest <= 300


def test_every_wait_was_deferred(around: Surroundings, seen: set[str]) -> None:
    assert "deferr" in "".join(path.read_text() for path in (around.airflow.home / "logs").rglob("*.log")).lower()


def secrets() -> list[str]:
    return [*renderings(KEY), "person1.1@", "person24.11@"]


def test_nothing_that_stays_on_disk_holds_the_key_or_an_address(around: Surroundings, seen: set[str]) -> None:
    """Logs, what the processes printed, temporary files, at log level DEBUG."""
    read = 0
    for path in around.airflow.home.rglob("*"):
        if path.is_file() and path.suffix != ".py":
            text = path.read_text(errors="replace")
            read += len(text)
            assert [secret for secret in secrets() if secret in text] == [], path
    assert read > 100_000


def test_the_database_holds_neither(around: Surroundings, seen: set[str]) -> None:
    dump = around.postgresql.dump()

    assert "lists_of_proofy" in dump
    assert [secret for secret in secrets() if secret in dump] == []


def test_the_broker_holds_neither(around: Surroundings, seen: set[str]) -> None:
    client = around.redis.client()
    client.save()
    dump = (around.airflow.home.parent / "redis" / "dump.rdb").read_bytes().decode(errors="replace")

    assert client.dbsize()
    assert [secret for secret in secrets() if secret in dump] == []


def test_no_process_was_given_either(seen: set[str]) -> None:
    assert any("celery" in line for line in seen)
    assert [line for line in seen if any(secret in line for secret in secrets())] == []
