"""
A vendor in a process of its own whose batches are never ready; each answer takes a while and little processor time.

It prints its ports, and counts the requests by the first segment of their path. Below ``/hanging`` it answers after
30 s, below all others after ``--seconds``. It speaks as much Cliova, Airbyte and dbt Cloud as a poll needs, and the
latter over TLS on a second port, because dbt Cloud's hook knows no other way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
from collections import Counter

HANGING_SECONDS = 30.0
ANSWERS = {
    "cliova": (200, {"code": "SUCCESS", "payload": [{"status": "IN PROGRESS"}]}),
    "http": (404, {}),  # what HttpSensorTrigger takes for "not yet"
    "api": (200, {"data": {"id": 1, "status": 3, "account_id": 1}}),
    "airbyte": (
        200,
        {"jobId": 1, "connectionId": "c", "status": "running", "jobType": "sync", "startTime": "2026-01-01T00:00:00Z"},
    ),
}


class Connection(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self, seconds: float, counts: Counter[str]) -> None:
        self._seconds = seconds
        self._counts = counts
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each GET, later."""
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            name = head.split(b" ", 2)[1].split(b"/")[1].decode()
            if name == "counts":
                self._send(200, dict(self._counts))
                continue
            self._counts[name] += 1
            status, answer = ANSWERS.get(name, ANSWERS["cliova"])
            seconds = HANGING_SECONDS if name == "hanging" else self._seconds
            asyncio.get_running_loop().call_later(seconds, self._send, status, answer)

    def _send(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(head.encode() + body)


async def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--certificate", required=True, help="a file with a certificate and its key")
    args = parser.parse_args()
    seconds = args.seconds
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(seconds, counts), "127.0.0.1", 0, backlog=4096)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.certificate)
    secure = await loop.create_server(lambda: Connection(seconds, counts), "127.0.0.1", 0, backlog=4096, ssl=context)
    print(json.dumps([each.sockets[0].getsockname()[1] for each in (server, secure)]), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
