"""ZeroBounce's API v2: the bulk calls and the balance, which the vendor has on two hosts and the sandbox on one."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import Layout, table_of
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import first_of, in_body, in_query
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
    upload_in,
    uploaded,
)
from airflow_provider_emailverify.sandbox.verdicts import Finding, Verdict

WORDS = {
    Phase.ACCEPTED: "Queued",
    Phase.WORKING: "Processing",
    Phase.DONE: "Complete",
    Phase.FAILED: "Failed",
}
NO_ACCOUNT = "Invalid API key or your account ran out of credits"
"""One sentence for two causes, and a 200."""

_STATUS = {Verdict.VALID: "valid", Verdict.INVALID: "invalid", Verdict.RISKY: "do_not_mail", Verdict.UNKNOWN: "unknown"}
_SUB_STATUS = {
    "rejected": "mailbox_not_found",
    "disabled": "mailbox_not_found",
    "no_mx": "no_dns_entries",
    "syntax": "failed_syntax_check",
    "low_quality": "global_suppression",
    "full_inbox": "mailbox_quota_exceeded",
    "role": "role_based",
    "no_reply": "role_based",
    "disposable": "disposable",
    "timeout": "timeout_exceeded",
}


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error; most come with a 200 and ``success`` false."""
    if status in (401, 403):
        return JSONResponse({"error": NO_ACCOUNT})
    if status in (200, 400):
        return JSONResponse({"success": False, "message": [message], "error_message": message}, status)
    return JSONResponse({"success": "False", "message": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 401, NO_ACCOUNT


VENDOR = Vendor(
    name="zerobounce",
    prefix="/zerobounce/v2",
    key_of=first_of(in_query("api_key"), in_body("api_key")),
    operations={
        ("POST", "/sendfile"): "submit",
        ("GET", "/filestatus"): "status",
        ("GET", "/getfile"): "download",
        ("GET", "/deletefile"): "delete",
        ("GET", "/getcredits"): "credits",
        ("GET", "/validate"): "single",
    },
    error=error,
    no_credits=no_credits,
    batch_parameter="file_id",
)


def status_of(found: Finding) -> tuple[str, str]:
    """Return ZeroBounce's status and sub-status of an address."""
    if found.reason == "catch_all":
        return "catch-all", ""
    if found.reason == "spam_trap":
        return "spamtrap", ""
    return _STATUS[found.verdict], _SUB_STATUS.get(found.reason, "")


LAYOUT = Layout(
    {
        # The header row of the uploaded file stays; ZeroBounce appends its own columns.
        "email": lambda found: found.address,
        "ZB Status": lambda found: status_of(found)[0],
        "ZB Sub Status": lambda found: status_of(found)[1],
        "ZB Account": lambda found: found.username,
        "ZB Domain": lambda found: found.domain,
        "ZB First Name": lambda _found: "",
        "ZB Free Email": lambda found: str(found.free),
        "ZB MX Found": lambda found: str(found.has_mx).lower(),
        "ZB MX Record": lambda found: f"mx.{found.domain}" if found.has_mx else "",
        "ZB SMTP Provider": lambda _found: "",
        "ZB Did You Mean": lambda _found: "",
    }
)


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["ZeroBounce"])

    def about(request: Request) -> tuple[Batch, Phase, str]:
        batch_id = request.query_params.get("file_id", "")
        return find(VENDOR, sandbox, request, batch_id, WORDS, 200, "File cannot be found.")

    @routes.post("/sendfile")
    async def send(request: Request) -> Response:
        key = check_key(VENDOR, request)
        file = await upload_in(request, "file")
        if file is None or not file.fields.get("email_address_column", "").isdecimal():
            raise Refusal(400, "file and email_address_column are required")
        emails = uploaded(
            file.content,
            column=int(file.fields["email_address_column"]) - 1,
            has_header=file.fields.get("has_header_row", "false").lower() == "true",
        )
        if file.fields.get("remove_duplicate", "true").lower() == "true":
            emails = list(dict.fromkeys(emails))
        batch = accept(VENDOR, sandbox, key, emails, name=file.filename)
        return JSONResponse(
            {"success": True, "message": "File Accepted", "file_name": batch.name, "file_id": batch.batch_id}
        )

    @routes.get("/filestatus")
    async def status(request: Request) -> Response:
        batch, phase, word = about(request)
        percent = {Phase.DONE: "100%", Phase.WORKING: "50%"}.get(phase, "0%")
        return JSONResponse(
            {
                "success": True,
                "file_id": batch.batch_id,
                "file_name": batch.name,
                "upload_date": batch.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "file_status": word,
                "complete_percentage": percent,
                "file_phase_2_status": "N/A",
                "error_reason": None,
                "return_url": None,
            }
        )

    @routes.get("/getfile")
    async def download(request: Request) -> Response:
        batch, phase, _ = about(request)
        if phase is not Phase.DONE:
            raise Refusal(200, "File is not complete.")
        await examined(batch)
        return Response(table_of(batch, LAYOUT), media_type="application/octet-stream")

    @routes.get("/deletefile")
    async def delete(request: Request) -> Response:
        batch = about(request)[0]
        if batch.phase is not Phase.DONE:
            raise Refusal(200, "File cannot be deleted before it is complete.")
        batch.state = Phase.CANCELLED
        return JSONResponse({"success": True, "message": "File Deleted", "file_id": batch.batch_id})

    @routes.get("/getcredits")
    async def credits_left(request: Request) -> Response:
        try:
            return JSONResponse({"Credits": str(credits_of(VENDOR, sandbox, request))})
        except Refusal:
            return JSONResponse({"Credits": "-1"})

    return routes
