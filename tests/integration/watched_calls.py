"""
Make calls in a process in which everything that can watch Python's HTTP is at work; write down what it saw.

Run by test_reports.py: ``python -m tests.integration.watched_calls RESULT CONN_ID …``.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

AUDITED: list[str] = []
EVENTS = ("http.client.", "urllib", "socket.", "ssl.")


def note(event: str, args: tuple[Any, ...]) -> None:
    if event.startswith(EVENTS):
        AUDITED.append(repr((event, [bytes(arg) if isinstance(arg, memoryview) else arg for arg in args])))


sys.addaudithook(note)

import sentry_sdk
import sentry_sdk.integrations.logging
import sentry_sdk.transport
from rich.traceback import Traceback

from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.http.bodies import Form, Json

try:
    from structlog.tracebacks import ExceptionDictTransformer
except ImportError:  # Airflow 2 does without it
    ExceptionDictTransformer = None

ADDRESSES = json.loads(os.environ["ADDRESSES"])


class Reports(sentry_sdk.transport.Transport):
    """Keeps what Sentry would send."""

    sent: list[str] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.sent.append(envelope.serialize().decode())


class Watch:
    """
    Make calls, and report their errors in every way that there is.

    :ivar outcomes: what each call returned or raised.
    :ivar tracebacks: the reports.
    :ivar frames: the local variables of the frames below the call that has the addresses for an argument.
    """

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.tracebacks: list[str] = []
        self.frames: list[str] = []

    def __call__(self, name: str, call: Callable[[], Any]) -> None:
        try:
            self.outcomes[name] = repr(call())
        except Exception as error:
            self.outcomes[name] = type(error).__name__
            self._report(error)

    def _report(self, error: Exception) -> None:
        sentry_sdk.capture_exception(error)
        exc_info = type(error), error, error.__traceback__
        with_locals: dict[str, Any] = {"show_locals": True, "locals_max_string": None, "locals_max_length": None}
        rich = Traceback.extract(*exc_info, **with_locals)
        if ExceptionDictTransformer:
            transform = ExceptionDictTransformer(show_locals=True, locals_max_string=100_000)
            self.tracebacks.append(repr(transform(exc_info)))
        self.tracebacks += [
            # What it would print, but for the coloured source, which takes a second for each error.
            *(
                f"{stack.exc_value} {name} = {node.render(max_width=10_000)}"
                for stack in rich.stacks
                for frame in stack.frames
                for name, node in (frame.locals or {}).items()
            ),
            *traceback.TracebackException.from_exception(error, capture_locals=True).format(),
        ]
        context: BaseException | None = error
        while context:
            self.tracebacks.append(repr(context) + repr(vars(context)))
            frame = context.__traceback__
            while frame:
                if frame.tb_frame.f_code.co_name not in ("__call__", "<lambda>", "submit_batch", "spend"):
                    self.frames.append(repr(frame.tb_frame.f_locals))
                frame = frame.tb_next
            context = context.__cause__ or context.__context__


def make_calls(watch: Watch, conn_id: str) -> None:
    hook: Any = None

    def connect() -> str:
        nonlocal hook
        hook = EmailVerifyHook.get_hook(conn_id)
        return str(hook.client.name)

    watch(f"{conn_id} connect", connect)
    if "connect" in watch.outcomes[f"{conn_id} connect"]:
        client = hook.client
        watch(f"{conn_id} submit", lambda: hook.submit_batch(ADDRESSES, name="n"))
        watch(f"{conn_id} status", lambda: hook.get_batch_status("b"))
        watch(f"{conn_id} json", lambda: client.request_json("POST", "/x", body=Json({"emails": ADDRESSES})))
        watch(f"{conn_id} form", lambda: client.request_json("POST", "/x", body=Form({"emails": repr(ADDRESSES)})))
        watch(f"{conn_id} cancel", lambda: client.send("DELETE", "/x", batch_id="b"))
        watch(f"{conn_id} download", lambda: hook.download_results("b").__enter__())


def main(result: str, *conn_ids: str) -> None:
    # As Airflow's own integration sets it up, and with everything that it can be told to collect.
    sentry_sdk.integrations.logging.ignore_logger("airflow.task")
    sentry_sdk.init(
        dsn="https://key@sentry.example/1",
        transport=Reports,
        traces_sample_rate=1.0,
        send_default_pii=True,
        max_request_body_size="always",
    )
    http.client.HTTPConnection.debuglevel = 1
    logging.basicConfig(level=logging.DEBUG)
    watch = Watch()
    for conn_id in conn_ids:
        with sentry_sdk.start_transaction(name="task"):
            make_calls(watch, conn_id)
    sentry_sdk.flush()
    seen = {
        "outcomes": watch.outcomes,
        "sentry": "\n".join(Reports.sent),
        "tracebacks": "\n".join(watch.tracebacks),
        "frames": "\n".join(watch.frames),
        "audit": "\n".join(AUDITED),
    }
    Path(result).write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
