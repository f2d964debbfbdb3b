"""What is taken for an address, and what for the same address."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from email_validator import validate_email
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emailverify.lists.addresses import MAX_LENGTH, SeenAddresses, are_plain, is_address

LONGEST = "a" * 64 + "@" + ("b" * 63 + ".") * 2 + "c" * 57 + ".com"

AWKWARD = [
    "simple@example.com",
    "user.name+tag+sorting@example.com",
    "#!$%&'*+-/=?^_`{|}~@example.org",
    "mailhost!username@example.org",
    "user%example.com@example.org",
    "user-@example.org",
    '" "@example.org',
    '""@example.org',
    '"john..doe"@example.org',
    '"john doe"@example.com',
    '"a@b"@example.com',
    '"comma, semicolon; <angle>"@example.com',
    r'"quote \" and backslash \\"@example.com',
    r'"very.(),:;<>[]\".VERY.\"very@\\ \"very\".unusual"@strange.example.com',
    '"a"."b"@example.com',
    'a."b c".d@example.com',
    "john(comment)@example.com",
    "(comment)john@(comment)example.com",
    "admin@mailserver1",
    "postmaster@[192.0.2.1]",
    "postmaster@[IPv6:2001:db8::7334]",
    "x@xn--bcher-kva.example",
    "user@bücher.example",
    "Pelé@example.com",
    "δοκιμή@παράδειγμα.δοκιμή",
    "二ノ宮@黒川.日本",
    "संपर्क@डाटामेल.भारत",
    "👩‍💻@example.com",
    "docomo..user.@example.com",
    LONGEST,
]

NO_ADDRESSES = [
    "",
    "n/a",
    "@",
    ".@0",
    "user@",
    "@example.com",
    "user@@example.com",
    "user@example..com",
    "user@.example.com",
    "user@example.com.",
    "two words@example.com",
    "user@two words.example",
    "one@example.com;two@example.com",
    "one@example.com,two@example.com",
    "one@example.com two@example.com",
    "one@example.com\ntwo@example.com",
    "Name <user@example.com>",
    "<user@example.com>",
    "mailto:user@example.com",
    '"unclosed@example.com',
    'un"quoted"@example.com',
    "nul\0@example.com",
    "tab\t@example.com",
    "half\ud83d@example.com",
    "user@[192.0.2.1",
    "a" * 300,
    "a" + LONGEST,
]


@pytest.mark.parametrize("address", AWKWARD)
def test_what_an_rfc_allows_is_an_address(address: str) -> None:
    assert is_address(address)


def test_the_longest_address_has_254_characters() -> None:
    assert len(LONGEST) == MAX_LENGTH == 254


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_no_rfc_allows_is_no_address(text: str) -> None:
    assert not is_address(text)
    assert not are_plain(["a@example.com", text])


@given(st.lists(st.one_of(st.sampled_from(AWKWARD + NO_ADDRESSES), st.text(st.sampled_from('aZ0.@-_+ \n"(),;ü')))))
def test_what_is_plain_is_an_address(texts: list[str]) -> None:
    assert all(map(is_address, texts)) or not are_plain(texts)


@given(st.emails())
def test_no_address_that_hypothesis_can_think_of_is_dropped(address: str) -> None:
    assert is_address(address) or len(address) > MAX_LENGTH


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_what_a_validator_accepts_is_an_address(local: str, domain: str) -> None:
    text = f"{local}@{domain}.com".strip()
    try:
        validate_email(text, check_deliverability=False, allow_quoted_local=True, test_environment=True)
    except ValueError:
        return
    assert is_address(text)


def test_hostile_text_takes_no_longer_than_other_text() -> None:
    for hostile in ("a." * 126 + '"', '"' + r"\"" * 120 + "x", "(" * 250, "a@" + "b." * 126, '""' * 120 + "@"):
        assert not is_address(hostile)  # a regular expression that backtracks would not get past this line


def test_an_address_is_new_once() -> None:
    seen = SeenAddresses()

    assert seen.add(["a@example.com", "b@example.com", "a@example.com"]) == ["a@example.com", "b@example.com"]
    assert seen.add(["b@example.com", "c@example.com"]) == ["c@example.com"]
    assert len(seen) == 3


def test_case_unicode_form_and_punycode_make_no_difference() -> None:
    seen = SeenAddresses()

    assert seen.add(["User@Example.COM", "user@example.com", "USER@EXAMPLE.COM"]) == ["User@Example.COM"]
    assert seen.add(["jose\u0301@example.com", "José@example.com"]) == ["jose\u0301@example.com"]
    assert seen.add(["x@xn--bcher-kva.example", "X@BÜCHER.example"]) == ["x@xn--bcher-kva.example"]


def test_the_case_of_a_local_part_makes_a_difference_if_it_is_told_to() -> None:
    seen = SeenAddresses(distinguish_case=True)

    assert seen.add(["User@Example.COM", "User@example.com", "user@example.com"]) == [
        "User@Example.COM",
        "user@example.com",
    ]
    assert seen.add(["x@BÜCHER.example", "x@bücher.example", '"A@B"@example.com', '"a@b"@example.com']) == [
        "x@BÜCHER.example",
        '"A@B"@example.com',
        '"a@b"@example.com',
    ]


def test_a_table_that_has_grown_knows_all_addresses_still() -> None:
    addresses = [f"user{number}@example.com" for number in range(100_000)]
    shuffled = random.Random(1).sample(addresses, len(addresses))
    seen = SeenAddresses()

    assert seen.add(addresses) == addresses
    assert seen.add(shuffled) == []


def test_an_address_takes_at_most_64_bytes_even_while_the_table_grows() -> None:
    count, size = 80_000, 2048
    seen = SeenAddresses()
    tracemalloc.start()
    try:
        for start in range(0, count, size):
            seen.add([f"user{number}@example.com" for number in range(start, min(start + size, count))])
            peak = tracemalloc.get_traced_memory()[1]
            block = size * 200  # the block itself
            assert start < 20_000 or (peak - block) / len(seen) <= 64
    finally:
        tracemalloc.stop()
    assert len(seen) == count
