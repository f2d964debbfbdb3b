"""
Ten million addresses through the submit operator: addresses a second and peak memory.

    python tests/benchmarks/submit.py
    python tests/benchmarks/submit.py --emails 1000000 --formats csv lines --repeat 3

Three figures for each format: read, cleaned, told apart and cut into batches, without a vendor; the same with the
batches submitted to a server on loopback that throws them away; and the peak memory of the process. The processor time
is that of the measured thread, so that other work on the machine disturbs it little.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FORMATS = {
    "csv": "list.csv",
    "csv.gz": "list.csv.gz",
    "jsonl": "list.jsonl",
    "parquet": "list.parquet",
    "lines": "list.txt",
}
#: One value in ten was seen before, one in a hundred is none; numbers in an order that no hash table likes.
DUPLICATES, RUBBISH = 10, 100


def values(count: int) -> Iterator[str]:
    """Yield what a list of so many rows holds."""
    for number in range(count):
        if number % RUBBISH == 7:
            yield "n/a"
        else:
            person = (number // 2 if number % DUPLICATES == 3 else number) * 7_919 % count
            yield f"first.last{person}@host{person % 5_000}.example.com"


def write(path: Path, count: int) -> None:
    """Write a list in the format that the name says."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        emails = list(values(count))
        pq.write_table(pa.table({"id": range(count), "email": emails}), path, row_group_size=100_000)
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        if ".csv" in path.name:
            file.write("id,email,name\n")
            file.writelines(f"{number},{email},Jane Doe\n" for number, email in enumerate(values(count)))
        elif path.suffix == ".jsonl":
            file.writelines(f'{{"id": {number}, "email": "{email}"}}\n' for number, email in enumerate(values(count)))
        else:
            file.writelines(f"{email}\n" for email in values(count))


class Sink(BaseHTTPRequestHandler):
    """Take every batch as Proofy would, and forget it."""

    protocol_version = "HTTP/1.1"
    accepted = 0

    def do_POST(self) -> None:
        remaining = int(self.headers["Content-Length"])
        while remaining:
            remaining -= len(self.rfile.read(min(remaining, 65536)))
        Sink.accepted += 1
        self._answer({"status": "parsing", "id": f"batch-{Sink.accepted}"})

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def serve() -> None:
    """Run the sink, in a process of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(server.server_port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


def peak_mib() -> float:
    """Return the most that this process has held; getrusage would tell of the one that started it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def prepare(path: Path) -> dict[str, Any]:
    """Read, clean, tell apart and cut into batches; submit nothing."""
    from airflow_provider_emailverify.lists.cleaning import AddressList
    from airflow_provider_emailverify.lists.reader import read_column
    from airflow_provider_emailverify.storage.destination import open_source

    open_source(f"file://{path}").close()  # Airflow's own imports are not what is measured
    if path.suffix == ".parquet":
        import pyarrow.parquet  # noqa: F401
    idle, started, clock = peak_mib(), time.thread_time(), time.perf_counter()
    with AddressList(read_column(f"file://{path}", "email")) as emails:
        batches = sum(1 for _ in emails.batches(10_000))
        used = time.thread_time() - started
        return {
            "read": emails.read,
            "unique": emails.unique,
            "dropped": emails.dropped,
            "batches": batches,
            "cpu": used,
            "seconds": time.perf_counter() - clock,
            "mib": peak_mib() - idle,
            "bytes_each": (peak_mib() - idle) * 2**20 / emails.unique,
        }


def submit(path: Path, port: int) -> dict[str, Any]:
    """Run the operator, over a state store in memory."""
    from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
    from airflow_provider_emailverify.steps.state import InMemoryStore
    from airflow_provider_emailverify.storage.destination import open_source

    os.environ["AIRFLOW_CONN_SINK"] = json.dumps(
        {
            "conn_type": "proofy",
            "host": f"http://127.0.0.1:{port}",
            "password": "key",
            "extra": {"requests_per_minute": 1e6},
        }
    )
    open_source(f"file://{path}").close()
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1, xcom_push=lambda **_: None)
    operator = EmailVerifySubmitOperator(task_id="t", source=f"file://{path}", conn_id="sink", check_credits=False)
    idle, clock = peak_mib(), time.perf_counter()
    batch_ids = operator.execute({"ti": ti, "task_state_store": InMemoryStore()})  # type: ignore[typeddict-item]
    return {"batches": len(batch_ids), "seconds": time.perf_counter() - clock, "mib": peak_mib() - idle}


def run(*arguments: str, folder: Path) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "NO_PROXY": "127.0.0.1",
        "TMPDIR": str(folder),
    }
    done = subprocess.run([sys.executable, __file__, *arguments], env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emails", type=int, default=10_000_000)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    args = parser.parse_args()
    match args.run:
        case ["sink"]:
            return serve()
        case ["prepare", path]:
            return print(json.dumps(prepare(Path(path))))
        case ["submit", path, port]:
            return print(json.dumps(submit(Path(path), int(port))))
    print("| file | read | addresses/s of one core | peak MiB | bytes/address | submitted in, s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as scratch:
        folder = Path(scratch)
        command = [sys.executable, __file__, "--run", "sink"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sink:
            port = sink.stdout.readline().strip() if sink.stdout else ""
            for name in args.formats:
                path = folder / FORMATS[name]
                write(path, args.emails)
                alone = [run("--run", "prepare", str(path), folder=folder) for _ in range(args.repeat)]
                whole = run("--run", "submit", str(path), port, folder=folder)
                rate = statistics.median(each["read"] / each["cpu"] for each in alone)
                first = alone[0]
                print(
                    f"| {name} | {first['read']:,} | {rate:,.0f} | {first['mib']:.0f} | {first['bytes_each']:.0f} "
                    f"| {whole['seconds']:.0f} | {whole['mib']:.0f} |",
                    flush=True,
                )
                path.unlink()
            sink.terminate()
    return None


if __name__ == "__main__":
    main()
