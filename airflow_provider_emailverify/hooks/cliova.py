"""
Cliova (https://cliova.com), API v1.

Known from the vendor's page on results: the call, ``output``, ``verifiedOnly``, and ``error.message`` in errors.
Known from its pages on upload and status: the calls and the shape of their answers. Not published: the columns
of the results, what an early download answers, limits, and any call for the balance or to cancel.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_emailverify.batches import BatchState, BatchStatus, emails_as_csv, parse_id, require_ready
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import BatchNotFoundError, InvalidRequestError, UnexpectedResponseError
from airflow_provider_emailverify.hooks.answers import whole
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Form
from airflow_provider_emailverify.http.errors import JSON, ErrorRules, has_error
from airflow_provider_emailverify.results.layout import CSV_TYPE, JSON_TYPE, Layout
from airflow_provider_emailverify.results.likely import LIKELY_COLUMNS, LIKELY_REASONS, LIKELY_WORDS

_LISTS = "/webhooks/email-validations/bulk-emails"
# Only the first is documented.
_SUCCESSES = frozenset({"SUCCESS", "OK", "200"})
_MEDIA_TYPES = {"csv": CSV_TYPE, "json": JSON_TYPE}


@dataclass(frozen=True, slots=True)
class CliovaOptions:
    """
    What a user can choose of a download.

    :param output: the format, ``csv`` or ``json``.
    :param verified_only: leave out the addresses that Cliova did not verify.
    :raises InvalidRequestError: a value makes no sense.
    """

    output: Literal["csv", "json"] = "csv"
    verified_only: bool = False

    def __post_init__(self) -> None:
        """Check the values; a template renders a boolean as text."""
        if self.output not in _MEDIA_TYPES:
            raise InvalidRequestError(f"Cliova's output is 'csv' or 'json', not {self.output!r}.")
        word = str(self.verified_only).lower()
        if word not in ("true", "false"):
            raise InvalidRequestError(f"Cliova's verified_only is True or False, not {self.verified_only!r}.")
        object.__setattr__(self, "verified_only", word == "true")


def _is_error(payload: JSON) -> bool:
    """Tell whether a 200 is an error: Cliova's successes say ``"code": "SUCCESS"``, if they say a code."""
    said = payload.get("code", "SUCCESS") if isinstance(payload, dict) else "SUCCESS"
    return has_error(payload) or str(said).upper() not in _SUCCESSES


class CliovaHook(EmailVerifyHook):
    """
    Verify addresses with Cliova.

    :param conn_id: an Airflow connection of type ``cliova``.
    """

    conn_type = "cliova"
    hook_name = "Cliova"
    default_conn_name = "cliova_default"
    site = Site("https://api.cliova.com/v1", Key.query("apiKey"))
    errors = ErrorRules(is_error=_is_error)
    extras = TABLE_EXTRAS
    layout = Layout(columns=LIKELY_COLUMNS, words=LIKELY_WORDS, reasons=LIKELY_REASONS, rows="payload")
    download_options = CliovaOptions
    # From the page on status; the cancelled ones are likely words. Any other word means "not yet".
    states = {
        "in progress": BatchState.RUNNING,
        "completed": BatchState.READY,
        "failed": BatchState.FAILED,
        "canceled": BatchState.CANCELLED,
        "cancelled": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs.cliova.com, "upload-email-list". Whether a second list of the same name is refused is not known.
        self.check_emails(emails)
        return self.client.spend(
            "POST",
            _LISTS,
            _new_id,
            params={"name": name or f"airflow-{uuid.uuid4()}"},
            body=Form(files={"file": ("emails.csv", emails_as_csv(emails), "text/csv")}),
        )

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs.cliova.com, "get-validation-status".
        path = self.batch_path(f"{_LISTS}/{{id}}/status", batch_id)
        answer = self.client.request_json("GET", path, batch_id=batch_id)
        entries = _entries(answer)
        # The answer lists lists: the one that was asked for, or a single one that does not say its id.
        found = [entry for entry in entries if (parse_id(entry.get("id")) or batch_id).lower() == batch_id.lower()]
        if not found:
            if entries or (isinstance(answer, dict) and answer.get("payload") == []):
                raise BatchNotFoundError.advised(f"{self.about(batch_id)}: no such list.")
            raise UnexpectedResponseError.advised(f"{self.about(batch_id)}: expected a payload with a list's status.")
        entry = found[0]
        return self.batch_status(
            batch_id,
            entry.get("status"),
            total=whole(entry.get("totalEmails")),
            credits_used=whole(entry.get("totalCreditsUsed")),
        )

    @contextmanager
    def download_results(self, batch_id: str, options: CliovaOptions | None = None) -> Iterator[Download]:
        # Cliova's page asks to check for completion first, and a CSV file cannot say that it is a part only.
        options = options or CliovaOptions()
        status = self.get_batch_status(batch_id)
        require_ready(status, self.about(batch_id))
        path = self.batch_path(f"{_LISTS}/{{id}}/download-result", batch_id)
        params = {"output": options.output, "verifiedOnly": str(options.verified_only).lower()}
        with self.client.stream(path, batch_id=batch_id, params=params) as body:
            yield Download(body, _MEDIA_TYPES[options.output], None if options.verified_only else status.total)

    def probe(self) -> str:
        """Ask for the status of a list that cannot exist: no call for the account or its balance is documented."""
        with suppress(BatchNotFoundError):
            self.get_batch_status(str(uuid.uuid4()))
        return (
            "Cliova was reached and did not refuse the key. It has no call that proves more: whether it looks at the "
            "key before the list is not documented."
        )


def _new_id(answer: JSON) -> str:
    return next(filter(None, (parse_id(entry.get("id")) for entry in _entries(answer))), "")


def _entries(answer: JSON) -> list[dict[str, Any]]:
    """Return the lists of an answer's ``payload``, which is one object on upload and a list of them on status."""
    payload = answer.get("payload") if isinstance(answer, dict) else None
    return [entry for entry in (payload if isinstance(payload, list) else [payload]) if isinstance(entry, dict)]
