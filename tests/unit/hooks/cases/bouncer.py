"""What the contract test needs to know of Bouncer."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.bouncer import BouncerHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=BouncerHook,
    words={
        "queued": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.READY,
        "failed": BatchState.FAILED,
    },
    status_answer=lambda word: {"batchId": "b", "status": word, "quantity": 1},
    accepted=[
        ({"batchId": "x", "status": "queued", "quantity": 1, "duplicates": 0}, "x"),
        ({"batchId": 42}, "42"),
        ({"status": "queued"}, None),
        ([], None),
    ],
    formats=[({}, "application/json")],
    refused_options=[{"output": "csv"}],
    has_not=["find_batch", "cancel_batch"],
)
