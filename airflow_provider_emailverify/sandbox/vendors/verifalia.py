"""Verifalia's API v2.6, as its clients speak it."""

from __future__ import annotations

import json
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import Layout, as_rows, rows_of, table_of
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import SENT, in_basic
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import (
    Refusal,
    Sandbox,
    Vendor,
    accept,
    check_key,
    credits_of,
    examined,
    find,
)
from airflow_provider_emailverify.sandbox.verdicts import Verdict

WORDS = {
    Phase.ACCEPTED: "InProgress",
    Phase.WORKING: "InProgress",
    Phase.DONE: "Completed",
    Phase.FAILED: "Expired",
    Phase.CANCELLED: "Deleted",
}
JOBS = "/email-validations"
PAGE = 3
_CLASSES = {
    Verdict.VALID: "Deliverable",
    Verdict.INVALID: "Undeliverable",
    Verdict.RISKY: "Risky",
    Verdict.UNKNOWN: "Unknown",
}
_STATUS = {
    "accepted": "Success",
    "role": "LocalPartIsWellKnownRoleAccount",
    "rejected": "MailboxDoesNotExist",
    "disabled": "MailboxDoesNotExist",
    "no_mx": "DomainDoesNotExist",
    "syntax": "InvalidCharacterInSequence",
    "catch_all": "ServerIsCatchAll",
    "full_inbox": "MailboxHasInsufficientStorage",
    "disposable": "DomainIsWellKnownDea",
    "spam_trap": "MailExchangerIsHoneypot",
    "timeout": "SmtpConnectionTimeout",
}


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error as a problem document (RFC 9457)."""
    if status == 200:
        return JSONResponse({"error": message})
    return JSONResponse({"type": "about:blank", "title": message, "status": status}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 402, "Payment required: insufficient credits"


VENDOR = Vendor(
    name="verifalia",
    prefix="/verifalia/v2.6",
    key_of=in_basic(),
    operations={
        ("POST", JOBS): "submit",
        ("GET", JOBS): "find",
        ("GET", JOBS + r"/(?P<batch_id>[^/]+)/overview"): "status",
        ("GET", JOBS + r"/(?P<batch_id>[^/]+)"): "status",
        ("GET", JOBS + r"/(?P<batch_id>[^/]+)/entries"): "download",
        ("DELETE", JOBS + r"/(?P<batch_id>[^/]+)"): "cancel",
        ("GET", "/credits/balance"): "credits",
    },
    error=error,
    no_credits=no_credits,
)
LAYOUT = Layout(
    {
        "inputData": lambda found: found.address,
        "status": lambda found: _STATUS.get(found.reason, "AtSignNotFound"),
        "classification": lambda found: _CLASSES[found.verdict],
        "isDisposableEmailAddress": lambda found: found.disposable,
        "isFreeEmailAddress": lambda found: found.free,
        "isRoleAccount": lambda found: found.role,
    }
)


def overview(batch: Batch, word: str) -> dict[str, object]:
    """Return the overview of a job."""
    done = word == "Completed"
    return {
        "id": batch.batch_id,
        "name": batch.name,
        "createdOn": batch.created.isoformat(),
        "status": word,
        "noOfEntries": len(batch.addresses),
        "progress": {"percentage": 1 if done else 0.5},
    }


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["Verifalia"])
    ledger = sandbox.ledger

    def about(request: Request, quoted_id: str) -> tuple[Batch, Phase, str]:
        return find(VENDOR, sandbox, request, unquote(quoted_id), WORDS, 404, "Not Found")

    @routes.post(JOBS)
    async def submit(request: Request) -> Response:
        key = check_key(VENDOR, request)
        try:
            job = json.loads(request.scope[SENT].body)
            emails = [entry["inputData"] for entry in job["entries"]]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "entries is required") from None
        batch = accept(VENDOR, sandbox, key, emails, name=job.get("name", ""))
        return JSONResponse({"overview": overview(batch, WORDS[Phase.ACCEPTED]), "entries": None}, 202)

    @routes.get(JOBS)
    async def jobs(request: Request) -> Response:
        check_key(VENDOR, request)
        # Oldest first, by any choice but that of the name; the cursor stands for the choice.
        since, _, start = request.query_params.get("cursor", "").partition(".")
        since = since or request.query_params.get("createdOn:since", "")
        chosen = [each for each in ledger.batches(VENDOR.name) if each.created.date().isoformat() >= since]
        end = int(start or 0) + PAGE
        shown = [overview(each, each.spoken(WORDS)[1]) for each in chosen[end - PAGE : end]]
        return JSONResponse({"meta": {"isTruncated": end < len(chosen), "cursor": f"{since}.{end}"}, "data": shown})

    @routes.get(JOBS + "/{quoted_id}/overview")
    async def status(request: Request, quoted_id: str) -> Response:
        batch, phase, word = about(request, quoted_id)
        return JSONResponse(overview(batch, word), 200 if phase is Phase.DONE else 202)

    @routes.get(JOBS + "/{quoted_id}")
    async def job(request: Request, quoted_id: str) -> Response:
        batch, phase, word = about(request, quoted_id)
        entries = None
        if phase is Phase.DONE:
            await examined(batch)
            entries = {"meta": {"isTruncated": False}, "data": as_rows(batch.findings, LAYOUT)}
        return JSONResponse(
            {"overview": overview(batch, word), "entries": entries}, 200 if phase is Phase.DONE else 202
        )

    @routes.get(JOBS + "/{quoted_id}/entries")
    async def entries(request: Request, quoted_id: str) -> Response:
        batch, phase, _ = about(request, quoted_id)
        if phase is not Phase.DONE:
            return JSONResponse({"meta": {"isTruncated": False}, "data": []}, 202)
        await examined(batch)
        rows = rows_of(batch, LAYOUT)
        if "text/csv" not in request.headers.get("accept", ""):
            return JSONResponse({"meta": {"isTruncated": False}, "data": rows})
        return Response(table_of(batch, LAYOUT), media_type="text/csv")

    @routes.delete(JOBS + "/{quoted_id}")
    async def cancel(request: Request, quoted_id: str) -> Response:
        about(request, quoted_id)[0].state = Phase.CANCELLED
        return Response(status_code=200)

    @routes.get("/credits/balance")
    async def balance(request: Request) -> Response:
        left = credits_of(VENDOR, sandbox, request)
        return JSONResponse({"creditPacks": left, "freeCredits": 0, "freeCreditsResetIn": "09:00:00"})

    return routes
