"""
Proofy (https://proofy.io), API 1.1.0.

Known from the vendor's page on batch results: base URL, key in the query, the shape of the results and of errors.
Known from its other pages: submission, single verification, credits, limits. The status answer is not published
beyond its ``status`` member; so are the words it can hold, other than ``parsing`` and ``ready``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, parse_id, require_ready
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.http.errors import JSON, ErrorRules, has_error
from airflow_provider_emailverify.results.findings import MOST_FINDINGS, Findings, is_text
from airflow_provider_emailverify.results.layout import JSON_TYPE, Layout, VendorFile
from airflow_provider_emailverify.results.schema import Finding, Row, Verdict

if TYPE_CHECKING:
    from airflow_provider_emailverify.formats.json_file import JsonDocument

_BATCH = "/verify/batch/{id}"
# From docs.proofy.io, "terminology".
_WORDS = {
    "valid": (Verdict.DELIVERABLE, None),
    "invalid": (Verdict.UNDELIVERABLE, None),
    "risky": (Verdict.RISKY, None),
    "unknown": (Verdict.UNKNOWN, None),
}
# Where a row has each flag: the part of the row, the vendor's name, the schema's name.
_FLAGS = {
    "": {
        "free": "free",
        "disposable": "disposable",
        "roleAccount": "role",
        "roleNoReply": "no_reply",
        "possibleSpamTrap": "spam_trap",
    },
    "syntax": {"valid": "syntax_valid"},
    "mx": {"hasRecords": "mx_found", "acceptsMail": "mx_accepts_mail"},
    "deliverability": {
        "canConnect": "smtp_connectable",
        "deliverable": "smtp_deliverable",
        "catchAll": "catch_all",
        "fullInbox": "mailbox_full",
        "disabled": "disabled",
    },
}


def _row_reader(findings: Findings) -> Callable[[dict[str, Any]], Row]:
    """Return what translates a row of the vendor's page on batch results."""
    get_flags, get_mx, get_smtp = (itemgetter(*_FLAGS[part]) for part in ("", "mx", "deliverability"))
    get_syntax = itemgetter("username", "domain", "valid")
    names = [name for part in _FLAGS.values() for name in part.values()]

    @lru_cache(maxsize=MOST_FINDINGS)
    def finding(status: Any, flags: tuple[Any, ...], valid: Any, mx: tuple[Any, ...], smtp: tuple[Any, ...]) -> Finding:
        return findings.make(status, **dict(zip(names, (*flags, valid, *mx, *smtp), strict=True)))

    def read(row: dict[str, Any]) -> Row:
        username, domain, valid = get_syntax(row["syntax"])
        found = finding(row["status"], get_flags(row), valid, get_mx(row["mx"]), get_smtp(row["deliverability"]))
        if not (username and domain and type(username) is type(domain) is str):
            return None, found
        email = f"{username}@{domain}"
        return email if email.isascii() or is_text(email) else None, found

    def read_any(row: dict[str, Any]) -> Row:
        try:
            return read(row)
        except (KeyError, TypeError):  # something is missing, or is a list or an object where it should not be
            return read(_completed(row))

    return read_any


