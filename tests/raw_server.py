"""An HTTP server for answers that no decent server gives."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
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

    :ivar requests: the requests that came in, head and body, as bytes.
    """

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = [respond(b"{}")]
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

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
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = _read_request(connection)
                if not request:
                    return
                behaviour = self.behaviours[min(len(self.requests), len(self.behaviours) - 1)]
                self.requests.append(request)
                behaviour(connection)
            except OSError:
                return


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
