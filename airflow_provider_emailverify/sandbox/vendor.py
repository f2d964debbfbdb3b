"""What the sandbox needs to know of a vendor besides its routes."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_provider_emailverify.sandbox.faults import FaultBook
    from airflow_provider_emailverify.sandbox.ledger import Batch, Ledger
    from airflow_provider_emailverify.sandbox.settings import Readings, Settings
    from airflow_provider_emailverify.sandbox.verdicts import Finding

REFUSED_KEYS: Mapping[str, int] = {"": 401, "invalid-key": 401, "forbidden-key": 403}
"""Keys that both vendors refuse; every other key is an account's."""

NO_CREDITS_KEY = "no-credits-key"
"""Key of an account that has nothing left: it may ask, but not buy."""

FORCED_STATE = "emailverify.forced_state"
"""Entry of the ASGI scope with which a fault makes a batch look like something else for one request."""


class Refusal(HTTPException):
    """End a request with an error in the vendor's own shape."""


@dataclass(frozen=True)
class Call:
    """
    Name what a request asks for.

    :param batch_id: decoded, when the path holds one
    """

    vendor: Vendor
    operation: str
    batch_id: str | None = None


@dataclass(frozen=True)
class Vendor:
    """
    Describe one vendor.

    :param prefix: first part of its base URL's path
    :param key_parameter: name of the query parameter that carries the key
    :param operations: operation by method and by pattern of the raw path below the prefix
    :param error: render an HTTP status and a message as this vendor does
    :param no_credits: the vendor's answer to an account without credits
    """

    name: str
    prefix: str
    key_parameter: str
    operations: Mapping[tuple[str, str], str]
    error: Callable[[Readings, int, str], Response]
    no_credits: Callable[[Readings], tuple[int, str]]

    def identify(self, method: str, raw_path: str) -> Call | None:
        """
        Return what a request asks of this vendor, or None when the path isn't below its base.

        :param raw_path: still percent-encoded, so that ``%2F`` in a batch id is no separator
        """
        if not raw_path.startswith(self.prefix + "/"):
            return None
        for (known_method, pattern), operation in self.operations.items():
            found = re.fullmatch(pattern, raw_path.removeprefix(self.prefix))
            if found and method == known_method:
                batch_id = found.groupdict().get("batch_id")
                return Call(self, operation, unquote(batch_id) if batch_id else None)
        return Call(self, "other")


@dataclass(frozen=True)
class Sandbox:
    """Hold what a running sandbox shares between its parts."""

    settings: Settings
    ledger: Ledger
    faults: FaultBook


def check_key(vendor: Vendor, request: Request) -> str:
    """
    Return the key of a request.

    :raises Refusal: when the query holds none, or one that is documented to be refused
    """
    key = request.query_params.get(vendor.key_parameter, "")
    if status := REFUSED_KEYS.get(key):
        raise Refusal(status, "Unauthorized" if status == 401 else "Forbidden")
    return key


async def examined(batch: Batch) -> tuple[Finding, ...]:
    """
    Return a batch's findings, worked out on another thread.

    An address takes about 0.1 ms, so a long list would keep every other answer waiting.
    """
    return await asyncio.to_thread(getattr, batch, "findings")


def check_credits(vendor: Vendor, sandbox: Sandbox, key: str, needed: int) -> None:
    """
    Refuse a purchase that the account cannot pay.

    :raises Refusal: with the vendor's answer
    """
    if key == NO_CREDITS_KEY or sandbox.ledger.credits(vendor.name) < needed:
        raise Refusal(*vendor.no_credits(sandbox.settings.readings))
