"""Mailgun's bulk validation, API v4: the client chooses the ids, and the results are a ZIP archive behind a link."""

from __future__ import annotations

import io
import json
import zipfile
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import Layout, table_of
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import in_basic
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import (
    Refusal,
    Sandbox,
    Vendor,
    accept,
    check_key,
    examined,
    find,
    upload_in,
    uploaded,
)
from airflow_provider_emailverify.sandbox.verdicts import Finding, Verdict

WORDS = {
    Phase.ACCEPTED: "processing",
    Phase.WORKING: "completed",  # and not yet to be fetched
    Phase.DONE: "uploaded",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "deleted",
}
LISTS = "/address/validate/bulk"
LINK_SECONDS = 300.0
MOST_PARALLEL = 5
_RESULTS = {
    Verdict.VALID: "deliverable",
    Verdict.INVALID: "undeliverable",
    Verdict.RISKY: "do_not_send",
    Verdict.UNKNOWN: "unknown",
}
_REASONS = {
    "rejected": "mailbox_does_not_exist",
    "disabled": "mailbox_does_not_exist",
    "no_mx": "No MX host found",
    "syntax": "failed custom grammar check",
    "disposable": "mailbox_is_disposable_address",
    "role": "mailbox_is_role_address",
    "low_quality": "high_risk_domain",
    "catch_all": "catch_all",
    "timeout": "no_data",
}


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error."""
    return JSONResponse({"message": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an account whose plan is used up, which no page describes."""
    return 402, "Validation quota exceeded"


VENDOR = Vendor(
    name="mailgun",
    prefix="/mailgun/v4",
    key_of=in_basic(user="api"),
    operations={
        ("GET", LISTS): "list",
        ("POST", LISTS + r"/(?P<batch_id>[^/]+)"): "submit",
        ("GET", LISTS + r"/(?P<batch_id>[^/]+)"): "status",
        ("DELETE", LISTS + r"/(?P<batch_id>[^/]+)"): "cancel",
    },
    error=error,
    no_credits=no_credits,
)


def result(found: Finding) -> str:
    """Return Mailgun's word for an address."""
    return "catch_all" if found.catch_all else _RESULTS[found.verdict]


LAYOUT = Layout(
    {
        "address": lambda found: found.address,
        "is_disposable_address": lambda found: found.disposable,
        "is_role_address": lambda found: found.role,
        "reason": lambda found: json.dumps([_REASONS[found.reason]] if found.reason in _REASONS else []),
        "result": result,
        "risk": lambda found: {Verdict.VALID: "low", Verdict.UNKNOWN: "unknown"}.get(found.verdict, "high"),
    }
)


def packed(batch: Batch) -> bytes:
    """Return a batch's results as a ZIP archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("results.csv", table_of(batch, LAYOUT))
    return content.getvalue()


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix + LISTS, tags=["Mailgun"])
    ledger = sandbox.ledger

    def about(request: Request, quoted_id: str) -> tuple[Batch, Phase, str]:
        return find(VENDOR, sandbox, request, unquote(quoted_id), WORDS, 404, "Job not found")

    def described(batch: Batch, word: str) -> dict[str, object]:
        return {
            "created_at": int(batch.created.timestamp()),
            "id": batch.batch_id,
            "quantity": len(batch.addresses),
            "records_processed": len(set(batch.addresses)) if word == "uploaded" else 0,
            "status": word,
        }

    @routes.get("")
    async def all_lists(request: Request) -> Response:
        check_key(VENDOR, request)
        jobs = [described(each, each.spoken(WORDS)[1]) for each in ledger.batches(VENDOR.name)]
        return JSONResponse({"jobs": jobs[: int(request.query_params.get("limit", 500))], "total": len(jobs)})

    @routes.post("/{quoted_id}")
    async def submit(request: Request, quoted_id: str) -> Response:
        key = check_key(VENDOR, request)
        batch_id = unquote(quoted_id)
        file = await upload_in(request, "file")
        if "@" in batch_id or file is None:
            raise Refusal(400, "A list id without '@' and a file are required")
        if ledger.find(VENDOR.name, batch_id):
            raise Refusal(400, "A job with this id already exists")
        at_work = [
            each for each in ledger.batches(VENDOR.name) if each.spoken(WORDS)[0] in (Phase.ACCEPTED, Phase.WORKING)
        ]
        if len(at_work) >= MOST_PARALLEL:
            raise Refusal(400, "Too many parallel jobs")
        accept(VENDOR, sandbox, key, uploaded(file.content), batch_id=batch_id, name=batch_id)
        return JSONResponse({"id": batch_id, "message": "The validation job was submitted."}, 202)

    @routes.get("/{quoted_id}")
    async def status(request: Request, quoted_id: str) -> Response:
        batch, phase, word = about(request, quoted_id)
        answer = described(batch, word)
        if phase is Phase.DONE:
            await examined(batch)
            answer["download_url"] = {
                name: sandbox.links.hand_out(
                    request,
                    VENDOR.name,
                    batch.batch_id,
                    f"results.{name}.zip",
                    seconds=LINK_SECONDS,
                    content=lambda: packed(batch),
                )
                for name in ("csv", "json")
            }
        return JSONResponse(answer)

    @routes.delete("/{quoted_id}")
    async def cancel(request: Request, quoted_id: str) -> Response:
        about(request, quoted_id)[0].state = Phase.CANCELLED
        return JSONResponse({"message": "Validation job canceled."})

    return routes
