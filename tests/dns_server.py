"""A name server on loopback, over UDP and TCP."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

from dnslib import MX, QTYPE, RCODE, RR, A
from dnslib.server import DNSServer

#: What a domain is: its records, or how its questions end.
Zone = dict[str, str]


class NameServer:
    """
    Answer for some domains.

    :param zone: for each domain ``mx``, ``a``, ``null``, ``nothing``, ``servfail``, ``refused`` or ``silent``; what is
        not in it does not exist.
    :param delay: seconds before each answer.
    """

    def __init__(self, zone: Zone | Callable[[str], str], delay: float = 0.0) -> None:
        self._kind_of = zone if callable(zone) else lambda name: zone.get(name, "")
        self._delay = delay
        self.asked: Counter[tuple[str, str]] = Counter()
        self._servers, port = self._on_one_port()
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        for server in self._servers:
            server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            # What is asked now, or is answered late, finds no socket.
            server.server.handle_error = lambda *_: None
            server.stop()
            server.server.server_close()

    def _on_one_port(self) -> tuple[list[DNSServer], int]:
        for _ in range(100):
            by_udp = DNSServer(self, address="127.0.0.1", port=0, tcp=False)
            port = by_udp.server.server_address[1]
            try:
                return [by_udp, DNSServer(self, address="127.0.0.1", port=port, tcp=True)], port
            except OSError:  # somebody else has the port for TCP
                by_udp.server.server_close()
        raise OSError("No port is free for both UDP and TCP.")

    def resolve(self, request: Any, _handler: Any) -> Any:
        """Answer a question, as dnslib asks for it."""
        reply, name, kind = request.reply(), str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        self.asked[name, kind] += 1
        time.sleep(self._delay)
        match self._kind_of(name):
            case "":
                reply.header.rcode = RCODE.NXDOMAIN
            case "servfail":
                reply.header.rcode = RCODE.SERVFAIL
            case "refused":
                reply.header.rcode = RCODE.REFUSED
            case "silent":
                time.sleep(30)
            case "null" if kind == "MX":
                reply.add_answer(RR(name, QTYPE.MX, rdata=MX(".", 0)))
            case "mx" if kind == "MX":
                reply.add_answer(RR(name, QTYPE.MX, rdata=MX("mail.example", 10)))
            case "many" if kind == "MX":  # too many for a datagram
                for number in range(60):
                    reply.add_answer(RR(name, QTYPE.MX, rdata=MX(f"a-rather-long-name-{number}.mail.example", number)))
            case "a" if kind == "A":
                reply.add_answer(RR(name, QTYPE.A, rdata=A("192.0.2.1")))
        return reply
