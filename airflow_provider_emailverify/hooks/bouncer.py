"""
Bouncer (https://www.usebouncer.com), API v1.1.

From the documentation only: there is no official client. Not published: the word for a batch that failed, and the
columns of results as CSV, so they are read as JSON. Batches have no name, so a lost answer leaves a batch in doubt. A
batch can be deleted once it is complete, which is no way to stop it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.results.layout import JSON_TYPE, Layout
from airflow_provider_emailverify.results.likely import PLAIN_REASONS, PLAIN_WORDS

_BATCH = "/email/verify/batch/{id}"


class BouncerHook(EmailVerifyHook):
    """
    Verify addresses with Bouncer.

    :param conn_id: an Airflow connection of type ``bouncer``.
    """

    conn_type = "bouncer"
    hook_name = "Bouncer"
    default_conn_name = "bouncer_default"
    batch_name = None
    # Sixty batches a minute, and 200 requests of other kinds.
    site = Site("https://api.usebouncer.com/v1.1", Key.header("x-api-key"), requests_per_minute=60.0)
    extras = TABLE_EXTRAS
    test_mode = "addresses of sandbox.usebouncer.com"
    max_batch_size = 100_000
    layout = Layout(
        is_nested=True,
        must_have="email",
        columns={
            "email": ("email",),
            "verdict": ("status",),
            "reason": ("reason",),
            "catch_all": ("domainacceptall",),
            "disposable": ("domaindisposable",),
            "free": ("domainfree",),
            "role": ("accountrole",),
            "disabled": ("accountdisabled",),
            "mailbox_full": ("accountfullmailbox",),
        },
        words=PLAIN_WORDS,
        reasons=PLAIN_REASONS,
    )
    states = {
        "queued": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.READY,
        "failed": BatchState.FAILED,  # a likely word
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "batch-create".
        self.check_emails(emails)
        body = Json([{"email": email} for email in emails])
        return self.client.spend("POST", "/email/verify/batch", id_in("batchId"), body=body)

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs, "batch-status".
        answer = self.client.request_json("GET", self.batch_path(_BATCH, batch_id), batch_id=batch_id)
        return self.batch_status(batch_id, self.member(answer, "status", batch_id))

    def download_results(self, batch_id: str, options: None = None) -> AbstractContextManager[Download]:
        # Source: docs, "batch-results".
        path = self.batch_path(f"{_BATCH}/download", batch_id)
        return self.open_when_ready(path, batch_id, JSON_TYPE, params={"download": "all"})

    def get_credits(self) -> float:
        return self.number(self.member(self.client.request_json("GET", "/credits"), "credits"), "credits")

    def verify_email(self, email: str) -> dict[str, Any]:
        self.check_emails([email])
        return self.client.spend("GET", "/email/verify", verdict_with("status"), params={"email": email})
