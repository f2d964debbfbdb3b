"""
Mailgun (https://www.mailgun.com), bulk validation, API v4.

Known from the vendor's documentation and its clients, which drive the sandbox in a test. Not published: what a second
submission under the same id does (so after a lost answer it is asked first whether there is one), and the columns of
the results. There is no balance.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, emails_as_csv, require_ready
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import BatchNotFoundError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Form
from airflow_provider_emailverify.http.errors import JSON, ErrorRules
from airflow_provider_emailverify.results.findings import reasons_by_word
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.schema import Reason, Verdict

_LISTS = "/address/validate/bulk"


class MailgunHook(EmailVerifyHook):
    """
    Verify addresses with Mailgun. For an account in the EU the connection's Host is ``https://api.eu.mailgun.net/v4``.

    :param conn_id: an Airflow connection of type ``mailgun``.
    """

    conn_type = "mailgun"
    hook_name = "Mailgun"
    default_conn_name = "mailgun_default"
    site = Site("https://api.mailgun.net/v4", Key.basic("api:{key}"))
    # More than five lists at work are refused with a 400.
    errors = ErrorRules(
        pace_words=re.compile(
            r"too many (requests|parallel|jobs)|parallel jobs|concurrent|simultaneous|rate.?limit", re.IGNORECASE
        )
    )
    extras = TABLE_EXTRAS
    judged_by = "its clients mailgun 1.6.0 and mailgun.js 14.0.1"
    # A file may have 25 MB: so many addresses of the greatest length.
    max_batch_size = 85_000
    max_parallel_batches = 5
    layout = Layout(
        columns={
            "email": ("address", "email", "emailaddress"),
            "verdict": ("result",),
            "reason": ("reason",),
            "disposable": ("isdisposableaddress",),
            "role": ("isroleaddress",),
        },
        words={
            "deliverable": (Verdict.DELIVERABLE, None),
            "undeliverable": (Verdict.UNDELIVERABLE, None),
            "donotsend": (Verdict.RISKY, Reason.DO_NOT_SEND),
            "catchall": (Verdict.RISKY, Reason.CATCH_ALL),
            "unknown": (Verdict.UNKNOWN, None),
        },
        reasons=reasons_by_word(
            {
                Reason.REJECTED: "mailboxdoesnotexist",
                Reason.ROLE: "mailboxisroleaddress",
                Reason.CATCH_ALL: "catchall",
                Reason.INVALID_SYNTAX: "failedcustomgrammarcheck",
                Reason.NO_MX: "nomx nomxhostfound",
                Reason.DISPOSABLE: "mailboxisdisposableaddress longtermdisposable",
                Reason.LOW_QUALITY: "highriskdomain immaturedomain tldrisk subdomainmailer",
            }
        ),
    )
    states = {
        "created": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.RUNNING,  # the results are made, and not yet where they can be fetched
        "uploading": BatchState.RUNNING,
        "uploaded": BatchState.READY,
        "failed": BatchState.FAILED,
        "deleted": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "bulk validations". The id of a list is chosen by the client.
        self.check_emails(emails)
        batch_id = (name or f"airflow-{uuid.uuid4()}").replace("@", "_")

        def accept(answer: JSON) -> str:
            return batch_id if isinstance(answer, dict) and (answer.get("id") or answer.get("message")) else ""

        file = ("emails.csv", emails_as_csv(emails), CSV_TYPE)
        return self.client.spend("POST", self._path(batch_id), accept, body=Form(files={"file": file}))

    def find_batch(self, name: str) -> str | None:
        batch_id = name.replace("@", "_")
        try:
            self._ask(batch_id)
        except BatchNotFoundError:
            return None
        return batch_id

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        return self._status(batch_id, self._ask(batch_id))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        # Source: docs, "bulk validations": a link to another host, to a ZIP archive with the CSV file.
        answer = self._ask(batch_id)
        require_ready(self._status(batch_id, answer), self.about(batch_id))
        links = self.member(answer, "download_url", batch_id)
        with self.client.stream_link(self.member(links, "csv", batch_id), batch_id=batch_id) as body:
            yield Download(body, CSV_TYPE)

    def cancel_batch(self, batch_id: str) -> None:
        self.client.send("DELETE", self._path(batch_id), batch_id=batch_id)

    def probe(self) -> str:
        """Ask for the newest list: there is no call for the balance."""
        self.member(self.client.request_json("GET", _LISTS, params={"limit": "1"}), "jobs")
        return "The key is valid, and may see the account's bulk validations. Mailgun has no call for the balance."

    def _path(self, batch_id: str) -> str:
        return self.batch_path(f"{_LISTS}/{{id}}", batch_id)

    def _ask(self, batch_id: str) -> Any:
        return self.client.request_json("GET", self._path(batch_id), batch_id=batch_id)

    def _status(self, batch_id: str, answer: Any) -> BatchStatus:
        return self.batch_status(batch_id, self.member(answer, "status", batch_id))
