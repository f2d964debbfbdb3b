"""
Keep keys and addresses out of texts that somebody else wrote, such as a vendor's error message.

A text is decoded step by step: HTML entities, percent-encoding, escapes of JSON, JavaScript and Python,
quoted-printable, full-width letters and invisible characters, Base64 and hexadecimal, in any order and one inside the
other. After each step, keys and addresses are sought, and what stands for them in the original text is replaced. A text
in which nothing is found stays as it is. What is still encoded after the last step is cut.

Not recognised: encryption and compression, Base32, Base85, UTF-7, rot13, spelling backwards, look-alike letters of
other scripts, pictures, lists of numbers, "at" and "dot" in other languages, "jane at localhost", a part of a key,
a local part without its domain, what stands before a blank in a local part without quotes. A key shorter than eight
characters is found when it is encoded, but not when it is split or packed in Base64 with more.
A text such as "ask at docs.example" loses its last words, because "jane at mail.example" is an address.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from airflow_provider_emailverify.readings import (
    ALL_CODES,
    DOUBTFUL_CODES,
    PLAIN_CODES,
    ROUNDS,
    View,
    decodings,
    levels,
    pieces_of,
    squashed,
    unpacked,
)

#: What stands where an address was.
ADDRESS = "<address>"
_KEY = "***"
_CUT = "…"
# Longer texts are no messages; a word that this cuts goes whole, so that half a key cannot stay.
_MOST_CHARACTERS = 4000
# What is split by blanks may be cut in two at the end of what is looked at, so this much of it is not shown.
_MARGIN = 400
_DEPTH = 3
# Characters to decode in all, before a text counts as one that cannot be shown to be clean.
_BUDGET = 200_000
_SHORTEST_TO_JOIN = 8

_OPEN, _CLOSE = r"[(\[{<]", r"[)\]}>]"
# An "at" in words becomes a NUL: without brackets, it needs more of a domain to be one of an address.
_SPOKEN = re.compile(
    r"(?P<spaced>(?<!\S)(?:\S\s){6,}\S(?!\S))|"
    rf"(?P<at>\s{{0,9}}{_OPEN}\s{{0,9}}(?:at|@)\s{{0,9}}{_CLOSE}\s{{0,9}})|(?P<bare>\s{{1,9}}at\s{{1,9}}|[-_*]at[-_*])"
    rf"|(?P<dot>\s{{0,9}}{_OPEN}\s{{0,9}}(?:dot|\.)\s{{0,9}}{_CLOSE}\s{{0,9}}|\s{{1,9}}dot\s{{1,9}}|[-_*]dot[-_*]|\s{{1,9}}\.\s{{1,9}})"
    r"|(?P<tag><(?!address>)[!/a-z][^<>@]{0,200}>)",
    re.IGNORECASE,
)
_AT = re.compile("[@\0]")
_BEFORE_LOCAL = frozenset('<>,;:()[]"“”„«»@\0')
_DOMAIN = re.compile(r"""\[[^\]\s]{1,80}\]|(?:[^\s"'<>(),;:&“”„«»\u2019\0]|\([^()]{0,80}\)(?=[.\w]))+""")
_SURE_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,20}[^\W\d_][\w-]{1,62}")
_READABLE = re.compile("[^\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]{6,}")
_PACKED = re.compile("[A-Za-z0-9+/_=:-]")


def renderings(secret: str) -> list[str]:
    """Return the spellings in which a secret turns up in URLs, headers, pages and logs, longest first."""
    raw = secret.encode()
    spellings = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        repr(secret)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    return sorted(spellings, key=lambda spelling: (-len(spelling), spelling))


def without_addresses(text: str, limit: int = 300) -> str:
    """
    Return a text without e-mail addresses, on one line.

    :param text: what somebody else wrote.
    :param limit: characters at most; the cut comes after the redaction, so that half an address cannot stay.
    """
    return _NO_SECRET(text, limit)


