"""The application: all vendors' routes, the sandbox's own, and the gate before them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from airflow_provider_emailverify.sandbox import control, links, vendors
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


def create_sandbox(settings: Settings | None = None, *, clock: Callable[[], float] = time.monotonic) -> Sandbox:
    """
    Return a sandbox's books and faults, empty.

    :param clock: a monotonic clock in seconds
    """
    settings = settings or Settings()
    ledger = Ledger(credits_per_vendor=settings.credits, ready_after=settings.ready_after, clock=clock)
    return Sandbox(settings, ledger, FaultBook(), links.LinkBook(clock))


def create_app(settings: Settings | None = None, *, sandbox: Sandbox | None = None) -> ASGIApp:
    """
    Return the application.

    Faults that break a connection need a server that puts the transport into the scope, see :mod:`.wire`.

    :param settings: pace and readings, for a sandbox of its own
    :param sandbox: books that the caller keeps; goes before ``settings``
    """
    sandbox = sandbox or create_sandbox(settings)
    app = FastAPI(title="E-mail verification sandbox", docs_url=None, redoc_url=None, redirect_slashes=False)
    modules = vendors.load()
    known = [module.VENDOR for module in modules]
    for module in (*modules, control):
        app.include_router(module.router(sandbox))
    app.include_router(links.router(sandbox.links, lambda: {each.key for each in sandbox.ledger.requests()}))

    async def in_the_vendors_words(request: Request, problem: Exception) -> Response:
        status, message = 500, "Internal Server Error"
        if isinstance(problem, HTTPException):
            status, message = problem.status_code, problem.detail
        for vendor in known:
            if request.url.path.startswith(f"{vendor.prefix}/"):
                answer: Response = vendor.error(sandbox.settings.readings, status, message)
                return answer
        return JSONResponse({"message": message}, status)

    app.add_exception_handler(HTTPException, in_the_vendors_words)
    app.add_middleware(GZipMiddleware, minimum_size=500)
    return Gate(app, sandbox, known)
