"""How to talk to Acme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from airflow_provider_emailverify.batches import BatchState, BatchStatus, require_ready
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.hooks.answers import id_in
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.schema import Verdict


class AcmeHook(EmailVerifyHook):
    """Verify addresses with Acme."""

    conn_type = "acme"
    hook_name = "Acme Verify"
    default_conn_name = "acme_default"
    site = Site("https://api.acme.example/v1", Key.bearer())
    extras = TABLE_EXTRAS
    states = {"working": BatchState.RUNNING, "done": BatchState.READY}
    layout = Layout(
        columns={"email": ("email",), "verdict": ("outcome",)},
        words={"good": (Verdict.DELIVERABLE, None), "bad": (Verdict.UNDELIVERABLE, None)},
    )

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        self.check_emails(emails)
        return self.client.spend("POST", "/batches", id_in("id"), body=Json({"emails": list(emails)}))

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        answer = self.client.request_json("GET", self.batch_path("/batches/{id}", batch_id), batch_id=batch_id)
        return self.batch_status(batch_id, self.member(answer, "state", batch_id))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        require_ready(self.get_batch_status(batch_id), self.about(batch_id))
        with self.client.stream(self.batch_path("/batches/{id}/rows", batch_id), batch_id=batch_id) as body:
            yield Download(body, CSV_TYPE)
