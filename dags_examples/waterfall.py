"""Ask a second vendor about those addresses of which the first one could say nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…"),
    "destination": Param(
        "file:///tmp/emailverify/", type="string", description="A folder: s3://my_aws@bucket/verified/"
    ),
}
FOLDER = "{{ params.destination.rstrip('/') }}/{{ run_id }}/"

with DAG("waterfall", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    first = verify_emails(
        "first",
        source="{{ params.source }}",
        conn_id="proofy_default",
        destination=FOLDER,
        download={"output_format": "jsonl"},
    )

    @task
    def keep_unknown(paths: Iterable[str], target: str) -> str:
        """Write the addresses of which the first vendor could say nothing into a list, and return its path."""
        unknown: list[str] = []
        for path in paths:
            with ObjectStoragePath(path).open() as file:
                rows = map(json.loads, file.read().splitlines())
                unknown += [row["email"] for row in rows if row["verdict"] == "unknown" and row["email"]]
        ObjectStoragePath(target).parent.mkdir(parents=True, exist_ok=True)
        ObjectStoragePath(target).write_text("\n".join(unknown))
        return target

    second = verify_emails(
        "second",
        source=keep_unknown(first, FOLDER + "unknown.txt"),
        conn_id="cliova_default",
        destination=FOLDER,
        download={"output_format": "jsonl"},
    )
