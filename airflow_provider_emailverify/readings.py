"""Read a text that may be encoded: step by step, with the place of each character kept."""

from __future__ import annotations

import base64
import html
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

ROUNDS = 8

_HEX = "[0-9a-fA-F]"


def _octets(prefix: str) -> str:
    """Return a pattern of one character whose UTF-8 bytes are written as pairs of digits after a prefix."""
    tail = f"{prefix}[89abAB]{_HEX}"
    longer = f"{prefix}[eE]{_HEX}{tail}{tail}|{prefix}[fF][0-7]{tail}{tail}{tail}"
    return f"{prefix}[cdCD]{_HEX}{tail}|{longer}|{prefix}{_HEX}{{2}}"


# HTML's names of the signs that occur in keys and addresses. Browsers want the semicolon, readers can do without.
_BARE_NAMES = (
    "commat",
    "period",
    "plus",
    "equals",
    "sol",
    "num",
    "excl",
    "quest",
    "colon",
    "semi",
    "lowbar",
    "dollar",
    "ast",
)
# Repeated encodings of the same kind are taken in one step: %252540 and &amp;amp;#64;.
_PERCENT, _BACKSLASH = "%(?:25)*", r"\\"
_ENCODED = "|".join(
    (
        f"(?P<octets>{_octets(_PERCENT)}|{_octets(_BACKSLASH + 'x')})",
        rf"(?P<pair>(?:{_BACKSLASH}|{_PERCENT})u[dD][89abAB]{_HEX}{{2}}(?:{_BACKSLASH}|{_PERCENT})u[dD][c-fC-F]{_HEX}{{2}})",
        rf"(?P<point>{_BACKSLASH}[ux]\{{0*{_HEX}{{1,6}}\}}|(?:{_BACKSLASH}|{_PERCENT})u{_HEX}{{4}}|{_BACKSLASH}U{_HEX}{{8}})",
        r"(?P<style>\\0{0,4}40 ?(?=\w))",  # as style sheets escape an @
        rf"(?P<octal>{_BACKSLASH}[0-3][0-7]{{2}})",
        rf"(?P<name>{_BACKSLASH}N\{{[A-Za-z0-9 -]{{1,80}}\}})",
        r"(?P<escaped>\\(?:\r?\n|[\\\"'/&@.]))",
        # Without its semicolon, an @ may be followed by a domain that begins with a digit of the number's kind.
        r"(?P<at>&#0*64(?!\d{1,5};)|&#[xX]0*40(?![0-9a-fA-F]{1,4};));?",
        rf"(?P<bare>&(?:amp;)*(?:{'|'.join(_BARE_NAMES)})(?!;))",
        r"(?P<entity>&(?:amp;)*(?:#[xX][0-9a-fA-F]+|#[0-9]+|[A-Za-z][A-Za-z0-9]{1,31});?)",
    )
)
PLAIN_CODES = re.compile(_ENCODED)
# What a harmless text holds too: "limit=40" and "&#6412". Read this way, only what is surely an address counts.
_SHORT = rf"(?P<short>&#(?:(?:1[0-2]\d|[3-9]\d)(?!\d{{0,5}};)|[xX][2-7]{_HEX}(?!{_HEX}{{0,4}};)))"
_DOUBTFUL = rf"(?P<soft>=[ \t]*\r?\n)|(?P<quoted>{_octets('=')})|{_SHORT}"
DOUBTFUL_CODES = re.compile(_DOUBTFUL)
ALL_CODES = re.compile(f"{_DOUBTFUL}|{_ENCODED}")

_BASE64 = re.compile("[A-Za-z0-9+/_-]{10,}")
_HEX_PAIRS = re.compile(rf"(?:(?:0x)?{_HEX}{{2}}[:,-]?){{6,}}")
# Letters and marks that nobody sees, beside the category Cf.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0") | {
    chr(point) for point in range(0xFE00, 0xFE10)
}


