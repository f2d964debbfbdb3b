"""What the contract test needs to know of Verifalia."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.verifalia import VerifaliaHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=VerifaliaHook,
    words={
        "InProgress": BatchState.RUNNING,
        "Completed": BatchState.READY,
        "Deleted": BatchState.CANCELLED,
        "Expired": BatchState.FAILED,
    },
    status_answer=lambda word: {"id": "b", "status": word},
    accepted=[
        ({"overview": {"id": "x", "status": "InProgress"}, "entries": None}, "x"),
        ({"id": "y"}, "y"),
        ({"overview": {}}, None),
        ([], None),
    ],
    formats=[({}, "text/csv")],
    refused_options=[{"output": "csv"}],
    has_not=["verify_email"],
)
