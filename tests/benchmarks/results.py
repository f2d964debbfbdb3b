"""
A large answer of Proofy's to Parquet and CSV: ours beside DuckDB, pandas, and a loop that writes nothing.

    python tests/benchmarks/results.py
    python tests/benchmarks/results.py --rows 500000 --cases ours-parquet duckdb-parquet --repeat 5
    python tests/benchmarks/results.py --profile

Needs Linux and the extra bench. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import cProfile
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

from case import KEY, Run, measure

BLOCK_ROWS = 50_000
_QUERY = "SELECT unnest(list, max_depth := 2) FROM read_json('{}', maximum_object_size = 4294967295)"


def ours(result_format: str) -> Callable[[Path, Path], Run]:
    """What the operator does between download and publication: read, check, map, count, write, hash, count again."""

    def prepare(source: Path, folder: Path) -> Run:
        os.environ["AIRFLOW_CONN_PROOFY_DEFAULT"] = json.dumps({"conn_type": "proofy", "password": KEY})
        from airflow_provider_emailverify.hooks.proofy import ProofyHook
        from airflow_provider_emailverify.results.layout import VendorFile
        from airflow_provider_emailverify.results.schema import Origin, Verdict
        from airflow_provider_emailverify.results.tally import Tally
        from airflow_provider_emailverify.results.writers import open_writer, write_rows
        from airflow_provider_emailverify.storage.spool import Spool

        hook = ProofyHook()
        origin = Origin(vendor="proofy", batch_id="b", verified_at="2026-11-26T09:30:00Z")
        _ = hook.client
        spool = Spool(folder, "bench")
        if result_format == "parquet":  # so that what it imports is there before the clock starts
            warm_up = Spool(folder, "warm up")
            write_rows([], [(open_writer("parquet", warm_up, origin), frozenset(Verdict))], Tally())
            warm_up.close()

        def run() -> dict[str, Any]:
            tally = Tally()
            with source.open("rb", buffering=0) as file:
                results = VendorFile(batch_id="b", about="b", content=file, media_type="application/json")
                rows = hook.read_results(results)
                writer = open_writer(result_format, spool, origin)
                write_rows(rows, [(writer, frozenset(Verdict))], tally)
            size = spool.size
            spool.close()
            return {"rows": tally.received, "bytes": size}

        return run

    return prepare


def duckdb(options: str) -> Callable[[Path, Path], Run]:
    """``read_json`` and COPY, on one thread."""

    def prepare(source: Path, folder: Path) -> Run:
        import duckdb

        connection = duckdb.connect(config={"threads": 1})
        target = folder / "results"

        def run() -> dict[str, Any]:
            rows = connection.execute(f"COPY ({_QUERY.format(source)}) TO '{target}' ({options})").fetchone()[0]
            return {"rows": rows, "bytes": target.stat().st_size}

        return run

    return prepare


def pandas(result_format: str) -> Callable[[Path, Path], Run]:
    """``json.load``, ``json_normalize``, and the frame's own writer."""

    def prepare(source: Path, folder: Path) -> Run:
        import pandas

        target = folder / "results"

        def run() -> dict[str, Any]:
            with source.open("rb") as file:
                frame = pandas.json_normalize(json.load(file)["list"])
            if result_format == "parquet":
                frame.to_parquet(target, compression="zstd", index=False)
            else:
                frame.to_csv(target, index=False)
            return {"rows": len(frame), "bytes": target.stat().st_size}

        return run

    return prepare


def ijson_loop(source: Path, folder: Path) -> Run:
    """The rows one by one with ijson's quickest backend; nothing is mapped and nothing written."""
    import ijson

    def run() -> dict[str, Any]:
        with source.open("rb") as file:
            return {"rows": sum(1 for _ in ijson.items(file, "list.item", use_float=True)), "bytes": 0}

    return run


CASES: dict[str, Callable[[Path, Path], Run]] = {
    "ijson-loop": ijson_loop,
    "ours-parquet": ours("parquet"),
    "duckdb-parquet": duckdb("FORMAT parquet, COMPRESSION zstd"),
    "pandas-parquet": pandas("parquet"),
    "ours-csv": ours("csv"),
    "duckdb-csv": duckdb("FORMAT csv, HEADER"),
    "pandas-csv": pandas("csv"),
    "ours-jsonl": ours("jsonl"),
}
#: The others hold the whole document in memory.
STREAMING = ["ijson-loop", "ours-parquet", "ours-csv", "ours-jsonl"]
PEERS = {name: f"duckdb-{name.rpartition('-')[2]}" for name in CASES if name != "ijson-loop"}


