"""
Measure a list of many batches on a real Airflow: four tasks beside a task for each batch, in one run.

Scheduler, API server, DAG processor, triggerer, LocalExecutor of 4, PostgreSQL; a sandbox whose batches are ready after
20 s, asked every 10 s. What counts is the processor time of the executor's processes and of all tasks, and the time
from the trigger to the run's end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.deployment import Deployment
from tests.e2e.postgresql import PostgreSQL

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
FOUR_TASKS = """
from airflow.sdk import DAG
from airflow_provider_emailverify.task_groups import verify_emails

with DAG("four_tasks", schedule=None):
    verify_emails(
        source="file://{folder}/list.csv",
        conn_id="cliova_default",
        destination="file://{folder}/four/",
        submit={{"batch_size": {batch_size}}},
        wait={{"poke_interval": 10, "deferrable": True}},
    )
"""
READY_AFTER_SECONDS = 20
LONGEST_SECONDS = 900


def mapped(folder: Path, batch_size: int) -> str:
    """Return the example with a task for each batch, with what is measured here."""
    text = (EXAMPLES / "mapped_walk.py").read_text()
    for old, new in (
        ('"{{ params.source }}"', f'"file://{folder}/list.csv"'),
        ('"{{ params.conn_id }}"', '"cliova_default"'),
        ("\"{{ params.destination.rstrip('/') }}/\"", f'"file://{folder}/mapped/"'),
        ('mode="reschedule"', "poke_interval=10, deferrable=True"),
        ('task_id="submit",', f'task_id="submit", batch_size={batch_size},'),
        ("params=PARAMS, ", ""),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


def measure(airflow: Deployment, dag_id: str) -> tuple[float, float, int]:
    """Run a DAG; return processor seconds, wall seconds, and how many task instances it had."""
    before, started = airflow.task_seconds(), time.monotonic()
    run_id = airflow.trigger(dag_id)
    while (state := airflow.run_state(run_id)) in ("queued", "running"):
        if time.monotonic() - started > LONGEST_SECONDS:
            raise SystemExit(f"{dag_id} has not ended within {LONGEST_SECONDS} s.")
        time.sleep(0.2)
    wall = time.monotonic() - started
    if state != "success":
        raise SystemExit(f"{dag_id} ended as {state}.\n{airflow.log(run_id)[-4000:]}")
    return airflow.task_seconds() - before, wall, airflow.count_tasks(run_id)


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--size", type=int, default=20, help="addresses in a batch")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        SandboxServer(ready_after=READY_AFTER_SECONDS) as vendor,
        PostgreSQL() as database,
    ):
        folder = Path(name)
        emails = "".join(f"user{number}@example.com\n" for number in range(options.batches * options.size))
        (folder / "list.csv").write_text(f"email\n{emails}")
        dags = {
            "four_tasks": FOUR_TASKS.format(folder=folder, batch_size=options.size),
            "mapped_walk": mapped(folder, options.size),
        }
        connection = {"conn_type": "cliova", "host": vendor.cliova_url, "password": "a-key"}
        home = folder / "airflow"
        home.mkdir()
        with Deployment(
            home, dags, {"cliova_default": connection}, database=database.url, triggerer=True, log_level="INFO"
        ) as airflow:
            print(f"{options.batches} batches of {options.size} addresses, ready after {READY_AFTER_SECONDS} s\n")
            print(f"{'':<12}  tasks  processor   wall")
            for dag_id in dags:
                processor, wall, tasks = measure(airflow, dag_id)
                print(f"{dag_id:<12}  {tasks:>5}  {processor:>7.1f} s  {wall:>5.1f} s", flush=True)


if __name__ == "__main__":
    main()
