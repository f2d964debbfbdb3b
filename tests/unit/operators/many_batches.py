"""Downloads of lists of batches."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer

WORDS = ("", "+undeliverable", "+catchall", "+unknown")
VERDICTS = ["deliverable", "undeliverable", "risky", "unknown"]


def emails_of(batch: str, count: int = 4) -> list[str]:
    return [f"{batch}{number}{WORDS[number % 4]}@example.com" for number in range(count)]


class Ti(SimpleNamespace):
    """As much of a task instance as the operator uses."""

    def __init__(self, run_id: str = "r") -> None:
        super().__init__(dag_id="d", run_id=run_id, task_id="download", map_index=-1, try_number=1, pushed={})

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Landing:
    """One run of the operator."""

    def __init__(
        self, folder: Path, batch_id: Any = ("a", "b", "c"), vendor: str = "cliova", run_id: str = "r", **arguments: Any
    ) -> None:
        self.folder = folder
        context = arguments.pop("context", {})
        self.operator = EmailVerifyDownloadOperator(
            **{
                "task_id": "download",
                "batch_id": list(batch_id) if isinstance(batch_id, tuple) else batch_id,
                "conn_id": f"{vendor}_default",
                "destination": f"file://{folder}/out/",
                "output_format": "csv",
                **arguments,
            }
        )
        ti = Ti(run_id)
        self.result: Any = self.operator.execute({"ti": ti, "outlet_events": {}, **context})
        self.summary = ti.pushed["summary"]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def read(path: str) -> list[dict[str, str]]:
    with Path(path.removeprefix("file://")).open(newline="") as file:
        return list(csv.DictReader(file))


def downloads(vendors: SandboxServer, batch_id: str | None = None) -> int:
    requests = vendors.ledger.requests(operation="download")
    return sum(batch_id in (None, request.batch_id) for request in requests)
