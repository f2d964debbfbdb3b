"""Start a DAG when a batch at Proofy has become ready, whoever submitted it. Needs Airflow 3."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Asset, task
from airflow.sdk import AssetWatcher

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.triggers.event import EmailVerifyBatchEventTrigger

# Whoever submits adds the batch id to the Variable, a JSON list: ["b-1", "b-2"].
ready = Asset(
    "proofy_batch_ready",
    watchers=[AssetWatcher("batches", trigger=EmailVerifyBatchEventTrigger("proofy_default", "proofy_batches"))],
)

with DAG("when_ready", schedule=[ready], catchup=False, tags=["emailverify"]) as dag:

    @task
    def batch_ids(triggering_asset_events: dict[Asset, list[object]]) -> list[str]:
        return [event.extra["payload"]["batch_id"] for event in triggering_asset_events[ready]]

    EmailVerifyDownloadOperator.partial(
        task_id="download", conn_id="proofy_default", destination="file:///tmp/emailverify/"
    ).expand(batch_id=batch_ids())
