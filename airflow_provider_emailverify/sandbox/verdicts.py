"""
From an address to findings, without a network and without chance: one address, always one verdict.

Real checks come first: syntax by ``email-validator`` (internationalised addresses allowed, and the domains that
RFC 2606 and RFC 6761 keep for examples and tests), disposable and free domains, role and no-reply names. What
only a mail server could tell is chosen by the address itself, with a tag after the last ``+`` of its local part:

=====================  ============  =====================================================================
address                verdict       findings
=====================  ============  =====================================================================
``x+undeliverable@…``  invalid       the server answers and refuses the address
``x+disabled@…``       invalid       the mailbox is switched off
``x+nomx@…``           invalid       the domain takes no mail; so does every domain under ``.invalid``
``x+risky@…``          risky         nothing but the verdict
``x+catchall@…``       risky         the domain takes every address
``x+fullinbox@…``      risky         the mailbox is full
``x+spamtrap@…``       risky         the address looks like a trap
``x+unknown@…``        unknown       the server does not answer
``no-reply@…``         risky         a no-reply name
``x@mailinator.com``   risky         a disposable domain
``support@…``          valid         a role name; the verdict stays, as on Proofy's page of batch results
``x@gmail.com``        valid         a free provider
anything else          valid         or invalid, when its syntax is
=====================  ============  =====================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from email_validator import EmailNotValidError, validate_email

from airflow_provider_emailverify.sandbox.domains import (
    DISPOSABLE_DOMAINS,
    FREE_DOMAINS,
    NO_REPLY_NAMES,
    ROLE_NAMES,
)

NO_MAIL_SUFFIX = ".invalid"
"""RFC 2606: guaranteed never to exist, so an address there is well formed and has no server."""


class Verdict(StrEnum):
    """What a vendor would conclude, in words that each vendor's table translates."""

    VALID = "valid"
    INVALID = "invalid"
    RISKY = "risky"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """Say everything that a vendor could report of one address; the defaults describe a healthy mailbox."""

    address: str
    username: str = ""
    domain: str = ""
    verdict: Verdict = Verdict.VALID
    reason: str = "accepted"
    syntax_valid: bool = True
    has_mx: bool = True
    accepts_mail: bool = True
    can_connect: bool = True
    deliverable: bool = True
    full_inbox: bool = False
    catch_all: bool = False
    disabled: bool = False
    disposable: bool = False
    role: bool = False
    no_reply: bool = False
    free: bool = False
    spam_trap: bool = False


_NO_SERVER = {
    "verdict": Verdict.INVALID,
    "reason": "no_mx",
    "has_mx": False,
    "accepts_mail": False,
    "can_connect": False,
    "deliverable": False,
}

TAGS: dict[str, dict[str, object]] = {
    "undeliverable": {"verdict": Verdict.INVALID, "reason": "rejected", "deliverable": False},
    "disabled": {
        "verdict": Verdict.INVALID,
        "reason": "disabled",
        "deliverable": False,
        "disabled": True,
    },
    "nomx": _NO_SERVER,
    "risky": {"verdict": Verdict.RISKY, "reason": "low_quality"},
    "catchall": {"verdict": Verdict.RISKY, "reason": "catch_all", "catch_all": True},
    "fullinbox": {
        "verdict": Verdict.RISKY,
        "reason": "full_inbox",
        "deliverable": False,
        "full_inbox": True,
    },
    "spamtrap": {"verdict": Verdict.RISKY, "reason": "spam_trap", "spam_trap": True},
    "unknown": {
        "verdict": Verdict.UNKNOWN,
        "reason": "timeout",
        "can_connect": False,
        "deliverable": False,
    },
}


def examine(address: str) -> Finding:
    """
    Return the findings of one address.

    :param address: as the client sent it
    """
    username, _, domain = address.rpartition("@")
    if not _well_formed(username, domain):
        return Finding(
            address,
            username,
            domain,
            Verdict.INVALID,
            "syntax",
            syntax_valid=False,
            has_mx=False,
            accepts_mail=False,
            can_connect=False,
            deliverable=False,
        )
    name, _, tag = username.lower().rpartition("+")
    known = TAGS.get(tag) if name else None
    finding = _from_names(address, username, domain, name if known else username.lower())
    if domain.lower().endswith(NO_MAIL_SUFFIX):
        known = _NO_SERVER
    return replace(finding, **known) if known else finding  # type: ignore[arg-type] # each is of its field's type


def _well_formed(username: str, domain: str) -> bool:
    if domain.lower().endswith(NO_MAIL_SUFFIX):
        domain = domain[: -len(NO_MAIL_SUFFIX)] + ".example"
    try:
        validate_email(f"{username}@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _from_names(address: str, username: str, domain: str, name: str) -> Finding:
    finding = Finding(
        address,
        username,
        domain,
        role=name in ROLE_NAMES,
        no_reply=name in NO_REPLY_NAMES,
        free=domain.lower() in FREE_DOMAINS,
        disposable=domain.lower() in DISPOSABLE_DOMAINS,
    )
    for reason in ("disposable", "no_reply"):
        if getattr(finding, reason):
            return replace(finding, verdict=Verdict.RISKY, reason=reason)
    return replace(finding, reason="role") if finding.role else finding
