"""What the contract test needs to know of MillionVerifier."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.millionverifier import MillionVerifierHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=MillionVerifierHook,
    words={
        "unknown": BatchState.PENDING,
        "in_queue_to_start": BatchState.PENDING,
        "in_progress": BatchState.RUNNING,
        "paused": BatchState.RUNNING,
        "finished": BatchState.READY,
        "error": BatchState.FAILED,
        "canceled": BatchState.CANCELLED,
    },
    status_answer=lambda word: {"file_id": "b", "status": word, "error": ""},
    accepted=[
        ({"file_id": 42, "file_name": "n.csv", "status": "in_progress", "error": ""}, "42"),
        ({"file_id": "x", "error": "credits run low"}, "x"),
        ({"error": ""}, None),
        ([], None),
    ],
    formats=[({}, "text/csv")],
    refused_options=[{"output": "csv"}],
)
