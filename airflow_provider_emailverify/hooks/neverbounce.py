"""
NeverBounce (https://neverbounce.com), API v4.2.

Known from the vendor's documentation and the source of its Python client. Not published: the words of most errors, the
exact headers of the columns that a download appends, and how long results are kept. All errors come with a 200.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, parse_id, read_batch_id
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    InsufficientCreditsError,
    RateLimitedError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.http.errors import CREDIT_WORDS, JSON, ErrorRules, error_message
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.likely import VALID_WORDS
from airflow_provider_emailverify.results.schema import Reason, Verdict

# By default a download leaves the disposable addresses out.
_SEGMENTS = ("valids", "invalids", "catchalls", "unknowns", "disposables", "include_duplicates")
_APPENDED = ("email_status", "free_email_host", "role_account", "has_mail_server")


def _code(payload: JSON) -> str:
    """Return the status of an answer, and for its general failures what the words tell."""
    status = payload.get("status") if isinstance(payload, dict) else ""
    if status != "general_failure":
        return status if isinstance(status, str) else ""
    words = error_message(payload).lower()
    if CREDIT_WORDS.search(words):
        return "credits"
    return "job" if "not found" in words or "does not exist" in words else "general_failure"


def _is_error(payload: JSON) -> bool:
    return isinstance(payload, dict) and payload.get("status", "success") != "success"


class NeverBounceHook(EmailVerifyHook):
    """
    Verify addresses with NeverBounce.

    :param conn_id: an Airflow connection of type ``neverbounce``.
    """

    conn_type = "neverbounce"
    hook_name = "NeverBounce"
    default_conn_name = "neverbounce_default"
    site = Site("https://api.neverbounce.com/v4.2", Key.query("key"))
    # A general failure whose words are unknown leaves a purchase in doubt; find_batch then settles it.
    errors = ErrorRules(
        codes={
            "auth_failure": AuthenticationError,
            "bad_referrer": AuthenticationError,
            "temp_unavail": VendorUnavailableError,
            "throttle_triggered": RateLimitedError,
            "credits": InsufficientCreditsError,
            "job": BatchNotFoundError,
        },
        code_of=_code,
        is_error=_is_error,
    )
    extras = TABLE_EXTRAS
    judged_by = "its documentation and the source of its Python client"
    # A request takes 25 MB: so many addresses of the greatest length.
    max_batch_size = 90_000
    max_parallel_batches = 10
    layout = Layout(
        columns={
            "email": ("email",),
            "verdict": ("emailstatus",),
            "free": ("freeemailhost",),
            "role": ("roleaccount",),
            "mx_found": ("hasmailserver",),
        },
        words={
            **VALID_WORDS,
            "disposable": (Verdict.RISKY, Reason.DISPOSABLE),
            "catchall": (Verdict.RISKY, Reason.CATCH_ALL),
        },
    )
    states = {
        "uploading": BatchState.PENDING,
        "queued": BatchState.PENDING,
        "parsing": BatchState.PENDING,
        "waiting": BatchState.PENDING,  # for somebody to start it, which a submission of ours has asked for already
        "waiting analyzed": BatchState.PENDING,
        "under review": BatchState.RUNNING,  # by a person at the vendor
        "running": BatchState.RUNNING,
        "complete": BatchState.READY,
        "failed": BatchState.FAILED,
        "deleted": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "jobs-create". A job that is not told to parse and to start by itself never does.
        self.check_emails(emails)
        job = {
            "input": [{"email": email} for email in emails],
            "input_location": "supplied",
            "filename": name or f"airflow-{uuid.uuid4()}",
            "auto_parse": 1,
            "auto_start": 1,
            "run_sample": 0,
            "allow_manual_review": 0,
        }
        return self.client.spend("POST", "/jobs/create", id_in("job_id"), body=Json(job))

    def find_batch(self, name: str) -> str | None:
        # Source: the Python client: "all results with exactly this filename".
        answer = self.client.request_json("GET", "/jobs/search", params={"filename": name})
        jobs = [job for job in self.listed(answer, "results") if isinstance(job, dict) and job.get("filename") == name]
        return parse_id(jobs[0].get("id")) if jobs else None

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs, "jobs-status".
        params = {"job_id": read_batch_id(batch_id)}
        answer = self.client.request_json("GET", "/jobs/status", batch_id=batch_id, params=params)
        return self.batch_status(batch_id, self.member(answer, "job_status", batch_id))

    def download_results(self, batch_id: str, options: None = None) -> AbstractContextManager[Download]:
        # Source: docs, "jobs-download". An error is JSON, with a 200.
        params = {"job_id": read_batch_id(batch_id), "binary_operators_type": "BIN_true_false"}
        params |= dict.fromkeys((*_SEGMENTS, *_APPENDED), "1")
        return self.open_when_ready("/jobs/download", batch_id, CSV_TYPE, params=params)

    def get_credits(self) -> float:
        # Source: docs, "account-info".
        info = self.member(self.client.request_json("GET", "/account/info"), "credits_info")
        names = ("paid_credits_remaining", "free_credits_remaining")
        return sum(self.number(self.member(info, name), "credits") for name in names)

    def verify_email(self, email: str) -> dict[str, Any]:
        # Source: docs, "single-check".
        self.check_emails([email])
        return self.client.spend("GET", "/single/check", verdict_with("result"), params={"email": email})
