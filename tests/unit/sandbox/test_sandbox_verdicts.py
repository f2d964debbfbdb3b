"""From an address to findings."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.sandbox.verdicts import examine


@pytest.mark.parametrize(
    ("address", "verdict", "reason"),
    [
        ("ann@example.com", "valid", "accepted"),
        ("ann@shop.example", "valid", "accepted"),
        ("ann@shop.test", "valid", "accepted"),
        ("用户@例え.jp", "valid", "accepted"),
        ("ann+newsletter@example.com", "valid", "accepted"),
        ("ann@gmail.com", "valid", "accepted"),
        ("Support@Proofy.io", "valid", "role"),
        ("no-reply@example.com", "risky", "no_reply"),
        ("ann@Mailinator.com", "risky", "disposable"),
        ("ann+undeliverable@example.com", "invalid", "rejected"),
        ("ann+news+undeliverable@example.com", "invalid", "rejected"),
        ("ann+disabled@example.com", "invalid", "disabled"),
        ("ann+nomx@example.com", "invalid", "no_mx"),
        ("ann@shop.invalid", "invalid", "no_mx"),
        ("ann+RISKY@example.com", "risky", "low_quality"),
        ("ann+catchall@example.com", "risky", "catch_all"),
        ("ann+fullinbox@example.com", "risky", "full_inbox"),
        ("ann+spamtrap@example.com", "risky", "spam_trap"),
        ("ann+unknown@example.com", "unknown", "timeout"),
        ("ann..lee@example.com", "invalid", "syntax"),
        ("ann@example", "invalid", "syntax"),
        ("ann@.invalid", "invalid", "syntax"),
        ("@example.com", "invalid", "syntax"),
        ("example.com", "invalid", "syntax"),
        ("", "invalid", "syntax"),
    ],
)
def test_an_address_gets_its_documented_verdict(address, verdict, reason):
    found = examine(address)

    assert (found.verdict.value, found.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("address", "flag"),
    [
        ("support+catchall@example.com", "role"),
        ("ann@gmail.com", "free"),
        ("ann@yopmail.com", "disposable"),
        ("ann+disabled@example.com", "disabled"),
        ("ann+spamtrap@example.com", "spam_trap"),
        ("ann+fullinbox@example.com", "full_inbox"),
        ("noreply@example.com", "no_reply"),
    ],
)
def test_flags_are_raised_beside_the_verdict(address, flag):
    assert getattr(examine(address), flag)
    assert not getattr(examine("ann@example.com"), flag)


def test_a_name_that_is_only_a_tag_is_a_name():
    assert examine("+risky@example.com").verdict == "valid"
