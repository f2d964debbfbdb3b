"""Where a vendor takes the key of an account, and the key itself, which shows itself to nobody by accident."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote


class Secret:
    """
    A text that is not shown where an object is printed: in logs, in errors, in reports of local variables.

    :param text: the secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Do not give it to a local variable: some reports of errors show those."""
        return self._text


@dataclass(frozen=True, slots=True)
class Key:
    """
    Where a vendor takes the key. Make one with :meth:`query`, :meth:`header`, :meth:`bearer` or :meth:`basic`.

    :param parameter: the query parameter that carries it; "" for none.
    :param field: the member or field that carries it, in place of the query, in requests that have a body.
    :param header_name: the header that carries it; "" for none.
    :param template: the header's value, with ``{key}``.
    :param is_basic: whether the value is what HTTP's Basic scheme encodes.
    """

    parameter: str = ""
    field: str = ""
    header_name: str = ""
    template: str = "{key}"
    is_basic: bool = False

    @classmethod
    def query(cls, name: str, *, body: str = "") -> Self:
        """
        Put the key into the query.

        :param name: the parameter.
        :param body: the field that carries it instead in requests that have a body; "" if the query does there too.
        """
        return cls(parameter=name, field=body)

    @classmethod
    def header(cls, name: str, template: str = "{key}") -> Self:
        """
        Put the key into a header.

        :param name: the header.
        :param template: its value, with ``{key}``.
        """
        return cls(header_name=name, template=template)

    @classmethod
    def bearer(cls) -> Self:
        """Put the key into the header ``Authorization``, as a bearer token."""
        return cls.header("Authorization", "Bearer {key}")

    @classmethod
    def basic(cls, template: str = "{key}:") -> Self:
        """
        Put the key into the header ``Authorization``, as HTTP's Basic scheme has it.

        :param template: user and password, with ``{key}``. Where the key is the user, and the password empty, a key
            with a colon in it is user and password.
        """
        return cls(header_name="Authorization", template=template, is_basic=True)

    def in_query(self, secret: Secret, *, has_body: bool) -> str:
        """Return the part of a query that carries the key; "" if the query does not."""
        if not self.parameter or (has_body and self.field):
            return ""
        return f"{quote(self.parameter, safe='')}={quote(secret.reveal(), safe='')}"

    def in_headers(self, secret: Secret) -> bytes:
        """Return the header line that carries the key, its end included; b"" if no header does."""
        if not self.header_name:
            return b""
        return f"{self.header_name}: {self._header_value(secret)}\r\n".encode("latin-1")

    def spellings(self, secret: Secret) -> tuple[str, ...]:
        """Return the texts that must not be shown: the key, and what a header makes of it."""
        if not self.is_basic:
            return (secret.reveal(),)
        password = secret.reveal().partition(":")[2] if self._is_pair(secret) else ""
        return tuple(filter(None, (secret.reveal(), self._header_value(secret).partition(" ")[2], password)))

    def problem(self, secret: Secret) -> str:
        """Return why the key cannot be sent where this vendor takes it; "" if it can."""
        try:
            quote(secret.reveal())
        except UnicodeEncodeError:
            return "holds a character that no text can hold"
        if self.header_name and not self.is_basic and not _fits_header(secret):
            return "holds a character that a header cannot carry"
        return ""

    def _header_value(self, secret: Secret) -> str:
        if not self.is_basic:
            return self.template.replace("{key}", secret.reveal())
        template = "{key}" if self._is_pair(secret) else self.template
        return f"Basic {base64.b64encode(template.replace('{key}', secret.reveal()).encode()).decode()}"

    def _is_pair(self, secret: Secret) -> bool:
        """Tell whether the key is a user and a password."""
        return self.template == "{key}:" and ":" in secret.reveal()


@dataclass(frozen=True, slots=True)
class Site:
    """
    One address of a vendor's API, and what holds there.

    :param base_url: what every path is appended to, without a slash at its end.
    :param key: where the key goes.
    :param requests_per_minute: the vendor's documented limit; None if it documents none.
    """

    base_url: str
    key: Key
    requests_per_minute: float | None = None


def _fits_header(secret: Secret) -> bool:
    return all(ord(character) < 256 and character.isprintable() for character in secret.reveal())
