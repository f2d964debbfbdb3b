"""What a request carries to the vendor: JSON or a form, and the key where the vendor takes it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from airflow_provider_emailverify.http.auth import Secret

#: A file of a form: its name, content and media type.
File = tuple[str, str | bytes, str]


class Body(Protocol):
    """What a request carries. It does not show its content: that is addresses."""

    def encode(self, field: str, secret: Secret) -> tuple[bytes, str]:
        """
        Return the bytes and their media type.

        :param field: the field that carries the key; "" if the key goes elsewhere.
        :param secret: the key.
        :raises UnicodeEncodeError: there is a character that cannot be sent.
        """


class Json:
    """
    A JSON object.

    :param members: what it holds.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = dict(members)

    def encode(self, field: str, secret: Secret) -> tuple[bytes, str]:
        """Return the bytes and their media type."""
        text = json.dumps(self._members)
        if field:  # not before this, because what raises shows its local variables
            more = ", " if self._members else ""
            text = f"{{{json.dumps(field)}: {json.dumps(secret.reveal())}{more}{text[1:]}"
        return text.encode(), "application/json"


class Form:
    """
    A form; one with a file is sent in parts.

    :param fields: what it holds, by name.
    :param files: its files, by field.
    """

    __slots__ = ("_fields", "_files")

    def __init__(self, fields: Mapping[str, str] | None = None, files: Mapping[str, File] | None = None) -> None:
        self._fields = dict(fields or {})
        self._files = dict(files or {})

    def encode(self, field: str, secret: Secret) -> tuple[bytes, str]:
        """Return the bytes and their media type."""
        # Imported here because DAG files import hooks all day and need no HTTP.
        from urllib3.filepost import encode_multipart_formdata

        # Before the key is there, because what raises shows its local variables.
        plain = urlencode(self._fields)
        files = {name: _encoded(file) for name, file in self._files.items()}
        if not files:
            key = f"{quote(field, safe='')}={quote(secret.reveal(), safe='')}" if field else ""
            return "&".join(filter(None, (plain, key))).encode(), "application/x-www-form-urlencoded"
        return encode_multipart_formdata({**self._fields, **({field: secret.reveal()} if field else {}), **files})


def _encoded(file: File) -> tuple[str, bytes, str]:
    name, content, media_type = file
    return name.encode().decode(), content.encode() if isinstance(content, str) else content, media_type
