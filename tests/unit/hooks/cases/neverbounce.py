"""What the contract test needs to know of NeverBounce."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.hooks.neverbounce import NeverBounceHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=NeverBounceHook,
    words={
        "waiting_analyzed": BatchState.PENDING,
        "under_review": BatchState.RUNNING,
        "running": BatchState.RUNNING,
        "complete": BatchState.READY,
        "failed": BatchState.FAILED,
        "deleted": BatchState.CANCELLED,
    },
    status_answer=lambda word: {"status": "success", "id": "b", "job_status": word},
    accepted=[
        ({"status": "success", "job_id": 150970, "execution_time": 388}, "150970"),
        ({"status": "success", "job_id": "x", "message": "credits run low"}, "x"),
        ({"status": "success"}, None),
        ({"status": "general_failure", "message": "Something went wrong"}, None),
        ([], None),
    ],
    formats=[({}, "text/csv")],
    refused_options=[{"output": "csv"}],
    has_not=["cancel_batch"],
    # A general failure whose words are unknown says nothing that could be relied on.
    meanings={"unprocessable": UnexpectedResponseError},
)