class View(NamedTuple):
    """A reading of a text: each character, and from where to where its source stands in the text."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def read(self, pieces: Iterable[tuple[int, int, str]]) -> View:
        """
        Return the view in which pieces of this one are replaced.

        :param pieces: begin, end and what is read there, in order.
        """
        texts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for begin, end, piece in (*pieces, (len(self.text), len(self.text), "")):
            texts += self.text[done:begin], piece
            starts += self.starts[done:begin]
            ends += self.ends[done:begin]
            if piece:
                starts += [self.starts[begin]] * len(piece)
                ends += [self.ends[end - 1]] * len(piece)
            done = end
        return View("".join(texts), starts, ends)

    def span(self, begin: int, end: int) -> tuple[int, int]:
        """
        Return from where to where the source of a part stands.

        :param begin: where the part begins.
        :param end: where it ends.
        """
        return self.starts[begin], self.ends[end - 1]


def levels(text: str, codes: re.Pattern[str]) -> Iterator[View]:
    """Yield the text as it is, and what each step of decoding makes of it."""
    view = View(text, range(len(text)), range(1, len(text) + 1))
    yield view
    for _ in range(ROUNDS):
        decoded = view.read(decodings(view.text, codes))
        if not decoded.text.isascii():
            decoded = decoded.read(_visible(decoded.text))
        if decoded.text == view.text:
            return
        view = decoded
        yield view


def pieces_of(
    text: str, pattern: re.Pattern[str], read: Callable[[re.Match[str]], str]
) -> Iterator[tuple[int, int, str]]:
    """
    Yield where a pattern is found, and what is read there.

    :param text: the text to go through.
    :param pattern: what to seek.
    :param read: makes of a match what is read in its place.
    """
    return ((*match.span(), read(match)) for match in pattern.finditer(text))


def decodings(text: str, codes: re.Pattern[str]) -> list[tuple[int, int, str]]:
    """
    Return what one step of decoding changes: from where, to where, and what is read there.

    :param text: the text to decode.
    :param codes: the encodings to take into account.
    """
    return [piece for piece in pieces_of(text, codes, _decoded) if piece[2] != text[piece[0] : piece[1]]]


def _visible(text: str) -> Iterator[tuple[int, int, str]]:
    return ((at, at + 1, _normal(char)) for at, char in enumerate(text) if char > "\x7f" and _normal(char) != char)


def _decoded(match: re.Match[str]) -> str:
    return _READ[match.lastgroup or ""](match[0])


def _octets_read(code: str) -> str:
    raw = bytes.fromhex("".join(re.findall(rf"(?:{_PERCENT}|\\x|=)({_HEX}{{2}})", code)))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        if len(raw) == 2 and raw[0] in (0xC0, 0xC1):  # longer than UTF-8 allows, which lenient readers take
            return chr((raw[0] & 0x1F) << 6 | raw[1] & 0x3F)
        return raw.decode("latin-1")


def _pair_read(code: str) -> str:
    high, low = (int(digits, 16) for digits in re.findall(f"u({_HEX}{{4}})", code, re.IGNORECASE))
    return chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))


def _point_read(code: str) -> str:
    point = int(code.lower().lstrip("\\%ux{").rstrip("}"), 16)
    return chr(point) if point <= sys.maxunicode else code


def _name_read(code: str) -> str:
    try:
        return unicodedata.lookup(code[code.index("{") + 1 : -1])
    except KeyError:
        return code


def _short_read(code: str) -> str:
    digits = code[2:]
    return chr(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _entity_read(code: str) -> str:
    return html.unescape(re.sub(r"^&(?:amp;)*(#[xX]?)?0*", lambda head: f"&{head[1] or ''}", code))


_READ: dict[str, Callable[[str], str]] = {
    "octets": _octets_read,
    "quoted": _octets_read,
    "pair": _pair_read,
    "point": _point_read,
    "octal": lambda code: chr(int(code[-3:], 8)),
    "name": _name_read,
    "escaped": lambda code: code[-1].strip("\n"),
    "soft": lambda code: "",
    "at": lambda code: "@",
    "style": lambda code: "@",
    "bare": lambda code: html.unescape(f"&{code.rpartition('&')[2].rpartition(';')[2].lstrip('&')};"),
    "short": _short_read,
    "entity": _entity_read,
}


@lru_cache(maxsize=4096)
def _normal(char: str) -> str:
    """Return what a character looks like: nothing, or its plain form."""
    if char in _INVISIBLE or unicodedata.category(char) == "Cf":
        return ""
    return "." if char in "。｡" else unicodedata.normalize("NFKC", char)


@lru_cache(maxsize=4096)
def squashed(char: str) -> str:
    """Return a character as secrets are compared: in lower case, no accents, no blanks and what is put for them."""
    if char in "+\\" or char in _INVISIBLE:
        return ""
    parts = unicodedata.normalize("NFKD", char)
    return "".join(
        part for part in parts if unicodedata.category(part)[0] not in "ZC" and not unicodedata.combining(part)
    ).casefold()


def unpacked(text: str) -> Iterator[View]:
    """Yield what the Base64 and the hexadecimal digits of a text hold, each with its place; blanks split nothing."""
    kept = [at for at, char in enumerate(text) if not char.isspace()]
    joined = "".join(text[at] for at in kept)
    for run in _BASE64.finditer(joined):
        for skipped in range(4):
            digits = run[0][skipped:].replace("-", "+").replace("_", "/")
            digits = digits[:-1] if len(digits) % 4 == 1 else digits
            raw = base64.b64decode(digits + "=" * (-len(digits) % 4))
            first = run.start() + skipped
            yield _octet_view(
                raw, [(kept[first + at * 4 // 3], kept[first + (at * 8 + 7) // 6] + 1) for at in range(len(raw))]
            )
    for run in _HEX_PAIRS.finditer(joined):
        pairs = list(re.finditer(f"{_HEX}{{2}}", run[0].replace("0x", "::")))
        places = [(kept[run.start() + pair.start()], kept[run.start() + pair.end() - 1] + 1) for pair in pairs]
        yield _octet_view(bytes.fromhex("".join(pair[0] for pair in pairs)), places)


def _octet_view(raw: bytes, places: list[tuple[int, int]]) -> View:
    chars: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for char in raw.decode("utf-8", "surrogateescape"):
        after = at + len(char.encode("utf-8", "surrogateescape"))
        if char != "\0":  # UTF-16 has one beside each letter
            chars.append(char)
            starts.append(places[at][0])
            ends.append(places[after - 1][1])
        at = after
    return View("".join(chars), starts, ends)
