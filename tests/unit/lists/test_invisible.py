"""Characters that nobody sees, in addresses that somebody copied."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from airflow_provider_emailverify.lists.invisible import without_control_ends, without_invisible

ALL = [chr(code) for code in range(sys.maxunicode + 1)]


def test_every_format_and_every_space_but_the_plain_one_is_removed() -> None:
    invisible = [
        character
        for character in ALL
        if unicodedata.category(character) in ("Cf", "Zs", "Zl", "Zp") and character != " "
    ]

    assert len(invisible) > 150
    for character in invisible:
        for text in (f"{character}a@b.c", f"a{character}@b.c", f"a@{character}b.c", f"a@b.c{character}"):
            assert without_invisible(text) == "a@b.c", hex(ord(character))


@pytest.mark.parametrize("character", ["\u034f", "\u115f", "\u3164", "\ufe0f", "\uffa0", "\u2800", "\U000e0100"])
def test_what_else_is_shown_as_nothing_is_removed(character: str) -> None:
    assert without_invisible(f"a{character}b@example.com") == "ab@example.com"


def test_what_can_be_seen_stays() -> None:
    for character in ALL:
        if unicodedata.category(character)[0] in "LMNPS" and without_invisible(f"a{character}") != f"a{character}":
            assert unicodedata.name(character).startswith(
                (
                    *("COMBINING GRAPHEME JOINER", "HANGUL", "HALFWIDTH HANGUL", "KHMER VOWEL INHERENT", "MONGOLIAN"),
                    *("BRAILLE PATTERN BLANK", "VARIATION SELECTOR"),
                )
            )


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d💻@example.com",
        "❤\ufe0f\u200d🔥@example.com",
        "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc@example.com",
        "\u0915\u094d\u200d\u0937@example.com",
    ],
)
def test_a_joiner_that_makes_another_letter_or_picture_stays(text: str) -> None:
    assert without_invisible(text) == text


def test_control_characters_are_removed_from_the_ends_only() -> None:
    assert without_control_ends("\x00 a\x01b \x1f\x7f\x9f") == "a\x01b"
