"""Know the price of a list, let a person approve it, and buy what was approved. Needs Airflow 3.1."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_provider_emailverify.operators.estimate import EmailVerifyEstimateOperator
from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "conn_id": Param("proofy_default", type="string", description="A connection of a vendor's type"),
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="A folder"),
}
SOURCE = "{{ params.source }}"
FOLDER = "{{ params.destination.rstrip('/') }}/"
FIGURES = "ti.xcom_pull(task_ids='estimate')"

with DAG("approve", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    estimate = EmailVerifyEstimateOperator(
        task_id="estimate",
        source=SOURCE,
        conn_id="{{ params.conn_id }}",
        known=FOLDER + "_results/",  # what earlier runs have bought
        answers=FOLDER + "_results/",
        price_per_address=0.008,
    )
    approval = ApprovalOperator(
        task_id="approval",
        subject="Verify {{ " + FIGURES + "['to_buy'] }} addresses?",
        body="\n".join(
            f"- {name}: {{{{ {FIGURES}['{key}'] }}}}"
            for name, key in {
                "Addresses": "unique",
                "Known from earlier": "known",
                "To buy": "to_buy",
                "Price": "price",
                "Credits left": "credits_left",
            }.items()
        ),
    )
    verified = verify_emails(
        source=SOURCE,
        conn_id="{{ params.conn_id }}",
        destination=FOLDER,
        answers=estimate.output["answers"],  # so that the price that was told is the price that is charged
        submit={"max_emails": "{{ " + FIGURES + "['to_buy'] }}"},
    )
    estimate >> approval >> verified
