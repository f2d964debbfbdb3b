"""What the contract test needs to know of Emailable."""

from __future__ import annotations

from airflow_provider_emailverify.hooks.emailable import EmailableHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=EmailableHook,
    words={},  # it has none for the state of a batch
    status_answer=lambda _word: {},
    accepted=[
        ({"message": "Batch successfully created.", "id": "5cfcbfdeede34200693c4319"}, "5cfcbfdeede34200693c4319"),
        ({"id": 42}, "42"),
        ({"message": "Batch successfully created."}, None),
        ([], None),
    ],
    formats=[({}, "application/json")],
    refused_options=[{"output": "csv"}],
    has_not=["find_batch", "cancel_batch"],
    fetches="status",  # results stand in the answer about the state
)
