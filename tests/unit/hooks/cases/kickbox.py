"""What the contract test needs to know of Kickbox."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.kickbox import KickboxHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=KickboxHook,
    words={
        "starting": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.READY,
        "failed": BatchState.FAILED,
    },
    status_answer=lambda word: {
        "id": "b",
        "status": word,
        "success": True,
        "error": "why" if word == "failed" else None,
    },
    accepted=[
        ({"id": 123, "success": True, "message": None}, "123"),
        ({"id": "x"}, "x"),
        ({"success": True}, None),
        ([], None),
    ],
    formats=[({}, "text/csv")],
    refused_options=[{"output": "csv"}],
    has_not=["find_batch", "cancel_batch"],
    fetches="link",
)
