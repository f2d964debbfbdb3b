"""
One measured download in a process of its own; prints one line of JSON.

The clock and the memory mark start when everything is imported and end when the result is where it belongs. Memory is
the kernel's own high-water mark of the resident set (``VmHWM``), reset just before the start.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH_ID = "11bb57b9-0901-4fb9-9664-6548cdcd3172"
KEY = "benchmark-key"
Run = Callable[[], dict[str, Any]]


def operator(url: str, destination: str) -> Run:
    """The operator's ``execute``: status, spool, SHA-256, checks, row count, publish."""
    os.environ["AIRFLOW_CONN_CLIOVA_DEFAULT"] = json.dumps({"conn_type": "cliova", "password": KEY, "host": url})
    import airflow_provider_emailverify.http.client
    import airflow_provider_emailverify.storage.publishing  # noqa: F401
    from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator

    if destination.startswith("s3:"):
        import s3fs  # noqa: F401

    class TaskInstance:
        """Keeps what is pushed."""

        def __init__(self) -> None:
            self.pushed: dict[str, Any] = {}

        def xcom_push(self, key: str, value: Any) -> None:
            """Keep a value."""
            self.pushed[key] = value

    task_instance = TaskInstance()
    task = EmailVerifyDownloadOperator(
        task_id="download", batch_id=BATCH_ID, conn_id="cliova_default", destination=destination
    )

    def run() -> dict[str, Any]:
        task.execute({"ti": task_instance})
        return {name: task_instance.pushed["summary"][name] for name in ("rows", "bytes", "sha256")}

    return run


def sample(url: str, destination: str) -> Run:
    """What the Python sample of Cliova's page does: one GET without ``stream``, then chunks of 8 KiB to a file."""
    import requests

    path = Path(destination.removeprefix("file://"))

    def run() -> dict[str, Any]:
        query = {"apiKey": KEY, "output": "csv", "verifiedOnly": "false"}
        answer = requests.get(_address(url), params=query)
        answer.raise_for_status()
        with path.open("wb") as file:
            for piece in answer.iter_content(chunk_size=8192):
                file.write(piece)
        return {"bytes": path.stat().st_size}

    return run


def loop(url: str, destination: str) -> Run:
    """The least that lands a file safely: chunks of 1 MiB, hashed, to a file that is synced and renamed; no checks."""
    import requests

    path = Path(destination.removeprefix("file://"))
    part = path.with_name(f"{path.name}.part")

    def run() -> dict[str, Any]:
        digest = hashlib.sha256()
        with requests.get(_address(url), stream=True, timeout=30) as answer, part.open("wb") as file:
            for piece in answer.raw.stream(1024 * 1024):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}

    return run


def curl(url: str, destination: str) -> Run:
    """``curl -o``."""
    path = Path(destination.removeprefix("file://"))
    program = shutil.which("curl") or "curl"

    def run() -> dict[str, Any]:
        subprocess.run([program, "--silent", "--fail", "-o", path, _address(url)], check=True)
        return {"bytes": path.stat().st_size}

    return run


def curl_fsync(url: str, destination: str) -> Run:
    """``curl -o``, then the fsync without which a power cut may lose the file."""
    get = curl(url, destination)

    def run() -> dict[str, Any]:
        found = get()
        with Path(destination.removeprefix("file://")).open("rb") as file:
            os.fsync(file.fileno())
        return found

    return run


def curl_boto3(url: str, destination: str) -> Run:
    """``curl -o``, then boto3's ``upload_file``: what one would do by hand for S3."""
    import boto3
    from botocore.config import Config

    config = Config(read_timeout=int(os.environ["BENCH_STORE_TIMEOUT"]))
    spool = Path.cwd() / "spool"
    get = curl(url, str(spool))
    bucket, _, key = destination.removeprefix("s3://").partition("@")[2].partition("/")

    def run() -> dict[str, Any]:
        found = get()
        client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"], config=config)
        client.upload_file(str(spool), bucket, key)
        return found

    return run


def _address(url: str) -> str:
    return f"{url}/webhooks/email-validations/bulk-emails/{BATCH_ID}/download-result"


def _status(name: str) -> int:
    """Return a number of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


CASES = {case.__name__: case for case in (operator, sample, loop, curl, curl_fsync, curl_boto3)}


def main() -> None:
    """Measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--url", required=True, help="Cliova's base URL")
    parser.add_argument("--destination", required=True)
    args = parser.parse_args()
    print(json.dumps(measure(CASES[args.case](args.url, args.destination))))


def measure(run: Run) -> dict[str, Any]:
    """Run a case, and add to what it found its time in seconds and its memory in bytes."""
    # Garbage and free heap would let the run grow unseen.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    idle = _status("VmRSS")
    used = sum(os.times()[:4])
    started = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - started
    return found | {"seconds": seconds, "cpu": sum(os.times()[:4]) - used, "idle": idle, "peak": _status("VmHWM")}


if __name__ == "__main__":
    main()
