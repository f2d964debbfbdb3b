"""
Kickbox (https://kickbox.com), API v2.

Known from the vendor's documentation and the source of its PHP client; of its batches there is no official client in
Python. Not published: the columns of the results, for which likely names are taken; the connection's ``column_map``
says others. Batches cannot be found by their name, so a lost answer leaves a batch in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from airflow_provider_emailverify.batches import BatchState, BatchStatus, require_ready
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import InsufficientCreditsError
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Text
from airflow_provider_emailverify.http.errors import CREDIT_WORDS, JSON, ErrorRules, error_message, has_error
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.likely import LIKELY_COLUMNS, PLAIN_REASONS, PLAIN_WORDS

_BATCH = "/verify-batch/{id}"


def _code(payload: JSON) -> str:
    """Tell an empty account from a refused key: both are a 403."""
    return "balance" if _is_error(payload) and CREDIT_WORDS.search(error_message(payload)) else ""


def _is_error(payload: JSON) -> bool:
    """Tell an error from an answer about a batch that failed, which says why in a member ``error``."""
    if not isinstance(payload, dict):
        return False
    return payload.get("success") is False or (has_error(payload) and "status" not in payload)


def _line(email: str) -> str:
    """Return an address as a line of Kickbox's CSV, in which a backslash goes before a mark inside quotes."""
    if not any(mark in email for mark in '",\\\r\n'):
        return f"{email}\r\n"
    escaped = email.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"\r\n'


class KickboxHook(EmailVerifyHook):
    """
    Verify addresses with Kickbox. For an account in the EU the connection's Host is ``https://api.eu.kickbox.com/v2``.

    :param conn_id: an Airflow connection of type ``kickbox``.
    """

    conn_type = "kickbox"
    hook_name = "Kickbox"
    default_conn_name = "kickbox_default"
    batch_name = "{name}.csv"
    site = Site("https://api.kickbox.com/v2", Key.header("Authorization", "token {key}"), requests_per_minute=6000.0)
    errors = ErrorRules(
        codes={"balance": InsufficientCreditsError},
        code_statuses=frozenset({400, 403}),
        code_of=_code,
        is_error=_is_error,
    )
    extras = TABLE_EXTRAS
    test_mode = "a key that begins with test_"
    # A file takes a million addresses, and 250 MB: fewer if all have the greatest length.
    max_batch_size = 900_000
    layout = Layout(
        columns={**LIKELY_COLUMNS, "verdict": ("result", "verdict", "status")},
        words=PLAIN_WORDS,
        reasons=PLAIN_REASONS,
    )
    states = {
        "starting": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "completed": BatchState.READY,
        "failed": BatchState.FAILED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "batch-verification-api": the addresses one a line, and no other form.
        self.check_emails(emails)
        lines = "".join(map(_line, emails))
        headers = {"X-Kickbox-Filename": quote(f"{name or 'airflow'}.csv")}
        return self.client.spend("PUT", "/verify-batch", id_in("id"), body=Text(lines, CSV_TYPE), headers=headers)

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        return self._status(batch_id, self._ask(batch_id))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        # A link to another host, good for an hour; each question makes a new one.
        answer = self._ask(batch_id)
        require_ready(self._status(batch_id, answer), self.about(batch_id))
        with self.client.stream_link(self.member(answer, "download_url", batch_id), batch_id=batch_id) as body:
            yield Download(body, CSV_TYPE)

    def get_credits(self) -> float:
        return self.number(self.member(self.client.request_json("GET", "/balance"), "balance"), "credits")

    def verify_email(self, email: str) -> dict[str, Any]:
        self.check_emails([email])
        return self.client.spend("GET", "/verify", verdict_with("result"), params={"email": email})

    def _ask(self, batch_id: str) -> Any:
        return self.client.request_json("GET", self.batch_path(_BATCH, batch_id), batch_id=batch_id)

    def _status(self, batch_id: str, answer: Any) -> BatchStatus:
        return self.batch_status(batch_id, self.member(answer, "status", batch_id))
