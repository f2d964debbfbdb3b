"""The application: both vendors' routes, the sandbox's own, and the gate before them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from airflow_provider_emailverify.sandbox import cliova, control, proofy
from airflow_provider_emailverify.sandbox.faults import FaultBook
from airflow_provider_emailverify.sandbox.gate import Gate
from airflow_provider_emailverify.sandbox.ledger import Ledger
from airflow_provider_emailverify.sandbox.settings import Settings
from airflow_provider_emailverify.sandbox.vendor import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

VENDORS = (proofy.PROOFY, cliova.CLIOVA)


def create_sandbox(settings: Settings | None = None, *, clock: Callable[[], float] = time.monotonic) -> Sandbox:
    """
    Return a sandbox's books and faults, empty.

    :param clock: a monotonic clock in seconds
    """
    settings = settings or Settings()
    ledger = Ledger(credits_per_vendor=settings.credits, ready_after=settings.ready_after, clock=clock)
    return Sandbox(settings, ledger, FaultBook())


def create_app(settings: Settings | None = None, *, sandbox: Sandbox | None = None) -> ASGIApp:
    """
    Return the application.

    Faults that break a connection need a server that puts the transport into the scope, see :mod:`.wire`.

    :param settings: pace and readings, for a sandbox of its own
    :param sandbox: books that the caller keeps; goes before ``settings``
    """
    sandbox = sandbox or create_sandbox(settings)
    app = FastAPI(title="E-mail verification sandbox", docs_url=None, redoc_url=None, redirect_slashes=False)
    for module in (proofy, cliova, control):
        app.include_router(module.router(sandbox))

    async def in_the_vendors_words(request: Request, problem: Exception) -> Response:
        status, message = 500, "Internal Server Error"
        if isinstance(problem, HTTPException):
            status, message = problem.status_code, problem.detail
        for vendor in VENDORS:
            if request.url.path.startswith(vendor.prefix):
                return vendor.error(sandbox.settings.readings, status, message)
        return JSONResponse({"message": message}, status)

    app.add_exception_handler(HTTPException, in_the_vendors_words)
    app.add_middleware(GZipMiddleware, minimum_size=500)
    return Gate(app, sandbox, VENDORS)
