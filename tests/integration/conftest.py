"""Real Airflow: a database, DAG files, and runs of them in this process."""

from __future__ import annotations

import operator
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock


@dataclass
class Outcome:
    """
    How a task ended.

    :param state: the task's last state.
    :param tries: how often it was tried.
    :param xcoms: its XComs by key.
    """

    state: str
    tries: int
    xcoms: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Airflow's database as ``airflow db migrate`` makes it, once for all processes of this test run: to be copied."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "migrated"
    path = home / "airflow.db"
    with FileLock(f"{home}.lock"):
        if not (home / "done").exists():
            home.mkdir(exist_ok=True)
            environment = {**os.environ, "AIRFLOW_HOME": str(home)}
            environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{path}"
            migrate = [sys.executable, "-m", "airflow", "db", "migrate"]
            subprocess.run(migrate, env=environment, check=True, capture_output=True)
            (home / "done").touch()
    return path


@pytest.fixture(scope="session")
def airflow_db(empty_database: Path) -> Path:
    """Make Airflow's database, and return the folder for DAG files."""
    shutil.copy(empty_database, Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def run_dag(airflow_db: Path) -> Callable[..., dict[str, Outcome]]:
    """Run a DAG of a file with ``dag.test()``, and return how each of its tasks ended."""

    def run(source: str, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, Outcome]:
        for old in airflow_db.glob("*.py"):
            old.unlink()
        # A file of the same name and size that is written in the same second is taken for the one that was compiled.
        shutil.rmtree(airflow_db / "__pycache__", ignore_errors=True)
        (airflow_db / f"{dag_id}.py").write_text(source)
        dag = _dag_bag(airflow_db).dags[dag_id]
        dag_run = dag.test(run_conf=conf)
        return _outcomes(dag_id, dag_run.run_id)

    return run


def _dag_bag(folder: Path) -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(folder)
    except (ImportError, TypeError):  # before Airflow 3.2
        from airflow.models.dagbag import DagBag

        bag = DagBag(folder, include_examples=False)
    assert not bag.import_errors, bag.import_errors
    return bag


def _outcomes(dag_id: str, run_id: str) -> dict[str, Outcome]:
    from airflow.models import TaskInstance

    try:
        from airflow.models.xcom import XComModel

        value_of = XComModel.deserialize_value
    except ImportError:  # before Airflow 3, which decodes values on load
        from airflow.models.xcom import XCom as XComModel

        value_of = operator.attrgetter("value")
    from airflow.utils.session import create_session

    with create_session() as session:
        outcomes = {
            task.task_id: Outcome(str(task.state), task.try_number)
            for task in session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id)
        }
        for xcom in session.query(XComModel).filter_by(dag_id=dag_id, run_id=run_id):
            if not xcom.key.startswith("_link_"):  # Airflow 3 keeps extra links as XComs
                outcomes[xcom.task_id].xcoms[xcom.key] = value_of(xcom)
    return outcomes
