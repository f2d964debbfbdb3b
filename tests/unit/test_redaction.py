"""Keys and addresses in the words of others."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.redaction import Redactor, renderings
from tests.conftest import AWKWARD_KEY


@pytest.mark.parametrize("spelling", renderings(AWKWARD_KEY))
def test_a_key_is_hidden_however_it_is_spelled(spelling: str) -> None:
    assert Redactor(AWKWARD_KEY)(f"bad key '{spelling}'") == "bad key '***'"


def test_percent_escapes_may_be_in_lower_case() -> None:
    assert "***" in Redactor("a/b")("x=a%2fb")


@pytest.mark.parametrize(
    "address",
    [
        "jane@example.com",
        "jane.doe+tag@mail.example",
        '"jane doe"@example.com',
        "jürgen@exämple.example",
        "a%40b.example",
    ],
)
def test_an_address_is_hidden(address: str) -> None:
    shown = Redactor("key")(f"cannot verify {address}: refused")

    assert shown == "cannot verify <address>: refused"


def test_the_cut_comes_after_the_redaction() -> None:
    assert Redactor("secretsecret")("x" * 295 + "secretsecret" + "y" * 50) == "x" * 295 + "***y…"


def test_line_breaks_become_blanks() -> None:
    assert Redactor("key")("a\r\n\tb") == "a b"


def test_a_long_text_is_redacted_quickly_and_shows_no_half_of_anything() -> None:
    redact = Redactor("secretsecret")

    assert redact("x" * 1_000_000) == ""
    assert redact("a " * 1996 + "secretsecret") == redact("a " * 1996)
    assert "secret" not in redact("a " * 1996 + "secretsecret", limit=10_000)
    assert "jane" not in redact("jane" * 900 + "@example.com")
