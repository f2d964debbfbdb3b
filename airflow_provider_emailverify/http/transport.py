"""The wire: requests that show their query to nobody but the socket, and answers that are whole or an error."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)

CHUNK_BYTES = 1024 * 1024
#: What a session raises in place of an answer.
NO_ANSWER = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OverflowError)

_request_target: ContextVar[str] = ContextVar("request_target")


@contextmanager
def request_target(target: str) -> Iterator[None]:
    """
    Send this path and query, whatever URL the session is given, for the requests of this block and thread.

    :param target: absolute path and query, quoted.
    """
    token = _request_target.set(target)
    try:
        yield
    finally:
        _request_target.reset(token)


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


class _HeadInTime(HTTPResponse):
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


class _OnTheWire:
    """
    Write the request's real target at the moment when it goes to the socket.

    Both vendors take the key in the query only. Requests, urllib3, their exceptions and their debug logs all
    repeat the URL that they were given; they are given one without a query, so they cannot repeat the key. Nor
    do they get to normalise a batch id such as ``..`` out of the path.
    """

    response_class = _HeadInTime
    debuglevel = 0  # http.client prints what it sends when somebody sets this on its own class

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        parts = urlsplit(url)  # absolute towards a forwarding proxy, else a path
        origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme else ""
        # A mix-in: what is above it is known only when it is mixed in.
        super().putrequest(method, origin + _request_target.get(), *args, **kwargs)  # type: ignore[misc]


@cache
def _with_target(pool: type[Any]) -> type[Any]:
    """Return a kind of connection pool whose connections write the target themselves."""
    connection = type(pool.ConnectionCls.__name__, (_OnTheWire, pool.ConnectionCls), {})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection})


def _equip(manager: Any) -> Any:
    """Let a pool manager, of direct connections or of any kind of proxy, make such pools."""
    pools = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _with_target(pool) for scheme, pool in pools.items()}
    return manager


class TargetAdapter(HTTPAdapter):
    """Send what :func:`request_target` says, directly and through a proxy alike."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        _equip(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Create the pools of connections through a proxy, once."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        return manager if known else _equip(manager)


class OneStepSession(requests.Session):
    """A session that never looks where a redirect leads: requests does so even when it is told not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None."""


def no_answer(what: str, error: Exception, host: str, timeout: float) -> VendorUnavailableError:
    """
    Return what the absence of an answer stands for: the vendor may have got the request, or cannot have.

    :param what: the request in words.
    :param error: one of :data:`NO_ANSWER`.
    :param host: where it went.
    :param timeout: seconds that the vendor could take.
    """
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ReadTimeout):
        return VendorUnavailableError(f"{what} got no answer within {timeout:g} s.")
    if isinstance(reason, urllib3.exceptions.SSLError) and "CERTIFICATE" in str(reason):
        return VendorUnreachableError(f"{what} was not sent: the certificate of {host} is not trusted.")
    if isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        return VendorUnreachableError(f"{what} was not sent: {host} cannot be reached.")
    if isinstance(error, requests.exceptions.ProxyError):
        return VendorUnreachableError(f"{what} was not sent: the proxy gave no connection to {host}.")
    return VendorUnavailableError(f"{what} got no answer: the connection broke.")


class ResponseBody:
    """
    The body of an answer as it arrives: iterate once over chunks of at most 1 MiB, gzip undone.

    :param response: an answer that was requested with ``stream=True``.
    :param what: the request in words, for error messages.
    :raises IncompleteResponseError: while iterating, when the body ends before it is whole.
    :raises VendorUnavailableError: while iterating, when the vendor stops sending.
    """

    def __init__(self, response: requests.Response, what: str) -> None:
        self._response = response
        self._what = what
        #: Whether the answer says where it ends. If not, a cut can be told from the content only.
        self.is_measured: bool = response.raw.chunked or response.raw.length_remaining is not None

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters; "" when the vendor does not say."""
        return str(self._response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the decoded chunks."""
        return self._decoded(self._response.raw.stream(CHUNK_BYTES, decode_content=False))

    def read_whole(self, limit: int, deadline: float) -> bytes:
        """
        Return a short body.

        :param limit: bytes at most.
        :param deadline: the time on the monotonic clock, in seconds, by which it must have arrived.
        :raises UnexpectedResponseError: when it is longer.
        :raises VendorUnavailableError: when it takes longer.
        """
        # Read what is there rather than what fits, or a body that drips in never gets to look at the clock.
        chunks = iter(lambda: self._response.raw.read1(65536, decode_content=False), b"")
        body = bytearray()
        for chunk in self._decoded(chunks):
            body += chunk
            if len(body) > limit:
                raise UnexpectedResponseError(f"{self._what} answered with more than {limit:,} bytes.")
            if time.monotonic() > deadline:
                raise VendorUnavailableError(f"{self._what} sent its answer too slowly.")
        return bytes(body)

    def _decoded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        encoding = str(self._response.headers.get("Content-Encoding", "")).strip().lower()
        if encoding in ("gzip", "x-gzip"):
            return self._gunzip(self._guarded(chunks))
        if encoding in ("", "identity"):
            return self._guarded(chunks)
        raise UnexpectedResponseError(f"{self._what} answered in an encoding that was not asked for.")

    def _guarded(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except urllib3.exceptions.TimeoutError:
            raise VendorUnavailableError(f"{self._what} stopped sending in the middle of its answer.") from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise IncompleteResponseError(f"{self._what} broke off in the middle of its answer.") from None

    def _gunzip(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        # Not by urllib3's decoder: it takes a cut gzip stream for a whole one.
        decoder = zlib.decompressobj(wbits=31)
        started = False
        try:
            for chunk in chunks:
                rest = chunk
                while rest:
                    if decoder.eof:  # a gzip stream may have several members
                        decoder = zlib.decompressobj(wbits=31)
                    started = True
                    yield decoder.decompress(rest, CHUNK_BYTES)
                    rest = decoder.unconsumed_tail or decoder.unused_data
        except zlib.error:
            raise IncompleteResponseError(f"{self._what} sent gzip that cannot be unpacked.") from None
        if started and not decoder.eof:
            raise IncompleteResponseError(f"{self._what} broke off in the middle of its gzip stream.")
