"""
Rehearse the whole walk with real Airflow, on a list of your own, without an account: ``make demo EMAILS=my.csv``.

A script and no DAG: ``.airflowignore`` beside it says so. It starts the sandbox in a process of its own, runs the DAG
``verify_csv`` once for each vendor with ``dag.test()``, and shows the list that comes back.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo"
DAG_ID = "verify_csv"
#: Those that it runs with where none is named.
VENDORS = ("proofy", "cliova")
READY_AFTER_SECONDS = 3
SHOWN_ROWS = 20
SHOWN_COLUMNS = 5
SHOWN_WIDTH = 32
#: So that a short list shows what becomes of several.
BATCHES = 3


class DemoError(Exception):
    """The demo cannot go on; the text says why, in one line."""


@dataclass(frozen=True)
class Verified:
    """A list that came back: where it is, its first rows with their verdicts, and the figures of the run."""

    path: str
    names: list[str]
    rows: list[list[str]]
    figures: dict[str, Any]


def known_vendors(names: str) -> Sequence[str]:
    """Return the vendors that are named, or the usual ones."""
    from airflow_provider_emailverify.get_provider_info import VENDORS as KNOWN

    wanted = [name.strip().lower() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in KNOWN]:
        raise DemoError(f"No vendor is called {unknown[0]!r}; there are {', '.join(KNOWN)}.")
    return wanted or VENDORS


def count_addresses(path: Path, encoding: str) -> int:
    """Return how many addresses a list has, as the operators read it."""
    from airflow_provider_emailverify.exceptions import EmailVerifyError
    from airflow_provider_emailverify.lists.cleaning import AddressList
    from airflow_provider_emailverify.lists.reader import read_column

    try:
        with AddressList(read_column(f"file://{path.resolve()}", encoding=encoding)) as emails:
            count = emails.unique
    except EmailVerifyError as error:
        raise DemoError(str(error)) from None
    if not count:
        raise DemoError(f"{path} has no rows.")
    return count


@contextlib.contextmanager
def sandbox(port: int, vendors: Sequence[str]) -> Iterator[dict[str, str]]:
    """Run the sandbox; hand out the environment variables by which Airflow finds it and these vendors."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "airflow_provider_emailverify.sandbox"),
            *("--port", str(port), "--ready-after", str(READY_AFTER_SECONDS)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield _connections(process, {f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT" for vendor in vendors})
    finally:
        process.terminate()
        process.wait()


def _connections(process: subprocess.Popen[bytes], wanted: set[str]) -> dict[str, str]:
    """Read what the sandbox says on its start, until it has named a connection for each vendor that is wanted."""
    said = b""
    deadline = time.monotonic() + 30
    while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(process.stdout.fileno(), 65536) if process.stdout else b""
        said += part
        found = dict(re.findall(r"(AIRFLOW_CONN_\w+)='([^'\n]+)'", said.decode()))
        if wanted <= found.keys():
            return found
        if not part:
            break
    raise DemoError(f"The sandbox did not start: {' '.join(said.decode().split()) or 'it said nothing'}")


@contextlib.contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send everything that is written to the terminal into a file instead, from child processes too."""
    sys.stdout.flush()
    with log.open("ab") as file, contextlib.ExitStack() as stack:
        for stream in (1, 2):
            saved = os.dup(stream)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, stream)
            os.dup2(file.fileno(), stream)
        yield
        sys.stdout.flush()
        sys.stderr.flush()


def point_airflow() -> None:
    """Point Airflow at a home of its own; before its first import."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW__", "AIRFLOW_"))]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": str(HOME / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__COLORS": "False",
    }


