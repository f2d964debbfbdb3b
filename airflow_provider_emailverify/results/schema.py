"""
One schema for the results of every vendor: the columns, the words in them, and what they mean.

A row is an address and a :class:`Finding`: everything that the vendor says of it. Few findings are distinct, even
among millions of rows, so readers make each one once and writers format each one once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

#: Raised when a column is renamed or removed, or a word changes its meaning. New columns go to the end.
SCHEMA_VERSION = 1


class Verdict(StrEnum):
    """What to do with an address. The vendor's own word decides it, nothing else does."""

    DELIVERABLE = "deliverable"
    UNDELIVERABLE = "undeliverable"
    RISKY = "risky"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """
    Why the verdict is what it is; ``other`` where the vendor gives no reason that we know.

    Two are of merged lists only: ``missing`` for an address without a result, ``no_address`` for an empty cell.
    """

    ACCEPTED = "accepted"
    INVALID_SYNTAX = "invalid_syntax"
    NO_MX = "no_mx"
    NO_CONNECT = "no_connect"
    REJECTED = "rejected"
    DISABLED = "disabled"
    CATCH_ALL = "catch_all"
    DISPOSABLE = "disposable"
    ROLE = "role"
    NO_REPLY = "no_reply"
    MAILBOX_FULL = "mailbox_full"
    SPAM_TRAP = "spam_trap"
    COMPLAINER = "complainer"
    DO_NOT_SEND = "do_not_send"
    LOW_QUALITY = "low_quality"
    TIMEOUT = "timeout"
    GREYLISTED = "greylisted"
    VENDOR_ERROR = "vendor_error"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    NO_ADDRESS = "no_address"
    OTHER = "other"


#: Every column, in order, with what it holds.
COLUMNS: dict[str, str] = {
    "email": "The address; null when the vendor's row has none",
    "verdict": "deliverable, undeliverable, risky or unknown, by the vendor's own word",
    "reason": "Why, in one word; other when the vendor gives none that is known",
    "vendor": "The vendor's connection type, such as proofy",
    "vendor_status": "The vendor's own word, as it came; null when the row has none",
    "batch_id": "The vendor's identifier of the batch",
    "syntax_valid": "The address is well formed",
    "mx_found": "The domain has MX records",
    "mx_accepts_mail": "The domain's mail servers take mail",
    "smtp_connectable": "The mail server answered",
    "smtp_deliverable": "The mail server took this address",
    "catch_all": "The domain takes every address",
    "disposable": "The domain gives out throw-away addresses",
    "role": "The address is of a function, such as support@",
    "no_reply": "Nobody reads mail to the address",
    "free": "The domain is of a free mail provider",
    "mailbox_full": "The mailbox is full",
    "disabled": "The mailbox is switched off",
    "spam_trap": "The address may be a spam trap",
    "verified_at": "When the vendor's answer was fetched, in UTC",
}
#: The columns that are true, false, or null when the vendor does not say.
FLAGS: tuple[str, ...] = tuple(COLUMNS)[6:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    Where an answer comes from.

    :param vendor: the vendor's connection type.
    :param batch_id: the vendor's identifier of the batch.
    :param verified_at: when the answer was fetched, as :func:`utc_text` writes it; None if nobody knows.
    """

    vendor: str
    batch_id: str
    verified_at: str | None = None


def utc_text(seconds: float) -> str:
    """
    Return a time as the column ``verified_at`` holds it, such as ``2026-11-26T09:30:00Z``; later ones sort after it.

    :param seconds: since the epoch; fractions are cut off.
    """
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """
    What a vendor says of an address. The fields are described in :data:`COLUMNS`.

    Findings are compared by identity, which makes them quick to look up; compare :meth:`as_dict` instead.

    :param known: False when the vendor's word is none that we know; the verdict is then ``unknown``.
    :param origin: where it comes from, if that is not where the other rows of its file come from.
    """

    verdict: Verdict
    reason: Reason
    vendor_status: str | None = None
    syntax_valid: bool | None = None
    mx_found: bool | None = None
    mx_accepts_mail: bool | None = None
    smtp_connectable: bool | None = None
    smtp_deliverable: bool | None = None
    catch_all: bool | None = None
    disposable: bool | None = None
    role: bool | None = None
    no_reply: bool | None = None
    free: bool | None = None
    mailbox_full: bool | None = None
    disabled: bool | None = None
    spam_trap: bool | None = None
    known: bool = True
    origin: Origin | None = None

    def as_dict(self, origin: Origin) -> dict[str, str | bool | None]:
        """
        Return every column but ``email``, in order, as primitives.

        :param origin: where it comes from, unless it says so itself.
        """
        origin = self.origin or origin
        return {
            "verdict": self.verdict.value,
            "reason": self.reason.value,
            "vendor": origin.vendor,
            "vendor_status": self.vendor_status,
            "batch_id": origin.batch_id,
            **{name: getattr(self, name) for name in FLAGS},
            "verified_at": origin.verified_at,
        }


#: One result: the address, None when the vendor's row has none, and what the vendor says of it. A plain tuple, because
#: there are millions of them, and a named one takes ten times as long to make.
Row = tuple[str | None, Finding]
