"""
Take addresses out of what people's exports hold beside them: names, brackets, quotes, ``mailto:``, several in one cell.

Nothing is guessed: what is taken out must be an address by itself, and what is left must be nothing but what may stand
around one. So ``john,smith@example.com`` is no address, rather than somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import unquote

from airflow_provider_emailverify.lists.addresses import is_address

#: More characters than that are a text, and no cell of addresses.
MAX_CELL = 10_000


class Change(StrEnum):
    """What was changed of a value before it became an address, or several."""

    INVISIBLE = "invisible"
    FULL_WIDTH = "full_width"
    NAME = "name"
    MAILTO = "mailto"
    QUOTES = "quotes"
    PUNCTUATION = "punctuation"
    SEVERAL = "several"


_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | dict.fromkeys((0x3002, 0xFF61), ord("."))
# Straight and typographic quotes, and brackets.
_PAIRS = dict(zip("\"'`\u201c\u201e\u2018\u201a\xab<([", "\"'`\u201d\u201c\u2019\u2018\xbb>)]", strict=True))
_QUOTES = frozenset("'`\u201c\u201d\u2018\u2019\xbb")
_BRACKETS = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_MAILTO = re.compile(r"mailto:/*", re.IGNORECASE)
_ENDS = ".,;:!"
_PART = re.compile(
    r"""(?P<separator>[;,|\r\n\t]|:::+|\s/+\s)|"(?:[^"\\]|\\.)*"|<[^<>]*>|(?:(?!:::|\s/+\s)[^;,|\r\n\t"<])+|.""",
    re.DOTALL,
)


def from_full_width(text: str) -> str:
    """
    Return a text with East Asian full-width signs and letters as their plain ones.

    :param text: the text.
    """
    return text.translate(_FULL_WIDTH)


def ends_in_quote(address: str) -> bool:
    """
    Tell whether an address ends in a quotation mark, which by the letter of the standards might belong to it.

    :param address: the address. No domain ends so.
    """
    return address[-1] in _QUOTES


def extract(text: str) -> tuple[tuple[str, ...], set[Change]]:
    """
    Return the addresses that a text holds, and what had to be changed; none if anything of it is not understood.

    :param text: a text that is no address as it stands.
    """
    if len(text) > MAX_CELL:
        return (), set()
    changes: set[Change] = set()
    if one := _one(text, changes):
        return (one,), changes
    several = _several(text)
    if several is None:
        return (), set()
    addresses, changes = several
    return addresses, changes | ({Change.SEVERAL} if len(addresses) > 1 else {Change.PUNCTUATION})


def _several(text: str) -> tuple[tuple[str, ...], set[Change]] | None:
    """Return the addresses of a text of which each part holds one."""
    splits = (_parts(text), text.split(), text.split("/"))
    for parts in splits:
        changes: set[Change] = set()
        found = _all(list(parts), changes) if len(parts) > 1 else None
        if found:
            return found, changes
    return None


def _all(parts: list[str], changes: set[Change]) -> tuple[str, ...] | None:
    """Return the addresses of all parts, None if one holds none; a name with a comma in it makes several parts."""
    found: dict[str, None] = {}
    name = ""
    for part in filter(None, map(str.strip, parts)):
        address = _one(part, changes)
        if not address and "@" not in part and "<" not in part:
            name = part
            continue
        if not address or (name and not _BRACKETS.fullmatch(part)):
            return None
        name = ""
        found[address] = None
    return None if name else tuple(found)


def _parts(text: str) -> list[str]:
    parts = [""]
    for match in _PART.finditer(text):
        if match["separator"]:
            parts.append("")
        else:
            parts[-1] += match[0]
    return parts


def _one(text: str, changes: set[Change]) -> str:
    """Return the address that a text holds, "" if it holds none or more; and note what was changed."""
    noted: set[Change] = set()
    for candidate in _peeled(text, noted):
        if is_address(candidate) and not ends_in_quote(candidate):
            changes |= noted
            return candidate
    return ""


def _peeled(text: str, noted: set[Change]) -> Iterator[str]:
    """Yield a text without one thing after the other that may stand around an address."""
    for _ in range(8):
        text = text.strip()
        yield text
        if match := _MAILTO.match(text):
            text = unquote(text[match.end() :].partition("?")[0])
            noted.add(Change.MAILTO)
        elif len(text) > 1 and text[-1] == _PAIRS.get(text[0]):
            text = text[1:-1]
            noted.add(Change.QUOTES)
        elif text[-1:] and text[-1] in _ENDS:
            text = text.rstrip(_ENDS)
            noted.add(Change.PUNCTUATION)
        elif (match := _BRACKETS.fullmatch(text)) and "@" in match["address"] and _is_name(match["name"]):
            text = match["address"]
            noted.add(Change.NAME)
        elif text and ends_in_quote(text):
            text = text[:-1]
            noted.add(Change.QUOTES)
        else:
            return


def _is_name(text: str) -> bool:
    """Tell whether a text may be somebody's name: it may be an address itself, but not hold one beside other things."""
    return "@" not in text or is_address(text.strip(" \"'"))
