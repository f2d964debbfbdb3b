"""
Proofy (https://proofy.io), API 1.1.0.

Known from the vendor's page on batch results: base URL, key in the query, the shape of the results and of errors.
Known from its other pages: submission, single verification, credits, limits. The status answer is not published
beyond its ``status`` member; so are the words it can hold, other than ``parsing`` and ``ready``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, parse_id, require_ready
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.http.errors import JSON, ErrorRules, has_error
from airflow_provider_emailverify.results.layout import JSON_TYPE, Layout, VendorFile
from airflow_provider_emailverify.results.likely import VALID_WORDS
from airflow_provider_emailverify.results.nested_rows import NestedRows
from airflow_provider_emailverify.results.schema import Verdict

if TYPE_CHECKING:
    from airflow_provider_emailverify.formats.json_file import JsonDocument

_BATCH = "/verify/batch/{id}"
# From docs.proofy.io, "terminology".
_WORDS = {**VALID_WORDS, "risky": (Verdict.RISKY, None)}
_ROWS = NestedRows(
    word="status",
    address=("syntax", "username", "domain"),
    # The page on terminology has a list of records in place of hasRecords.
    lists={"mx": {"records": "hasRecords"}},
    flags={
        "free": "free",
        "disposable": "disposable",
        "roleAccount": "role",
        "roleNoReply": "no_reply",
        "possibleSpamTrap": "spam_trap",
    },
    parts={
        "syntax": {"valid": "syntax_valid"},
        "mx": {"hasRecords": "mx_found", "acceptsMail": "mx_accepts_mail"},
        "deliverability": {
            "canConnect": "smtp_connectable",
            "deliverable": "smtp_deliverable",
            "catchAll": "catch_all",
            "fullInbox": "mailbox_full",
            "disabled": "disabled",
        },
    },
)


def _is_error(payload: JSON) -> bool:
    """Tell whether a 200 is an error: one has a ``message``, and nothing of a batch or the status "error" beside it."""
    is_message = isinstance(payload, dict) and "message" in payload
    has_batch = is_message and payload.keys() & {"status", "id", "credits", "result"}
    return has_error(payload) or (is_message and (payload.get("status") == "error" or not has_batch))


class ProofyHook(EmailVerifyHook):
    """
    Verify addresses with Proofy.

    :param conn_id: an Airflow connection of type ``proofy``.
    """

    conn_type = "proofy"
    hook_name = "Proofy"
    default_conn_name = "proofy_default"
    batch_name = None
    # From docs.proofy.io, "verify-batch-create". Its usage page says 50 calls an hour instead; an account that is
    # held to that sets requests_per_minute on its connection.
    site = Site("https://apis.proofy.io/v1", Key.query("api_key"), requests_per_minute=25.0)
    errors = ErrorRules(is_error=_is_error)
    max_batch_size = 10_000  # of which it works on two at a time, and keeps others in a queue
    # Published: parsing, ready. The failure words are likely ones; any other word means "not yet".
    # Rows hold an address in two parts; where one is missing, the row has no address.
    layout = Layout(words=_WORDS, rows="list", row_reader=_ROWS)
    states = {
        **dict.fromkeys(("parsing", "queued"), BatchState.PENDING),
        "processing": BatchState.RUNNING,
        "ready": BatchState.READY,
        **dict.fromkeys(("failed", "error", "rejected"), BatchState.FAILED),
        **dict.fromkeys(("canceled", "cancelled"), BatchState.CANCELLED),
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs.proofy.io, "verify-batch-create". Batches have no name.
        self.check_emails(emails)
        return self.client.spend("POST", "/verify/batch/create", _new_id, body=Json({"emails": list(emails)}))

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs.proofy.io, "verify-batch-status"; only the call itself is known, not its answer.
        answer = self.client.request_json("GET", self.batch_path(_BATCH, batch_id), batch_id=batch_id)
        return self.batch_status(batch_id, _member(answer, "status"))

    @contextmanager
    def download_results(self, batch_id: str, options: None = None) -> Iterator[Download]:
        # Source: the vendor's page on batch results: one JSON document, {"status": …, "list": […]}.
        path = self.batch_path(f"{_BATCH}/download", batch_id)
        with self.client.stream(path, batch_id=batch_id) as body:
            yield Download(body, JSON_TYPE)

    def check_document(self, file: VendorFile, document: JsonDocument) -> None:
        """Refuse an error, and results whose own status is not ``ready``."""
        super().check_document(file, document)
        if "status" not in document.values:
            raise UnexpectedResponseError.advised(f"{file.about}: expected results with 'status' and 'list'.")
        require_ready(self.batch_status(file.batch_id, document.values["status"]), file.about)

    def cancel_batch(self, batch_id: str) -> None:
        # Source: docs.proofy.io, "verify-batch-cancel"; what its answer holds is not known and not read.
        self.client.send("DELETE", self.batch_path(_BATCH, batch_id), batch_id=batch_id)

    def get_credits(self) -> float:
        # Source: docs.proofy.io, GET /credits.
        return self.number(_member(self.client.request_json("GET", "/credits"), "credits"), "credits")

    def verify_email(self, email: str) -> dict[str, Any]:
        """
        Verify one address now, and spend a credit. Return Proofy's answer as it is.

        Proofy suspends accounts that verify lists in this way; submit a batch instead.
        Source: docs.proofy.io, "verify-single" and its usage page.
        """
        self.check_emails([email])
        return self.client.spend("GET", "/verify/single", _verdict, params={"email": email})


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
