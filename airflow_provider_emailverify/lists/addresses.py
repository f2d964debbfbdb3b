"""
Tell addresses from other text, and those that were seen before from new ones, with a few bytes of memory for each.

Two addresses are the same if they differ in the case of their domains only: what is left of the "@" belongs to the
receiving host (RFC 5321, 2.4).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence

MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3 (a path of 256 octets, its angle brackets among them)

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_ATOM = rf"[{_ATEXT}\u00a0-\ud7ff\ue000-\U0010ffff]++"  # RFC 6531, 3.3: and whatever is not ASCII
_CONTROL = r"\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff"
_QUOTED = rf'"(?:[^"\\{_CONTROL}]|\\[^{_CONTROL}])*+"'
_COMMENT = rf"(?:\((?:[^()\\{_CONTROL}]|\\[^{_CONTROL}])*+\))?+"  # RFC 5322, 3.2.2
_WORD = rf"(?:{_ATOM}|{_QUOTED})"
# Dots are free to the left of the "@": some telephone companies gave out a..b@ and a.@ for years.
_LOCAL = rf"\.*{_WORD}(?:\.++{_WORD})*+\.*"
_LITERAL = rf"\[[^\[\]\\\s{_CONTROL}]++\]"
_DOMAIN = rf"(?:{_ATOM}(?:\.{_ATOM})*+|{_LITERAL})"
_ADDRESS = re.compile(f"{_COMMENT}{_LOCAL}{_COMMENT}@{_COMMENT}{_DOMAIN}{_COMMENT}")

_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+/=?^_`{|}~-."
# Patterns find a literal in half of the time that "in" takes.
_NOT_PLAIN = [re.compile(re.escape(mark)).search for mark in (b"\n@", b"\n.@", b"@\n", b"@.", b"..", b".\n")]


def is_address(text: str) -> bool:
    """
    Tell whether a text is an address by RFC 5321, 5322 or 6531, as leniently as they can be read.

    Whether anybody reads mail there is the vendor's business: what could be an address is one.

    :param text: the text, without white space around it.
    """
    return len(text) <= MAX_LENGTH and _ADDRESS.fullmatch(text) is not None


def are_plain(texts: Sequence[str]) -> bool:
    """
    Tell whether all are addresses of the common kind, at a tenth of what it takes to look at each.

    :param texts: without white space around them.
    """
    joined = "\n".join(["", *texts, ""])
    if not joined.isascii() or max(map(len, texts), default=0) > MAX_LENGTH:
        return False
    content = joined.encode()
    return content.translate(None, _PLAIN) == b"\n" + b"@\n" * len(texts) and not any(
        search(content) for search in _NOT_PLAIN
    )


class SeenAddresses:
    """
    Remember addresses by 64 bits each, in a hash table of 12 to 48 bytes an address.

    While the table grows there are two of them, 60 bytes an address. Python's own hash of a str (SipHash under a
    random key) is the fingerprint, so nobody can prepare a list of addresses that collide. That two of n addresses
    do, and the later one is taken for a duplicate, has a probability of n²/2⁶⁵: 3 in a million for ten million.
    """

    def __init__(self) -> None:
        self._slots = _table(1 << 12)
        self._count = 0

    def __len__(self) -> int:
        """Return how many addresses there are."""
        return self._count

    def add(self, addresses: Sequence[str]) -> list[str]:
        """
        Remember addresses, and return those that are new.

        :param addresses: some thousand at a time.
        """
        while (self._count + len(addresses)) * 3 > len(self._slots) * 2:
            self._grow()
        slots, mask = self._slots, len(self._slots) - 1
        new: list[str] = []
        for address, fingerprint in zip(addresses, map(hash, _keys(addresses)), strict=True):
            at = fingerprint & mask
            while (found := slots[at]) and found != fingerprint:
                at = (at + 1) & mask
            if not found:
                slots[at] = fingerprint
                new.append(address)
        self._count += len(new)
        return new

    def _grow(self) -> None:
        slots = _table(len(self._slots) * 4)  # by two it would take a third more time in all
        mask = len(slots) - 1
        for fingerprint in self._slots:
            if fingerprint:
                at = fingerprint & mask
                while slots[at]:
                    at = (at + 1) & mask
                slots[at] = fingerprint
        self._slots = slots


def _table(size: int) -> array[int]:
    return array("q", [0]) * size


def _keys(addresses: Sequence[str]) -> Iterable[str]:
    """Return what is equal for addresses that are the same."""
    joined = "".join(addresses)
    return addresses if joined == joined.lower() else map(same_address, addresses)


def same_address(address: str) -> str:
    """
    Return what is equal for addresses that are the same.

    :param address: an address.
    """
    if address.islower():
        return address
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