class Redactor:
    """
    Replace a secret, however it is spelled, and every e-mail address in a text.

    :param secrets: the key to hide, and what else gives it away.
    """

    def __init__(self, *secrets: str) -> None:
        exact: set[str] = set()
        joined: set[str] = set()
        for secret in filter(None, secrets):
            spellings = {level.text for codes in (PLAIN_CODES, ALL_CODES) for level in levels(secret, codes)}
            spellings.update(renderings(secret))
            exact |= {spelling for spelling in spellings if len(spelling) >= min(len(secret), _SHORTEST_TO_JOIN)}
            if len(secret) >= _SHORTEST_TO_JOIN:
                spellings.add(secret.encode().hex())
                joined |= {"".join(map(squashed, spelling)) for spelling in spellings}
        # Percent escapes may be in either case, hence IGNORECASE.
        longest_first = sorted(exact, key=lambda spelling: (-len(spelling), spelling))
        self._exact = re.compile("|".join(map(re.escape, longest_first)) or "(?!)", re.IGNORECASE)
        self._joined = [needle for needle in joined if len(needle) >= _SHORTEST_TO_JOIN - 2]
        letters = {"".join(filter(str.isalnum, needle)) for needle in joined}
        self._letters = [needle for needle in letters if len(needle) >= _SHORTEST_TO_JOIN]

    def __call__(self, text: str, limit: int = 300) -> str:
        """
        Return the text without the secret and without addresses, on one line.

        :param text: what somebody else wrote.
        :param limit: characters at most; the cut comes after the redaction, so that half a key cannot stay.
        """
        text = " ".join(self._redacted(text).split())
        return text if len(text) <= limit else text[: limit - 1] + _CUT

    def _redacted(self, text: str) -> str:
        shown = len(text)
        if shown > _MOST_CHARACTERS:
            text = text[:_MOST_CHARACTERS].rpartition(" ")[0]
            shown = min(len(text), _MOST_CHARACTERS - _MARGIN)
        marks = _Search(self._secrets).marks(text)
        if marks is None:
            return _CUT
        if not marks:
            return text[:shown]
        redacted = _replaced(text, marks, shown)
        # What was left and right of a replaced part now stands together, and may be read anew.
        again = _Search(self._secrets).marks(" ".join(redacted.split()))
        return _CUT if again is None or any(mark.label != _CUT for mark in again) else redacted

    def _secrets(self, view: View) -> Iterator[tuple[int, int]]:
        """Yield where a secret stands in a view: as it is, without blanks, and by its letters and digits alone."""
        yield from (match.span() for match in self._exact.finditer(view.text))
        if not self._joined:
            return
        seen = [(part, at) for at, char in enumerate(view.text) for part in squashed(char)]
        letters = [(part, at) for part, at in seen if part.isalnum()]
        for needles, parts in ((self._joined, seen), (self._letters, letters)):
            text = "".join(part for part, _ in parts)
            for needle in needles:
                for match in re.finditer(re.escape(needle), text):
                    yield parts[match.start()][1], parts[match.end() - 1][1] + 1


class _Mark(NamedTuple):
    start: int
    end: int
    label: str


class _Search:
    """
    Seek secrets and addresses in all readings of a text.

    :param secrets: yields where a secret stands in a view.
    """

    def __init__(self, secrets: Callable[[View], Iterable[tuple[int, int]]]) -> None:
        self._secrets = secrets
        self._budget = _BUDGET
        self._seen: set[str] = set()

    def marks(self, text: str, depth: int = 0) -> list[_Mark] | None:
        """Return what must be replaced, or None if that takes too long to find out."""
        marks: list[_Mark] = []
        doubtful = False
        for codes in (PLAIN_CODES, ALL_CODES):
            if codes is ALL_CODES and not doubtful:
                break
            for number, view in enumerate(levels(text, codes)):
                if number and view.text in self._seen:
                    continue
                self._seen.add(view.text)
                self._budget -= len(view.text)
                if self._budget < 0:
                    return None
                doubtful = doubtful or bool(DOUBTFUL_CODES.search(view.text))
                is_sure = depth == 0 and codes is PLAIN_CODES
                marks += [_Mark(*view.span(*span), _KEY) for span in self._secrets(view)]
                marks += [_Mark(*view.span(*span), ADDRESS) for span in _addresses(view.text, is_sure)]
                spoken = view.read(pieces_of(view.text, _SPOKEN, _spoken))
                if spoken.text != view.text:
                    marks += [_Mark(*spoken.span(*span), ADDRESS) for span in _addresses(spoken.text, is_sure)]
                    marks += [_Mark(*spoken.span(*span), _KEY) for span in self._secrets(spoken)]
                if number == ROUNDS:
                    marks += [
                        _Mark(*view.span(*_word(view.text, *piece[:2])), _CUT) for piece in decodings(view.text, codes)
                    ]
                for part, label in self._packed(view, depth) if depth < _DEPTH else ():
                    if label is None:
                        return None
                    marks.append(_Mark(*view.span(*part), label))
        return marks

    def _packed(self, view: View, depth: int) -> Iterator[tuple[tuple[int, int], str | None]]:
        """Yield where Base64 and hexadecimal digits hold something that must be replaced."""
        for held in unpacked(view.text):
            for match in _READABLE.finditer(held.text):
                if match[0] in self._seen:
                    continue
                self._seen.add(match[0])
                marks = self.marks(match[0], depth + 1)
                if marks is None:
                    yield (0, 1), None
                    return
                for mark in marks:
                    begin = held.starts[match.start() + mark.start]
                    end = held.ends[match.start() + mark.end - 1]
                    while begin and _PACKED.match(view.text[begin - 1]):
                        begin -= 1
                    while end < len(view.text) and _PACKED.match(view.text[end]):
                        end += 1
                    yield (begin, end), mark.label


