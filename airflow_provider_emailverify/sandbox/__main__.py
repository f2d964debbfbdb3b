"""Command line of the sandbox."""

from __future__ import annotations

import argparse
import ipaddress
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_emailverify.sandbox.server import SandboxServer

OPEN = "--i-know-others-can-reach-it"
EXTRA = "The sandbox needs its extra: pip install 'airflow-provider-emailverify[sandbox]' ({} is missing)"


def main(argv: Sequence[str] | None = None) -> int:
    """
    Serve until interrupted.

    :param argv: arguments in place of those of the process
    :return: exit code; 1 when the extra is missing or the port cannot be had. Wrong arguments exit with 2.
    """
    try:
        from airflow_provider_emailverify.sandbox.faults import Fault
        from airflow_provider_emailverify.sandbox.server import SandboxServer
        from airflow_provider_emailverify.sandbox.settings import Readings, Settings
    except ModuleNotFoundError as missing:
        return _complain(EXTRA.format(missing.name))
    parser = _parser(Readings.table())
    options = parser.parse_args(argv)
    if not (options.is_open or _is_loopback(options.host)):
        parser.error(f"{options.host} is not a loopback address. To serve other machines, add {OPEN}.")
    try:
        settings = Settings(
            ready_after=options.ready_after,
            credits=options.credits,
            requests_per_minute=options.requests_per_minute,
            readings=Readings.parse(options.reading),
        )
        faults = [Fault.parse(text) for text in options.fault]
    except ValueError as wrong:
        parser.error(str(wrong))
    server = SandboxServer(settings, host=options.host.replace("localhost", "127.0.0.1"), port=options.port)
    for fault in faults:
        server.faults.switch_on(fault)
    try:
        server.start()
    except OSError as problem:
        return _complain(
            f"Cannot listen on {options.host} port {options.port}: {problem.strerror}. Choose another --port."
        )
    # A shell that starts the sandbox in the background makes it ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    _say(_welcome(server))
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
    return 0


def _parser(readings: dict[str, tuple[str, ...]]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_emailverify.sandbox",
        description="Serve the published HTTP contracts of ten vendors on loopback: no account, no credits.",
        epilog="readings, the default first:\n"
        + "\n".join(f"  {name} = {' | '.join(values)}" for name, values in readings.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help=f"an address of this machine; with {OPEN} also one that others reach (default: %(default)s)",
    )
    parser.add_argument(
        OPEN, action="store_true", dest="is_open", help="serve other machines too: containers, or a cluster"
    )
    parser.add_argument("--port", type=_port, default=8025, help="0: any free one (default: %(default)s)")
    parser.add_argument(
        "--ready-after", type=float, default=5.0, metavar="SECONDS", help="time a batch takes (default: %(default)s)"
    )
    parser.add_argument(
        "--credits", type=int, default=1_000_000, help="on each vendor's account (default: %(default)s)"
    )
    parser.add_argument("--requests-per-minute", type=int, metavar="N", help="answer 429 above it (default: no limit)")
    parser.add_argument(
        "--reading",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="how to read what a vendor does not document; may be repeated",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="VENDOR:OPERATION:KIND[:TIMES[:PARAM=VALUE,...]]",
        help="something that goes wrong, as proofy:status:rate_limit:2:retry_after=3; may be repeated",
    )
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _welcome(server: SandboxServer) -> str:
    lines = [f"Sandbox on {server.url}/ - nothing here reaches a vendor. Stop it with Ctrl-C.", ""]
    is_local = _is_loopback(server.host)
    if not is_local:
        lines += ["Other machines reach it. Put the name by which they do into the connections.", ""]
    for vendor, url in server.vendor_urls.items():
        connection: dict[str, object] = {"conn_type": vendor, "host": url, "password": "sandbox-key"}
        connection |= {} if is_local else {"extra": {"allow_http": True}}
        lines.append(f"export AIRFLOW_CONN_{vendor.upper()}_DEFAULT='{json.dumps(connection)}'")
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
