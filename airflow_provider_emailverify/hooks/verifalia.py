"""
Verifalia (https://verifalia.com), API v2.6.

Known from the vendor's clients, of which that for Node drives the sandbox in a test. Not published: limits, and the
header of the CSV export: the names of the documented rows are taken, and a connection's ``column_map`` says others.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus, parse_id
from airflow_provider_emailverify.connections import TABLE_EXTRAS
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.http.auth import Key, Site
from airflow_provider_emailverify.http.bodies import Json
from airflow_provider_emailverify.http.errors import JSON, ErrorRules, problem_message
from airflow_provider_emailverify.results.findings import reasons_by_word
from airflow_provider_emailverify.results.layout import CSV_TYPE, JSON_TYPE, Layout, VendorFile
from airflow_provider_emailverify.results.likely import PLAIN_WORDS
from airflow_provider_emailverify.results.schema import Reason

if TYPE_CHECKING:
    from airflow_provider_emailverify.formats.json_file import JsonDocument

_JOBS = "/email-validations"
_LOOK_BACK = timedelta(days=30)  # for a lost submission: a task may be cleared weeks after it failed
_MOST_PAGES = 200
# The words of the status of an address. Others come without notice; the verdict's own reason then stands.
_REASONS = reasons_by_word(
    {
        Reason.ACCEPTED: "success",
        Reason.DUPLICATE: "duplicate",
        Reason.CATCH_ALL: "serveriscatchall",
        Reason.ROLE: "localpartiswellknownroleaccount",
        Reason.MAILBOX_FULL: "mailboxhasinsufficientstorage",
        Reason.SPAM_TRAP: "mailexchangerishoneypot",
        Reason.LOW_QUALITY: "mailexchangerisparked",
        Reason.VENDOR_ERROR: "unhandledexception",
        Reason.DISPOSABLE: "domainiswellknowndea mailexchangeriswellknowndea mailboxisdea",
        Reason.REJECTED: "mailboxdoesnotexist serverdoesnotsupportinternationalmailboxes",
        Reason.NO_MX: "domaindoesnotexist domainhasnullmx domainismisconfigured",
        Reason.TIMEOUT: "dnsquerytimeout smtpconnectiontimeout mailboxvalidationtimeout catchallvalidationtimeout",
        Reason.NO_CONNECT: "dnsconnectionfailure smtpconnectionfailure mailboxconnectionfailure smtpdialogerror "
        "catchallconnectionfailure localsenderaddressrejected localendpointrejected",
        Reason.GREYLISTED: "mailboxtemporarilyunavailable servertemporaryunavailable",
        Reason.INVALID_SYNTAX: "unmatchedquotedpair unexpectedquotedpairsequence invalidwordboundarystart "
        "invalidcharacterinsequence unbalancedcommentparenthesis doubledotsequence invalidlocalpartlength "
        "invalidfoldingwhitespacesequence atsignnotfound invalidemptyquotedword invalidaddresslength "
        "domainpartcompliancyfailure ispspecificsyntaxfailure unacceptabledomainliteral",
    }
)


def _overview(answer: JSON) -> Any:
    """Return the overview of a job, which stands in an answer or is the answer."""
    return answer.get("overview", answer) if isinstance(answer, dict) else answer


def _new_id(answer: JSON) -> str:
    overview = _overview(answer)
    return parse_id(overview.get("id")) if isinstance(overview, dict) else ""


class VerifaliaHook(EmailVerifyHook):
    """
    Verify addresses with Verifalia. The key is an app's, or ``user:password`` of a sub-account.

    :param conn_id: an Airflow connection of type ``verifalia``.
    """

    conn_type = "verifalia"
    hook_name = "Verifalia"
    default_conn_name = "verifalia_default"
    # Its clients take any of api-1, api-2 and api-3; the connection's Host picks another one.
    site = Site("https://api-1.verifalia.com/v2.6", Key.basic("{key}:"))
    errors = ErrorRules(message_of=problem_message)
    extras = TABLE_EXTRAS
    judged_by = "its client verifalia 5.0.0"
    layout = Layout(
        rows="data",
        columns={
            "email": ("inputdata", "emailaddress", "email"),
            "verdict": ("classification",),
            "reason": ("status",),
            "disposable": ("isdisposableemailaddress", "disposable"),
            "free": ("isfreeemailaddress", "free"),
            "role": ("isroleaccount", "roleaccount"),
        },
        words=PLAIN_WORDS,
        reasons=_REASONS,
    )
    states = {
        "inprogress": BatchState.RUNNING,
        "completed": BatchState.READY,
        "deleted": BatchState.CANCELLED,
        "expired": BatchState.FAILED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        self.check_emails(emails)
        entries = [{"inputData": email} for email in emails]
        job = {"entries": entries, "name": name or f"airflow-{uuid.uuid4()}", "deduplication": "Off"}
        return self.client.spend("POST", _JOBS, _new_id, params={"waitTime": "0"}, body=Json(job))

    def find_batch(self, name: str) -> str | None:
        # Source: its clients. Jobs come oldest first, by the day they were created; a cursor stands for that choice.
        params = {"createdOn:since": f"{datetime.now(UTC) - _LOOK_BACK:%Y-%m-%d}"}
        for _ in range(_MOST_PAGES):
            answer = self.client.request_json("GET", _JOBS, params=params)
            jobs, meta = self.member(answer, "data"), self.member(answer, "meta") or {}
            if not isinstance(jobs, list) or not isinstance(meta, dict):
                break
            overviews = [job for job in map(_overview, jobs) if isinstance(job, dict)]
            if ids := [_new_id(job) for job in overviews if job.get("name") == name]:
                return ids[0]
            if not meta.get("isTruncated") and len(overviews) == len(jobs):
                return None
            before, params = params, {"cursor": str(meta.get("cursor") or "")}
            if params["cursor"] in ("", before.get("cursor")):
                break
        raise UnexpectedResponseError.advised(f"{self.client.name}: the list of jobs cannot be read to its end.")

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        path = self.batch_path(f"{_JOBS}/{{id}}/overview", batch_id)
        overview = _overview(self.client.request_json("GET", path, batch_id=batch_id))
        return self.batch_status(batch_id, self.member(overview, "status", batch_id))

    def download_results(self, batch_id: str, options: None = None) -> AbstractContextManager[Download]:
        path = self.batch_path(f"{_JOBS}/{{id}}/entries", batch_id)
        return self.open_when_ready(path, batch_id, CSV_TYPE, JSON_TYPE, headers={"Accept": CSV_TYPE})

    def check_document(self, file: VendorFile, document: JsonDocument) -> None:
        """Refuse an error, and a page that is not the last."""
        super().check_document(file, document)
        meta = document.values.get("meta")
        if "data" not in document.lists or (isinstance(meta, dict) and meta.get("isTruncated")):
            raise UnexpectedResponseError.advised(f"{file.about}: expected the whole export, found a page of JSON.")

    def cancel_batch(self, batch_id: str) -> None:
        self.client.send("DELETE", self.batch_path(f"{_JOBS}/{{id}}", batch_id), batch_id=batch_id)

    def get_credits(self) -> float:
        balance = self.client.request_json("GET", "/credits/balance")
        return sum(self.number(self.member(balance, name) or 0, "credits") for name in ("creditPacks", "freeCredits"))
