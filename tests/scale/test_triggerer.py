"""
Real triggerers, on SQLite and PostgreSQL: from "ready at the vendor" to "the task goes on".

How many tasks and how often they ask: EMAILVERIFY_WAITS (2000) and EMAILVERIFY_INTERVAL (20, in seconds).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.postgresql import PostgreSQL

pytest.importorskip("airflow.sdk", reason="the tables of Airflow 2 are others")

WAITS = int(os.environ.get("EMAILVERIFY_WAITS", "2000"))
INTERVAL = float(os.environ.get("EMAILVERIFY_INTERVAL", "20"))
DAG = f"""
from airflow.sdk import DAG
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

with DAG("many", schedule=None):
    EmailVerifyBatchSensor.partial(task_id="wait", conn_id="cliova_default", deferrable=True).expand(
        batch_id=[f"b-{{number}}" for number in range({WAITS})]
    )
"""
PROJECT = Path(__file__).resolve().parents[2]


class Deployment:
    """
    An Airflow of its own: a database and as many triggerers as a test starts.

    :param home: a folder for it.
    :param database: SQLAlchemy's URL.
    :param vendor: both vendors.
    :param source: a DAG file.
    """

    def __init__(self, home: Path, database: str, vendor: SandboxServer, source: str = DAG) -> None:
        self.home = home
        self.source = source
        self.engine = sqlalchemy.create_engine(database)
        self.environment = os.environ | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",  # watchers of paused DAGs are not run
            "AIRFLOW__CORE__MAX_MAP_LENGTH": "100000",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__TRIGGERER__CAPACITY": str(WAITS),
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW_CONN_CLIOVA_DEFAULT": _connection("cliova", vendor.cliova_url),
            "AIRFLOW_CONN_PROOFY_DEFAULT": _connection("proofy", vendor.proofy_url, requests_per_minute=1000),
            "PYTHONPATH": str(PROJECT),
        }
        self._running = ExitStack()

    def __enter__(self) -> Deployment:
        (self.home / "dags").mkdir(parents=True)
        (self.home / "dags" / "dag.py").write_text(self.source)
        self.run("-m", "airflow", "db", "migrate")
        self.run("-m", "airflow", "dags", "reserialize")
        return self

    def __exit__(self, *exc: object) -> None:
        self._running.close()
        self.engine.dispose()

    def run(self, *command: str) -> None:
        """Run Python to its end."""
        done = subprocess.run([sys.executable, *command], env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]

    def start_triggerer(self, name: str) -> subprocess.Popen[bytes]:
        """Start a triggerer; the deployment's end is its end."""
        log = self._running.enter_context((self.home / f"{name}.log").open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
            env=self.environment | {"AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._running.callback(self.kill, process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a triggerer and what it has started, without a last word."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def ask(self, query: str) -> list[Any]:
        """Return what the database holds."""
        with self.engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(query)))

    def deferred(self) -> int:
        """Return how many tasks wait."""
        return self.ask("select count(*) from task_instance where state = 'deferred'")[0][0]

    def held(self) -> int:
        """Return how many triggers have a triggerer."""
        return self.ask("select count(*) from trigger where triggerer_id is not null")[0][0]


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Deployment, SandboxServer]]:
    """A deployment with tasks that wait, and their vendor."""
    with ExitStack() as stack:
        vendor = stack.enter_context(SandboxServer())
        for number in range(WAITS):
            vendor.ledger.create_batch("cliova", [], batch_id=f"b-{number}", ready_after=1e9)
        if request.param == "sqlite":
            database = f"sqlite:///{tmp_path}/airflow.db"
        else:
            pytest.importorskip("psycopg2")
            try:
                database = stack.enter_context(PostgreSQL()).url
            except LookupError as error:
                pytest.skip(str(error))
        airflow = stack.enter_context(Deployment(tmp_path / "airflow", database, vendor))
        airflow.run(str(Path(__file__).parent / "defer.py"), str(INTERVAL))
        yield airflow, vendor


def _connection(vendor: str, url: str, **extra: object) -> str:
    return json.dumps({"conn_type": vendor, "host": url, "password": "a-key", "extra": extra})


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.5)