def write_answer(path: Path, rows: int) -> None:
    """Write an answer in the shape of the vendor's page, with rows of all verdicts and addresses of their own."""
    chance = random.Random(4)
    block = ",".join(_row(chance, number) for number in range(BLOCK_ROWS)).encode()
    with path.open("wb") as file:
        file.write(b'{"status":"ready","list":[')
        for number in range(rows // BLOCK_ROWS):
            file.write((b"," if number else b"") + block.replace(b"####", b"%04d" % number))
        file.write(b"]}")


def _row(chance: random.Random, number: int) -> str:
    status = chance.choices(("valid", "invalid", "risky", "unknown"), (70, 15, 10, 5))[0]
    found = status != "invalid" or chance.random() < 0.5
    risk = chance.choice(("disposable", "catchAll", "possibleSpamTrap", "fullInbox")) if status == "risky" else ""
    return json.dumps(
        {
            "status": status,
            "syntax": {
                "username": f"{chance.choice(('anna', 'ben', 'carla.maria', 'd'))}.####{number:05}",
                "domain": f"mail{chance.randrange(3000)}.{chance.choice(('example', 'example.com', 'example.org'))}",
                "valid": True,
            },
            "free": chance.random() < 0.3,
            "roleAccount": chance.random() < 0.1,
            "roleNoReply": chance.random() < 0.02,
            "disposable": risk == "disposable",
            "possibleSpamTrap": risk == "possibleSpamTrap",
            "mx": {"hasRecords": found, "acceptsMail": found},
            "deliverability": {
                "canConnect": found and status != "unknown",
                "fullInbox": risk == "fullInbox",
                "catchAll": risk == "catchAll",
                "deliverable": status in ("valid", "risky"),
                "disabled": status == "invalid" and chance.random() < 0.1,
            },
        },
        separators=(",", ":"),
    )


def run_case(name: str, source: Path, rows: int) -> dict[str, Any]:
    """Run one case in a process of its own."""
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        environment = os.environ | {"AIRFLOW_HOME": folder, "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
        command = [sys.executable, __file__, "--one", name, "--source", source, "--folder", folder]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["rows"] != rows:
        sys.exit(f"{name}: {found['rows']} rows, not {rows}.")
    return found


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the figures, medians and the best round."""
    lines = [f"{'':<18}{'median s':>9}{'best':>7}{'cpu s':>7}{'x DuckDB':>10}{'above idle':>12}{'idle':>7}{'file':>8}"]
    for name, runs in results.items():
        seconds, cpu = ([run[fact] for run in runs] for fact in ("seconds", "cpu"))
        peer = results.get(PEERS.get(name, ""))
        speed = f"{statistics.median(run['cpu'] for run in peer) / statistics.median(cpu):.2f}" if peer else "-"
        above, idle, size = (value / 2**20 for value in _memory(runs))
        lines.append(
            f"{name:<18}{statistics.median(seconds):>9.2f}{min(seconds):>7.2f}{statistics.median(cpu):>7.2f}{speed:>10}"
            f"{above:>8.0f} MiB{idle:>7.0f}{size:>8.0f}"
        )
    return "\n".join(lines)


def _memory(runs: list[dict[str, Any]]) -> tuple[float, float, float]:
    return (
        max(run["peak"] - run["idle"] for run in runs),
        statistics.median(run["idle"] for run in runs),
        runs[0]["bytes"],
    )


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[500_000, 5_000_000])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say what bounds ours to Parquet")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        run = CASES[args.one](args.source, args.folder)
        if args.profile:
            profile = cProfile.Profile()
            profile.runcall(run)
            pstats.Stats(profile).sort_stats("tottime").print_stats(15)
        else:
            print(json.dumps(measure(run)))
        return
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as scratch:
        source = Path(scratch) / "answer.json"
        for rows in args.rows:
            write_answer(source, rows)
            if args.profile:
                command = [sys.executable, __file__, "--profile", "--one", "ours-parquet", "--source", source]
                subprocess.run([*command, "--folder", scratch], check=True)
                return
            names = [name for name in args.cases if rows <= 500_000 or name in STREAMING]
            results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
            for _ in range(args.repeat):
                for name in names:
                    results[name].append(run_case(name, source, rows))
            size = source.stat().st_size / 2**20
            load = os.getloadavg()[0]
            print(f"\n{rows:,} rows, {size:,.0f} MiB; {args.repeat} alternating rounds; load average {load:.1f}")
            print(table(results), flush=True)


if __name__ == "__main__":
    main()
