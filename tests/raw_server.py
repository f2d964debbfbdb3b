"""An HTTP server for answers that no decent server gives."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

#: Gets the connection, and the request's head and body; writes what it likes. Afterwards the connection is closed.
Behaviour = Callable[[socket.socket], None]


def respond(body: bytes = b"", *, status: str = "200 OK", length: int | None = -1, **headers: str) -> Behaviour:
    """
    Return a behaviour that answers once.

    :param body: what is sent.
    :param status: the status line's end.
    :param length: the Content-Length; -1 for the true one, None for no such header.
    :param headers: more headers; underscores stand for hyphens.
    """
    lines = [f"HTTP/1.1 {status}", "Connection: close"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == -1 else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    answer = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    return lambda connection: connection.sendall(answer)


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset, without an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class RawServer:
    """
    Serve what :attr:`behaviours` says, in that order; the last one again and again.

    :param tls: speak TLS with this context.
    :param most_bytes: how much of a request to read; None for all of it.
    :ivar requests: the requests that came in, head and body, as bytes.
    :ivar connections: how many connections were accepted.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, most_bytes: int | None = None) -> None:
        self.connections = 0
        self._tls = tls
        self._most_bytes = most_bytes
        self.behaviours: list[Behaviour] = [respond(b"{}")]
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who accepts
        self._listener.close()

    def answer(self, *behaviours: Behaviour) -> None:
        """Set the behaviours."""
        self.behaviours = list(behaviours)

    @property
    def targets(self) -> list[str]:
        """The request lines' targets."""
        return [request.split(b" ", 2)[1].decode() for request in self.requests]

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                if self._tls:
                    with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                        self._serve_one(wrapped)
                else:
                    self._serve_one(connection)
            except OSError:
                return

    def _serve_one(self, connection: socket.socket) -> None:
        if self._most_bytes is None:
            request = _read_request(connection)
        else:
            request = _read_beginning(connection, self._most_bytes)
        if request or self._most_bytes == 0:
            behaviour = self.behaviours[min(len(self.requests), len(self.behaviours) - 1)]
            self.requests.append(request)
            behaviour(connection)


class ConnectProxy:
    """
    A proxy for HTTPS that can break off.

    :param port: where its tunnels end on this machine, whatever host is asked for; None for the port that is asked for.
    :param answer: what it answers; None to close without an answer.
    :param tunnels: whether a tunnel follows.
    :param tls: speak TLS with this context.
    :ivar heads: what it was asked.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        answer: bytes | None = b"HTTP/1.1 200 OK\r\n\r\n",
        tunnels: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.heads: list[bytes] = []
        self._port = port
        self._answer = answer
        self._tunnels = tunnels
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with suppress(OSError), self._tls.wrap_socket(client, server_side=True) if self._tls else client as client:
            self.heads.append(_read_request(client))
            if self._answer is None:
                return
            client.sendall(self._answer)
            if self._tunnels:
                asked = int(self.heads[-1].split(b" ")[1].rpartition(b":")[2])
                with socket.create_connection(("127.0.0.1", self._port or asked)) as vendor:
                    threading.Thread(target=_pump, args=(vendor, client), daemon=True).start()
                    _pump(client, vendor)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _read_beginning(connection: socket.socket, most: int) -> bytes:
    data = b""
    while len(data) < most and (chunk := connection.recv(most - len(data))):
        data += chunk
    return data


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
