"""The way to the vendor and back: a session that sends sealed requests, and answers that are whole or an error."""

from __future__ import annotations

import http.client
import io
import time
import zlib
from collections.abc import Generator, Iterator

import requests
import urllib3

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.wire import SealedRequest, WiredAdapter

CHUNK_BYTES = 1024 * 1024
CONNECT_TIMEOUT_SECONDS = 10.0
#: What a session raises in place of an answer. What it means is told by the socket, not by the class.
NO_ANSWER = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
    OverflowError,
)


class NoRedirectSession(requests.Session):
    """
    A session that never looks where a redirect leads: requests does so even when it is told not to follow.

    :param base_url: what it is for.
    :param user_agent: what it calls itself.
    """

    def __init__(self, base_url: str, user_agent: str) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, WiredAdapter(pool_maxsize=64))
        self.headers["User-Agent"] = user_agent
        self.headers["Accept-Encoding"] = "gzip"
        # A callable that changes nothing keeps requests from sending what ~/.netrc has for this host.
        self.auth = lambda request: request
        # Plain HTTP is for this machine, and a proxy elsewhere would see the key.
        self.trust_env = not base_url.startswith("http://")

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None."""

    def send_sealed(self, method: str, url: str, sealed: SealedRequest, timeout: float) -> requests.Response:
        """
        Send a request, and return its answer, of which the body is still to be read.

        :param method: the HTTP method.
        :param url: where to, without a query.
        :param sealed: the rest of the request.
        :param timeout: seconds of silence.
        """
        request = self.prepare_request(requests.Request(method, url, headers=sealed.content_headers))
        request.body = sealed  # type: ignore[assignment] # the wired connection knows what to do with it
        settings = self.merge_environment_settings(request.url, {}, True, None, None)
        patience = (min(timeout, CONNECT_TIMEOUT_SECONDS), timeout)
        return self.send(request, timeout=patience, allow_redirects=False, **settings)


def no_answer(what: str, error: Exception, sealed: SealedRequest, host: str, timeout: float) -> VendorUnavailableError:
    """
    Return what the absence of an answer stands for: the vendor may have got the request, or cannot have.

    :param what: the request in words.
    :param error: one of :data:`NO_ANSWER`; it only says why, for the person who reads it.
    :param sealed: the request.
    :param host: where it went.
    :param timeout: seconds that the vendor could take.
    """
    if sealed.has_begun:
        if isinstance(error, requests.ReadTimeout):
            return VendorUnavailableError(f"{what} got no answer within {timeout:g} s.")
        return VendorUnavailableError(f"{what} got no answer: the connection broke.")
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.exceptions.ProxyError):
        return VendorUnreachableError(f"{what} was not sent: the proxy gave no connection to {host}.")
    if isinstance(error, requests.exceptions.SSLError):
        is_untrusted = "CERTIFICATE" in str(reason)
        why = f"the certificate of {host} is not trusted" if is_untrusted else f"{host} does not speak TLS as expected"
        return VendorUnreachableError(f"{what} was not sent: {why}.")
    return VendorUnreachableError(f"{what} was not sent: {host} cannot be reached.")


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
        body = io.BytesIO()  # reports of errors show what is in bytes, and in a bytearray
        for _ in map(body.write, self._decoded(chunks)):
            if body.tell() > limit:
                raise UnexpectedResponseError(f"{self._what} answered with more than {limit:,} bytes.")
            if time.monotonic() > deadline:
                raise VendorUnavailableError(f"{self._what} sent its answer too slowly.")
        return body.getvalue()

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
            failure: Exception = VendorUnavailableError(f"{self._what} stopped sending in the middle of its answer.")
        except (urllib3.exceptions.HTTPError, OSError):
            failure = IncompleteResponseError(f"{self._what} broke off in the middle of its answer.")
        else:
            return
        raise failure  # not in the except block: it would refer to an exception that quotes what arrived

    def _gunzip(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            is_whole = yield from _unpack(chunks)
        except zlib.error:
            is_whole = None
        if is_whole is None:
            raise IncompleteResponseError(f"{self._what} sent gzip that cannot be unpacked.")
        if not is_whole:
            raise IncompleteResponseError(f"{self._what} broke off in the middle of its gzip stream.")


def _unpack(chunks: Iterator[bytes]) -> Generator[bytes, None, bool]:
    """Undo gzip, and return whether the stream was whole."""
    # Not by urllib3's decoder: it takes a cut gzip stream for a whole one.
    decoder = zlib.decompressobj(wbits=31)
    started = False
    for chunk in chunks:
        rest = chunk
        while rest:
            if decoder.eof:  # a gzip stream may have several members
                decoder = zlib.decompressobj(wbits=31)
            started = True
            yield decoder.decompress(rest, CHUNK_BYTES)
            rest = decoder.unconsumed_tail or decoder.unused_data
        del chunk  # what raises when the next one is read shows its local variables
    return decoder.eof or not started
