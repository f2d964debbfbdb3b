"""How each kind of fault is played; :data:`.faults.KINDS` lists their parameters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, PlainTextResponse, Response

from airflow_provider_emailverify.sandbox import wire
from airflow_provider_emailverify.sandbox.ledger import Phase
from airflow_provider_emailverify.sandbox.sent import SENT
from airflow_provider_emailverify.sandbox.vendor import FORCED_STATE

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_emailverify.sandbox.faults import Fault
    from airflow_provider_emailverify.sandbox.vendor import Call, Sandbox


@dataclass(frozen=True)
class Exchange:
    """Hold one request and everything that may answer it."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    body: bytes
    call: Call
    sandbox: Sandbox

    async def respond(self, response: Response) -> None:
        """Send an answer."""
        await response(self.scope, self.receive, self.send)

    async def pass_on(self, send: Send | None = None) -> None:
        """
        Let the vendor's routes answer.

        :param send: where the answer goes, the client by default
        """
        await self.app(self.scope, wire.replay(self.body, self.receive), send or self.send)

    async def collected(self) -> wire.Answer:
        """Let the vendor's routes answer, and keep the answer from the client."""
        answer = wire.Answer()
        await self.pass_on(answer.collect)
        return answer

    def error(self, status: int, message: str) -> Response:
        """Return an error as the vendor words it."""
        return self.call.vendor.error(self.sandbox.settings.readings, status, message)

    @property
    def key(self) -> str:
        """Return the key as the client sent it."""
        return self.call.vendor.key_of(self.scope[SENT])

    @property
    def address(self) -> str:
        """Return an address that the request is about, or a made-up one."""
        sent = re.search(rb"[\w.+-]+@[\w.-]+\w", self.body)
        batch = self.sandbox.ledger.find(self.call.vendor.name, self.call.batch_id or "")
        if email := self.scope[SENT].query.get("email"):
            return str(email)
        if sent:
            return sent[0].decode()
        return batch.addresses[0] if batch and batch.addresses else "somebody@example.com"


Player = Callable[[Exchange, dict[str, Any]], Awaitable[None]]

_UNEXPECTED: dict[str, bytes] = {
    "list": b'[{"status": "ready"}]',
    "null": b"null",
    "string": b'"ready"',
    "number": b"42",
    "object": b"{}",
    "html": b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>",
    "empty": b"",
    "not_json": b'{"status": "rea',
}


def _retry_after(params: dict[str, Any]) -> dict[str, str]:
    value = params["retry_after"]
    if value is None:
        return {}
    if params["retry_after_as"] == "date":
        value = format_datetime(datetime.now(UTC) + timedelta(seconds=float(value)), usegmt=True)
    return {"Retry-After": str(value)}


def _answers(status: int, message: str) -> Player:
    async def play(exchange: Exchange, params: dict[str, Any]) -> None:
        response = exchange.error(status, message)
        response.headers.update(_retry_after(params) if "retry_after" in params else {})
        await exchange.respond(response)

    return play


def _pretends(phase: Phase) -> Player:
    async def play(exchange: Exchange, _params: dict[str, Any]) -> None:
        exchange.scope[FORCED_STATE] = phase
        await exchange.pass_on()

    return play


async def _server_error(exchange: Exchange, params: dict[str, Any]) -> None:
    status = params["status"]
    response = exchange.error(status, "Internal Server Error")
    if params["body"] == "html":
        response = HTMLResponse(f"<html><body><h1>{status}</h1><hr>gateway</body></html>", status)
    response.headers.update(_retry_after(params))
    await exchange.respond(response)


async def _no_credits(exchange: Exchange, _params: dict[str, Any]) -> None:
    await exchange.respond(exchange.error(*exchange.call.vendor.no_credits(exchange.sandbox.settings.readings)))


async def _error_envelope(exchange: Exchange, params: dict[str, Any]) -> None:
    await exchange.respond(exchange.error(200, params["message"]))


async def _echo_key(exchange: Exchange, params: dict[str, Any]) -> None:
    query = exchange.scope["query_string"].decode("latin-1")
    message = f"Key {exchange.key} may not verify {exchange.address} (asked with ?{query})"
    await exchange.respond(exchange.error(params["status"], message))


async def _redirect(exchange: Exchange, params: dict[str, Any]) -> None:
    await exchange.respond(PlainTextResponse("moved", params["status"], headers={"Location": params["location"]}))


async def _wrong_shape(exchange: Exchange, params: dict[str, Any]) -> None:
    media_type = "text/html" if params["shape"] == "html" else "application/json"
    await exchange.respond(Response(_UNEXPECTED[params["shape"]], media_type=media_type))


async def _reset(exchange: Exchange, _params: dict[str, Any]) -> None:
    await wire.reset(exchange.scope, exchange.receive)


async def _accept_then_reset(exchange: Exchange, _params: dict[str, Any]) -> None:
    await exchange.collected()
    await wire.reset(exchange.scope, exchange.receive)


async def _hang(exchange: Exchange, params: dict[str, Any]) -> None:
    try:
        await asyncio.wait_for(wire.disconnected(exchange.receive), params["seconds"])
    except TimeoutError:
        await exchange.pass_on()


async def _slow(exchange: Exchange, params: dict[str, Any]) -> None:
    answer = await exchange.collected()
    size = int(params["size"])
    await exchange.send(answer.start())
    for start in range(0, len(answer.body), size):
        part = answer.body[start : start + size]
        await exchange.send({"type": "http.response.body", "body": part, "more_body": True})
        await asyncio.sleep(params["interval"])
    await exchange.send({"type": "http.response.body", "body": b""})


async def _truncate(exchange: Exchange, params: dict[str, Any]) -> None:
    answer = await exchange.collected()
    kept = answer.body[: int(len(answer.body) * params["keep"])]
    await exchange.send(answer.start(with_length=params["encoding"] == "length"))
    # More is announced and never comes; h11 would refuse to end an answer that is too short.
    await exchange.send({"type": "http.response.body", "body": kept, "more_body": True})
    if params["ending"] == "reset":
        # An RST makes the client's kernel throw away what it has not read yet.
        await asyncio.sleep(0.05)
        await wire.reset(exchange.scope, exchange.receive)
    else:
        await wire.hang_up(exchange.scope, exchange.receive)


PLAYERS: dict[str, Player] = {
    "rate_limit": _answers(429, "Too Many Requests"),
    "server_error": _server_error,
    "unauthorized": _answers(401, "Unauthorized"),
    "forbidden": _answers(403, "Forbidden"),
    "no_credits": _no_credits,
    "not_found": _answers(404, "Not Found"),
    "unprocessable": _answers(422, "Unprocessable Entity"),
    "error_envelope": _error_envelope,
    "echo_key": _echo_key,
    "redirect": _redirect,
    "wrong_shape": _wrong_shape,
    "not_ready": _pretends(Phase.WORKING),
    "batch_failed": _pretends(Phase.FAILED),
    "reset": _reset,
    "accept_then_reset": _accept_then_reset,
    "hang": _hang,
    "slow": _slow,
    "truncate": _truncate,
}


async def play(exchange: Exchange, fault: Fault) -> None:
    """Answer a request as a fault wants it."""
    await PLAYERS[fault.kind](exchange, dict(fault.params))