def _completed(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row that has everything that the vendor's page shows, null where it had none."""

    def scalars(part: Any, *names: str) -> dict[str, Any]:
        values = {name: part.get(name) if isinstance(part, dict) else None for name in names}
        return {name: None if isinstance(value, dict | list) else value for name, value in values.items()}

    parts: dict[str, dict[str, Any]] = {
        part: scalars(row.get(part), *_FLAGS[part]) for part in ("mx", "deliverability")
    }
    # The page on terminology has a list of records in place of hasRecords.
    if isinstance(row.get("mx"), dict) and isinstance(records := row["mx"].get("records"), list):
        parts["mx"]["hasRecords"] = bool(records)
    parts["syntax"] = scalars(row.get("syntax"), "username", "domain", "valid")
    return {**scalars(row, "status", *_FLAGS[""]), **parts}


def _is_error(payload: JSON) -> bool:
    """
    Tell whether a 200 is an error: Proofy's errors are an object with a ``message`` and nothing of a batch.

    A status of "error" beside a message and no id is about the request, not about a batch.
    """
    if has_error(payload):
        return True
    if not isinstance(payload, dict) or "message" not in payload:
        return False
    return payload.get("status") == "error" or not payload.keys() & {"status", "id", "credits", "result"}


class ProofyHook(EmailVerifyHook):
    """
    Verify addresses with Proofy.

    :param conn_id: an Airflow connection of type ``proofy``.
    """

    conn_type = "proofy"
    hook_name = "Proofy"
    default_conn_name = "proofy_default"
    # From docs.proofy.io, "verify-batch-create". Its usage page says 50 calls an hour instead; an account that is
    # held to that sets requests_per_minute on its connection.
    site = Site("https://apis.proofy.io/v1", Key.query("api_key"), requests_per_minute=25.0)
    errors = ErrorRules(is_error=_is_error)
    # A page for a single batch is not documented.
    batch_page = "https://docs.proofy.io/api-reference/endpoint/verify-batch-status"
    max_batch_size = 10_000
    max_parallel_batches = 2
    # Published: parsing, ready. The failure words are likely ones; any other word means "not yet".
    # Rows hold an address in two parts; where one is missing, the row has no address.
    layout = Layout(words=_WORDS, rows="list", row_reader=_row_reader)
    states = {
        "parsing": BatchState.PENDING,
        "queued": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "ready": BatchState.READY,
        "failed": BatchState.FAILED,
        "error": BatchState.FAILED,
        "rejected": BatchState.FAILED,
        "canceled": BatchState.CANCELLED,
        "cancelled": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        """
        Submit addresses as one batch, and spend credits. Return the batch id.

        Source: docs.proofy.io, "verify-batch-create".

        :param emails: the addresses, 10,000 at most.
        :param name: ignored; Proofy's batches have no name.
        :raises InvalidRequestError: no addresses, or too many; nothing was sent.
        :raises SubmissionUnknownError: it may or may not have reached Proofy. It is never sent again by itself.
        """
        self.check_emails(emails)
        return self.client.spend("POST", "/verify/batch/create", _new_id, body=Json({"emails": list(emails)}))

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """
        Ask how far a batch is.

        Source: docs.proofy.io, "verify-batch-status"; only the call itself is known, not its answer.

        :param batch_id: the id that :meth:`submit_batch` returned.
        :raises BatchNotFoundError: Proofy does not know it.
        :raises TransientError: no useful answer this time.
        """
        answer = self.client.request_json("GET", self.batch_path(_BATCH, batch_id), batch_id=batch_id)
        return self.batch_status(batch_id, _member(answer, "status"))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        """
        Open the results of a ready batch: one JSON document, ``{"status": …, "list": […]}``.

        Source: the vendor's page on batch results.
        """
        path = self.batch_path(f"{_BATCH}/download", batch_id)
        with self.client.stream(path, batch_id=batch_id) as body:
            yield Download(body, JSON_TYPE)

    def check_document(self, file: VendorFile, document: JsonDocument) -> None:
        """Refuse an error, and results whose own status is not ``ready``."""
        super().check_document(file, document)
        if "status" not in document.values:
            raise UnexpectedResponseError(
                f"{file.about}: expected results with 'status' and 'list'. {UnexpectedResponseError.advice}"
            )
        require_ready(self.batch_status(file.batch_id, document.values["status"]), file.about)

    def cancel_batch(self, batch_id: str) -> None:
        """
        Stop a batch.

        Source: docs.proofy.io, "verify-batch-cancel"; what its answer holds is not known and not read.

        :param batch_id: the id that :meth:`submit_batch` returned.
        :raises BatchNotFoundError: Proofy does not know it.
        """
        self.client.send("DELETE", self.batch_path(_BATCH, batch_id), batch_id=batch_id)

    def get_credits(self) -> float:
        """
        Return the account's balance, in Proofy's credits.

        Source: docs.proofy.io, ``GET /credits``.

        :raises UnexpectedResponseError: the answer has no number of credits.
        """
        answer = self.client.request_json("GET", "/credits")
        try:
            return float(_member(answer, "credits"))
        except (TypeError, ValueError):
            raise UnexpectedResponseError(
                f"{self.client.name}: expected a number of credits, found none. {UnexpectedResponseError.advice}"
            ) from None

    def verify_email(self, email: str) -> dict[str, Any]:
        """
        Verify one address now, and spend a credit. Return Proofy's answer as it is.

        Proofy suspends accounts that verify lists in this way; submit a batch instead.
        Source: docs.proofy.io, "verify-single" and its usage page.

        :param email: the address.
        :raises SubmissionUnknownError: Proofy may or may not have charged for it. It is not sent again by itself.
        """
        self.check_emails([email])
        return self.client.spend("GET", "/verify/single", _verdict, params={"email": email})

    def probe(self) -> str:
        """Read the balance, which costs nothing and needs a valid key."""
        return f"The key is valid; the account has {self.get_credits():g} credits."


def _new_id(answer: JSON) -> str:
    return parse_id(_member(answer, "id"))


def _verdict(answer: JSON) -> dict[str, Any] | None:
    return answer if isinstance(answer, dict) and not _is_error(answer) else None


def _member(answer: JSON, name: str) -> Any:
    """Return a member of an answer, which Proofy's own documents put under ``result`` or at the top."""
    if not isinstance(answer, dict):
        return None
    inner = answer.get("result")
    return inner[name] if isinstance(inner, dict) and name in inner else answer.get(name)
