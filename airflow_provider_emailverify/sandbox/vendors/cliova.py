"""Cliova's bulk validation API, as docs.cliova.com's pages on upload, status and download describe it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.layouts import CSV_LAYOUTS, as_csv, as_rows
from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import in_query
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import (
    FORCED_STATE,
    Refusal,
    Sandbox,
    Vendor,
    accept,
    check_key,
    examined,
    upload_in,
    uploaded,
)
from airflow_provider_emailverify.sandbox.verdicts import Verdict

LISTS = "/webhooks/email-validations/bulk-emails"

CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    429: "TOO_MANY_REQUESTS",
}
"""Guesses: of ``code`` only ``SUCCESS`` is documented."""

WORDS = {
    Phase.ACCEPTED: "IN PROGRESS",
    Phase.WORKING: "IN PROGRESS",
    Phase.DONE: "COMPLETED",
    Phase.FAILED: "FAILED",
}


def error(readings: Readings, status: int, message: str) -> Response:
    """
    Render an error.

    The download page's sample reads ``error.message``; successes carry ``code`` and ``message``.
    """
    body: dict[str, object] = {}
    if readings.cliova_error in ("both", "code"):
        body |= {"code": CODES.get(status, "ERROR"), "message": message, "payload": None}
    if readings.cliova_error in ("both", "error"):
        body |= {"error": {"message": message}}
    return JSONResponse(body, status)


def no_credits(readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account, which no page describes."""
    return int(readings.cliova_no_credits), "Insufficient credits"


VENDOR = Vendor(
    name="cliova",
    prefix="/cliova/v1",
    key_of=in_query("apiKey"),
    operations={
        ("POST", LISTS): "submit",
        ("GET", LISTS + r"/(?P<batch_id>[^/]+)/status"): "status",
        ("GET", LISTS + r"/(?P<batch_id>[^/]+)/download-result"): "download",
    },
    error=error,
    no_credits=no_credits,
)


def success(payload: object) -> dict[str, object]:
    """Return the envelope of every documented JSON answer."""
    return {"code": "SUCCESS", "message": "Successfully performed operation.", "payload": payload}


def described(batch: Batch, word: str, *, finished: bool) -> dict[str, object]:
    """Return a list as uploads and status answers show it."""
    valid = sum(found.verdict is Verdict.VALID for found in batch.findings) if finished else 0
    return {
        "id": batch.batch_id,
        "name": batch.name,
        "orgId": "sandbox-org",
        "totalEmails": len(batch.addresses),
        "totalValidEmails": valid,
        "totalCreditsUsed": len(batch.addresses),
        "status": word,
        "environment": "sandbox",
        "apiKeyId": "sandbox-key",
        "userId": "sandbox-user",
        "createdAt": _stamp(batch.created),
        "updatedAt": _stamp(datetime.now(UTC)),
        "deletedAt": None,
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def results(
    batch: Batch, readings: Readings, *, verified_only: bool, half: bool
) -> tuple[Sequence[Mapping[str, object]], Sequence[str], str]:
    """
    Return rows, header and delimiter of a download.

    :param verified_only: leave out what the vendor doesn't call valid; given rows are served whole
    :param half: stop in the middle, as a list that isn't complete may do
    """
    layout = CSV_LAYOUTS[readings.cliova_csv]
    findings = batch.findings[: len(batch.findings) // 2] if half else batch.findings
    kept = [found for found in findings if found.verdict is Verdict.VALID or not verified_only]
    rows = as_rows(kept, layout) if batch.rows is None else batch.rows
    header = list(rows[0]) if batch.rows else list(layout.columns)
    return rows, header, layout.delimiter


def choice(request: Request, name: str, values: tuple[str, ...]) -> str:
    """
    Return an optional parameter; the first value is the default.

    :raises Refusal: for a value that the page doesn't list
    """
    value = request.query_params.get(name, values[0])
    if value not in values:
        raise Refusal(400, f"{name} must be one of: {', '.join(values)}")
    return value


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes; paths are matched while still percent-encoded, see :mod:`.gate`."""
    routes = APIRouter(prefix=VENDOR.prefix + LISTS, tags=["Cliova"])
    ledger, readings = sandbox.ledger, sandbox.settings.readings

    def find(request: Request, quoted_id: str) -> Batch | None:
        check_key(VENDOR, request)
        return ledger.find(VENDOR.name, unquote(quoted_id))

    @routes.post("")
    async def upload(request: Request) -> Response:
        key = check_key(VENDOR, request)
        name = request.query_params.get("name")
        if not name:
            raise Refusal(400, "name is required")
        if readings.cliova_duplicate_name != "accept" and any(
            each.name == name for each in ledger.batches(VENDOR.name)
        ):
            raise Refusal(int(readings.cliova_duplicate_name), "A list with this name already exists")
        file = await upload_in(request, "file")
        if file is None:
            raise Refusal(400, "file is required")
        emails = uploaded(file.content)
        batch = accept(VENDOR, sandbox, key, emails, name=name)
        return JSONResponse(success(described(batch, WORDS[Phase.ACCEPTED], finished=False)))

    @routes.get("/{quoted_id}/status")
    async def status(request: Request, quoted_id: str) -> Response:
        batch = find(request, quoted_id)
        if batch is None:
            if readings.cliova_unknown_id == "404":
                raise Refusal(404, "List not found")
            return JSONResponse(success([]))
        phase, word = batch.spoken(WORDS, request.scope.get(FORCED_STATE))
        await examined(batch)
        payload = described(batch, word, finished=phase is Phase.DONE)
        return JSONResponse(success([payload] if readings.cliova_status_payload == "list" else payload))

    @routes.get("/{quoted_id}/download-result")
    async def download(request: Request, quoted_id: str) -> Response:
        batch = find(request, quoted_id)
        output = choice(request, "output", ("csv", "json"))
        verified_only = choice(request, "verifiedOnly", ("false", "true")) == "true"
        if batch is None:
            raise Refusal(404 if readings.cliova_unknown_id == "404" else 200, "List not found")
        phase, _ = batch.spoken(WORDS, request.scope.get(FORCED_STATE))
        half = phase is not Phase.DONE
        if half and readings.cliova_early_download != "partial":
            early = readings.cliova_early_download
            raise Refusal(200 if early == "envelope" else int(early), "Validation is not completed")
        if batch.content is not None and not half:
            return Response(batch.content, media_type="text/csv" if output == "csv" else "application/json")
        await examined(batch)
        rows, header, delimiter = results(batch, readings, verified_only=verified_only, half=half)
        if output == "csv":
            return Response(
                as_csv(rows, header, delimiter),
                media_type="text/csv",
                headers={"Content-Disposition": 'attachment; filename="validation_results.csv"'},
            )
        if readings.cliova_booleans == "string":
            rows = [
                {name: str(value).lower() if isinstance(value, bool) else value for name, value in each.items()}
                for each in rows
            ]
        return JSONResponse(success(rows) if readings.cliova_json == "envelope" else rows)

    return routes
