"""Ask a second vendor about those addresses of which the first one could say nothing."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.task_groups import verify_emails

PARAMS = {
    "source": Param(type="string", minLength=1, description="s3://my_aws@bucket/list.csv, file:///…"),
    "destination": Param("file:///tmp/emailverify/", type="string", description="A folder"),
}
SOURCE = "{{ params.source }}"
FOLDER = "{{ params.destination.rstrip('/') }}/{{ run_id }}/"

with DAG("waterfall", schedule=None, params=PARAMS, tags=["emailverify"]) as dag:
    first = verify_emails("first", source=SOURCE, conn_id="proofy_default", destination=FOLDER + "first/")
    unknown = EmailVerifyMergeOperator(
        task_id="unknown",
        source=SOURCE,
        results=FOLDER + "first/_results/",
        destination=FOLDER + "unknown/",
        verdicts=["unknown"],  # the rows without an answer among them
        columns=["verdict"],
        prefix="first_",
    )
    second = verify_emails("second", source=unknown.output, conn_id="cliova_default", destination=FOLDER + "second/")
    both = EmailVerifyMergeOperator(
        task_id="both",
        source=SOURCE,
        results=[FOLDER + "first/_results/", FOLDER + "second/_results/"],
        destination=FOLDER,
    )
    first >> unknown
    second >> both
