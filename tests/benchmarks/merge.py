"""
A list of two and of ten million rows merged with as many results: ours beside DuckDB doing the same join.

    python tests/benchmarks/merge.py
    python tests/benchmarks/merge.py --rows 2000000 --cases ours duckdb --repeat 5
    python tests/benchmarks/merge.py --profile

Needs Linux and the extra bench. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import io
import json
import os
import pstats
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from case import Run, measure

BATCH_ROWS = 10_000
COLUMNS = ("verdict", "reason", "vendor", "verified_at")
_READ = "read_csv('{}', header = true, all_varchar = true)"
#: The least that gives every row its verdict: it takes for granted that there is one result for an address.
_JOIN = "SELECT l.*, {columns} FROM {list} l LEFT JOIN {results} r ON l.email = r.email"
#: What the operator does: of several answers the newest that is not unknown, then the newest.
_NEWEST = (
    "SELECT l.*, {columns} FROM {list} l LEFT JOIN (SELECT email, arg_max(t, (verdict <> 'unknown', verified_at)) r "
    "FROM (SELECT email, verdict, verified_at, {{'verdict': verdict, 'reason': reason, 'vendor': vendor, "
    "'verified_at': verified_at}} t FROM {results}) GROUP BY email) x ON l.email = x.email"
)


def ours(folder: Path) -> Run:
    """The operator's ``execute``: read, match, write, hash, publish."""
    from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
    from airflow_provider_emailverify.steps import merging  # noqa: F401 - imported before the clock starts
    from airflow_provider_emailverify.storage.destination import open_source

    open_source(f"file://{folder}/list.csv").close()  # Airflow's own imports are not what is measured

    class TaskInstance:
        """Keeps what is pushed."""

        summary: dict[str, Any]

        def xcom_push(self, key: str, value: Any) -> None:
            """Keep the summary."""
            self.summary = value

    task_instance = TaskInstance()
    operator = EmailVerifyMergeOperator(
        task_id="merge",
        source=f"file://{folder}/list.csv",
        results=f"file://{folder}/results/*.csv",
        destination=f"file://{folder}/merged.csv",
    )

    def run() -> dict[str, Any]:
        operator.execute({"ti": task_instance})  # type: ignore[typeddict-item]
        return {"rows": task_instance.summary["rows"], "missing": task_instance.summary["missing"]}

    return run


def duckdb(query: str) -> Callable[[Path], Run]:
    """One query and COPY, on one thread, without a limit of memory."""

    def prepare(folder: Path) -> Run:
        import duckdb

        connection = duckdb.connect(config={"threads": 1})
        columns = ", ".join(f"r.{name}" for name in COLUMNS)
        text = query.format(
            columns=columns,
            list=_READ.format(folder / "list.csv"),
            results=_READ.format(folder / "results" / "*.csv"),
        )
        target = folder / "merged.csv"

        def run() -> dict[str, Any]:
            rows = connection.execute(f"COPY ({text}) TO '{target}' (FORMAT csv, HEADER)").fetchone()[0]
            return {"rows": rows, "missing": 0}

        return run

    return prepare


CASES: dict[str, Callable[[Path], Run]] = {
    "ours": ours,
    "duckdb-join": duckdb(_JOIN),
    "duckdb-newest": duckdb(_NEWEST),
}


def write(folder: Path, rows: int) -> None:
    """Write a list, and results of it in files of half a million rows, in another order."""
    from airflow_provider_emailverify.results.schema import COLUMNS as SCHEMA
    from airflow_provider_emailverify.results.schema import Finding, Origin, Reason, Verdict, utc_text

    with (folder / "list.csv").open("w", newline="") as file:
        file.write("id,first_name,email,city,note\r\n")
        for start in range(0, rows, BATCH_ROWS):
            people = (number * 7_919 % rows for number in range(start, start + BATCH_ROWS))
            file.writelines(
                f"{number},Jane,{address(person)},Paris,customer since 2019\r\n"
                for number, person in enumerate(people, start)
            )
    chance = random.Random(4)
    findings = [
        Finding(verdict=verdict, reason=reason, vendor_status=verdict.value, role=chance.random() < 0.1)
        for verdict in Verdict
        for reason in chance.sample(list(Reason)[:18], 8)
    ]
    (folder / "results").mkdir()
    for batch in range(rows // BATCH_ROWS):
        origin = Origin(vendor="proofy", batch_id=f"batch-{batch}", verified_at=utc_text(1_795_685_400 + 60 * batch))
        ends = [_line(["", *finding.as_dict(origin).values()]) for finding in findings]
        with (folder / "results" / f"{batch // 50:04}.csv").open("a", newline="") as file:
            if file.tell() == 0:
                file.write(_line(SCHEMA))
            numbers = range(batch * BATCH_ROWS, (batch + 1) * BATCH_ROWS)
            file.writelines(address(number) + chance.choice(ends) for number in numbers)


def address(number: int) -> str:
    """Return one of the addresses."""
    return f"first.last{number}@host{number % 5_000}.example.com"


def _line(values: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow([str(value).lower() if isinstance(value, bool) else value for value in values])
    return text.getvalue()


def run_case(name: str, folder: Path, rows: int) -> dict[str, Any]:
    """Run one case in a process of its own."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "TMPDIR": str(folder),
    }
    command = [sys.executable, __file__, "--one", name, "--folder", folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if (found["rows"], found["missing"]) != (rows, 0):
        sys.exit(f"{name}: {found['rows']} rows and {found['missing']} without a result, not {rows} and none.")
    return found


def table(results: dict[str, list[dict[str, Any]]], rows: int) -> str:
    """Return the figures, and ours as multiples of each peer's."""
    own = results.get("ours")
    lines = [f"{'':<16}{'median s':>9}{'cpu s':>8}{'above idle':>12}{'B/row':>8}{'our cpu':>10}{'our memory':>12}"]
    for name, runs in results.items():
        seconds, cpu = (statistics.median(run[fact] for run in runs) for fact in ("seconds", "cpu"))
        memory = statistics.median(run["peak"] - run["idle"] for run in runs)
        ratios = f"{'-':>10}{'-':>12}"
        if own and name != "ours":
            our_cpu = statistics.median(run["cpu"] for run in own) / cpu
            our_memory = statistics.median(run["peak"] - run["idle"] for run in own) / memory
            ratios = f"{our_cpu:>8.2f} x{our_memory:>10.3f} x"
        lines.append(f"{name:<16}{seconds:>9.2f}{cpu:>8.2f}{memory / 2**20:>8.0f} MiB{memory / rows:>8.0f}{ratios}")
    return "\n".join(lines)


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[2_000_000, 10_000_000])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say what bounds ours")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run = CASES[args.one](args.folder)
        if args.profile:
            profile = cProfile.Profile()
            profile.runcall(run)
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)
        else:
            print(json.dumps(measure(run)))
        return
    for rows in args.rows:
        with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as scratch:
            folder = Path(scratch)
            write(folder, rows)
            if args.profile:
                subprocess.run([sys.executable, __file__, "--profile", "--one", "ours", "--folder", folder], check=True)
                return
            names = [name for name in args.cases if rows <= 2_000_000 or name == "ours"]
            results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
            for _ in range(args.repeat if rows <= 2_000_000 else 1):
                for name in names:
                    results[name].append(run_case(name, folder, rows))
            load = os.getloadavg()[0]
            print(f"\n{rows:,} rows and as many results; alternating rounds; load average {load:.1f}")
            print(table(results, rows), flush=True)


if __name__ == "__main__":
    main()
