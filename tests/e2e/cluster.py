"""
Airflow as teams deploy it, from nothing and of its own.

CeleryExecutor with two workers, two triggerers, PostgreSQL, Redis, the wheel; connections in Vault, files in S3, the
vendors in a sandbox. Each of the servers around it has a gate, to take it away and to bring it back.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import boto3
from moto.server import ThreadedMotoServer

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e import vault
from tests.e2e.deployment import Deployment, eventually
from tests.e2e.gate import Gate
from tests.e2e.installed import build_wheel, install
from tests.e2e.postgresql import PostgreSQL
from tests.redis_server import RedisServer

KEY = "sandbox+key/1%2B"
BUCKET = "lists"
SLOTS = 6
HEARTBEAT_TIMEOUT = 20
WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
_STARTED = 120
# Airflow's Celery provider 3.26 cannot be imported beside Celery 5.7; Airflow's constraint files have 5.6 too.
_PROVIDERS = (
    *("apache-airflow-providers-celery>=3.20", "celery<5.7", "apache-airflow-providers-hashicorp"),
    *("psycopg2-binary", "asyncpg"),
)


class Cluster(Deployment):
    """
    A deployment whose processes are brought back when they end, as Kubernetes and systemd do.

    :param home: an empty folder.
    :param dags: DAG files by name.
    :param python: of the environment that the wheel is installed in.
    :param postgresql: the database.
    :param redis_port: of the broker.
    :param vault_port: of the secrets.
    """

    def __init__(
        self, home: Path, dags: dict[str, str], *, python: str, postgresql: str, redis_port: int, vault_port: int
    ) -> None:
        environment = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "64",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
            "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{redis_port}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": "db+" + postgresql,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT),
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
            "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
            **vault.environment(vault_port),
        }
        super().__init__(home, dags, {}, database=postgresql, environment=environment, python=python)
        for name in WORKERS:
            self.commands[name] = ["celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@%h"]
            self.commands[name] += ["--pid", str(home / f"{name}.pid")]
        for name in TRIGGERERS:
            self.commands[name] = ["triggerer", "--skip-serve-logs"]
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            for name in WORKERS:
                self.wait_until_ready(name)
        except BaseException:
            self.__exit__()
            raise
        self._keeper.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        if self._keeper.is_alive():
            self._keeper.join()
        super().__exit__(*exc)

    def wait_until_ready(self, worker: str) -> None:
        """Return when a worker that was started takes tasks."""
        out = self.home / f"{worker}.out"
        process = self._processes[worker]
        eventually(
            lambda: f"{worker}@" in out.read_text() and " ready." in out.read_text(),
            _STARTED,
            lambda: out.read_text()[-3000:],
        )
        assert process.poll() is None

    def worker_of(self, run_id: str, task_id: str) -> str:
        """Return which worker runs a task."""
        pid = self.task(run_id, task_id)["pid"]
        return next(name for name in WORKERS if pid in self.family(self._processes[name].pid))

    def terminate(self, name: str) -> subprocess.Popen[bytes]:
        """Ask a process to stop, as Kubernetes and systemd do, and return it; it is started again when it has."""
        process = self._processes[name]
        process.terminate()
        return process

    def count_lost_waits(self) -> int:
        """Return how many deferred tasks are in no living triggerer."""
        query = """
            select count(*) from task_instance as task
            left join trigger on trigger.id = task.trigger_id
            left join job on job.id = trigger.triggerer_id and job.state = 'running'
                and job.latest_heartbeat > now() - interval '10 seconds'
            where task.state = 'deferred' and job.id is null
        """
        return int(self._rows(query)[0][0])

    def _keep(self) -> None:
        """Start again what has ended by itself."""
        while not self._over.wait(1):
            for name, process in list(self._processes.items()):
                if process.poll() is not None and self._processes.get(name) is process:
                    self.start(name)


class Surroundings:
    """
    Everything that the deployment talks to, for as long as the ``with`` block lasts.

    :param folder: an empty folder.
    :param dags: DAG files by name.
    :ivar vendors: the sandbox of all vendors.
    :ivar gates: the gates before ``vendor``, ``store`` and ``secrets``.
    :ivar airflow: the deployment.
    """

    def __init__(self, folder: Path, dags: dict[str, str], **sandbox: Any) -> None:
        self._folder = folder
        self._dags = dags
        self._sandbox = sandbox
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._enter()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _enter(self) -> None:
        enter = self._stack.enter_context
        self.vendors = enter(SandboxServer(**self._sandbox))
        store = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        store.start()
        self._stack.callback(store.stop)
        store_port = store.get_host_and_port()[1]
        self._s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{store_port}",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )
        self._s3.create_bucket(Bucket=BUCKET)
        self.postgresql = enter(PostgreSQL())
        (self._folder / "redis").mkdir()
        self.redis = enter(RedisServer(self._folder / "redis"))
        self.vault = enter(vault.Vault({}))
        self.gates = {
            name: enter(Gate(port))
            for name, port in (
                ("vendor", self.vendors.port),
                ("store", store_port),
                ("secrets", self.vault.port),
            )
        }
        self.vault.connections |= self._connections()
        wheel = self._folder / "wheel"
        wheel.mkdir()
        python = install(build_wheel(wheel), self._folder / "environment", "3.3", "s3,redis", *_PROVIDERS)
        home = self._folder / "airflow"
        home.mkdir()
        self.airflow = enter(
            Cluster(
                home,
                self._dags,
                python=python,
                postgresql=self.postgresql.url,
                redis_port=self.redis.port,
                vault_port=self.gates["secrets"].port,
            )
        )

    def _connections(self) -> dict[str, dict[str, Any]]:
        pace = {"requests_per_minute": 300, "limit_conn_id": "turns"}
        vendors = {
            vendor: {
                "conn_type": vendor,
                "host": url.replace(f":{self.vendors.port}", f":{self.gates['vendor'].port}"),
                "password": KEY,
                "extra": pace,
            }
            for vendor, url in self.vendors.vendor_urls.items()
        }
        store = {"endpoint_url": f"http://127.0.0.1:{self.gates['store'].port}", "region_name": "us-east-1"}
        return {
            **vendors,
            "bucket": {"conn_type": "aws", "login": "testing", "password": "testing", "extra": store},
            "turns": {"conn_type": "redis", "host": "127.0.0.1", "port": self.redis.port},
        }

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Take a server away for as long as the block lasts."""
        self.gates[name].shut()
        try:
            yield
        finally:
            self.gates[name].open()

    def put(self, name: str, text: str) -> str:
        """Put an object into the bucket, and return its URI."""
        self._s3.put_object(Bucket=BUCKET, Key=name, Body=text.encode())
        return f"s3://bucket@{BUCKET}/{name}"

    def get(self, uri: str) -> str:
        """Return what an object of the bucket holds."""
        key = uri.partition(f"{BUCKET}/")[2]
        return self._s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder of the bucket, and of uploads that nobody ended."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=folder)
        found = [each["Key"] for page in pages for each in page.get("Contents", [])]
        uploads = self._s3.list_multipart_uploads(Bucket=BUCKET, Prefix=folder).get("Uploads", [])
        return found + [f"{each['Key']} (unfinished)" for each in uploads]
