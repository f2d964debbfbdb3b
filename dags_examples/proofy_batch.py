"""Wait until a batch at Proofy is ready, land its results in object storage, and count them by status."""

from __future__ import annotations

import json
from collections import Counter

from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

PARAMS = {
    "batch_id": Param(type="string", minLength=1, description="What Proofy called the batch when it was submitted"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="s3://my_aws@bucket/verified/, …"),
}

with DAG("proofy_batch", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    batch = EmailVerifyBatchSensor(
        task_id="wait",
        conn_id="proofy_default",
        batch_id="{{ params.batch_id }}",
        deferrable=True,  # waits in the triggerer; without one, say mode="reschedule" instead
    )
    results = EmailVerifyDownloadOperator(
        task_id="download",
        conn_id="proofy_default",
        batch_id=batch.output,
        destination="{{ params.destination }}",
    )

    @task
    def count(path: str) -> dict[str, int]:
        with ObjectStoragePath(path).open() as file:
            return dict(Counter(row["status"] for row in json.load(file)["list"]))

    count(results.output)
