"""Links to results on another host than the vendor's, as a storage would sign them: short-lived, and without a key."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from airflow_provider_emailverify.sandbox.sent import SENT, Sent

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "/links"
_DENIED = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>{}</Message></Error>'


@dataclass(frozen=True)
class Link:
    """
    Hold what a link leads to.

    :param content: makes the bytes when they are asked for
    :param expires_at: seconds on the sandbox's clock
    """

    vendor: str
    batch_id: str
    content: Callable[[], bytes]
    media_type: str
    expires_at: float


class LinkBook:
    """
    Remember the links that were handed out.

    :param clock: a monotonic clock in seconds
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._links: dict[str, Link] = {}

    def hand_out(
        self, request: Request, vendor: str, batch_id: str, name: str, *, seconds: float, content: Callable[[], bytes]
    ) -> str:
        """
        Return a new link to a batch's results.

        :param name: what the path ends in, which says the format
        :param seconds: how long it is good
        :param content: makes the bytes
        """
        token = secrets.token_urlsafe(24)
        media_type = "application/zip" if name.endswith(".zip") else "text/csv"
        with self._lock:
            self._links[token] = Link(vendor, batch_id, content, media_type, self._clock() + seconds)
        base = str(request.base_url).rstrip("/")
        path = f"{PREFIX}/{vendor}/{quote(batch_id, safe='')}/{quote(name)}"
        return f"{base}{path}?X-Signature={token}&X-Expires={seconds:g}"

    def find(self, token: str) -> Link | None:
        """Return a link that is still good."""
        with self._lock:
            link = self._links.get(token)
        return link if link and self._clock() <= link.expires_at else None


def carries_a_key(sent: Sent, raw_query: str, keys: set[str]) -> bool:
    """
    Say whether a request to a link gives a key away.

    :param keys: those that the vendors have seen
    """
    if "authorization" in sent.headers or "x-api-key" in sent.headers or "cookie" in sent.headers:
        return True
    shown = (
        f"{raw_query} {' '.join(sent.query.values())} {' '.join(sent.headers.values())} {sent.body.decode('latin-1')}"
    )
    return any(key in shown for key in keys if key)


def router(book: LinkBook, seen_keys: Callable[[], set[str]]) -> APIRouter:
    """
    Return the routes of the links.

    :param seen_keys: returns the keys that the vendors have seen
    """
    routes = APIRouter(prefix=PREFIX, tags=["Links"])

    @routes.get("/{vendor}/{quoted_id}/{name}")
    async def fetch(request: Request, vendor: str) -> Response:
        sent: Sent = request.scope[SENT]
        if carries_a_key(sent, request.scope["query_string"].decode("latin-1"), seen_keys()):
            return Response(_DENIED.format("A key has no business here"), 400, media_type="application/xml")
        link = book.find(sent.query.get("X-Signature", ""))
        if link is None or link.vendor != vendor:
            return Response(_DENIED.format("Request has expired"), 403, media_type="application/xml")
        return Response(link.content(), media_type=link.media_type)

    return routes
