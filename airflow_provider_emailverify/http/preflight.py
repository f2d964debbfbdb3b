"""Why no request can be sent at all: the connection's Host, the proxy, or the certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.utils import select_proxy

_CANNOT_BE_SENT = (requests.RequestException, urllib3.exceptions.HTTPError, ValueError, OSError)


def sending_problem(session: requests.Session, base_url: str) -> str:
    """
    Return what keeps every request from being sent, and what to do about it; "" if nothing does.

    Nothing is sent to find out. What can change by itself, such as a host that is down, is no such problem.

    :param session: what would send the request.
    :param base_url: where to.
    """
    try:
        request = session.prepare_request(requests.Request("GET", base_url))
        _require_name(request.url)
    except _CANNOT_BE_SENT:
        return "its Host is no name that can be looked up. Correct the host name in the connection's Host."
    settings = session.merge_environment_settings(request.url, {}, None, None, None)
    adapter: Any = session.get_adapter(base_url)
    return _proxy_problem(adapter, request, settings) or _certificates_problem(adapter, request, settings["verify"])


def _proxy_problem(adapter: Any, request: requests.PreparedRequest, settings: Any) -> str:
    proxy = select_proxy(str(request.url), settings["proxies"])
    if not proxy:
        return ""
    place = _variable("https_proxy", "all_proxy") or "the system's settings"
    try:
        adapter.get_connection_with_tls_context(request, True, proxies=settings["proxies"])
        _require_name(proxy if "://" in proxy else f"http://{proxy}")
    except requests.exceptions.InvalidSchema:  # what requests raises where PySocks is missing
        return f"{place} names a SOCKS proxy, and PySocks is not installed. Install requests[socks]."
    except _CANNOT_BE_SENT:
        return f"{place} names no proxy that can be used. Write it as http://host:port, or remove it."
    return ""


def _certificates_problem(adapter: Any, request: requests.PreparedRequest, verify: bool | str | None) -> str:
    if urlsplit(request.url).scheme != "https":
        return ""
    try:
        if not isinstance(verify, str):
            adapter.cert_verify(urllib3.HTTPSConnectionPool("localhost"), request.url, verify, None)
        elif not Path(verify).is_dir():
            ssl.create_default_context(cafile=verify)
    except OSError:
        place = _variable("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or "certifi"
        return f"{place} names no file of certificates that can be read. Correct the path, or remove it."
    return ""


def _require_name(url: Any) -> None:
    host = urlsplit(url).hostname
    if not host:
        raise ValueError("no host")
    host.encode("idna")


def _variable(*names: str) -> str:
    """Return which environment variable says it; "" if none does."""
    spellings = (spelling for name in names for spelling in (name, name.upper()))
    return next((f"the environment variable {name}" for name in spellings if os.environ.get(name)), "")
