"""Proofy's API, as its OpenAPI page "Get results" and the other pages of docs.proofy.io describe it."""

import uuid
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox.ledger import Batch, Phase
from airflow_provider_emailverify.sandbox.sent import in_query
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import (
    FORCED_STATE,
    NO_CREDITS_KEY,
    Refusal,
    Sandbox,
    Vendor,
    check_credits,
    check_key,
    examined,
)
from airflow_provider_emailverify.sandbox.verdicts import Finding, Verdict, examine

MESSAGES = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 422: "Unprocessable Entity"}


def error(_readings: Readings, status: int, message: str) -> Response:
    """Render an error: every documented status has the same body, one key."""
    return JSONResponse({"message": message}, status)


def no_credits(readings: Readings) -> tuple[int, str]:
    """Return the answer to an empty account: clients have seen a 400 whose message speaks of credits."""
    return int(readings.proofy_no_credits), "Not enough credits"


VENDOR = Vendor(
    name="proofy",
    prefix="/proofy/v1",
    key_of=in_query("api_key"),
    operations={
        ("GET", r"/verify/single"): "single",
        ("POST", r"/verify/batch/create"): "submit",
        ("GET", r"/verify/batch/(?P<batch_id>[^/]+)"): "status",
        ("GET", r"/verify/batch/(?P<batch_id>[^/]+)/download"): "download",
        ("DELETE", r"/verify/batch/(?P<batch_id>[^/]+)"): "cancel",
        ("GET", r"/credits"): "credits",
    },
    error=error,
    no_credits=no_credits,
)


def words(readings: Readings) -> dict[Phase, str]:
    """Return the vendor's state words; only ``parsing`` and ``ready`` are attested."""
    return {
        Phase.ACCEPTED: "parsing",
        Phase.WORKING: readings.proofy_working_word,
        Phase.DONE: "ready",
        Phase.FAILED: readings.proofy_failed_word,
        Phase.CANCELLED: readings.proofy_cancelled_word,
    }


def row(found: Finding, readings: Readings) -> dict[str, object]:
    """Return one result in exactly the shape and order of the published example."""
    username, domain = found.username, found.domain
    if readings.proofy_case == "lower":
        username, domain = username.lower(), domain.lower()
    syntax: dict[str, object] = {"username": username, "domain": domain, "valid": found.syntax_valid}
    if not found.syntax_valid and readings.proofy_bad_syntax != "as_given":
        nothing = "" if readings.proofy_bad_syntax == "empty" else None
        syntax.update(username=nothing, domain=nothing)
    mx: dict[str, object] = {"hasRecords": found.has_mx}
    if readings.proofy_mx == "records":
        mx = {"records": [f"mx.{domain}."] if found.has_mx else []}
    return {
        "status": found.verdict.value,
        "syntax": syntax,
        "free": found.free,
        "roleAccount": found.role,
        "roleNoReply": found.no_reply,
        "disposable": found.disposable,
        "possibleSpamTrap": found.spam_trap,
        "mx": {**mx, "acceptsMail": found.accepts_mail},
        "deliverability": {
            "canConnect": found.can_connect,
            "fullInbox": found.full_inbox,
            "catchAll": found.catch_all,
            "deliverable": found.deliverable,
            "disabled": found.disabled,
        },
    }


def results(batch: Batch, readings: Readings) -> Sequence[Mapping[str, object]]:
    """Return a batch's rows."""
    if batch.rows is not None:
        return batch.rows
    findings = batch.findings
    if readings.proofy_duplicates == "drop":
        findings = tuple({found.address: found for found in findings}.values())
    return [row(found, readings) for found in findings]


def addresses_of(body: object, limit: int, over_limit: int) -> list[str]:
    """
    Return the addresses of a submission.

    :raises Refusal: when the body isn't ``{"emails": [text, …]}`` or holds too many
    """
    emails = body.get("emails") if isinstance(body, dict) else None
    if not isinstance(emails, list) or not emails or not all(isinstance(each, str) for each in emails):
        raise Refusal(422, "The emails field is required and must be a list of strings")
    if len(emails) > limit:
        raise Refusal(over_limit, f"The emails field must not have more than {limit} items")
    return emails


