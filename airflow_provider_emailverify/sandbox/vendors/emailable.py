"""Emailable's API v1, which has no word for the state of a batch."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import PLAIN_WORDS, Layout, plain_reason, rows_of, table_of
from airflow_provider_emailverify.sandbox.ledger import Phase
from airflow_provider_emailverify.sandbox.sent import SENT, first_of, in_body, in_header, in_query
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

WORDS = {Phase.ACCEPTED: "fresh", Phase.WORKING: "running", Phase.DONE: "done", Phase.FAILED: "running"}
INLINE_MOST = 1_000
"""Addresses whose results stand in the answer; more are behind a link."""

LINK_SECONDS = 3_600.0


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error."""
    return JSONResponse({"error": message} if status == 200 else {"message": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 402, "Insufficient credits"


VENDOR = Vendor(
    name="emailable",
    prefix="/emailable/v1",
    key_of=first_of(in_header("authorization", "Bearer "), in_query("api_key"), in_body("api_key")),
    operations={
        ("POST", "/batch"): "submit",
        ("GET", "/batch"): "status",
        ("GET", "/account"): "credits",
        ("GET", "/verify"): "single",
    },
    error=error,
    no_credits=no_credits,
    batch_parameter="id",
)


LAYOUT = Layout(
    {
        "email": lambda found: found.address,
        "state": lambda found: PLAIN_WORDS[found.verdict],
        "reason": plain_reason,
        "score": lambda found: 100 if found.verdict is Verdict.VALID else 0,
        "domain": lambda found: found.domain,
        "disposable": lambda found: found.disposable,
        "accept_all": lambda found: found.catch_all,
        "role": lambda found: found.role,
        "free": lambda found: found.free,
        "mailbox_full": lambda found: found.full_inbox,
        "no_reply": lambda found: found.no_reply,
    }
)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["Emailable"])

    @routes.post("/batch")
    async def submit(request: Request) -> Response:
        key = check_key(VENDOR, request)
        sent = request.scope[SENT]
        if sent.headers.get("content-type", "").startswith("application/json"):
            emails = (await request.json()).get("emails")
        else:
            emails = sent.fields.get("emails", "").split(",")
        if not isinstance(emails, list) or not emails or not all(emails):
            raise Refusal(400, "emails is required")
        batch = accept(VENDOR, sandbox, key, emails)
        return JSONResponse({"message": "Batch successfully created.", "id": batch.batch_id})

    @routes.get("/batch")
    async def status(request: Request) -> Response:
        batch_id = request.query_params.get("id", "")
        batch, phase, _ = find(VENDOR, sandbox, request, batch_id, WORDS, 404, "Batch not found")
        total = len(batch.addresses)
        if phase is Phase.ACCEPTED:
            return JSONResponse({"message": "Your batch is being processed."}, 249)
        if phase is not Phase.DONE:
            return JSONResponse({"message": "Your batch is being processed.", "processed": total // 2, "total": total})
        if batch.content is not None:
            return Response(batch.content, media_type="application/json")
        await examined(batch)
        counts = {"total_counts": {"processed": total, "total": total}, "reason_counts": {}}
        if total <= INLINE_MOST:
            return JSONResponse({"id": batch.batch_id, "emails": rows_of(batch, LAYOUT), **counts})
        link = sandbox.links.hand_out(
            request,
            VENDOR.name,
            batch.batch_id,
            "results.csv",
            seconds=LINK_SECONDS,
            content=lambda: table_of(batch, LAYOUT),
        )
        return JSONResponse({"id": batch.batch_id, "download_file": link, **counts})

    @routes.get("/account")
    async def account(request: Request) -> Response:
        left = credits_of(VENDOR, sandbox, request)
        return JSONResponse({"owner_email": "owner@example.com", "available_credits": left})

    return routes
