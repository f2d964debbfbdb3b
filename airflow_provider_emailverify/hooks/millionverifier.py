"""
MillionVerifier (https://www.millionverifier.com), bulk API v2.

From the documentation, and copies of it, only: there is no official client. Errors come with a 200. Not published: all
words for the state of a file, and how long results are kept.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, emails_as_csv, parse_id, read_batch_id
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    InsufficientCreditsError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Form
from airflow_provider_emailverify.http.errors import JSON, ErrorRules
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.schema import Reason, Verdict

# Single addresses and the balance are at another address, which calls the key something else.
_SINGLE = Site("https://api.millionverifier.com/api/v3", Key.query("api"))
_PAGE = 50


def _code(payload: JSON) -> str:
    """Return an error's code; an error beside a file's id is that file's, and no refusal of the request."""
    error = payload.get("error") if isinstance(payload, dict) and "file_id" not in payload else ""
    return error if isinstance(error, str) else ""


class MillionVerifierHook(EmailVerifyHook):
    """
    Verify addresses with MillionVerifier.

    :param conn_id: an Airflow connection of type ``millionverifier``.
    """

    conn_type = "millionverifier"
    hook_name = "MillionVerifier"
    default_conn_name = "millionverifier_default"
    batch_name = "{name}.csv"
    site = Site("https://bulkapi.millionverifier.com/bulkapi/v2", Key.query("key"))
    errors = ErrorRules(
        codes={
            **dict.fromkeys(("apikey_not_found", "invalid_api_key", "ip_blocked"), AuthenticationError),
            "insufficient_credits": InsufficientCreditsError,
            "file_not_found": BatchNotFoundError,
        },
        code_of=_code,
        is_error=lambda payload: bool(_code(payload)),
    )
    extras = TABLE_EXTRAS
    # A file takes a million lines and 100 MB: so many addresses of the greatest length.
    max_batch_size = 390_000
    max_parallel_batches = 2
    layout = Layout(
        columns={"email": ("email",), "verdict": ("result",), "free": ("free",), "role": ("role",)},
        words={
            "ok": (Verdict.DELIVERABLE, None),
            "invalid": (Verdict.UNDELIVERABLE, None),
            "catchall": (Verdict.RISKY, Reason.CATCH_ALL),
            "disposable": (Verdict.RISKY, Reason.DISPOSABLE),
            **dict.fromkeys(("unknown", "reverify"), (Verdict.UNKNOWN, None)),
        },
    )
    states = {
        "unknown": BatchState.PENDING,  # the first word of some files
        "in queue to start": BatchState.PENDING,
        "in progress": BatchState.RUNNING,
        "paused": BatchState.RUNNING,  # somebody has to let it go on
        "finished": BatchState.READY,
        "error": BatchState.FAILED,
        "canceled": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "upload". The name of the file is the name of the batch.
        self.check_emails(emails)
        file = (_file_name(name or f"airflow-{uuid.uuid4()}"), emails_as_csv(emails), CSV_TYPE)
        return self.client.spend("POST", "/upload", id_in("file_id"), body=Form(files={"file_contents": file}))

    def find_batch(self, name: str) -> str | None:
        # Source: docs, "filelist": files whose name contains a text, fifty at a time.
        seen, total = 0, 1
        while seen < total:
            params = {"name": _file_name(name), "offset": str(seen), "limit": str(_PAGE)}
            answer = self.client.request_json("GET", "/filelist", params=params)
            files = self.listed(answer, "files")
            total = int(self.number(self.member(answer, "total"), "files"))
            if not files and total > seen:
                raise UnexpectedResponseError.advised(f"{self.client.name}: {total - seen} files are missing.")
            for file in files:
                if isinstance(file, dict) and file.get("file_name") == _file_name(name):
                    return parse_id(file.get("file_id"))
            seen += len(files)
        return None

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs, "fileinfo".
        params = {"file_id": read_batch_id(batch_id)}
        answer = self.client.request_json("GET", "/fileinfo", batch_id=batch_id, params=params)
        return self.batch_status(batch_id, self.member(answer, "status", batch_id))

    def download_results(self, batch_id: str, options: None = None) -> AbstractContextManager[Download]:
        # Source: docs, "download". An error is JSON, with a 200.
        params = {"file_id": read_batch_id(batch_id), "filter": "all"}
        return self.open_when_ready("/download", batch_id, CSV_TYPE, params=params)

    def cancel_batch(self, batch_id: str) -> None:
        # Source: docs, "stop": a GET that ends something, so it is sent once.
        once = self.client.with_policy(replace(self.client.policy, attempts=1))
        try:
            once.send("GET", "/stop", batch_id=batch_id, params={"file_id": read_batch_id(batch_id)})
        except TransientError:  # it may have been heard
            if self.get_batch_status(batch_id).state is not BatchState.CANCELLED:
                raise

    def get_credits(self) -> float:
        answer = self.at(_SINGLE).request_json("GET", "/credits")
        return self.number(self.member(answer, "credits"), "credits")

    def verify_email(self, email: str) -> dict[str, Any]:
        self.check_emails([email])
        return self.at(_SINGLE).spend("GET", "/", verdict_with("result"), params={"email": email})


def _file_name(name: str) -> str:
    return f"{name}.csv"
