"""Verify a list from end to end, and give it back with the verdicts beside its rows."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "conn_id": Param("proofy_default", type="string", description="A connection of a vendor's type"),
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…: CSV, Excel, …"),
    "destination": Param(
        "file:///tmp/emailverify/", type="string", description="A folder, s3://my_aws@bucket/verified/, or a file"
    ),
    "max_emails": Param(100_000, type="integer", description="Refuse a longer list before anything is spent"),
}

with DAG("verify_csv", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    verify_emails(
        source="{{ params.source }}",
        conn_id="{{ params.conn_id }}",
        destination="{{ params.destination }}",
        submit={"max_emails": "{{ params.max_emails }}"},
    )
