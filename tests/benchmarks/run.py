"""
Downloads of a large result beside their peers: wall time, processor time and peak memory; and what an import costs.

    python tests/benchmarks/run.py
    python tests/benchmarks/run.py --cases curl operator --sizes 100MiB --variants quoted --repeat 3

Needs Linux, curl and, for the S3 cases, moto's server and s3fs. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import import_cost

HERE = Path(__file__).parent
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
#: Name in the table -> (case of case.py, kind of destination).
CASES = {
    "curl": ("curl", "file"),
    "curl-fsync": ("curl_fsync", "file"),
    "sample": ("sample", "file"),
    "loop": ("loop", "file"),
    "operator": ("operator", "file"),
    "operator-s3": ("operator", "s3"),
    "curl-boto3": ("curl_boto3", "s3"),
}
WORDS = {
    "curl": "curl -o",
    "curl-fsync": "curl -o, then fsync",
    "sample": "Python sample of the vendor's page",
    "loop": "bare loop with SHA-256, fsync and rename",
    "operator": "EmailVerifyDownloadOperator to file://",
    "operator-s3": "EmailVerifyDownloadOperator to s3://",
    "curl-boto3": "curl -o, then boto3 upload_file",
}
PEER = {"file": "curl", "s3": "curl-boto3"}
#: Quotes make a difference to the count of rows and to nothing else.
QUOTED_CASES = ("curl", "loop", "operator")
MAX_SECONDS = 600
STORE_TIMEOUT_SECONDS = 300


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=[*CASES, "imports"], default=[*CASES, "imports"])
    parser.add_argument("--sizes", nargs="+", type=_size, default=[_size("1GiB"), _size("100MiB")], metavar="SIZE")
    parser.add_argument("--variants", nargs="+", choices=("plain", "quoted"), default=["plain", "quoted"])
    parser.add_argument("--repeat", type=int, default=5, help="measured rounds; one more comes first and warms up")
    parser.add_argument("--folder", type=Path, help="where the files go; default: the system's temporary folder")
    parser.add_argument("--json", type=Path, help="write every single figure to this file")
    args = parser.parse_args()
    downloads = [name for name in CASES if name in args.cases]
    found: dict[str, Any] = {"machine": _machine(), "load": os.getloadavg()[0]}
    print(f"{found['machine']}\nload average at the start: {found['load']:.1f}; on an idle machine it is near 0")
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-", dir=args.folder) as scratch:
        if "imports" in args.cases:
            found["imports"] = import_cost.measure(max(args.repeat, 5))
            print("\nImport cost\n" + import_cost.table(found["imports"]))
        for variant in args.variants if downloads else []:
            for size in args.sizes:
                names = [name for name in downloads if variant == "plain" or name in QUOTED_CASES]
                results = _rounds(names, variant, size, args.repeat, Path(scratch))
                found[f"{variant} {_words(size)}"] = results
                print(
                    f"\n{_words(size)} of CSV, {variant}; {args.repeat} alternating rounds\n{_table(results)}",
                    flush=True,
                )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def _rounds(names: list[str], variant: str, size: int, repeat: int, scratch: Path) -> dict[str, list[dict[str, Any]]]:
    if shutil.disk_usage(scratch).free < 4 * size:
        sys.exit(f"Less than {_words(4 * size)} free in {scratch}; choose another place with --folder.")
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    with _server(variant, size) as told:
        for number in range(repeat + 1):
            for name in names:
                case, kind = CASES[name]
                result = _run(case, kind, told, scratch)
                for fact in ("rows", "sha256", "bytes"):
                    expected = told["size" if fact == "bytes" else fact]
                    if result.get(fact, expected) != expected:
                        sys.exit(f"{name}: {fact} is {result[fact]}, not {expected}.")
                if number:
                    results[name].append(result)
                progress = f"round {number} of {repeat}: {name} {result['seconds']:.2f} s"
                _show(progress)
    _show("")
    return results


def _run(case: str, kind: str, told: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Run one case in a process of its own, in an empty folder, after the disk has settled."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        with contextlib.ExitStack() as stack:
            environment = os.environ | {
                "PYTHONDONTWRITEBYTECODE": "",
                "AIRFLOW_HOME": str(folder / "airflow"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
                "NO_PROXY": "127.0.0.1",
                "TMPDIR": str(folder),
            }
            destination = f"file://{folder}/results.csv"
            if kind == "s3":
                environment |= stack.enter_context(_object_store(folder))
                destination = "s3://aws_default@bench/results.csv"
            os.sync()
            command = [sys.executable, HERE / "case.py", case, "--url", f"http://127.0.0.1:{told['port']}/v1"]
            done = subprocess.run(
                [*command, "--destination", destination],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=MAX_SECONDS,
                check=False,
            )
        if done.returncode:
            log = folder / "moto.log"
            said = f"\nmoto said:\n{log.read_text(errors='replace')[-4000:]}" if log.exists() else ""
            sys.exit(f"{case} failed:\n{done.stderr[-6000:]}{said}")
        return json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder)


@contextmanager
def _server(variant: str, size: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, HERE / "server.py", "--variant", variant, "--size", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def _object_store(folder: Path) -> Iterator[dict[str, str]]:
    """Start moto's S3 with one empty bucket; yield what a client needs in its environment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"TMPDIR": str(folder)}
    with (
        (folder / "moto.log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            request = urllib.request.Request(f"{url}/bench", method="PUT")
            for _ in range(300):
                try:
                    urllib.request.urlopen(request).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                sys.exit("moto's server does not answer; is moto[server] installed?")
            connection = {"conn_type": "aws", "login": "bench", "password": "bench"}
            connection["extra"] = {
                "endpoint_url": url,
                "region_name": "us-east-1",
                # Moto joins the parts while the client waits; for 1 GiB that can take longer than s3fs's 15 s, and a
                # completion that is sent a second time gets a 500.
                "config_kwargs": {"read_timeout": STORE_TIMEOUT_SECONDS},
            }
            yield {
                "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
                "AWS_ENDPOINT_URL_S3": url,
                "AWS_ACCESS_KEY_ID": "bench",
                "AWS_SECRET_ACCESS_KEY": "bench",
                "AWS_DEFAULT_REGION": "us-east-1",
                "BENCH_STORE_TIMEOUT": str(STORE_TIMEOUT_SECONDS),
            }
        finally:
            process.terminate()


def _show(progress: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{progress:<70}\r", end="", file=sys.stderr, flush=True)


def _table(results: dict[str, list[dict[str, Any]]]) -> str:
    def median(name: str, fact: str) -> float:
        return statistics.median(result[fact] for result in results[name])

    lines = [
        f"{'':<40}{'median s':>9}{'from - to':>15}{'x peer':>8}{'fastest':>9}"
        f"{'cpu s':>7}{'idle MiB':>10}{'above idle':>12}"
    ]
    for name, runs in results.items():
        seconds = [run["seconds"] for run in runs]
        ratio = fastest = "-"
        if peer := results.get(PEER[CASES[name][1]]):
            peers = [run["seconds"] for run in peer]
            ratio = f"{statistics.median(seconds) / statistics.median(peers):.2f}"
            fastest = f"{min(seconds) / min(peers):.2f}"
        memory = f"{'-':>10}{'-':>12}"
        if not CASES[name][0].startswith("curl"):
            above = max(run["peak"] - run["idle"] for run in runs) / 2**20
            memory = f"{median(name, 'idle') / 2**20:>10.0f}{above:>12.1f}"
        lines.append(
            f"{WORDS[name]:<40}{statistics.median(seconds):>9.2f}{f'{min(seconds):.2f} - {max(seconds):.2f}':>15}"
            f"{ratio:>8}{fastest:>9}{median(name, 'cpu'):>7.2f}{memory}"
        )
    lines.append(
        "x peer: ratio of the medians, and of the fastest rounds; the peer is curl -o for files, curl -o and boto3 for "
        "S3.\ncpu: of the process and its children. Memory: the worst round."
    )
    return "\n".join(lines)


def _size(text: str) -> int:
    number, unit = (text[:-3], text[-3:]) if text[-3:] in UNITS else (text, "")
    return int(float(number) * UNITS.get(unit, 1))


def _words(size: int) -> str:
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if size >= UNITS[unit]), None)
    return f"{size / UNITS[unit]:g} {unit}" if unit else f"{size} bytes"


def _machine() -> str:
    cpu = next(
        (line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({cpu}), {memory:.0f} GiB, {system}"


if __name__ == "__main__":
    main()
