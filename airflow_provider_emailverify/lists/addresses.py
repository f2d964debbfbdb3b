"""
Tell addresses from other text, and those that were seen before from new ones, with a few bytes of memory for each.

Two addresses are the same if they differ only in case, in Unicode's composed and decomposed forms, or in whether the
domain is written in punycode. What is left of the "@" belongs to the receiving host (RFC 5321, 2.4), which practically
never tells upper case from lower; for whoever must, ``distinguish_case`` does.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Sequence
from unicodedata import normalize

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
_NOT_PLAIN = [re.compile(re.escape(mark)).search for mark in (b"\n@", b"\n.@", b"@\n", b"@.", b"..", b".\n", b"'\n")]


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

    :param distinguish_case: whether upper and lower case left of the "@" make two addresses.
    """

    def __init__(self, *, distinguish_case: bool = False) -> None:
        self._distinguish_case = distinguish_case
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
        for address, fingerprint in zip(
            addresses, map(hash, same_addresses(addresses, distinguish_case=self._distinguish_case)), strict=True
        ):
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


def same_addresses(addresses: Sequence[str], *, distinguish_case: bool = False) -> Iterable[str]:
    """
    Return for each address what is equal for addresses that are the same.

    :param addresses: some thousand at a time: if there is nothing to do, that is told at once.
    :param distinguish_case: whether upper and lower case left of the "@" make two addresses.
    """
    if are_folded(addresses):
        return addresses
    return map(spelled if distinguish_case else fold, addresses)


def are_folded(addresses: Iterable[str]) -> bool:
    """
    Tell whether all addresses are their own folded form, at a fraction of what it takes to fold each.

    :param addresses: addresses.
    """
    joined = "".join(addresses)
    return joined.isascii() and joined == joined.lower() and "xn--" not in joined


def fold(address: str) -> str:
    """
    Return an address in lower case and in Unicode's composed form, without punycode.

    :param address: the address.
    """
    text = address.lower()
    if "xn--" in text:
        local, at, domain = text.rpartition("@")
        text = f"{local}{at}{'.'.join(map(_from_punycode, domain.split('.')))}"
    return text if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def spelled(address: str) -> str:
    """
    Return an address with its domain folded, and what is left of the "@" in Unicode's composed form.

    :param address: the address.
    """
    local, _, domain = address.rpartition("@")
    return f"{normalize('NFC', local)}@{fold(domain)}"


def _from_punycode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label
