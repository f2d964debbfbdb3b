"""Verify the addresses of a file from end to end: submit them in batches, wait, land the results, count them."""

from __future__ import annotations

import csv
import io
from collections import Counter

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "conn_id": Param("proofy_default", type="string", description="A connection of type proofy or cliova"),
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…: CSV, Parquet, …"),
    "destination": Param(
        "file:///tmp/emailverify/", type="string", description="A folder: s3://my_aws@bucket/verified/"
    ),
    "max_emails": Param(100_000, type="integer", description="Refuse a longer list before anything is spent"),
}

with DAG("verify_csv", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    paths = verify_emails(
        source="{{ params.source }}",
        conn_id="{{ params.conn_id }}",
        destination="{{ params.destination.rstrip('/') }}/",
        submit={"email_column": "email", "max_emails": "{{ params.max_emails }}"},
        wait={"deferrable": True},  # waits in the triggerer; without one, say "mode": "reschedule" instead
        download={"output_format": "csv"},  # the same columns and words for every vendor
    )

    @task
    def count(paths: list[str]) -> dict[str, int]:
        verdicts: Counter[str] = Counter()
        for path in paths:
            with ObjectStoragePath(path).open(encoding="utf-8", newline="") as file:
                table = csv.DictReader(io.StringIO(file.read(), newline=""))
                verdicts.update(row["verdict"] for row in table)
        return dict(verdicts)

    count(paths)