def router(sandbox: Sandbox) -> APIRouter:
    """Return the vendor's routes; paths are matched while still percent-encoded, see :mod:`.gate`."""
    routes = APIRouter(prefix=VENDOR.prefix, tags=["Proofy"])
    _add_purchases(routes, sandbox)
    _add_batches(routes, sandbox)
    return routes


def _add_purchases(routes: APIRouter, sandbox: Sandbox) -> None:
    """Add the routes that spend credits, and the one that counts them."""
    settings, ledger = sandbox.settings, sandbox.ledger
    readings = settings.readings

    @routes.get("/verify/single")
    async def single(request: Request) -> Response:
        key = check_key(VENDOR, request)
        email = request.query_params.get("email")
        if not email:
            raise Refusal(422, "The email field is required")
        check_credits(VENDOR, sandbox, key, needed=1)
        found = examine(email)
        if found.verdict is not Verdict.UNKNOWN:
            ledger.charge(VENDOR.name, [email], charged_for=str(uuid.uuid4()))
        answer = row(found, readings)
        return JSONResponse(answer if readings.proofy_single_shape == "flat" else {"result": answer})

    @routes.post("/verify/batch/create")
    async def submit(request: Request) -> Response:
        key = check_key(VENDOR, request)
        try:
            body = await request.json()
        except ValueError:
            raise Refusal(400, "Bad Request") from None
        emails = addresses_of(body, settings.proofy_batch_limit, int(readings.proofy_over_limit))
        check_credits(VENDOR, sandbox, key, needed=len(emails))
        batch = ledger.create_batch(VENDOR.name, emails)
        # docs.proofy.io/terminology: an unknown verdict is not charged.
        charged = [each.address for each in await examined(batch) if each.verdict is not Verdict.UNKNOWN]
        ledger.charge(VENDOR.name, charged, charged_for=batch.batch_id)
        return JSONResponse({"status": words(readings)[Phase.ACCEPTED], "id": batch.batch_id})

    @routes.get("/credits")
    async def credits_left(request: Request) -> Response:
        key = check_key(VENDOR, request)
        left = 0 if key == NO_CREDITS_KEY else ledger.credits(VENDOR.name)
        return JSONResponse({"credits": left})


def _add_batches(routes: APIRouter, sandbox: Sandbox) -> None:
    """Add the routes about a batch that was accepted."""
    readings = sandbox.settings.readings
    spoken = words(readings)

    def batch_of(request: Request, quoted_id: str) -> tuple[Batch, Phase, str]:
        check_key(VENDOR, request)
        batch = sandbox.ledger.find(VENDOR.name, unquote(quoted_id))
        if batch is None:
            raise Refusal(404, "Not Found")
        return batch, *batch.spoken(spoken, request.scope.get(FORCED_STATE))

    @routes.get("/verify/batch/{quoted_id}")
    async def status(request: Request, quoted_id: str) -> Response:
        batch, phase, word = batch_of(request, quoted_id)
        answer: dict[str, object] = {"id": batch.batch_id, "status": word}
        if readings.proofy_status_shape == "counts":
            total = len(batch.addresses)
            answer.update(total=total, processed=total if phase is Phase.DONE else total // 2)
        return JSONResponse({"result": answer} if readings.proofy_status_shape == "result" else answer)

    @routes.get("/verify/batch/{quoted_id}/download")
    async def download(request: Request, quoted_id: str) -> Response:
        batch, phase, word = batch_of(request, quoted_id)
        if phase is Phase.DONE:
            if batch.content is not None:
                return Response(batch.content, media_type="application/json")
            await examined(batch)
            return JSONResponse({"status": word, "list": list(results(batch, readings))})
        if readings.proofy_not_ready_download == "200":
            return JSONResponse({"status": word, "list": []})
        code = int(readings.proofy_not_ready_download)
        raise Refusal(code, MESSAGES[code])

    @routes.delete("/verify/batch/{quoted_id}")
    async def cancel(request: Request, quoted_id: str) -> Response:
        batch, phase, _ = batch_of(request, quoted_id)
        if phase is Phase.DONE:
            raise Refusal(422, "The batch is finished and can't be cancelled")
        batch.state = Phase.CANCELLED
        if readings.proofy_cancel_answer == "no_content":
            return Response(status_code=204)
        if readings.proofy_cancel_answer == "message":
            return JSONResponse({"message": "Batch cancelled"})
        return JSONResponse({"id": batch.batch_id, "status": spoken[Phase.CANCELLED]})
