"""The sandbox's own paths: what it is, its books, its faults."""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, Response

from airflow_provider_emailverify.sandbox import vendors
from airflow_provider_emailverify.sandbox.faults import KINDS, OPERATIONS
from airflow_provider_emailverify.sandbox.settings import Readings
from airflow_provider_emailverify.sandbox.vendor import Sandbox


def router(sandbox: Sandbox) -> APIRouter:
    """Return the routes below ``/sandbox`` and the index."""
    routes = APIRouter(tags=["Sandbox"])
    readings = sandbox.settings.readings

    @routes.get("/")
    async def index(request: Request) -> dict[str, Any]:
        base = str(request.base_url).rstrip("/")
        return {
            "what": "A rehearsal of e-mail verification vendors' APIs: no vendor behind it, nothing to pay",
            "hosts": {module.VENDOR.name: f"{base}{module.VENDOR.prefix}" for module in vendors.load()},
            "ledger": f"{base}/sandbox/ledger",
            "faults": f"{base}/sandbox/faults",
            "operations": OPERATIONS,
            "fault_kinds": KINDS,
            "readings": {name: getattr(readings, name) for name in Readings.table()},
            "ready_after": sandbox.settings.ready_after,
        }

    @routes.get("/sandbox/ledger")
    async def ledger() -> dict[str, object]:
        return sandbox.ledger.summary()

    @routes.delete("/sandbox/ledger", status_code=204)
    async def forget() -> None:
        sandbox.ledger.reset()

    @routes.get("/sandbox/faults")
    async def faults() -> list[dict[str, object]]:
        return sandbox.faults.listed()

    @routes.post("/sandbox/faults", status_code=201)
    async def add_fault(fault: dict[str, Any] = Body()) -> Response:  # noqa: B008 - FastAPI's way
        try:
            number = sandbox.faults.add(**fault)
        except (TypeError, ValueError) as problem:
            return JSONResponse({"message": str(problem)}, 422)
        return JSONResponse({"id": number}, 201)

    @routes.delete("/sandbox/faults", status_code=204)
    async def clear_faults() -> None:
        sandbox.faults.clear()

    @routes.delete("/sandbox/faults/{number}")
    async def remove_fault(number: int) -> Response:
        return Response(status_code=204 if sandbox.faults.remove(number) else 404)

    @routes.patch("/sandbox/batches/{quoted_id}")
    async def force_state(quoted_id: str, state: str | None = Body(embed=True)) -> Response:
        try:
            sandbox.ledger.batch(unquote(quoted_id)).state = state
        except KeyError:
            return JSONResponse({"message": "no such batch"}, 404)
        return Response(status_code=204)

    return routes
