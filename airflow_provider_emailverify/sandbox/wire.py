"""What a web framework hides: the socket under an answer, and answers that break off."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

TRANSPORT = "emailverify.transport"
"""Entry of the ASGI scope that holds the connection's :class:`asyncio.Transport`."""


class TransportProtocol(H11Protocol):
    """Let applications see the transport: without it no application can reset a connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Wrap the application for this connection."""
        super().connection_made(transport)
        application: Any = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            # Cancelled: the server stops in the middle of a fault that takes its time. No error to report.
            with suppress(asyncio.CancelledError):
                await application(scope, receive, send)

        self.app = with_transport


@dataclass
class Answer:
    """Collect an answer instead of sending it; :meth:`collect` stands in for ASGI's ``send``."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def collect(self, message: Message) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        else:
            self.body += message.get("body", b"")

    def start(self, *, with_length: bool = True) -> Message:
        """Return the message that opens the answer; without a length it travels in chunks."""
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        if with_length:
            headers.append((b"content-length", str(len(self.body)).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": headers}


async def read_body(receive: Receive) -> bytes:
    """Return a request's whole body."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives the body again, and then what the connection says."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def disconnected(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def reset(scope: Scope, receive: Receive) -> None:
    """Drop the connection with an RST, whatever was or wasn't sent."""
    transport: asyncio.Transport = scope[TRANSPORT]
    # Linger on, zero seconds: closing sends an RST at once in place of an orderly FIN.
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    # uvicorn sends a 500 when an application returns with neither an answer nor a disconnect.
    await disconnected(receive)


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection in good order after what was sent, as a proxy that gives up does."""
    transport: asyncio.Transport = scope[TRANSPORT]
    transport.close()
    await disconnected(receive)
