"""Wait until a list at Cliova is ready, land its results in object storage, and count them."""

from __future__ import annotations

import csv
import io

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

PARAMS = {
    "batch_id": Param(type="string", minLength=1, description="What Cliova called the list when it was uploaded"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="s3://my_aws@bucket/verified/, …"),
}

with DAG("cliova_batch", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    batch = EmailVerifyBatchSensor(
        task_id="wait",
        conn_id="cliova_default",
        batch_id="{{ params.batch_id }}",
        deferrable=True,  # waits in the triggerer; without one, say mode="reschedule" instead
    )
    results = EmailVerifyDownloadOperator(
        task_id="download",
        conn_id="cliova_default",
        batch_id=batch.output,
        destination="{{ params.destination }}",
        download_options={"output": "csv", "verified_only": False},
    )

    @task
    def count(path: str) -> int:
        # Cliova does not publish the columns of its results, so nothing here depends on their names.
        with ObjectStoragePath(path).open(newline="") as file:
            return sum(1 for _ in csv.DictReader(io.StringIO(file.read(), newline="")))

    count(results.output)
