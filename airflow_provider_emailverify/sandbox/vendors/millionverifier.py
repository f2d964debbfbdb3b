"""MillionVerifier's bulk API v2 and the balance of its API v3: two hosts of the vendor, and one of the sandbox."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import Layout, table_of
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import SENT, first_of, in_query
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import (
    NO_CREDITS_KEY,
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
from airflow_provider_emailverify.sandbox.verdicts import Verdict

WORDS = {
    Phase.ACCEPTED: "in_queue_to_start",
    Phase.WORKING: "in_progress",
    Phase.DONE: "finished",
    Phase.FAILED: "error",
    Phase.CANCELLED: "canceled",
}
_CODES = {401: "invalid_api_key", 403: "apikey_not_found", 402: "insufficient_credits", 404: "file_not_found"}
_RESULTS = {Verdict.VALID: "ok", Verdict.INVALID: "invalid", Verdict.RISKY: "catch_all", Verdict.UNKNOWN: "unknown"}


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error: a 200 with a code, where there is one for it."""
    if status in _CODES:
        return JSONResponse({"error": _CODES[status]})
    return JSONResponse({"error": message}, status)


def no_credits(_readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account."""
    return 402, "insufficient_credits"


VENDOR = Vendor(
    name="millionverifier",
    prefix="/millionverifier/bulkapi/v2",
    key_of=first_of(in_query("key"), in_query("api")),
    operations={
        ("POST", "/upload"): "submit",
        ("GET", "/fileinfo"): "status",
        ("GET", "/filelist"): "find",
        ("GET", "/download"): "download",
        ("GET", "/stop"): "cancel",
        ("GET", "/credits"): "credits",
        ("GET", "/"): "single",
    },
    error=error,
    no_credits=no_credits,
    batch_parameter="file_id",
)
LAYOUT = Layout(
    {
        "Email": lambda found: found.address,
        "quality": lambda found: "good" if found.verdict is Verdict.VALID else "bad",
        "result": lambda found: "disposable" if found.disposable else _RESULTS[found.verdict],
        "free": lambda found: "yes" if found.free else "no",
        "role": lambda found: "yes" if found.role else "no",
    }
)


def check_named_key(request: Request, name: str = "key") -> str:
    """
    Return the key of a request.

    :param name: the parameter that carries it, which differs between the two hosts
    :raises Refusal: when the request carries none there, or one that is documented to be refused
    """
    if not in_query(name)(request.scope[SENT]):
        raise Refusal(401, "Unauthorized")
    return check_key(VENDOR, request)


def described(batch: Batch, word: str) -> dict[str, object]:
    """Return a file as every answer shows it."""
    return {
        "file_id": batch.batch_id,
        "file_name": batch.name,
        "status": word,
        "total_rows": len(batch.addresses),
        "percent": 100 if word == "finished" else 0,
        "error": "",
    }


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["MillionVerifier"])
    ledger = sandbox.ledger

    def about(request: Request) -> tuple[Batch, Phase, str]:
        check_named_key(request)
        batch_id = request.query_params.get("file_id", "")
        return find(VENDOR, sandbox, request, batch_id, WORDS, 404, "file_not_found")

    @routes.post("/upload")
    async def upload(request: Request) -> Response:
        key = check_named_key(request)
        file = await upload_in(request, "file_contents")
        if file is None:
            raise Refusal(400, "file_contents is required")
        number = str(500_000 + len(ledger.batches(VENDOR.name)))
        emails = uploaded(file.content)
        batch = accept(VENDOR, sandbox, key, emails, name=file.filename, batch_id=number)
        return JSONResponse(described(batch, WORDS[Phase.ACCEPTED]))

    @routes.get("/fileinfo")
    async def info(request: Request) -> Response:
        batch, _, word = about(request)
        return JSONResponse(described(batch, word))

    @routes.get("/filelist")
    async def files(request: Request) -> Response:
        check_named_key(request)
        asked = request.query_params
        found = [each for each in ledger.batches(VENDOR.name) if asked.get("name", "") in each.name]
        start, limit = int(asked.get("offset", 0)), min(int(asked.get("limit", 50)), 50)
        shown = [described(each, each.spoken(WORDS)[1]) for each in found[start : start + limit]]
        return JSONResponse({"files": shown, "total": len(found)})

    @routes.get("/download")
    async def download(request: Request) -> Response:
        batch, phase, _ = about(request)
        if phase is not Phase.DONE:
            raise Refusal(200, "file_not_finished")
        await examined(batch)
        return Response(table_of(batch, LAYOUT), media_type="text/csv")

    @routes.get("/stop")
    async def stop(request: Request) -> Response:
        about(request)[0].state = Phase.CANCELLED
        return JSONResponse({"result": "ok"})

    @routes.get("/credits")
    async def credits_left(request: Request) -> Response:
        key = check_named_key(request, "api")
        return JSONResponse({"credits": 0 if key == NO_CREDITS_KEY else ledger.credits(VENDOR.name)})

    return routes
