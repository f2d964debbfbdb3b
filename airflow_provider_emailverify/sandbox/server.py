"""A sandbox that runs beside the caller, in a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from airflow_provider_emailverify.sandbox import vendors
from airflow_provider_emailverify.sandbox.app import create_app, create_sandbox
from airflow_provider_emailverify.sandbox.settings import Settings
from airflow_provider_emailverify.sandbox.wire import TransportProtocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

START_TIMEOUT = 10.0
STOP_TIMEOUT = 5.0


class SandboxServer:
    """
    Serve a sandbox, on loopback by default, for as long as the ``with`` block lasts.

    ``ledger`` and ``faults`` are the running server's own and may be read and changed from any thread.

    :param settings: pace and readings
    :param host: an address of this machine
    :param port: 0 for any free one
    :param clock: a monotonic clock in seconds, for tests that move time
    :param overrides: fields of :class:`.Settings` by name, in place of those of ``settings``
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
        **overrides: Any,
    ) -> None:
        self.settings = replace(settings or Settings(), **overrides)
        self.sandbox = create_sandbox(self.settings, clock=clock)
        self.ledger = self.sandbox.ledger
        self.faults = self.sandbox.faults
        self.host = host
        self.port = port
        config = uvicorn.Config(
            create_app(sandbox=self.sandbox),
            http=TransportProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            log_level="error",
            access_log=False,  # an access log would hold the keys
            timeout_keep_alive=75,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return the root, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def vendor_urls(self) -> dict[str, str]:
        """Return the base URL of each vendor."""
        return {module.VENDOR.name: f"{self.url}{module.VENDOR.prefix}" for module in vendors.load()}

    @property
    def proofy_url(self) -> str:
        """Return Proofy's base URL."""
        return self.vendor_urls["proofy"]

    @property
    def cliova_url(self) -> str:
        """Return Cliova's base URL."""
        return self.vendor_urls["cliova"]

    def start(self) -> Self:
        """
        Bind the port and serve; return when requests are answered.

        :raises OSError: when the port is taken
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # Only where the protocol is named does asyncio send at once what is written in two pieces (TCP_NODELAY).
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="emailverify-sandbox", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop serving; answers that are still under way are cut."""
        for connection in list(self._server.server_state.connections):
            # A connection that is open would get a 500 when the loop ends.
            if isinstance(connection, TransportProtocol):
                connection.loop.call_soon_threadsafe(connection.transport.abort)
        self._server.should_exit = True
        self._server.force_exit = True
        if self._thread:
            self._thread.join(STOP_TIMEOUT)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()
