"""What the sandbox needs to know of a vendor besides its routes."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from airflow_provider_emailverify.sandbox.links import PREFIX
from airflow_provider_emailverify.sandbox.sent import SENT, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_provider_emailverify.sandbox.faults import FaultBook
    from airflow_provider_emailverify.sandbox.ledger import Batch, Ledger, Phase
    from airflow_provider_emailverify.sandbox.links import LinkBook
    from airflow_provider_emailverify.sandbox.sent import KeyOf
    from airflow_provider_emailverify.sandbox.settings import Readings, Settings
    from airflow_provider_emailverify.sandbox.verdicts import Finding

REFUSED_KEYS: Mapping[str, int] = {"": 401, "invalid-key": 401, "forbidden-key": 403}
"""Keys that all vendors refuse; every other key is an account's."""

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
    :param key_of: finds the key in a request
    :param operations: operation by method and by pattern of the raw path below the prefix
    :param error: render an HTTP status and a message as this vendor does
    :param no_credits: the vendor's answer to an account without credits
    :param batch_parameter: the parameter or field that names a batch, where the path does not
    """

    name: str
    prefix: str
    key_of: KeyOf
    operations: Mapping[tuple[str, str], str]
    error: Callable[[Readings, int, str], Response]
    no_credits: Callable[[Readings], tuple[int, str]]
    batch_parameter: str = ""

    def identify(self, method: str, raw_path: str, sent: Sent) -> Call | None:
        """
        Return what a request asks of this vendor, or None when the path isn't below its base.

        :param raw_path: still percent-encoded, so that ``%2F`` in a batch id is no separator
        :param sent: the rest of the request
        """
        if link := re.fullmatch(rf"{PREFIX}/{self.name}/(?P<batch_id>[^/]+)/[^/]+", raw_path):
            return Call(self, "link", unquote(link["batch_id"]))
        if not raw_path.startswith(self.prefix + "/"):
            return None
        for (known_method, pattern), operation in self.operations.items():
            found = re.fullmatch(pattern, raw_path.removeprefix(self.prefix))
            if found and method == known_method:
                batch_id = found.groupdict().get("batch_id")
                named = sent.query.get(self.batch_parameter) or sent.fields.get(self.batch_parameter)
                return Call(self, operation, unquote(batch_id) if batch_id else named)
        return Call(self, "other")


@dataclass(frozen=True)
class Sandbox:
    """Hold what a running sandbox shares between its parts."""

    settings: Settings
    ledger: Ledger
    faults: FaultBook
    links: LinkBook


def check_key(vendor: Vendor, request: Request) -> str:
    """
    Return the key of a request.

    :raises Refusal: when the request carries none, or one that is documented to be refused
    """
    key = vendor.key_of(request.scope[SENT])
    if status := REFUSED_KEYS.get(key):
        raise Refusal(status, "Unauthorized" if status == 401 else "Forbidden")
    return key


async def examined(batch: Batch) -> tuple[Finding, ...]:
    """
    Return a batch's findings, worked out on another thread.

    An address takes about 0.1 ms, so a long list would keep every other answer waiting.
    """
    return await asyncio.to_thread(getattr, batch, "findings")


def accept(
    vendor: Vendor,
    sandbox: Sandbox,
    key: str,
    emails: Sequence[str],
    *,
    name: str = "",
    batch_id: str | None = None,
) -> Batch:
    """
    Take a batch, and charge for it.

    :param name: what the client calls it
    :param batch_id: its id, where the client or the vendor's numbering chooses it
    :raises Refusal: with the vendor's answer, when the account cannot pay
    """
    check_credits(vendor, sandbox, key, needed=len(emails))
    batch = sandbox.ledger.create_batch(vendor.name, emails, name=name, batch_id=batch_id)
    sandbox.ledger.charge(vendor.name, emails, charged_for=batch.batch_id)
    return batch


@dataclass(frozen=True)
class Upload:
    """
    A file of a form, read to its end, and the form's other fields.

    :param content: its bytes
    :param filename: how the client calls it; "" if it has no name
    :param fields: the texts beside it, by name
    """

    content: bytes
    filename: str
    fields: Mapping[str, str]


async def upload_in(request: Request, name: str) -> Upload | None:
    """
    Return a file of a form; None if there is none. The temporary files of the form are closed.

    :param request: with a form as its body
    :param name: of the file's field
    """
    async with request.form() as form:
        file = form.get(name)
        if not isinstance(file, UploadFile):
            return None
        fields = {key: value for key, value in form.items() if isinstance(value, str)}
        return Upload(await file.read(), file.filename or "", fields)


def uploaded(
    content: bytes, *, column: str | int = "email", has_header: bool = True, escape: str | None = None
) -> list[str]:
    """
    Return a column of an uploaded CSV in UTF-8.

    :param column: its header, or its place, from 0
    :param has_header: whether the first row is one
    :param escape: what goes before a quotation mark inside quotes, where that is not a second one
    :raises Refusal: when the file cannot be read, has no such column, or no rows
    """
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = list(csv.reader(text, doublequote=escape is None, escapechar=escape))
        header = rows.pop(0) if has_header else []
        place = column if isinstance(column, int) else header.index(column)
        emails = [row[place] for row in rows if row and row[place]]
    except (UnicodeDecodeError, csv.Error):
        raise Refusal(400, "The file is not a CSV in UTF-8") from None
    except (ValueError, IndexError):
        raise Refusal(400, "The file has no column of addresses") from None
    if not emails:
        raise Refusal(400, "The file holds no addresses")
    return emails


def find(
    vendor: Vendor, sandbox: Sandbox, request: Request, batch_id: str, words: Mapping[Phase, str], *refusal: Any
) -> tuple[Batch, Phase, str]:
    """
    Return the batch that a request with a good key is about, its phase, and the vendor's word for that.

    :param batch_id: decoded
    :param words: the vendor's word for each phase
    :param refusal: status and message for a batch that is unknown
    :raises Refusal: for a bad key, and when there is no such batch
    """
    check_key(vendor, request)
    batch = sandbox.ledger.find(vendor.name, batch_id)
    if batch is None:
        raise Refusal(*refusal)
    return batch, *batch.spoken(words, request.scope.get(FORCED_STATE))


def credits_of(vendor: Vendor, sandbox: Sandbox, request: Request) -> int:
    """
    Return what the account of a request has left.

    :raises Refusal: for a bad key
    """
    return 0 if check_key(vendor, request) == NO_CREDITS_KEY else sandbox.ledger.credits(vendor.name)


def check_credits(vendor: Vendor, sandbox: Sandbox, key: str, needed: int) -> None:
    """
    Refuse a purchase that the account cannot pay.

    :raises Refusal: with the vendor's answer
    """
    if key == NO_CREDITS_KEY or sandbox.ledger.credits(vendor.name) < needed:
        raise Refusal(*vendor.no_credits(sandbox.settings.readings))
