"""The door that every request passes: what it asks for is noted, and a fault may answer in the vendor's place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emailverify.sandbox.ledger import RequestRecord
from airflow_provider_emailverify.sandbox.playing import Exchange, play
from airflow_provider_emailverify.sandbox.sent import SENT, Sent
from airflow_provider_emailverify.sandbox.wire import read_body, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_emailverify.sandbox.vendor import Call, Sandbox, Vendor


@dataclass(frozen=True)
class Gate:
    """Wrap the application, compression included, so that a cut body is cut as it travels."""

    app: ASGIApp
    sandbox: Sandbox
    vendors: Sequence[Vendor]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Routes match the path as it travels: decoded, an id with "%2F" in it would be two segments.
        raw_path = scope["raw_path"].decode("ascii")
        body = await read_body(receive)
        sent = Sent.of(scope, body)
        scope = {**scope, "path": raw_path, SENT: sent}
        call = self._identify(scope["method"], raw_path, sent)
        if call is None:
            await self.app(scope, replay(body, receive), send)
            return
        exchange = Exchange(self.app, scope, receive, send, body, call, self.sandbox)
        fault = self.sandbox.faults.take(call.vendor.name, call.operation, call.batch_id)
        over = self._over_the_limit(call, exchange.key)
        self.sandbox.ledger.record(
            RequestRecord(
                call.vendor.name,
                call.operation,
                self.sandbox.ledger.clock(),
                exchange.key,
                call.batch_id,
                fault.kind if fault else None,
            )
        )
        if fault:
            await play(exchange, fault)
        elif over:
            await exchange.respond(exchange.error(429, "Too Many Requests"))
        else:
            await exchange.pass_on()

    def _identify(self, method: str, raw_path: str, sent: Sent) -> Call | None:
        for vendor in self.vendors:
            if call := vendor.identify(method, raw_path, sent):
                return call
        return None

    def _over_the_limit(self, call: Call, key: str) -> bool:
        limit = self.sandbox.settings.requests_per_minute
        if limit is None or call.operation == "link":
            return False
        since = self.sandbox.ledger.clock() - 60
        earlier = self.sandbox.ledger.requests(call.vendor.name)
        return sum(each.at > since and each.key == key for each in earlier) >= limit
