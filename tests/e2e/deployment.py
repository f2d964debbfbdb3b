"""A real Airflow: scheduler, API server and DAG processor as processes of their own, each task under its supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import sqlalchemy

PACKAGE_ROOT = Path(__file__).parents[2]
START_SECONDS = 180
STEP_SECONDS = 120
#: For those who kill nothing: a machine that is busy, with a browser for one, is slow and not dead.
PATIENT = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300"}


class Deployment:
    """
    Run Airflow for as long as the ``with`` block lasts.

    :param home: an empty folder.
    :param dags: DAG files by name.
    :param connections: values of ``AIRFLOW_CONN_…`` by connection id.
    :param database: SQLAlchemy's URL; by default SQLite's.
    :param triggerer: whether there is one.
    :param log_level: of all that it logs.
    :param environment: further environment variables.
    :param python: the Python of an environment that Airflow is installed in; by default this one, with this checkout.
    """

    def __init__(
        self,
        home: Path,
        dags: dict[str, str],
        connections: dict[str, dict[str, Any]],
        *,
        database: str | None = None,
        triggerer: bool = False,
        log_level: str = "DEBUG",
        environment: dict[str, str] | None = None,
        python: str | None = None,
    ) -> None:
        self.home = home
        self._python = python or sys.executable
        self._engine = sqlalchemy.create_engine(database or f"sqlite:///{home}/airflow.db")
        self.commands = {
            "api-server": ["api-server", "--workers", "1"],
            "scheduler": ["scheduler"],
            "dag-processor": ["dag-processor"],
            **({"triggerer": ["triggerer"]} if triggerer else {}),
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.temporary = home / "tmp"
        self.temporary.mkdir()
        folder = home / "dags"
        folder.mkdir()
        for name, source in dags.items():
            (folder / f"{name}.py").write_text(source)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self.url.rpartition(":")[2],
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__SECRET_KEY": "e2e",
            "AIRFLOW__API_AUTH__JWT_SECRET": "e2e-secret-of-sixty-four-characters-" + "x" * 40,
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database or f"sqlite:///{home}/airflow.db",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": log_level,
            "NO_PROXY": "127.0.0.1",
            "TMPDIR": str(self.temporary),
            **({} if python else {"PYTHONPATH": str(PACKAGE_ROOT)}),
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()},
            **(environment or {}),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Start, and return when DAGs can be triggered."""
        try:
            self._airflow("migrate", "db", "migrate").wait(START_SECONDS)
            for name in self.commands:
                self.start(name)
            self._token = eventually(lambda: self.call("GET", "/auth/token", token="")["access_token"], START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all processes, with those that they started."""
        for name in list(self._processes):
            self.kill(name)
        self._engine.dispose()

    def start(self, name: str) -> None:
        """Start one of :attr:`commands`."""
        self._processes[name] = self._airflow(name, *self.commands[name])

    def kill(self, name: str) -> None:
        """Kill one of the processes without a last word, with all that it started, as when a machine is lost."""
        process = self._processes.pop(name)
        while pids := self.family(process.pid):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.poll()

    @staticmethod
    def family(leader: int) -> list[int]:
        """Return the processes that one of ours started, itself among them, those that have ended left out."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":  # its session
                    found.append(int(stat.parent.name))
        return found

    def run_state(self, run_id: str) -> str:
        """Return the state of a run."""
        return str(self._rows("select state from dag_run where run_id = ?", run_id)[0][0])

    def count_tasks(self, run_id: str) -> int:
        """Return how many task instances a run has."""
        return int(self._rows("select count(*) from task_instance where run_id = ?", run_id)[0][0])

    def task_seconds(self) -> float:
        """Return the processor seconds of the executor's processes so far, and of the tasks that they ran."""
        scheduler = self._processes["scheduler"].pid
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, fields = stat.parent.name, stat.read_text().rpartition(")")[2].split()
                if os.getsid(int(pid)) == scheduler and int(pid) != scheduler:
                    ticks += sum(map(int, fields[11:15]))  # its own, and of its children that have ended
        return ticks / os.sysconf("SC_CLK_TCK")

    def trigger(self, dag_id: str, **conf: object) -> str:
        """Start a run of a DAG with these parameters, and return its id."""
        eventually(lambda: self.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False}), START_SECONDS)
        return str(
            self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
        )

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task when its run is over, as the button in the UI does."""
        eventually(
            lambda: self._rows("select 1 from dag_run where run_id = ? and end_date is not null", run_id), STEP_SECONDS
        )
        self.clear_now(dag_id, run_id, task_id)

    def clear_now(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task, whatever it does, as the button in the UI does."""
        body = {
            "dag_run_id": run_id,
            "task_ids": [task_id],
            "dry_run": False,
            "only_failed": False,
            "include_downstream": True,
        }
        self.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def kill_by_user(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Mark a running task as failed, as the button in the UI does."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        eventually(lambda: self.call("PATCH", path, {"new_state": "failed"}), STEP_SECONDS)  # SQLite may be locked

    def task(self, run_id: str, task_id: str) -> dict[str, Any]:
        """Return state, try number and process id of a task."""
        rows = self._rows(
            "select state, try_number, pid from task_instance where run_id = ? and task_id = ?", run_id, task_id
        )
        return dict(zip(("state", "try", "pid"), rows[0], strict=True)) if rows else {}

    def wait_for_state(self, run_id: str, task_id: str, state: str, tries: int | None = None) -> None:
        """Return when a task has reached a state, in a certain try."""

        def reached() -> bool:
            task = self.task(run_id, task_id)
            return task["state"] == state and tries in (None, task["try"])

        eventually(reached, STEP_SECONDS, lambda: f"{self.task(run_id, task_id)}\n{self.log(run_id)[-6000:]}")

    def xcom(self, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task pushed."""
        rows = self._rows("select value from xcom where run_id = ? and task_id = ? and key = ?", run_id, task_id, key)
        value = rows[0][0]
        for _ in range(2):  # SQLite keeps JSON as text, and Airflow a text of JSON
            value = json.loads(value) if isinstance(value, str) else value
        return value

    def states(self, run_id: str) -> dict[str, Any]:
        """Return the task state store of a run's tasks, by key."""
        rows = self._rows("select key, value from task_state_store where run_id = ?", run_id)
        return {key: json.loads(value) if isinstance(value, str) else value for key, value in rows}

    def set_state(self, dag_id: str, run_id: str, task_id: str, key: str, value: Any) -> None:
        """Set one value of a task's state by the REST API; None deletes it."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/state-store/{key}"
        if value is None:
            self.call("DELETE", path)
        else:
            self.call("PUT", path, {"value": value, "expires_at": None})

    def log(self, run_id: str) -> str:
        """Return all logs of a run's tasks."""
        files = sorted((self.home / "logs").glob(f"*/run_id={run_id}/**/*.log"))
        return "\n".join(path.read_text() for path in files)

    def _airflow(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.out").open("ab") as out:
            return subprocess.Popen(
                [self._python, "-m", "airflow", *command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _rows(self, query: str, *values: str) -> list[Any]:
        names = [f"value{number}" for number in range(len(values))]
        text = "".join(
            part + (f":{name}" if name else "") for part, name in zip(query.split("?"), [*names, ""], strict=True)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(text), dict(zip(names, values, strict=True))))

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """Ask Airflow's REST API, and return its answer."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {token or self._token if token != '' else ''}",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            content = response.read()
        return json.loads(content) if content else None


def eventually(condition: Callable[[], Any], seconds: float, explain: Callable[[], str] = str) -> Any:
    """Return what a condition returns as soon as that is true; it may fail until then."""
    deadline = time.monotonic() + seconds
    trouble: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except Exception as error:
            trouble = error
        time.sleep(0.1)
    raise AssertionError(f"it did not happen within {seconds} s: {trouble or ''} {explain()}")
