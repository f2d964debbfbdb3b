"""
Emailable (https://emailable.com), API v1.

Known from the vendor's documentation and the source of its Python client and of its command line. Not published: the
format of a file of results behind a link. There is no word for the state of a batch, and batches have no names, so a
lost answer leaves a batch in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, read_batch_id, require_ready
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with, whole
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.http.errors import JSON
from airflow_provider_emailverify.results.layout import CSV_TYPE, JSON_TYPE, Layout, VendorFile
from airflow_provider_emailverify.results.likely import PLAIN_REASONS, PLAIN_WORDS
from airflow_provider_emailverify.results.schema import Reason, Verdict

if TYPE_CHECKING:
    from airflow_provider_emailverify.formats.json_file import JsonDocument

_READY, _RUNNING = "complete", "processing"


def _progress(answer: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return how many addresses are done, and of how many."""
    counts = answer.get("total_counts")
    counts = counts if isinstance(counts, dict) else answer
    return whole(counts.get("processed")), whole(counts.get("total"))


def _word(answer: dict[str, Any], rows: int) -> str:
    """Return a word for the state of a batch, by the rule of Emailable's command line."""
    done, total = _progress(answer)
    if answer.get("download_file"):
        return _READY
    if total is None:
        return _READY if rows else _RUNNING
    return _READY if total > 0 and (done or 0) >= total else _RUNNING


class EmailableHook(EmailVerifyHook):
    """
    Verify addresses with Emailable.

    :param conn_id: an Airflow connection of type ``emailable``.
    """

    conn_type = "emailable"
    hook_name = "Emailable"
    default_conn_name = "emailable_default"
    batch_name = None
    # Five a second for batches.
    site = Site("https://api.emailable.com/v1", Key.bearer(), requests_per_minute=240.0)
    extras = TABLE_EXTRAS
    judged_by = "its documentation and the source of its clients"
    test_mode = "a key that begins with test_"
    max_batch_size = 50_000
    layout = Layout(
        rows="emails",
        columns={
            "email": ("email",),
            "verdict": ("state",),
            "reason": ("reason",),
            "catch_all": ("acceptall",),
            **{name: (name.replace("_", ""),) for name in ("disposable", "role", "free", "mailbox_full", "no_reply")},
        },
        words={**PLAIN_WORDS, "duplicate": (Verdict.UNKNOWN, Reason.DUPLICATE)},
        reasons=PLAIN_REASONS,
    )
    states = {_RUNNING: BatchState.RUNNING, _READY: BatchState.READY}

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "batch". Batches have no name.
        self.check_emails(emails)
        return self.client.spend("POST", "/batch", id_in("id"), body=Json({"emails": list(emails)}))

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs, "batch-status".
        return self._status(batch_id, self._ask(batch_id))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        # Source: docs, "batch-status": the results stand in the answer, or of a large batch behind a link in it.
        answer = self._ask(batch_id)
        require_ready(self._status(batch_id, answer), self.about(batch_id))
        link = answer.get("download_file")
        del answer  # reports of errors show local variables, and it holds addresses
        if link:
            with self.client.stream_link(link, batch_id=batch_id) as body:
                yield Download(body, JSON_TYPE if body.media_type == JSON_TYPE else CSV_TYPE)
            return
        with self.client.stream("/batch", batch_id=batch_id, params={"id": read_batch_id(batch_id)}) as body:
            yield Download(body, JSON_TYPE)

    def check_document(self, file: VendorFile, document: JsonDocument) -> None:
        """Refuse an error, and the rows of a batch that is still at work."""
        super().check_document(file, document)
        word = _word(document.values, document.lists.get("emails", document.lists.get(None, 0)))
        require_ready(self.batch_status(file.batch_id, word), file.about)

    def get_credits(self) -> float:
        # Source: docs, "account".
        return self.number(self.member(self.client.request_json("GET", "/account"), "available_credits"), "credits")

    def verify_email(self, email: str) -> dict[str, Any]:
        # Source: docs, "verify".
        self.check_emails([email])
        return self.client.spend("GET", "/verify", verdict_with("state"), params={"email": email})

    def _ask(self, batch_id: str) -> dict[str, Any]:
        answer: JSON = self.client.request_json(
            "GET", "/batch", batch_id=batch_id, params={"id": read_batch_id(batch_id)}
        )
        if isinstance(answer, dict):
            return answer
        raise UnexpectedResponseError.advised(
            f"{self.about(batch_id)}: expected an object, found {type(answer).__name__}."
        )

    def _status(self, batch_id: str, answer: dict[str, Any]) -> BatchStatus:
        rows = answer.get("emails")
        done, total = _progress(answer)
        word = _word(answer, len(rows) if isinstance(rows, list) else 0)
        return self.batch_status(batch_id, word, total=total, processed=done)
