"""What the contract test needs to know of Proofy."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=ProofyHook,
    words={
        "parsing": BatchState.PENDING,
        "Ready": BatchState.READY,
        "error": BatchState.FAILED,
        "cancelled": BatchState.CANCELLED,
    },
    status_answer=lambda word: {"status": word},
    accepted=[
        ({"status": "parsing", "id": 42}, "42"),
        ({"result": {"id": "x"}}, "x"),
        ({"id": True}, None),
        ({"id": ""}, None),
        ([], None),
    ],
    formats=[({}, "application/json")],
    refused_options=[{"output": "csv"}],
    has_not=["find_batch"],
)
