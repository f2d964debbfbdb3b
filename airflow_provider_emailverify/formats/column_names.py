"""Names of columns: which one a user means, and whether they are names at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

_SEPARATORS = re.compile(r"[\W_]+")
# An "@" in any spelling, a quotation mark that quotes nothing, the end of a domain, or as many digits as a telephone
# number or a date has.
_PERSONAL = re.compile(
    r"[@\"\uff20\ufe6b]|%40|&#0*64;|&#x0*40;|&commat;|[(\[{]at[)\]}]|\.[a-z]{2,}\s*$|(?:\d\D{0,3}){6}", re.IGNORECASE
)
_VALUE = re.compile(r"[\d\s.,:/+-]*\d[\d\s.,:/+-]*|true|false|yes|no|null|none|nan|n/?a|unknown|-+", re.IGNORECASE)
_MOST_NAMES, _LONGEST_NAME = 30, 40


def compact(word: str) -> str:
    """
    Return a word without case, spaces and punctuation, as names of columns are compared.

    :param word: ``E-Mail`` and ``isCatchAll`` become ``email`` and ``iscatchall``.
    """
    return _SEPARATORS.sub("", word).casefold()


def find_column(wanted: str, names: Sequence[str]) -> list[int]:
    """
    Return the places of the columns that a user means.

    A column of just that name goes first. If there is none, case does not count; then neither do spaces and
    punctuation. More than one place means that nobody can tell.

    :param wanted: the name that the user gives.
    :param names: the names of all columns.
    """
    levels: tuple[Callable[[str], str], ...] = (str, str.strip, _fold, compact)
    for level in levels:
        key = level(wanted)
        places = [place for place, name in enumerate(names) if level(name) == key] if key else []
        if places:
            return places
    return []


def _fold(name: str) -> str:
    return name.strip().casefold()


def shown_names(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """
    Return the names of columns for a message; "" if they may be a row of somebody's data.

    The first row of a file without a header is taken for one. A header differs from the rows beneath: somewhere they
    hold an address, and it has a word in that place; and it has no word that they repeat.

    :param names: the names, or what was taken for them.
    :param rows: some rows of the table.
    """
    if any(_PERSONAL.search(name) or _VALUE.fullmatch(name.strip()) for name in names):
        return ""
    beneath = [
        (name.strip(), value)
        for row in rows
        for name, value in zip(names, row, strict=False)
        if name.strip() and isinstance(value, str)
    ]
    if not any("@" in value for _, value in beneath) or any(name == value.strip() for name, value in beneath):
        return ""
    shown = [_printable(name.strip())[:_LONGEST_NAME] for name in names[:_MOST_NAMES]]
    return ", ".join(shown) + (", …" if len(names) > _MOST_NAMES else "")


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)
