"""What is public: these names can be imported from these modules, and a change of them is a change for users."""

from __future__ import annotations

import importlib

import pytest

from airflow_provider_emailverify.get_provider_info import get_provider_info

PACKAGE = "airflow_provider_emailverify"
PUBLIC = {
    "hooks.base": ["EmailVerifyHook", "Download"],
    "hooks.proofy": ["ProofyHook"],
    "hooks.cliova": ["CliovaHook", "CliovaOptions"],
    "hooks.zerobounce": ["ZeroBounceHook"],
    "hooks.neverbounce": ["NeverBounceHook"],
    "hooks.emailable": ["EmailableHook"],
    "hooks.mailgun": ["MailgunHook"],
    "hooks.verifalia": ["VerifaliaHook"],
    "hooks.millionverifier": ["MillionVerifierHook"],
    "hooks.bouncer": ["BouncerHook"],
    "hooks.kickbox": ["KickboxHook"],
    "batches": ["BatchState", "BatchStatus"],
    "operators.submit": ["EmailVerifySubmitOperator"],
    "operators.estimate": ["EmailVerifyEstimateOperator"],
    "operators.download": ["EmailVerifyDownloadOperator"],
    "operators.check": ["EmailVerifyCheckOperator"],
    "operators.merge": ["EmailVerifyMergeOperator"],
    "sensors.batch": ["EmailVerifyBatchSensor"],
    "triggers.batch": ["EmailVerifyBatchTrigger"],
    "triggers.event": ["EmailVerifyBatchEventTrigger"],
    "task_groups": ["verify_emails"],
    "links": ["EmailVerifyBatchLink"],
    "results.layout": ["Layout", "Maps", "VendorFile"],
    "results.schema": ["COLUMNS", "FLAGS", "Finding", "Reason", "Row", "SCHEMA_VERSION", "Verdict"],
    "exceptions": [
        "AuthenticationError",
        "BatchFailedError",
        "BatchNotFoundError",
        "BatchNotReadyError",
        "ConnectionConfigError",
        "EmailVerifyError",
        "IncompleteResponseError",
        "InsufficientCreditsError",
        "InvalidDestinationError",
        "InvalidRequestError",
        "InvalidSourceError",
        "RateLimitedError",
        "ResultCheckError",
        "SourceChangedError",
        "StorageError",
        "SubmissionStoppedError",
        "SubmissionUnknownError",
        "TransientError",
        "UnexpectedResponseError",
        "UnknownColumnsError",
        "UnreadableResultsError",
        "UnsupportedOperationError",
        "VendorOutageError",
        "VendorUnavailableError",
        "VendorUnreachableError",
    ],
}


@pytest.mark.parametrize(("module", "names"), PUBLIC.items(), ids=list(PUBLIC))
def test_what_is_public_can_be_imported_and_says_what_it_is(module: str, names: list[str]) -> None:
    found = importlib.import_module(f"{PACKAGE}.{module}")

    for name in names:
        value = getattr(found, name)
        if isinstance(value, type):
            assert value.__doc__, name
            assert value.__module__ == f"{PACKAGE}.{module}", name


def test_every_module_that_airflow_lists_is_public() -> None:
    info = get_provider_info()
    listed = {
        name.removeprefix(f"{PACKAGE}.")
        for kind in ("hooks", "operators", "sensors", "triggers")
        for entry in info[kind]
        for name in entry["python-modules"]
    }

    assert listed <= set(PUBLIC)
