"""Bouncer's API v1.1, as its documentation describes it."""

from __future__ import annotations

import json
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import PLAIN_WORDS, Layout, plain_reason, rows_of
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import SENT, first_of, in_basic, in_header
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

WORDS = {Phase.ACCEPTED: "queued", Phase.WORKING: "processing", Phase.DONE: "completed", Phase.FAILED: "failed"}
BATCHES = "/email/verify/batch"


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error."""
    return JSONResponse({"status": str(status), "error": message, "message": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 402, "0 credits left"


VENDOR = Vendor(
    name="bouncer",
    prefix="/bouncer/v1.1",
    key_of=first_of(in_header("x-api-key"), in_basic(user="")),
    operations={
        ("POST", BATCHES): "submit",
        ("GET", BATCHES + r"/(?P<batch_id>[^/]+)"): "status",
        ("GET", BATCHES + r"/(?P<batch_id>[^/]+)/download"): "download",
        ("DELETE", BATCHES + r"/(?P<batch_id>[^/]+)"): "delete",
        ("GET", "/email/verify"): "single",
        ("GET", "/credits"): "credits",
    },
    error=error,
    no_credits=no_credits,
)


def _said(value: bool) -> str:
    return "yes" if value else "no"


LAYOUT = Layout(
    {
        "email": lambda found: found.address,
        "status": lambda found: PLAIN_WORDS[found.verdict],
        "reason": plain_reason,
        "domain": lambda found: {
            "name": found.domain,
            "acceptAll": _said(found.catch_all),
            "disposable": _said(found.disposable),
            "free": _said(found.free),
        },
        "account": lambda found: {
            "role": _said(found.role),
            "disabled": _said(found.disabled) if found.can_connect else "unknown",
            "fullMailbox": _said(found.full_inbox),
        },
        "dns": lambda found: {"type": "MX" if found.has_mx else "", "record": ""},
        "provider": lambda _found: "other",
        "score": lambda found: 100 if found.verdict is Verdict.VALID else 0,
        "toxic": lambda _found: "unknown",
        "toxicity": lambda _found: 0,
    }
)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["Bouncer"])

    def about(request: Request, quoted_id: str) -> tuple[Batch, Phase, str]:
        return find(VENDOR, sandbox, request, unquote(quoted_id), WORDS, 404, "Not found")

    @routes.post(BATCHES)
    async def create(request: Request) -> Response:
        key = check_key(VENDOR, request)
        try:
            emails = [entry["email"] for entry in json.loads(request.scope[SENT].body)]
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "Bad request") from None
        batch = accept(VENDOR, sandbox, key, emails)
        answer = {"batchId": batch.batch_id, "created": batch.created.isoformat(), "status": "queued"}
        return JSONResponse({**answer, "quantity": len(emails), "duplicates": 0})

    @routes.get(BATCHES + "/{quoted_id}")
    async def status(request: Request, quoted_id: str) -> Response:
        batch, _, word = about(request, quoted_id)
        return JSONResponse(
            {"batchId": batch.batch_id, "status": word, "quantity": len(batch.addresses), "duplicates": 0}
        )

    @routes.get(BATCHES + "/{quoted_id}/download")
    async def download(request: Request, quoted_id: str) -> Response:
        batch, phase, _ = about(request, quoted_id)
        if phase is not Phase.DONE:
            raise Refusal(409, "Batch is not completed")
        if batch.content is not None:
            return Response(batch.content, media_type="application/json")
        await examined(batch)
        return JSONResponse(rows_of(batch, LAYOUT))

    @routes.delete(BATCHES + "/{quoted_id}")
    async def delete(request: Request, quoted_id: str) -> Response:
        batch, phase, _ = about(request, quoted_id)
        if phase is not Phase.DONE:
            raise Refusal(405, "Batch cannot be deleted in current state")
        batch.content = b"[]"
        return Response(status_code=204)

    @routes.get("/credits")
    async def credits_left(request: Request) -> Response:
        return JSONResponse({"credits": credits_of(VENDOR, sandbox, request)})

    return routes
