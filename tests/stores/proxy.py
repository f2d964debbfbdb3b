"""An HTTP proxy in front of an object store, which refuses, cuts off or loses what a test says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_PIECE = 65536


@dataclass(frozen=True)
class Request:
    """
    What a client asked.

    :param method: the method.
    :param target: path and query, as they came.
    :param headers: the headers, their names in lower case.
    """

    method: str
    target: str
    headers: dict[str, str]

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method in ("PUT", "POST", "DELETE", "PATCH")


@dataclass(frozen=True)
class Refusal:
    """
    What a store answers in place of doing something.

    :param status: the status.
    :param media_type: the body's media type.
    :param body: the body.
    :param headers: more headers.
    """

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


#: The connection is reset in the middle of the request, before the store has seen it.
CUT = "cut"
#: The store does it, and the connection is reset instead of the answer.
LOST = "lost"
#: What becomes of a request: None for nothing.
Fault = Refusal | str | None


class StoreProxy:
    """
    Hand on requests to a server on this machine.

    :ivar port: where it listens.
    :ivar server_port: the server's port; set it before the first request.
    :ivar fault: tells what becomes of a request.
    :ivar requests: those that came.
    """

    def __init__(self) -> None:
        self.server_port = 0
        self.requests: list[Request] = []
        self.fault: Callable[[Request], Fault] = lambda _: None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.port: int = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def heal(self) -> None:
        """Hand on everything again, and forget what came."""
        self.fault = lambda _: None
        self.requests.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    proxy: StoreProxy

    def handle_error(self, *_: object) -> None:
        """Say nothing: a connection that breaks is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def flush_headers(self) -> None:
        """Write them at once, such as those of 100 Continue; a body follows in the next packet at worst."""
        super().flush_headers()
        self.wfile.flush()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._hand_on
        raise AttributeError(name)

    def _hand_on(self) -> None:
        proxy = self.server.proxy
        request = Request(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
        proxy.requests.append(request)
        fault = proxy.fault(request)
        if fault == CUT:
            self.rfile.read(min(int(self.headers.get("Content-Length") or 0) // 2, _PIECE))
            return self._reset()
        if isinstance(fault, Refusal):
            for _ in self._body():
                pass
            return self._refuse(fault)
        server = HTTPConnection("127.0.0.1", proxy.server_port)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                server.putheader(name, value)
            server.endheaders()
            is_chunked = "Transfer-Encoding" in self.headers
            for piece in self._body():
                server.send(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
            if is_chunked:
                server.send(b"0\r\n\r\n")
            answer = server.getresponse()
            if fault == LOST:
                answer.read()
                return self._reset()
            return self._answer(answer)
        except OSError:
            return self._reset()
        finally:
            server.close()

    def _body(self) -> Iterator[bytes]:
        if "Transfer-Encoding" in self.headers:
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("Content-Length") or 0)
        while left and (piece := self.rfile.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def _answer(self, answer: HTTPResponse) -> None:
        self.send_response_only(answer.status, answer.reason)
        length = answer.headers.get("Content-Length")
        body = None if length is not None or self.command == "HEAD" else answer.read()
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if body is not None and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body is not None:
            self.wfile.write(body)
        while piece := answer.read(_PIECE):
            self.wfile.write(piece)

    def _refuse(self, refusal: Refusal) -> None:
        self.send_response_only(refusal.status, "Refused")
        self.send_header("Content-Type", refusal.media_type)
        self.send_header("Content-Length", str(len(refusal.body)))
        for name, value in refusal.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(refusal.body)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
