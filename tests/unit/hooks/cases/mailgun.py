"""What the contract test needs to know of Mailgun."""

from __future__ import annotations

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.mailgun import MailgunHook
from tests.unit.hooks.cases.case import VendorCase

CASE = VendorCase(
    hook=MailgunHook,
    words={
        "created": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.RUNNING,
        "uploading": BatchState.RUNNING,
        "uploaded": BatchState.READY,
        "failed": BatchState.FAILED,
    },
    status_answer=lambda word: {"id": "b", "quantity": 1, "status": word},
    # The id is ours: the name that the batch was given.
    accepted=[
        ({"id": "n", "message": "The validation job was submitted."}, "n"),
        ({"message": "The validation job was submitted."}, "n"),
        ({}, None),
        ([], None),
    ],
    formats=[({}, "application/zip")],
    refused_options=[{"output": "csv"}],
    has_not=["get_credits", "verify_email"],
    fetches="link",
)
