"""What a request carries to the vendor: JSON, a form or text, and the key where the vendor takes it there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    A JSON object, or a list, which cannot carry a key.

    :param value: what it holds.
    """

    __slots__ = ("_value",)

    def __init__(self, value: Mapping[str, Any] | Sequence[Any]) -> None:
        self._value = value

    def encode(self, field: str, secret: Secret) -> tuple[bytes, str]:
        """Return the bytes and their media type."""
        text = json.dumps(self._value)
        if field:  # not before this, because what raises shows its local variables
            more = ", " if self._value else ""
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


class Text:
    """
    A text as it stands.

    :param content: the text.
    :param media_type: its media type.
    """

    __slots__ = ("_content", "_media_type")

    def __init__(self, content: str, media_type: str) -> None:
        self._content = content
        self._media_type = media_type

    def encode(self, field: str, secret: Secret) -> tuple[bytes, str]:
        """Return the bytes and their media type."""
        return self._content.encode(), self._media_type


def _encoded(file: File) -> tuple[str, bytes, str]:
    name, content, media_type = file
    return name.encode().decode(), content.encode() if isinstance(content, str) else content, media_type
