"""Verify the same list every week: buy what is new or has become old, keep a report, fail if the vendor gave up."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_emailverify.operators.check import EmailVerifyCheckOperator
from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "source": Param("s3://my_aws@bucket/contacts.csv", type="string", description="The list, as it is this week"),
    "destination": Param("s3://my_aws@bucket/verified/", type="string", description="The same folder every week"),
}

with DAG(
    "weekly",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    tags=["emailverify"],
) as dag:
    verified = verify_emails(
        source="{{ params.source }}",
        conn_id="proofy_default",
        destination="{{ params.destination }}",
        known=True,  # what earlier weeks have bought, as long as it is young enough
        max_age={"deliverable": "90d", "undeliverable": "180d", "risky": "30d"},
        prescreen="syntax",
        submit={"max_emails": 50_000, "max_dropped": "5%", "price_per_address": 0.008},
        merge={"report": True, "history": "{{ params.destination }}_history/"},
    )
    check = EmailVerifyCheckOperator(task_id="check", result=verified["summary"], max_unknown="20%", max_missing=0)

    @task
    def announce(path: str) -> str:
        return f"The list of this week is at {path}"

    check >> announce(verified)
