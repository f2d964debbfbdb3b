"""NeverBounce's API v4.2, whose errors are all a 200."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import Layout, as_csv, as_rows
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import SENT, first_of, in_body, in_query
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
from airflow_provider_emailverify.sandbox.verdicts import Finding, Verdict

WORDS = {
    Phase.ACCEPTED: "queued",
    Phase.WORKING: "running",
    Phase.DONE: "complete",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "deleted",
}
_ERRORS = {401: "auth_failure", 403: "auth_failure", 429: "throttle_triggered", 500: "temp_unavail"}
_NEVER_STARTED = "waiting"


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error."""
    word = _ERRORS.get(min(status, 500), "general_failure")
    return JSONResponse({"status": word, "message": message, "execution_time": 1})


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 402, "Insufficient credits to run this job"


VENDOR = Vendor(
    name="neverbounce",
    prefix="/neverbounce/v4.2",
    key_of=first_of(in_query("key"), in_body("key")),
    operations={
        (method, path): operation
        for method in ("GET", "POST")
        for path, operation in {
            "/jobs/create": "submit",
            "/jobs/status": "status",
            "/jobs/download": "download",
            "/jobs/search": "find",
            "/account/info": "credits",
            "/single/check": "single",
        }.items()
    },
    error=error,
    no_credits=no_credits,
    batch_parameter="job_id",
)
SEGMENTS = {"valid": "valids", "invalid": "invalids", "catchall": "catchalls", "unknown": "unknowns"}


def result(found: Finding) -> str:
    """Return NeverBounce's word for an address."""
    if found.disposable:
        return "disposable"
    return {
        Verdict.VALID: "valid",
        Verdict.INVALID: "invalid",
        Verdict.RISKY: "catchall",
        Verdict.UNKNOWN: "unknown",
    }[found.verdict]


APPENDED = Layout(
    {
        "email_status": result,
        "free_email_host": lambda found: found.free,
        "role_account": lambda found: found.role,
        "has_mail_server": lambda found: found.has_mx,
    }
)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes, each for GET and POST."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["NeverBounce"])
    ledger = sandbox.ledger
    both = ["GET", "POST"]

    def given(request: Request) -> dict[str, str]:
        return {**request.scope[SENT].fields, **request.scope[SENT].query}

    def about(request: Request) -> tuple[Batch, Phase, str]:
        batch_id = given(request).get("job_id", "")
        return find(VENDOR, sandbox, request, batch_id, WORDS, 404, "Job not found")

    @routes.api_route("/jobs/create", methods=both)
    async def create(request: Request) -> Response:
        key = check_key(VENDOR, request)
        job = await request.json()
        rows = job.get("input")
        if job.get("input_location") != "supplied" or not isinstance(rows, list) or not rows:
            raise Refusal(400, "Missing required parameter 'input'")
        number = 100_000 + len(ledger.batches(VENDOR.name))
        batch = accept(
            VENDOR, sandbox, key, [row["email"] for row in rows], name=job.get("filename", ""), batch_id=str(number)
        )
        if not (job.get("auto_parse") and job.get("auto_start")):
            batch.state = _NEVER_STARTED
        return JSONResponse({"status": "success", "job_id": number, "execution_time": 20})

    @routes.api_route("/jobs/status", methods=both)
    async def status(request: Request) -> Response:
        batch, phase, word = about(request)
        count = len(batch.addresses)
        done = count if phase is Phase.DONE else 0
        return JSONResponse(
            {
                "status": "success",
                "id": batch.batch_id,
                "job_status": word,
                "filename": batch.name,
                "total": {"records": count, "billable": count, "processed": done},
                "percent_complete": 100 if done else 0,
            }
        )

    @routes.api_route("/jobs/search", methods=both)
    async def search(request: Request) -> Response:
        check_key(VENDOR, request)
        name = given(request).get("filename")
        found = [each for each in ledger.batches(VENDOR.name) if each.name == name]
        results = [
            {"id": int(each.batch_id), "filename": each.name, "job_status": each.spoken(WORDS)[1]} for each in found
        ]
        page = int(given(request).get("page", 1))
        results = results if page == 1 else []
        query = {"page": page, "items_per_page": 10, "filename": name}
        return JSONResponse(
            {"status": "success", "total_results": len(found), "total_pages": 1, "query": query, "results": results}
        )

    @routes.api_route("/jobs/download", methods=both)
    async def download(request: Request) -> Response:
        (batch, phase, _), chosen = about(request), given(request)
        if phase is not Phase.DONE:
            raise Refusal(400, "Job is not complete")
        if batch.content is not None:
            return Response(batch.content, media_type="application/octet-stream")
        findings = [
            found
            for found in await examined(batch)
            if chosen.get(SEGMENTS.get(result(found), "disposables"), "0") in ("1", "true")
        ]
        columns = {name: column for name, column in APPENDED.columns.items() if chosen.get(name) in ("1", "true")}
        layout = Layout({"email": lambda found: found.address, **columns})
        rows = list(batch.rows or as_rows(findings, layout))
        header = list(rows[0]) if rows else list(layout.columns)
        return Response(as_csv(rows, header, ","), media_type="application/octet-stream")

    @routes.api_route("/account/info", methods=both)
    async def info(request: Request) -> Response:
        left = credits_of(VENDOR, sandbox, request)
        credits_info = {"paid_credits_remaining": left, "free_credits_remaining": 0, "paid_credits_used": 0}
        return JSONResponse({"status": "success", "credits_info": credits_info, "job_counts": {}})

    return routes
