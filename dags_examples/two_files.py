"""Give a list back, and in the same run a second file with its deliverable rows only."""

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.task_groups import verify_emails

BUCKET = "s3://my_aws@bucket"
LIST = f"{BUCKET}/list.csv"

with DAG("two_files", schedule=None, tags=["emailverify"]) as dag:
    verified = verify_emails(source=LIST, conn_id="proofy_default", destination=f"{BUCKET}/verified/")
    EmailVerifyMergeOperator(
        task_id="deliverable",
        source=LIST,
        results=verified,  # a verified list is a file of results too
        destination=f"{BUCKET}/deliverable/",
        verdicts=["deliverable"],
    )
