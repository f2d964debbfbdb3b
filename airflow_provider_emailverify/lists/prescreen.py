"""
Free answers before paid ones: what no mail system takes, and domains that take no mail.

Only what is certain is an answer. A name server that fails, times out or refuses means "not known here", so that the
vendor is asked.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Literal, get_args

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.lists.addresses import fold
from airflow_provider_emailverify.results.schema import Finding, Origin, Reason, Verdict

log = logging.getLogger(__name__)

Kind = Literal["syntax", "dns"]
#: The vendor of these answers.
VENDOR = "prescreen"

_AT_A_TIME = 300
_LOOK_UP_SECONDS = 5.0
#: All look-ups together take that long at most; domains that were not looked up by then are not known.
MAX_SECONDS = 300.0
# A resolver that denies nearly everything is rather one that cannot reach the internet.
_TRUSTED_FROM, _MOST_DENIED = 100, 0.9
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NEVER = frozenset({"invalid", "localhost"})  # RFC 6761, 6.3 and 6.4


class Found(StrEnum):
    """Why an address gets no mail."""

    SYNTAX = "syntax"
    NO_DOMAIN = "no_domain"
    NULL_MX = "null_mx"
    NO_MX = "no_mx"


def check_prescreen(kind: Any) -> Kind | None:
    """
    Return which look is wanted; None for none.

    :param kind: what a user wrote.
    :raises InvalidRequestError: there is no such look, or what it needs is not installed.
    """
    if kind in (None, "", "None"):
        return None
    if kind not in get_args(Kind):
        raise InvalidRequestError(f"prescreen is one of {', '.join(get_args(Kind))}, not {kind!r}.")
    if kind == "dns":
        try:
            import dns.asyncresolver  # noqa: F401 - only to see that it is there
        except ImportError:
            raise InvalidRequestError(
                "prescreen='dns' needs dnspython: pip install 'airflow-provider-emailverify[dns]'."
            ) from None
    return kind  # type: ignore[no-any-return] # it was compared with the two words above


class Prescreen:
    """
    Look at addresses without a vendor.

    :param kind: ``syntax``, or ``dns`` for both.
    :param resolver: name servers as ``host`` or ``host:port``; none for those of this machine.
    :param seconds: how long all look-ups may take together.
    """

    def __init__(self, kind: Kind, resolver: str | Sequence[str] | None = None, seconds: float = MAX_SECONDS) -> None:
        self._kind = kind
        self._servers = [_server(each) for each in ([resolver] if isinstance(resolver, str) else resolver or [])]
        self._seconds = seconds
        self._found: dict[str, Found] = {}

    @property
    def looks_up(self) -> bool:
        """Whether domains must be looked up first."""
        return self._kind == "dns"

    def look_up(self, addresses: Iterable[Sequence[str]]) -> None:
        """
        Look up the domains of addresses, each once.

        :param addresses: some thousand at a time.
        """
        names = {_domain(address) for block in addresses for address in block if not _is_impossible(address)}
        domains = [name for name in names if not name.startswith("[")]
        # In a thread of its own: this one may have an event loop already.
        with ThreadPoolExecutor(1) as pool:
            found, unknown = pool.submit(asyncio.run, self._look_up_all(domains)).result()
        denied = sum(each is Found.NO_DOMAIN for each in found.values())
        if len(domains) >= _TRUSTED_FROM and denied > _MOST_DENIED * len(domains):
            log.warning(
                "The name server says of %d of %d domains that they do not exist. It rather cannot look them up: no "
                "address is screened by it.",
                denied,
                len(domains),
            )
            return
        self._found = found
        log.info("Domains looked up: %d; without mail: %d; not known here: %d", len(domains), len(found), unknown)

    def judge(self, address: str) -> Found | None:
        """
        Return why an address gets no mail; None if that is not certain.

        :param address: the address.
        """
        if _is_impossible(address):
            return Found.SYNTAX
        return self._found.get(_domain(address)) if self._found else None

    async def _look_up_all(self, domains: Sequence[str]) -> tuple[dict[str, Found], int]:
        from dns.asyncresolver import Resolver

        resolver = Resolver(configure=not self._servers)
        if self._servers:
            from dns.nameserver import Do53Nameserver

            resolver.nameservers = [Do53Nameserver(host, port) for host, port in self._servers]
        resolver.lifetime = _LOOK_UP_SECONDS
        found: dict[str, Found] = {}
        queue = iter(domains)
        unknown = 0

        async def work() -> None:
            nonlocal unknown
            for domain in queue:
                result = await _look_up(resolver, domain)
                if isinstance(result, Found):
                    found[domain] = result
                unknown += result is None

        workers = [asyncio.create_task(work()) for _ in range(min(_AT_A_TIME, len(domains)))]
        if workers:
            _, late = await asyncio.wait(workers, timeout=self._seconds)
            for worker in late:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            unknown += sum(1 for _ in queue) + len(late)
        return found, unknown


async def _look_up(resolver: Any, domain: str) -> Found | bool | None:
    """Return why a domain takes no mail, True if it may, and None if that cannot be told."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN

    try:
        answer = await resolver.resolve(domain, "MX", search=False, raise_on_no_answer=False)
        if answer.rrset:
            # RFC 7505: a single record that points to the root.
            is_null = len(answer.rrset) == 1 and str(next(iter(answer.rrset)).exchange) == "."
            return Found.NULL_MX if is_null else True
        for kind in ("A", "AAAA"):
            if (await resolver.resolve(domain, kind, search=False, raise_on_no_answer=False)).rrset:
                return True
    except NXDOMAIN:
        return Found.NO_DOMAIN
    except (DNSException, OSError, UnicodeError, ValueError):
        return None
    return Found.NO_MX


def free_finding(found: Found, verified_at: str) -> Finding:
    """
    Return the answer of a look.

    :param found: what it found.
    :param verified_at: when.
    """
    is_syntax = found is Found.SYNTAX
    return Finding(
        verdict=Verdict.UNDELIVERABLE,
        reason=Reason.INVALID_SYNTAX if is_syntax else Reason.NO_MX,
        vendor_status=found.value,
        syntax_valid=not is_syntax,
        mx_found=None if is_syntax else False,
        origin=Origin(vendor=VENDOR, batch_id="", verified_at=verified_at),
    )


def _is_impossible(address: str) -> bool:
    """Tell whether no mail system on the internet takes an address."""
    local, _, _ = address.rpartition("@")
    if len(local.encode(errors="replace")) > 64:  # RFC 5321, 4.5.3.1.1
        return True
    domain = _domain(address)
    if domain.startswith("["):
        return False
    labels = domain.split(".")
    if not domain.isascii():
        return len(labels) < 2
    return (
        len(domain) > 253
        or len(labels) < 2  # ICANN allows no mail to a top-level domain (SAC 053)
        or labels[-1].isdigit()
        or labels[-1] in _NEVER
        or not all(map(_LABEL.fullmatch, labels))
    )


def _domain(address: str) -> str:
    """Return the domain of an address as it is looked up, without comments."""
    return re.sub(r"\([^()]*\)", "", fold(address.rpartition("@")[2]))


def _server(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":") if text.count(":") == 1 or "]:" in text else (text.strip(), "", "")
    if not host or (port and not port.isdigit()):
        raise InvalidRequestError(
            f"prescreen_resolver is a name server such as '192.0.2.1' or '192.0.2.1:53', not {text!r}."
        )
    return host.strip("[]"), int(port or 53)
