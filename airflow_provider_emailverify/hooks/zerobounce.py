"""
ZeroBounce (https://www.zerobounce.net), API v2.

Known from the vendor's documentation and the source of its Python client. Not published: whether a file can be
downloaded in part (so the status is asked for first), all words of states, and those of errors. Files cannot be found
by their name, so a lost answer leaves a batch in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, emails_as_csv, read_batch_id
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    InsufficientCreditsError,
    InvalidRequestError,
)
from airflow_provider_emailverify.hooks.answers import id_in, verdict_with
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Form
from airflow_provider_emailverify.http.errors import CREDIT_WORDS, JSON, ErrorRules, error_message
from airflow_provider_emailverify.results.findings import reasons_by_word
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout
from airflow_provider_emailverify.results.likely import VALID_WORDS
from airflow_provider_emailverify.results.schema import Reason, Verdict

_KEY = Key.query("api_key", body="api_key")
# The balance is asked for at another address, which has a limit of its own. None is documented for it.
_REAL_TIME = Site("https://api.zerobounce.net/v2", _KEY)
_WORDS = {
    **VALID_WORDS,
    "catchall": (Verdict.RISKY, Reason.CATCH_ALL),
    "spamtrap": (Verdict.RISKY, Reason.SPAM_TRAP),
    "abuse": (Verdict.RISKY, Reason.COMPLAINER),
    "donotmail": (Verdict.RISKY, Reason.DO_NOT_SEND),
}
# Other words come without notice; the verdict's own reason then stands.
_REASONS = reasons_by_word(
    {
        Reason.DISPOSABLE: "disposable",
        Reason.ROLE: "rolebased rolebasedcatchall rolebasedacceptall",
        Reason.CATCH_ALL: "acceptall",
        Reason.SPAM_TRAP: "possibletrap",
        Reason.REJECTED: "mailboxnotfound",
        Reason.MAILBOX_FULL: "mailboxquotaexceeded",
        Reason.NO_MX: "nodnsentries doesnotacceptmail unroutableipaddress",
        Reason.INVALID_SYNTAX: "failedsyntaxcheck",
        Reason.NO_CONNECT: "failedsmtpconnection forcibledisconnect",
        Reason.TIMEOUT: "timeoutexceeded mailserverdidnotrespond",
        Reason.VENDOR_ERROR: "mailservertemporaryerror exceptionoccurred",
        Reason.GREYLISTED: "greylisted",
    }
)


def _code(payload: JSON) -> str:
    """Tell what an error is by its words: ZeroBounce has no codes, and most of its errors come with a 200."""
    words = error_message(payload).lower()
    if "api key" in words or "apikey" in words:
        return "key"
    if not isinstance(payload, dict) or str(payload.get("success")).lower() != "false":
        return ""
    if CREDIT_WORDS.search(words):
        return "credits"
    return "file" if "not found" in words or "cannot be found" in words else "refused"


class ZeroBounceHook(EmailVerifyHook):
    """
    Verify addresses with ZeroBounce.

    :param conn_id: an Airflow connection of type ``zerobounce``.
    """

    conn_type = "zerobounce"
    hook_name = "ZeroBounce"
    default_conn_name = "zerobounce_default"
    batch_name = "{name}.csv"
    # More than 250 a minute shut the account out for an hour.
    site = Site("https://bulkapi.zerobounce.net/v2", _KEY, requests_per_minute=200.0)
    errors = ErrorRules(
        codes={
            "key": AuthenticationError,  # "Invalid API key or your account ran out of credits": one text for both
            "credits": InsufficientCreditsError,
            "file": BatchNotFoundError,
            "refused": InvalidRequestError,
        },
        code_statuses=frozenset({200, 400}),
        code_of=_code,
    )
    extras = TABLE_EXTRAS
    judged_by = "its documentation and the source of its Python client"
    test_mode = "addresses of example.com that ZeroBounce lists, free of charge"
    layout = Layout(
        columns={
            "email": ("email", "emailaddress"),
            "verdict": ("zbstatus",),
            "reason": ("zbsubstatus",),
            "mx_found": ("zbmxfound",),
            "free": ("zbfreeemail",),
        },
        words=_WORDS,
        reasons=_REASONS,
    )
    states = {
        "queued": BatchState.PENDING,
        **dict.fromkeys(("in progress", "processing"), BatchState.RUNNING),
        "complete": BatchState.READY,
        "failed": BatchState.FAILED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        # Source: docs, "v2-send-file". By default it removes duplicates, and refuses a file that is half of them.
        self.check_emails(emails)
        fields = {"email_address_column": "1", "has_header_row": "true", "remove_duplicate": "false"}
        file = (f"{name or 'airflow'}.csv", emails_as_csv(emails), CSV_TYPE)
        return self.client.spend("POST", "/sendfile", id_in("file_id"), body=Form(fields, files={"file": file}))

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        # Source: docs, "v2-file-status".
        params = {"file_id": read_batch_id(batch_id)}
        answer = self.client.request_json("GET", "/filestatus", batch_id=batch_id, params=params)
        return self.batch_status(batch_id, self.member(answer, "file_status", batch_id))

    def download_results(self, batch_id: str, options: None = None) -> AbstractContextManager[Download]:
        # Source: docs, "v2-get-file". An error is JSON, with a 200.
        return self.open_when_ready("/getfile", batch_id, CSV_TYPE, params={"file_id": read_batch_id(batch_id)})

    def get_credits(self) -> float:
        # Source: docs, "get-credits": text, and -1 where the key is wrong.
        balance = self.number(self.member(self.at(_REAL_TIME).request_json("GET", "/getcredits"), "Credits"), "credits")
        if balance < 0:
            raise AuthenticationError.advised(f"{self.client.name} has no account for the key.")
        return balance

    def verify_email(self, email: str) -> dict[str, Any]:
        # Source: docs, "v2-validate-emails".
        self.check_emails([email])
        params = {"email": email, "ip_address": ""}
        return self.at(_REAL_TIME).spend("GET", "/validate", verdict_with("status"), params=params)
