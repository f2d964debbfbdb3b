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
