"""What a request carries, and where vendors look for the key in it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from starlette.types import Scope

SENT = "emailverify.sent"
"""Entry of the ASGI scope that holds the request's :class:`Sent`."""


@dataclass(frozen=True)
class Sent:
    """
    Hold a request's query, headers and body.

    :param headers: names in lower case
    """

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, scope: Scope, body: bytes) -> Sent:
        """Read an ASGI request."""
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(query, headers, body)

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """Return what the body holds by name: members of a JSON object, or fields of a form, files left out."""
        media_type = self.headers.get("content-type", "")
        if media_type.startswith("application/json"):
            try:
                value = json.loads(self.body)
            except ValueError:
                return {}
            return {name: str(each) for name, each in value.items()} if isinstance(value, dict) else {}
        if media_type.startswith("multipart/form-data"):
            head = f"Content-Type: {media_type}\r\n\r\n".encode("latin-1")
            parts = BytesParser(policy=HTTP).parsebytes(head + self.body).iter_parts()
            named = ((part, part.get_param("name", header="content-disposition")) for part in parts)
            return {
                str(name): bytes(part.get_payload(decode=True) or b"").decode(errors="replace")
                for part, name in named
                if name and not part.get_filename()
            }
        return dict(parse_qsl(self.body.decode("latin-1"), keep_blank_values=True))


KeyOf = Callable[[Sent], str]
"""Returns the key that a request carries, "" if it carries none where the vendor looks."""


def in_query(name: str) -> KeyOf:
    """Look into the query."""
    return lambda sent: sent.query.get(name, "")


def in_body(name: str) -> KeyOf:
    """Look among the fields of a form, or the members of a JSON object."""
    return lambda sent: sent.fields.get(name, "")


def in_header(name: str, *prefixes: str) -> KeyOf:
    """
    Look into a header.

    :param name: in lower case
    :param prefixes: one of them must stand before the key
    """

    def key_of(sent: Sent) -> str:
        value = sent.headers.get(name, "")
        found = [prefix for prefix in prefixes or ("",) if value.startswith(prefix)]
        return value.removeprefix(found[0]) if found else ""

    return key_of


def in_basic(*, user: str | None = None) -> KeyOf:
    """
    Look into HTTP's Basic scheme.

    :param user: the name beside which the key is the password; None where the key is the name, or the whole pair
    """

    def key_of(sent: Sent) -> str:
        scheme, _, coded = sent.headers.get("authorization", "").partition(" ")
        try:
            pair = base64.b64decode(coded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        if scheme.lower() != "basic":
            return ""
        name, _, password = pair.partition(":")
        if user is None:
            return pair if password else name
        return password if name == user else ""

    return key_of


def first_of(*places: KeyOf) -> KeyOf:
    """Look in several places, in their order."""
    return lambda sent: next(filter(None, (place(sent) for place in places)), "")
