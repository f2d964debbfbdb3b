"""
Rehearse the whole walk with real Airflow, on a list of your own, without an account: ``make demo EMAILS=my.csv``.

A script and no DAG: ``.airflowignore`` beside it says so. It starts the sandbox in a process of its own, runs the DAG
``verify_csv`` once for each vendor with ``dag.test()``, and shows what it landed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import re
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parent / ".demo"
DAG_ID = "verify_csv"
VENDORS = ("proofy", "cliova")
READY_AFTER_SECONDS = 3
SHOWN_ROWS = 20


class DemoError(Exception):
    """The demo cannot go on; the text says why, in one line."""


@dataclass(frozen=True)
class Landed:
    """What one vendor landed: where, and each address with the verdict on it."""

    path: str
    verdicts: dict[str, str]
    rows: int


def read_emails(path: Path) -> list[str]:
    """Return the addresses of a CSV file's column ``email``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            column = next((name for name in table.fieldnames or [] if name.strip().lower() == "email"), None)
            if column is None:
                raise DemoError(f"{path} has no column 'email'; its first line must name the columns.")
            emails = [email for row in table if (email := (row[column] or "").strip())]
    except OSError as error:
        raise DemoError(f"Cannot read {path}: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error):
        raise DemoError(f"{path} is no CSV file in UTF-8.") from None
    if not emails:
        raise DemoError(f"{path} has no addresses below its column 'email'.")
    return emails


@contextlib.contextmanager
def sandbox(port: int) -> Iterator[dict[str, str]]:
    """Run the sandbox; hand out the environment variables by which Airflow finds it."""
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
        yield _connections(process)
    finally:
        process.terminate()
        process.wait()


def _connections(process: subprocess.Popen[bytes]) -> dict[str, str]:
    """Read what the sandbox says on its start, until it has named a connection for each vendor."""
    said = b""
    deadline = time.monotonic() + 30
    while select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(process.stdout.fileno(), 65536) if process.stdout else b""
        said += part
        found = dict(re.findall(r"(AIRFLOW_CONN_\w+)='([^'\n]+)'", said.decode()))
        if len(found) >= len(VENDORS):
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


def prepare_airflow(connections: dict[str, str]) -> None:
    """Point Airflow at a home of its own and make its database; before its first import."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW__", "AIRFLOW_"))]:
        del os.environ[name]
    os.environ |= connections | {
        "AIRFLOW_HOME": str(HOME / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__COLORS": "False",
    }
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise DemoError("Airflow could not make its database.")


def run(vendor: str, source: Path) -> Landed:
    """Run the example DAG with a vendor's connection, and read what it landed."""
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # before Airflow 3.2
        from airflow.models.dagbag import DagBag
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    dag = DagBag(str(HERE / f"{DAG_ID}.py")).dags[DAG_ID]
    dag.get_task("verify_emails.batch.wait").poke_interval = 1.0  # the sandbox is no vendor: ask it every second
    conf = {
        "conn_id": f"{vendor}_default",
        "source": f"file://{source.resolve()}",
        "destination": f"file://{HOME}/results/",
        "max_emails": 1_000_000,
    }
    outcome = dag.test(run_conf=conf)
    instances = {each.task_id: each for each in outcome.get_task_instances()}
    failed = [name for name, each in instances.items() if each.state == "failed"]
    if outcome.state != "success":
        raise DemoError(f"DAG {DAG_ID} ended as {outcome.state}; failed: {', '.join(failed) or 'nothing'}.")
    paths = instances["verify_emails.paths"].xcom_pull(task_ids="verify_emails.paths")
    verdicts: dict[str, str] = {}
    for path in paths:
        with ObjectStoragePath(path).open(encoding="utf-8", newline="") as file:
            verdicts |= {row["email"]: row["verdict"] for row in csv.DictReader(file)}
    more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
    return Landed(f"{paths[0] if paths else 'no file'}{more}", verdicts, len(verdicts))


def report(emails: list[str], landed: dict[str, Landed]) -> str:
    """Return the paths, and the verdicts side by side."""
    width = max(len(email) for email in emails[:SHOWN_ROWS])
    lines = [f"{vendor:<8}{result.rows} rows in {result.path}" for vendor, result in landed.items()]
    lines += ["", f"{'address':<{width}}  " + "  ".join(f"{vendor:<13}" for vendor in landed)]
    for email in emails[:SHOWN_ROWS]:
        cells = [f"{result.verdicts.get(email, '-'):<13}" for result in landed.values()]
        lines.append(f"{email:<{width}}  {'  '.join(cells)}".rstrip())
    if len(emails) > SHOWN_ROWS:
        lines.append(f"... and {len(emails) - SHOWN_ROWS} more")
    lines.append("")
    for vendor, result in landed.items():
        counts = Counter(result.verdicts.values()).most_common()
        lines.append(f"{vendor:<8}{', '.join(f'{count} {verdict}' for verdict, count in counts)}")
    if any(email not in result.verdicts for email in emails for result in landed.values()):
        lines.append("-       no address at all, or the same as another one: it was not submitted, and costs nothing")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo, and return the exit code."""
    parser = argparse.ArgumentParser(description="Run the example DAG against the sandbox, once for each vendor.")
    parser.add_argument("--emails", type=Path, default=HERE / "data" / "emails.csv", help="a CSV with a column 'email'")
    parser.add_argument("--port", type=int, default=0, help="of the sandbox (default: any free one)")
    options = parser.parse_args(argv)
    log = HOME / "demo.log"
    try:
        emails = read_emails(options.emails)
        HOME.mkdir(exist_ok=True)
        log.write_bytes(b"")
        landed = {}
        with sandbox(options.port) as connections:
            print("Sandbox is up; nothing of this reaches a vendor. Preparing Airflow ...", flush=True)
            with quiet(log):
                prepare_airflow(connections)
            for vendor in VENDORS:
                print(f"Running {DAG_ID} with {vendor}: {len(emails)} rows of {options.emails.name} ...", flush=True)
                with quiet(log):
                    landed[vendor] = run(vendor, options.emails)
    except DemoError as error:
        seen = f" Airflow's log: {log}" if log.exists() and log.stat().st_size else ""
        print(f"{error}{seen}", file=sys.stderr)
        return 1
    print(f"\n{report(emails, landed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
