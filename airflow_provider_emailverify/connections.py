"""
What an Airflow connection of a vendor may hold: its fields, their form, and how they are read.

One table says all three. Airflow imports this module while its own configuration is still being set up, so nothing of
Airflow's is imported here.
"""

from __future__ import annotations

import ipaddress
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_emailverify.exceptions import ConnectionConfigError
from airflow_provider_emailverify.http.auth import Secret, Site

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

_DEFAULT_PORTS = {"http": 80, "https": 443}
# What Airflow shows in place of a password; 3.3.1 also tests with it where Host or Port is empty.
_MASK = "***"
# Of seconds, requests a minute, and attempts: more is a slip of the pen, and much more overflows.
_MOST = 1_000_000


def _number(value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number <= _MOST:
        raise ValueError(f"is not a number above 0, and {_MOST:,} at most")
    return number


def _whole_number(value: Any) -> int:
    try:
        number = _number(value)
    except ValueError:
        number = 0.0
    if not number or not number.is_integer():
        raise ValueError(f"is not a whole number from 1 to {_MOST:,}")
    return int(number)


def _flag(value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in ("true", "false"):
        raise ValueError("is neither true nor false")
    return word == "true"


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("is not the id of a connection")
    return value.strip()


def _map(value: Any) -> dict[str, str]:
    if isinstance(value, str):  # a form's field holds it as JSON text
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("is not a JSON object that maps texts to texts")
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field of a connection's Extra.

    :param label: its name in the form.
    :param description: what it is for.
    :param schema: its JSON schema, for Airflow's form.
    :param parse: returns its value, or raises what is wrong with it.
    """

    label: str
    description: str
    schema: Mapping[str, Any]
    parse: Callable[[Any], Any]


FIELDS: Mapping[str, Field] = {
    "timeout": Field(
        "Timeout (seconds)",
        "How long the vendor may stay silent before a request counts as failed; 30 if empty",
        {"type": ["number", "null"], "exclusiveMinimum": 0},
        _number,
    ),
    "requests_per_minute": Field(
        "Requests per minute",
        "Limit that the processes of a machine keep to together; the vendor's documented limit if empty",
        {"type": ["number", "null"], "exclusiveMinimum": 0},
        _number,
    ),
    "limit_conn_id": Field(
        "Redis connection of the limit",
        "An Airflow connection of type redis, in which workers on several machines count their requests together; "
        "if empty, the processes of each machine do",
        {"type": ["string", "null"]},
        _name,
    ),
    "max_attempts": Field(
        "Attempts per request",
        "How often a request that may be repeated is sent, the first time included; 4 if empty",
        {"type": ["integer", "null"], "minimum": 1},
        _whole_number,
    ),
    "allow_http": Field(
        "Allow plain http",
        "For a sandbox on another machine, in a container for instance: the key is then sent in clear",
        {"type": ["boolean", "null"]},
        _flag,
    ),
    "status_map": Field(
        "Verdicts of words",
        'JSON object: words of the vendor that are not known, such as {"greylisted": "unknown"}',
        {"type": ["string", "null"]},
        _map,
    ),
    "column_map": Field(
        "Columns",
        'JSON object: the headers of columns, such as {"email": "E-Mail", "verdict": "Outcome"}',
        {"type": ["string", "null"]},
        _map,
    ),
}
#: The fields that every vendor's connection may have.
EXTRAS = frozenset({"timeout", "requests_per_minute", "limit_conn_id", "max_attempts", "allow_http", "status_map"})
#: The same for a vendor whose results are a table.
TABLE_EXTRAS = EXTRAS | {"column_map"}
#: The fields that say how results are read.
MAPS = frozenset({"status_map", "column_map"})


def connection_form(base_url: str, extras: Iterable[str] = EXTRAS) -> dict[str, Any]:
    """
    Return the connection form of a vendor, in the words of Airflow's provider metadata.

    :param base_url: shown as the placeholder of Host.
    :param extras: the names of the fields that it has.
    """
    return {
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "extra"],
            "relabeling": {"password": "API key (Password)", "host": "Base URL (Host)"},
            # Their Test button takes an empty port for another one (apache/airflow#73298).
            "placeholders": {"host": base_url, "port": "443, for the Test button of Airflow 3.3.1 and 3.3.2"},
        },
        "conn-fields": {
            name: {"label": field.label, "description": field.description, "schema": dict(field.schema)}
            for name, field in FIELDS.items()
            if name in extras
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """
    What a connection says, checked.

    :param base_url: what paths are appended to, without a slash at its end.
    :param names_host: whether the connection says that itself; it then stands for all of the vendor's addresses.
    :param key: the vendor's API key.
    :param is_trimmed: whether the Password had blanks around the key.
    :param options: the extras that are set: ``timeout`` (seconds), ``requests_per_minute``, ``max_attempts``,
        ``limit_conn_id``, ``allow_http``.
    :param maps: the extras that are set and say how results are read: ``status_map``, ``column_map``.
    """

    base_url: str
    names_host: bool
    key: Secret
    is_trimmed: bool
    options: Mapping[str, Any]
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_connection(
    connection: Connection, *, conn_id: str, conn_type: str, site: Site, extras: frozenset[str] = EXTRAS
) -> ConnectionSettings:
    """
    Read the settings of a vendor out of an Airflow connection.

    :param connection: the connection.
    :param conn_id: what it was asked for by; a secrets backend may give it another name.
    :param conn_type: the connection type that it must have.
    :param site: the vendor's, for the base URL if Host is empty, and for where the key goes.
    :param extras: the names that its Extra may hold; nothing else is let through.
    :raises ConnectionConfigError: naming the connection, the field and the fix, but no secret value.
    """
    try:
        return _read(connection, conn_type, site, extras)
    except ValueError as error:
        problem = str(error)
    # Reports of errors show the local variables of the frames that raise, and a connection shows its password.
    del connection
    raise ConnectionConfigError(f"Connection {conn_id!r}: {problem}")


def _read(connection: Connection, conn_type: str, site: Site, extras: frozenset[str]) -> ConnectionSettings:
    if connection.conn_type != conn_type:
        raise ValueError(f"its Connection Type is {connection.conn_type!r}; set it to {conn_type!r}.")
    key = Secret(_text(connection, "password").strip())
    if not key.reveal():
        raise ValueError("its Password is empty; put the vendor's API key there.")
    if key.reveal() == _MASK:
        raise ValueError(
            f"its Password is {_MASK}, which is what Airflow shows in place of one; type the API key again. If this is "
            "the Test button of Airflow 3.3.1, fill Host and Port first, with 443 as the Port."
        )
    if any(ord(character) < 32 for character in key.reveal()):
        raise ValueError("its Password holds a control character; copy the API key again.")
    if problem := site.key.problem(key):
        raise ValueError(f"its Password {problem}; copy the API key again.")
    values = _extras(connection.extra, extras)
    base_url = _base_url(connection, allow_http=values.get("allow_http", False))
    return ConnectionSettings(
        base_url=base_url or site.base_url,
        names_host=bool(base_url),
        key=key,
        is_trimmed=key.reveal() != connection.password,
        options={name: value for name, value in values.items() if name not in MAPS},
        maps={name: value for name, value in values.items() if name in MAPS},
    )


def _base_url(connection: Connection, *, allow_http: bool) -> str:
    """Return the base URL of a connection's Host (and Port, Schema); "" if Host is empty."""
    host = _text(connection, "host").strip()
    if not host:
        return ""
    hidden = next((character for character in host if _is_invisible(character)), "")
    if hidden:
        raise ValueError(f"its Host holds an invisible character (U+{ord(hidden):04X}); type it again.")
    scheme = _text(connection, "schema").strip()
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
    if not _is_name(url.hostname):
        raise ValueError("its Host has a host name with a blank, or an empty or overlong part; correct it.")
    if url.scheme == "http" and not (allow_http or _is_loopback(url.hostname)):
        raise ValueError(
            f"its Host is http://{url.hostname}, which would send the key in clear; use https:// (plain http is for a "
            'sandbox: on this machine, or where its Extra says {"allow_http": true}).'
        )
    if port is None and (port := _port(connection)) not in (None, _DEFAULT_PORTS[url.scheme]):
        url = url._replace(netloc=f"{url.netloc}:{port}")
    return url.geturl().rstrip("/")


def _port(connection: Connection) -> int | None:
    if not connection.port:
        return None
    if not 0 < connection.port < 65_536:
        raise ValueError("its Port is not a number from 1 to 65535; correct it, or leave it empty.")
    return connection.port


def _text(connection: Connection, name: str) -> str:
    value = getattr(connection, name) or ""
    if not isinstance(value, str):
        raise ValueError(f"its {name.title()} is not text; in JSON, put it into quotes.")  # noqa: TRY004 - the one kind of error here
    return value


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _is_name(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return not any(map(str.isspace, host))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _extras(extra: str | None, allowed: frozenset[str]) -> dict[str, Any]:
    """Return the values of the fields that are set."""
    try:
        given = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        raise ValueError("its Extra is not JSON; use an object, or leave it empty.") from None
    if not isinstance(given, dict):
        raise ValueError("its Extra is not a JSON object; use an object, or leave it empty.")  # noqa: TRY004 - the one kind of error here
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise ValueError(f"its Extra has the unknown field {unknown[0]!r}; allowed are {', '.join(sorted(allowed))}.")
    values = {}
    for name, value in given.items():
        if value in (None, ""):
            continue
        try:
            values[name] = FIELDS[name].parse(value)
        except ValueError as error:
            raise ValueError(f"its Extra field {name!r} {error}.") from None
    return values
