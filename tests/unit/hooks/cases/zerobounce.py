"""What the contract test needs to know of ZeroBounce."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import AuthenticationError, InvalidRequestError
from airflow_provider_emailverify.hooks.zerobounce import ZeroBounceHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=ZeroBounceHook,
    words={
        "Queued": BatchState.PENDING,
        "In Progress": BatchState.RUNNING,
        "Processing": BatchState.RUNNING,
        "Complete": BatchState.READY,
        "Failed": BatchState.FAILED,
    },
    status_answer=lambda word: {"success": True, "file_id": "b", "file_status": word},
    accepted=[
        ({"success": True, "message": "File Accepted", "file_name": "n.csv", "file_id": "x"}, "x"),
        ({"success": True, "file_id": 42}, "42"),
        ({"success": True, "message": "1 credit will be charged", "file_id": "y"}, "y"),
        ({"success": True, "file_id": None}, None),
        ([], None),
    ],
    formats=[({}, "text/csv")],
    refused_options=[{"output": "csv"}],
    has_not=["find_batch", "cancel_batch"],
    # Its errors are a 200 with words; the key and the balance share one sentence.
    meanings={"no_credits": AuthenticationError, "error_envelope": InvalidRequestError},
)
