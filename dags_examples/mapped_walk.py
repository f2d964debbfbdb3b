"""The walk made of its operators, with a task for each batch, for whoever has to see or repair batches one by one."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param, task_group

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

PARAMS = {
    "conn_id": Param("proofy_default", type="string", description="A connection of a vendor's type"),
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="A folder"),
}
CONNECTION = "{{ params.conn_id }}"
SOURCE = "{{ params.source }}"
FOLDER = "{{ params.destination.rstrip('/') }}/"

with DAG("mapped_walk", schedule=None, params=PARAMS, default_args={"retries": 3}, tags=["emailverify"]) as dag:
    submitted = EmailVerifySubmitOperator(task_id="submit", conn_id=CONNECTION, source=SOURCE)

    @task_group
    def batch(batch_id: str) -> None:
        ready = EmailVerifyBatchSensor(task_id="wait", conn_id=CONNECTION, batch_id=batch_id, mode="reschedule")
        EmailVerifyDownloadOperator(
            task_id="download",
            conn_id=CONNECTION,
            batch_id=ready.output,
            destination=FOLDER + "{{ run_id }}/",
            output_format="csv",
        )

    merged = EmailVerifyMergeOperator(
        task_id="merge",
        source=SOURCE,
        results=FOLDER + "{{ run_id }}/",
        destination=FOLDER,
        trigger_rule="none_failed_min_one_success",  # a list without addresses has no batch to map over
    )
    batch.expand(batch_id=submitted.output) >> merged
    submitted >> merged
