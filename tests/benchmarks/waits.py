"""
Many waits in one process, ours beside its peers: polls made, lag of the event loop, memory.

    python tests/benchmarks/waits.py
    python tests/benchmarks/waits.py --kinds ours http --loads 1000x10
    python tests/benchmarks/waits.py --loads 1000x10 --hanging 1000 --kinds ours
    python tests/benchmarks/waits.py --loads 1000x30 --listed 2000 --kinds ours

Each case runs in a process of its own, against one vendor in another process that answers after 0.2 s. Peers need
their providers: apache-airflow-providers-http, -dbt-cloud, -airbyte. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KINDS = {
    "ours": "EmailVerifyBatchTrigger",
    "http": "HttpSensorTrigger",
    "dbt": "DbtCloudRunJobTrigger",
    "airbyte": "AirbyteSyncTrigger",
}
#: A peer that blocks the loop is not waited for any longer.
MAX_SECONDS = 330


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--loads", nargs="+", type=_load, default=[_load("1000x10"), _load("10000x60")], metavar="NxS")
    parser.add_argument(
        "--hanging", type=int, default=0, help="waits of another connection whose vendor hangs for 30 s"
    )
    parser.add_argument("--listed", type=int, default=0, help="batches of one more wait of ours, for all of them")
    parser.add_argument("--freeze", action="store_true", help="keep the collector away from Airflow's own objects")
    parser.add_argument("--rounds", type=float, default=2.0, help="intervals that are measured, after two to warm up")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, Python {platform.python_version()}; "
        f"{args.hanging} more waits at a vendor that hangs, one more wait for {args.listed:,} batches"
        f"{', gc.freeze()' if args.freeze else ''}\n"
        f"{'':<40}{'polls':>8}{'p99 lag':>10}{'worst':>10}{'gc':>9}{'without':>9}{'start':>8}{'cpu':>6}{'memory':>9}",
        flush=True,
    )
    found: dict[str, Any] = {}
    for waits, interval in args.loads:
        for kind in args.kinds:
            name = f"{KINDS[kind]}, {waits:,} every {interval:g} s"
            with _vendor() as vendor:
                found[name] = result = _run(kind, vendor, waits, interval, args)
            print(f"{name:<40}" if len(name) < 40 else f"{name}\n{'':<40}", end="")
            if "error" in result:
                print(f"  {result['error']}", flush=True)
                continue
            print(
                f"{result['share']:>8.1%}{result['p99_ms']:>7.1f} ms{result['worst_ms']:>7.0f} ms"
                f"{result['gc_ms']:>6.0f} ms{result['worst_without_gc_ms']:>6.0f} ms{result['start_s']:>6.1f} s"
                f"{result['cpu_share']:>6.0%}{result['peak_mib']:>5.0f} MiB",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def _run(kind: str, vendor: Vendor, waits: int, interval: float, args: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as home:
        command = [sys.executable, HERE / "waits_case.py", kind, "--waits", str(waits), "--interval", str(interval)]
        command += [
            "--port",
            str(vendor.port),
            "--secure-port",
            str(vendor.secure_port),
            "--hanging",
            str(args.hanging),
            "--listed",
            str(args.listed),
        ]
        command += ["--warm-up", str(2 * interval + 2), "--window", str(args.rounds * interval)]
        command += ["--freeze"] if args.freeze else []
        environment = os.environ | {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": vendor.certificate,
        }
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return {"error": f"not through after {MAX_SECONDS} s: it blocks the event loop"}
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1][:200]}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@dataclass(frozen=True)
class Vendor:
    """Where the vendor listens, and the certificate to trust."""

    port: int
    secure_port: int
    certificate: str


@contextmanager
def _vendor() -> Iterator[Vendor]:
    with tempfile.TemporaryDirectory(prefix="emailverify-bench-") as folder:
        certificate = Path(folder, "certificate.pem")
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key.pem", "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        with certificate.open("a") as file:
            file.write(Path(folder, "key.pem").read_text())
        command = [sys.executable, str(HERE / "waits_vendor.py"), "--certificate", str(certificate)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout
                yield Vendor(*json.loads(process.stdout.readline()), str(certificate))
            finally:
                process.terminate()


def _load(text: str) -> tuple[int, float]:
    waits, _, interval = text.partition("x")
    return int(waits), float(interval)


if __name__ == "__main__":
    main()