def let_be_ready(vendor: SandboxServer, over: float) -> dict[str, float]:
    """Let the batches become ready one after the other; return when, by the wall clock."""
    ready: dict[str, float] = {}
    batches = vendor.ledger.batches("cliova")
    random.shuffle(batches)
    started = time.monotonic()
    for number, batch in enumerate(batches):
        time.sleep(max(0.0, started + number * over / len(batches) - time.monotonic()))
        ready[batch.batch_id] = time.time()
        batch.state = "COMPLETED"
    return ready


def resumed(deployment: Deployment) -> dict[str, float]:
    """Return when each task went on; and check that it did so with the event of its own batch."""
    found = {}
    for index, state, at, arguments in deployment.ask(
        "select map_index, state, scheduled_dttm, next_kwargs from task_instance"
    ):
        assert state == "scheduled"
        assert f'"b-{index}"' in (arguments if isinstance(arguments, str) else json.dumps(arguments))
        at = datetime.fromisoformat(at) if isinstance(at, str) else at
        found[f"b-{index}"] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return found


def test_a_task_goes_on_when_its_batch_is_ready(
    deployment: tuple[Deployment, SandboxServer], request: pytest.FixtureRequest
) -> None:
    airflow, vendor = deployment
    airflow.start_triggerer("one")
    until(lambda: vendor.ledger.count() >= WAITS, 120 + 3 * INTERVAL, "the first polls")

    ready = let_be_ready(vendor, over=INTERVAL)
    until(lambda: airflow.deferred() == 0, 60 + 3 * INTERVAL, "the last task")

    went_on = resumed(airflow)
    delays = sorted(went_on[batch_id] - ready[batch_id] for batch_id in ready)
    median, late = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    print(
        f"\n{request.node.name}: {WAITS} tasks, a poll every {INTERVAL:g} s: "
        f"ready -> goes on p50 {median:.1f} s, p99 {late:.1f} s, worst {delays[-1]:.1f} s"
    )
    assert median < INTERVAL
    assert late < 2 * INTERVAL


def test_when_one_of_two_triggerers_is_killed_every_wait_goes_on(
    deployment: tuple[Deployment, SandboxServer],
) -> None:
    airflow, vendor = deployment
    airflow.environment["AIRFLOW__TRIGGERER__CAPACITY"] = str(WAITS // 2)
    first = airflow.start_triggerer("first")
    airflow.environment["AIRFLOW__TRIGGERER__CAPACITY"] = str(WAITS)
    until(lambda: airflow.held() == WAITS // 2, 120, "the first triggerer's half")
    airflow.start_triggerer("second")
    until(lambda: airflow.held() == WAITS, 120, "the second triggerer's half")

    airflow.kill(first)
    ready = let_be_ready(vendor, over=INTERVAL / 2)
    until(lambda: airflow.deferred() == 0, 120 + 3 * INTERVAL, "the last task")

    assert resumed(airflow).keys() == ready.keys()
    time.sleep(2)
    assert airflow.ask("select count(*) from trigger")[0][0] == 0, "a trigger that is left would fire again"


def test_an_asset_hears_of_each_ready_batch_once_whatever_happens_to_the_triggerer(tmp_path: Path) -> None:
    source = (PROJECT / "dags_examples" / "when_ready.py").read_text()
    quick = source.replace('"proofy_default", "proofy_batches"', '"proofy_default", "proofy_batches", 1.0')
    assert quick != source
    with (
        SandboxServer() as vendor,
        Deployment(tmp_path / "airflow", f"sqlite:///{tmp_path}/airflow.db", vendor, quick) as airflow,
    ):
        for batch_id, ready_after in {"first": 0, "second": 0, "never": 1e9}.items():
            vendor.ledger.create_batch("proofy", [], batch_id=batch_id, ready_after=ready_after)
        airflow.run("-m", "airflow", "variables", "set", "proofy_batches", '["first", "never"]')

        one = airflow.start_triggerer("one")
        until(lambda: len(airflow.ask("select id from asset_event")) == 1, 120, "the first event")
        airflow.kill(one)
        airflow.run("-m", "airflow", "variables", "set", "proofy_batches", '["first", "second", "never"]')
        airflow.start_triggerer("another")
        until(lambda: len(airflow.ask("select id from asset_event")) == 2, 120, "the second event")
        time.sleep(5)

        told = [json.loads(extra)["payload"]["batch_id"] for (extra,) in airflow.ask("select extra from asset_event")]
        assert told == ["first", "second"]
        assert airflow.ask("select count(*) from asset_dag_run_queue")[0][0] == 1, "the DAG is not asked for"
