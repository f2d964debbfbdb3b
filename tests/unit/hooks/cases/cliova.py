"""What the contract test needs to know of Cliova."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=CliovaHook,
    words={
        "IN PROGRESS": BatchState.RUNNING,
        "in_progress": BatchState.RUNNING,
        "COMPLETED": BatchState.READY,
        "FAILED": BatchState.FAILED,
    },
    status_answer=lambda word: {"code": "SUCCESS", "payload": [{"id": "b", "status": word}]},
    accepted=[
        ({"code": "SUCCESS", "payload": {"id": 42}}, "42"),
        ({"code": 200, "payload": [{"id": "x"}]}, "x"),
        ({"code": "SUCCESS", "payload": {"id": None}}, None),
    ],
    formats=[
        ({}, "text/csv"),
        ({"output": "csv", "verified_only": False}, "text/csv"),
        ({"output": "json"}, "application/json"),
        ({"output": "json", "verified_only": "False"}, "application/json"),
    ],
    refused_options=[{"output": "xml"}, {"verified_only": "yes"}, {"only": 1}],
    has_not=["find_batch", "cancel_batch", "verify_email", "get_credits"],
)
