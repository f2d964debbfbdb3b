"""Characters that nobody sees: they come with copied text, and make another address of the same one."""

from __future__ import annotations

import re
from unicodedata import bidirectional, category, combining

_SPACES_AND_FORMATS = frozenset({"Cf", "Zs", "Zl", "Zp"})
# What else Unicode says to show as nothing (Default_Ignorable_Code_Point), and the blank pattern of Braille.
_OTHERS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_CONTROLS = "".join(map(chr, (*range(33), *range(127, 160))))
_VIRAMA = 9


def without_invisible(text: str) -> str:
    """
    Remove what Unicode shows as nothing, and all spaces but the plain one.

    Joiners and variation selectors stay where they make a letter or a picture another one, in the scripts of India, in
    Arabic ones and in emoji (RFC 5892, appendix A).

    :param text: any text.
    """
    if text.isprintable() and not _OTHERS.search(text):  # the first is False for all formats, and spaces but one
        return text
    kept: list[str] = []
    for character in text:
        if not _is_invisible(character) or (kept and _has_meaning(character, kept[-1])):
            kept.append(character)
    return "".join(kept)


def without_control_ends(text: str) -> str:
    """
    Remove control characters from both ends, and the spaces that come with them.

    :param text: any text.
    """
    return text.strip(_CONTROLS)


def _is_invisible(character: str) -> bool:
    return character != " " and (category(character) in _SPACES_AND_FORMATS or bool(_OTHERS.match(character)))


def _has_meaning(character: str, before: str) -> bool:
    if character in _JOINERS:
        return (
            combining(before) == _VIRAMA
            or bidirectional(before) == "AL"
            or category(before) in ("So", "Sk")
            or bool(_VARIANTS.match(before))
        )
    return bool(_VARIANTS.match(character)) and category(before) in ("So", "Sm", "Lo")
