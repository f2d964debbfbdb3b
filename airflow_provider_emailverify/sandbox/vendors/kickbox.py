"""Kickbox's API v2: batches are sent as lines, and fetched by a link that is good for an hour."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import PLAIN_WORDS, Layout, plain_reason, table_of
from airflow_provider_emailverify.sandbox.ledger import Phase
from airflow_provider_emailverify.sandbox.sent import SENT, first_of, in_header, in_query
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
    uploaded,
)
from airflow_provider_emailverify.sandbox.verdicts import Verdict

WORDS = {Phase.ACCEPTED: "starting", Phase.WORKING: "processing", Phase.DONE: "completed", Phase.FAILED: "failed"}
BATCHES = "/verify-batch"
LINK_SECONDS = 3_600.0


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error."""
    return JSONResponse({"success": False, "message": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account, which has the status of a refused key."""
    return 403, "Insufficient balance"


VENDOR = Vendor(
    name="kickbox",
    prefix="/kickbox/v2",
    key_of=first_of(in_header("authorization", "token ", "Bearer "), in_query("apikey")),
    operations={
        ("PUT", BATCHES): "submit",
        ("GET", BATCHES + r"/(?P<batch_id>[^/]+)"): "status",
        ("GET", "/balance"): "credits",
        ("GET", "/verify"): "single",
    },
    error=error,
    no_credits=no_credits,
)
LAYOUT = Layout(
    {
        "Email": lambda found: found.address,
        "Result": lambda found: PLAIN_WORDS[found.verdict],
        "Reason": plain_reason,
        "Role": lambda found: found.role,
        "Free": lambda found: found.free,
        "Disposable": lambda found: found.disposable,
        "Accept All": lambda found: found.catch_all,
        "Sendex": lambda found: 1 if found.verdict is Verdict.VALID else 0,
    }
)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["Kickbox"])
    ledger = sandbox.ledger

    @routes.put(BATCHES)
    async def submit(request: Request) -> Response:
        key = check_key(VENDOR, request)
        sent = request.scope[SENT]
        if not sent.headers.get("content-type", "").startswith("text/csv"):
            raise Refusal(415, "Unsupported media type")
        name = unquote(sent.headers.get("x-kickbox-filename", ""))
        number = str(1_000 + len(ledger.batches(VENDOR.name)))
        emails = uploaded(sent.body, column=0, has_header=False, escape="\\")
        accept(VENDOR, sandbox, key, emails, name=name, batch_id=number)
        return JSONResponse({"id": int(number), "success": True, "message": None})

    @routes.get(BATCHES + "/{quoted_id}")
    async def status(request: Request, quoted_id: str) -> Response:
        batch, phase, word = find(VENDOR, sandbox, request, unquote(quoted_id), WORDS, 404, "Not found")
        answer: dict[str, object] = {"id": batch.batch_id, "name": batch.name, "status": word, "success": True}
        if phase is Phase.FAILED:
            answer["error"] = "The file could not be processed"
        if phase is Phase.DONE:
            await examined(batch)
            answer["download_url"] = sandbox.links.hand_out(
                request,
                VENDOR.name,
                batch.batch_id,
                "results.csv",
                seconds=LINK_SECONDS,
                content=lambda: table_of(batch, LAYOUT),
            )
        return JSONResponse(answer)

    @routes.get("/balance")
    async def balance(request: Request) -> Response:
        left = credits_of(VENDOR, sandbox, request)
        return JSONResponse({"balance": left, "success": True, "message": None})

    return routes
