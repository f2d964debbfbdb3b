"""
A server that is no bottleneck: Cliova's status and download calls over a raw socket, the body straight from memory.

Run as a script, it prints one line of JSON (port, size, rows, sha256) and serves until it is ended.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import threading

from body import HEADER, Body, make_body


def main() -> None:
    """Serve one body."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=("plain", "quoted"), default="plain")
    parser.add_argument("--size", type=int, required=True, help="bytes")
    args = parser.parse_args()
    body = make_body(args.variant, args.size)
    block = os.memfd_create("block")
    os.write(block, body.block)
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        told = {"port": listener.getsockname()[1], "size": body.size, "rows": body.rows, "sha256": body.sha256()}
        print(json.dumps(told), flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, body, block), daemon=True).start()


def _serve(connection: socket.socket, body: Body, block: int) -> None:
    received = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in received:
                data = connection.recv(65536)
                if not data:
                    return
                received += data
            head, _, received = received.partition(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            try:
                if path.endswith(b"/download-result"):
                    _send(connection, "text/csv", body.size, HEADER)
                    for count in [len(body.block)] * body.repeats + [body.rest]:
                        _send_file(connection, block, count)
                else:
                    batch_id = path.split(b"/")[-2].decode()
                    payload = [{"id": batch_id, "status": "COMPLETED", "totalEmails": body.rows}]
                    answer = json.dumps({"code": "SUCCESS", "message": "", "payload": payload}).encode()
                    _send(connection, "application/json", len(answer), answer)
            except OSError:  # the client has gone
                return


def _send(connection: socket.socket, media_type: str, length: int, first: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + first)


def _send_file(connection: socket.socket, file: int, count: int) -> None:
    sent = 0
    while sent < count:
        sent += os.sendfile(connection.fileno(), file, sent, count - sent)


if __name__ == "__main__":
    main()