def make_database() -> None:
    """Let Airflow make its database."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise DemoError("Airflow could not make its database.")


def run(vendor: str, source: Path, encoding: str, batch_size: int) -> Verified:
    """Run the example DAG with a vendor's connection, and read the list that comes back."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag

    dag = DagBag(str(HERE / f"{DAG_ID}.py")).dags[DAG_ID]
    tasks = {name: dag.get_task(f"verify_emails.{name}") for name in ("submit", "wait", "merge")}
    tasks["submit"].batch_size = batch_size  # the vendor's own limit would make a single batch of a short list
    tasks["wait"].poke_interval = 1.0  # the sandbox is no vendor: ask it every second
    tasks["merge"].output_format = "csv"
    tasks["submit"].encoding = tasks["merge"].encoding = encoding
    conf = {
        "conn_id": f"{vendor}_default",
        "source": f"file://{source.resolve()}",
        "destination": f"file://{HOME}/{vendor}/",
        "max_emails": 1_000_000,
    }
    outcome = dag.test(run_conf=conf)
    instances = {each.task_id: each for each in outcome.get_task_instances()}
    failed = [name for name, each in instances.items() if each.state == "failed"]
    if outcome.state != "success":
        raise DemoError(f"DAG {DAG_ID} ended as {outcome.state}; failed: {', '.join(failed) or 'nothing'}.")
    names = ("verify_emails.submit", "verify_emails.merge")
    submitted, merged = (instances[name].xcom_pull(task_ids=name, key="summary") for name in names)
    figures = {
        "rows": merged["rows"],
        "no address": merged["no_address"] + sum(merged["dropped"].values()),
        "duplicates": merged["duplicates"],
        "bought": submitted["submitted"],
        "batches": submitted["batches"],
        **{verdict: count for verdict, count in merged["verdicts"].items() if count},
    }
    return Verified(merged["paths"], *read_list(merged["paths"], encoding), figures)


def read_list(path: str, encoding: str) -> tuple[list[str], list[list[str]]]:
    """Return the columns of a verified list, and its first rows."""
    from airflow_provider_emailverify.lists.reader import ListFormat, open_list

    with open_list(path, ListFormat(encoding=encoding)) as file:
        rows = (
            ["" if cell is None else str(cell) for cell in row] for part in file.blocks() for row in file.records(part)
        )
        return file.names, list(itertools.islice(rows, SHOWN_ROWS))


def shown(path: str) -> str:
    """Return a path as a person in this folder would write it."""
    return os.path.relpath(path.removeprefix("file://"))


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, their columns below each other."""
    cells = [[f"{cell[: SHOWN_WIDTH - 1]}…" if len(cell) > SHOWN_WIDTH else cell for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def report(verified: dict[str, Verified]) -> str:
    """Return the first rows with the verdicts beside them, and what it came to."""
    lines = []
    for vendor, found in verified.items():
        # The user's own columns, as many as fit; without the vendor and the time, which are the same in each row.
        *own, _, _, _, _ = found.names
        keep = [*range(min(len(own), SHOWN_COLUMNS)), len(own), len(own) + 1]
        rows = [[row[place] for place in keep] for row in [found.names, *found.rows]]
        lines += [f"{vendor}: {shown(found.path)}", "", *table(rows)]
        if (more := found.figures["rows"] - len(found.rows)) > 0:
            lines.append(f"... and {more:,} more")
        lines.append("")
    names = list(dict.fromkeys(name for found in verified.values() for name in found.figures))
    figures = [["", *verified]] + [
        [name, *(f"{found.figures.get(name, 0):,}" for found in verified.values())] for name in names
    ]
    lines += table(figures)
    lines += ["", "A duplicate has the verdict of its first. What is no address was not bought."]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code."""
    parser = argparse.ArgumentParser(description="Run the example DAG against the sandbox, once for each vendor.")
    parser.add_argument("--emails", type=Path, default=HERE / "data" / "emails.csv", help="CSV, Excel, JSON lines, …")
    parser.add_argument("--encoding", default="utf-8", help="of a text file, such as cp1252 (default: utf-8)")
    parser.add_argument("--port", type=int, default=0, help="of the sandbox (default: any free one)")
    parser.add_argument(
        "--vendor",
        default="",
        metavar="NAME",
        help=f"any of the ten, or several with commas (default: {','.join(VENDORS)})",
    )
    options = parser.parse_args(argv)
    log, started = HOME / "demo.log", False
    try:
        vendors = known_vendors(options.vendor)
        HOME.mkdir(exist_ok=True)
        log.write_bytes(b"")
        point_airflow()
        with quiet(log):  # Airflow may have something to say when it is imported first
            count = count_addresses(options.emails, options.encoding)
        batch_size = -(-count // BATCHES)
        verified, started = {}, True
        with sandbox(options.port, vendors) as connections:
            print("Sandbox is up; nothing of this reaches a vendor. Preparing Airflow ...", flush=True)
            os.environ |= connections
            with quiet(log):
                make_database()
            for vendor in vendors:
                print(f"Running {DAG_ID} with {vendor}: {count:,} addresses of {options.emails.name} ...", flush=True)
                with quiet(log):
                    verified[vendor] = run(vendor, options.emails, options.encoding, batch_size)
    except DemoError as error:
        seen = f" Airflow's log: {log}" if started and log.stat().st_size else ""
        print(f"{error}{seen}", file=sys.stderr)
        return 1
    print(f"\n{report(verified)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
