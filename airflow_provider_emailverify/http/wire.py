"""
The socket's side of a request: what only the socket may see, and whether any of it was written.

Requests, urllib3 and http.client repeat what they are given: in exceptions, debug logs, audit events and local
variables, and tools such as Sentry record it. So they are given a request without its query, key and body. The socket
puts those in, because it is the last place before the network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import quote, urlencode

from requests.adapters import HTTPAdapter

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.http.auth import Key, Secret
from airflow_provider_emailverify.http.bodies import Body

# A slow line has the time-out for each piece, not for the whole body.
_PIECE_BYTES = 65_536


class SealedRequest:
    """
    The target, the key and the body of one request. It is sent once, and shows nothing of itself.

    :param path: the absolute path, each segment quoted already.
    :param params: query parameters beside the key, unquoted.
    :param body: what the request carries.
    :param key: where the key goes.
    :param secret: the key.
    :param headers: headers beside the usual ones, which are no secret.
    :ivar has_begun: whether writing it to the vendor's socket has begun. While it has not, the vendor cannot have it.
    :raises InvalidRequestError: a parameter or the body holds a character that cannot be sent.
    """

    __slots__ = ("_body", "_headers", "_target", "content_headers", "has_begun")

    def __init__(
        self,
        path: str,
        params: Mapping[str, str] | None,
        body: Body | None,
        key: Key,
        secret: Secret,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.has_begun = False
        self.content_headers: dict[str, str] = dict(headers or {})
        self._body = b""
        is_encoded = True
        try:
            query = urlencode(params or {}, quote_via=quote, safe="")
            if body is not None:
                self._body, self.content_headers["Content-Type"] = body.encode(key.field, secret)
        except UnicodeEncodeError:  # it holds the whole text, and what is raised below must not refer to it
            is_encoded = False
        if not is_encoded:
            raise InvalidRequestError(
                "The request holds half a character (a lone surrogate), which cannot be sent. Correct the list or the "
                "argument that it came from."
            )
        if body is not None:
            self.content_headers["Content-Length"] = str(len(self._body))
        parts = filter(None, (query, key.in_query(secret, has_body=body is not None)))
        self._target = f"{path}?{'&'.join(parts)}".removesuffix("?").encode("ascii")
        self._headers = key.in_headers(secret)

    def pieces(self, head: bytes) -> Iterator[memoryview]:
        """
        Yield what to write to the socket, in place of what http.client wants to write.

        A memoryview does not show what it holds, unlike bytes.

        :param head: request line and headers, without query and key.
        """
        line, _, rest = head.partition(b"\r\n")
        method, _, version = line.split(b" ")
        whole = memoryview(b"%b %b %b\r\n%b%b%b" % (method, self._target, version, self._headers, rest, self._body))
        for start in range(0, len(whole), _PIECE_BYTES):
            yield whole[start : start + _PIECE_BYTES]


class _Wire:
    """
    A connected socket that writes a sealed request in place of the head that http.client gives it.

    :param sock: the socket, after any CONNECT and any handshake.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self.request: SealedRequest | None = None

    def sendall(self, data: bytes) -> None:
        """Write data, or the request that this is the head of."""
        request, self.request = self.request, None
        if request is None:
            self._sock.sendall(data)
            return
        for piece in request.pieces(data):
            request.has_begun = True
            self._sock.sendall(piece)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _TimedReader(RawIOBase):
    """What a socket receives; until a deadline if there is one, however little arrives at a time."""

    def __init__(self, raw: Any, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self.deadline: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.deadline is not None:
            self._sock.settimeout(max(self.deadline - time.monotonic(), 0.001))
        received: int | None = self._raw.readinto(buffer)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedAnswer(HTTPResponse):
    """An answer whose status line and headers, interim answers among them, have the time that one read has."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._sock = sock
        self._reader = _TimedReader(self.fp.detach(), sock)
        self.fp = BufferedReader(self._reader)

    def begin(self) -> None:
        timeout = self._sock.gettimeout()
        self._reader.deadline = time.monotonic() + timeout
        super().begin()
        self._reader.deadline = None
        self._sock.settimeout(timeout)
        # urllib3 logs what it cannot parse of the headers, and a vendor may repeat the key there.
        self.msg.set_payload("")
        self.msg.defects.clear()


class _WiredConnection:
    """A connection that takes a sealed request for a body, and leaves it to the socket. A mix-in."""

    response_class = _TimedAnswer
    debuglevel = 0  # http.client prints what it sends and receives when somebody sets this on its own class

    def connect(self) -> None:
        super().connect()  # type: ignore[misc] # what is above a mix-in is known only when it is mixed in
        self.sock: Any = _Wire(self.sock)

    def request(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        if self.sock is None:
            self.connect()
        self.sock.request = body
        super().request(method, url, None, headers, **{**kwargs, "chunked": False})  # type: ignore[misc] # as above


@cache
def _wired(pool: type[Any]) -> type[Any]:
    """Return a kind of connection pool whose connections write sealed requests."""
    connection = type(pool.ConnectionCls.__name__, (_WiredConnection, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _wire(manager: Any) -> Any:
    """Let a pool manager, of direct connections or of any kind of proxy, make such pools."""
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _wired(pool) for scheme, pool in pools.items()}
    return manager


class WiredAdapter(HTTPAdapter):
    """Send sealed requests, directly and through a proxy alike."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _wire(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create the pools of connections through a proxy, once."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if known else _wire(manager)
