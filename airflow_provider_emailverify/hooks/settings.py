"""An Airflow connection, read and checked: one error that names the connection, the field and the fix."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emailverify.exceptions import ConnectionConfigError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

EXTRAS = frozenset({"timeout", "requests_per_minute", "max_attempts", "status_map"})
#: Extras that map one text to another; the others are numbers.
MAPS = frozenset({"status_map", "column_map"})
# Of seconds, requests a minute, and attempts: more is a slip of the pen, and much more overflows.
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """
    What a connection says, checked.

    :param base_url: what paths are appended to, without a slash at its end.
    :param key: the vendor's API key.
    :param options: the extras that are set: ``timeout`` (seconds), ``requests_per_minute``, ``max_attempts``.
    :param maps: the extras that are set and say how results are read: ``status_map``, ``column_map``.
    """

    base_url: str
    key: str
    options: Mapping[str, Any]
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Leave the key out."""
        return f"ConnectionSettings(base_url={self.base_url!r}, options={dict(self.options)!r})"


def read_connection(
    connection: Connection, *, conn_type: str, default_base_url: str, extras: frozenset[str] = EXTRAS
) -> ConnectionSettings:
    """
    Read the settings of a vendor out of an Airflow connection.

    :param connection: the connection.
    :param conn_type: the connection type that it must have.
    :param default_base_url: the base URL if Host is empty.
    :param extras: the names that its extra may hold; nothing else is let through.
    :raises ConnectionConfigError: naming the connection, the field and the fix, but no secret value.
    """

    def refuse(text: str) -> ConnectionConfigError:
        return ConnectionConfigError(f"Connection {connection.conn_id!r}: {text}")

    if connection.conn_type != conn_type:
        raise refuse(f"its Connection Type is {connection.conn_type!r}; set it to {conn_type!r}.")
    key = (connection.password or "").strip()
    if not key:
        raise refuse("its Password is empty; put the vendor's API key there.")
    if any(ord(character) < 32 for character in key):
        raise refuse("its Password holds a control character; copy the API key again.")
    try:
        base_url = _base_url(connection) or default_base_url
        fields = _fields(connection.extra, extras)
        options = {name: _number(name, value) for name, value in fields.items() if name not in MAPS}
        maps = {name: _map(name, value) for name, value in fields.items() if name in MAPS}
    except ValueError as error:
        raise refuse(str(error)) from None
    return ConnectionSettings(base_url=base_url, key=key, options=options, maps=maps)


def _base_url(connection: Connection) -> str:
    """Return the base URL of a connection's Host (and Port, Schema); "" if Host is empty."""
    host = (connection.host or "").strip()
    if not host:
        return ""
    scheme = (connection.schema or "").strip()
    if scheme and ("://" in host or scheme not in ("http", "https")):
        raise ValueError(f"its Schema is {scheme!r}; leave it empty and put the whole base URL into Host.")
    if "://" not in host:
        host = f"{scheme or 'https'}://{host}"
    try:
        url = urlsplit(host)
        port = url.port
    except ValueError:
        raise ValueError("its Host is no URL; use the form https://host/path.") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("its Host is no http(s) URL; use the form https://host/path.")
    if not url.path.isascii() or not url.path.isprintable() or " " in url.path:
        raise ValueError("its Host has a path with blanks or other characters that a URL must quote; quote them.")
    if url.username is not None or url.query or url.fragment:
        raise ValueError("its Host holds a user, a query or a fragment; leave only https://host/path.")
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise ValueError(
            f"its Host is http://{url.hostname}, which would send the key in clear; use https:// (plain http is for "
            "a sandbox on this machine only)."
        )
    if connection.port and port is None:
        url = url._replace(netloc=f"{url.netloc}:{connection.port}")
    return url.geturl().rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _fields(extra: str | None, allowed: frozenset[str]) -> dict[str, Any]:
    try:
        fields = json.loads(extra or "{}")
    except ValueError:
        raise ValueError("its Extra is not JSON; use an object, or leave it empty.") from None
    if not isinstance(fields, dict):
        raise ValueError("its Extra is not a JSON object; use an object, or leave it empty.")  # noqa: TRY004 - the one kind of error here
    unknown = sorted(set(fields) - allowed)
    if unknown:
        raise ValueError(f"its Extra has the unknown field {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}.")
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _number(name: str, value: Any) -> float | int:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    whole = name == "max_attempts"
    if not 0 < number <= _MOST or (whole and not number.is_integer()):
        kind = f"a whole number from 1 to {_MOST:,}" if whole else f"a number above 0, and {_MOST:,} at most"
        raise ValueError(f"its Extra field {name!r} is not {kind}.")
    return int(number) if whole else number


def _map(name: str, value: Any) -> dict[str, str]:
    """Return a map of texts; a form's field holds it as JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError(f"its Extra field {name!r} is not a JSON object that maps texts to texts.")
    return value
