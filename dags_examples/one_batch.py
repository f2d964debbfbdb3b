"""Wait until a batch is ready that was submitted elsewhere, land its results, and count its rows by verdict."""

from __future__ import annotations

import csv
import io
from collections import Counter

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

PARAMS = {
    "conn_id": Param("proofy_default", type="string", minLength=1, description="Its type is the vendor"),
    "batch_id": Param(type="string", minLength=1, description="What the vendor called the batch"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="s3://my_aws@bucket/verified/, …"),
}

with DAG("one_batch", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    batch = EmailVerifyBatchSensor(
        task_id="wait",
        conn_id="{{ params.conn_id }}",
        batch_id="{{ params.batch_id }}",
        deferrable=True,  # waits in the triggerer; without one, say mode="reschedule" instead
    )
    results = EmailVerifyDownloadOperator(
        task_id="download",
        conn_id="{{ params.conn_id }}",
        batch_id=batch.output,
        destination="{{ params.destination }}",
        output_format="csv",
    )

    @task
    def count(path: str) -> dict[str, int]:
        # Airflow 2 opens files over which one cannot iterate.
        text = ObjectStoragePath(path).read_text()
        return dict(Counter(row["verdict"] for row in csv.DictReader(io.StringIO(text, newline=""))))

    count(results.output)