def _spoken(match: re.Match[str]) -> str:
    if match.lastgroup == "spaced":
        return "".join(match[0].split())
    return {"at": "@", "bare": "\0", "dot": ".", "tag": ""}[match.lastgroup or ""]


def _addresses(text: str, is_sure: bool) -> Iterator[tuple[int, int]]:
    """
    Yield where addresses stand.

    :param text: a decoded text, in which a NUL is an "at" in words.
    :param is_sure: whether an "@" is one without doubt, so that "jane@localhost" counts too.
    """
    done = 0
    for sign in _AT.finditer(text):
        at = sign.start()
        if at < done:
            continue
        local, domain = _past_gap_leftwards(text, at, done), _past_gap(text, at + 1)
        found = _DOMAIN.match(text, domain)
        begin = _local_begin(text, local, done)
        if not found or begin == local:
            continue
        sure = _SURE_DOMAIN.match(re.sub(r"\([^()]*\)", "", found[0]))
        loose = is_sure and sign[0] == "@" and local == at and domain == at + 1 and any(map(str.isalnum, found[0]))
        if sign[0] == "\0" and sure and found[0][sure.end() :].startswith("/"):
            continue
        if sure or loose or (found[0][0] == "[" and found[0][-1] == "]"):
            done = found.start() + max(len(found[0].rstrip(".!?")), 1)
            yield begin, done


def _past_gap(text: str, at: int) -> int:
    gap = re.compile(r"\s{0,3}(?:\([^()]{0,200}\))?\s{0,3}").match(text, at)
    return gap.end() if gap else at


def _past_gap_leftwards(text: str, at: int, least: int) -> int:
    for _ in range(3):
        if at > least and text[at - 1].isspace():
            at -= 1
    return at


def _local_begin(text: str, end: int, least: int) -> int:
    """Return where the local part begins that ends here: it may hold quoted parts and comments."""
    at = end
    while at > least:
        char = text[at - 1]
        if char == '"' and (at == end or text[at] in ".@"):
            opening = text.rfind('"', max(least, at - 300), at - 1)
            while opening > least and text[opening - 1] == "\\":
                opening = text.rfind('"', max(least, at - 300), opening)
            if opening < 0:
                return max(least, at - 300)
            at = opening
        elif char == ")":
            opening = _comment_begin(text, at, least)
            at = opening if opening >= 0 else _word(text, at - 1, at)[0]
        elif char.isspace() or (
            char in _BEFORE_LOCAL and not (char == '"' and at - 1 > least and text[at - 2].isalnum())
        ):
            break
        else:
            at -= 1
    while at < end and text[at] in "'`\u2018\u2019\\":
        at += 1
    return at


def _comment_begin(text: str, end: int, least: int) -> int:
    open_comments = 0
    for at in range(end - 1, max(least, end - 200) - 1, -1):
        open_comments += (text[at] == ")") - (text[at] == "(")
        if not open_comments:
            return at
    return -1


def _word(text: str, begin: int, end: int) -> tuple[int, int]:
    while begin and not text[begin - 1].isspace():
        begin -= 1
    while end < len(text) and not text[end].isspace():
        end += 1
    return begin, end


def _replaced(text: str, marks: list[_Mark], shown: int) -> str:
    """Return the beginning of a text with its marks replaced; where marks meet, the secret's sign stands."""
    parts: list[str] = []
    done = 0
    merged: list[_Mark] = []
    for mark in sorted(marks):
        if merged and mark.start < merged[-1].end:
            label = min(merged[-1].label, mark.label)  # "***" < "<address>" < "…"
            merged[-1] = _Mark(merged[-1].start, max(merged[-1].end, mark.end), label)
        else:
            merged.append(mark)
    for start, end, label in merged:
        if start >= shown:
            break
        parts += text[done:start], label
        done = end
    return "".join(parts) + text[done:shown]


_NO_SECRET = Redactor()
