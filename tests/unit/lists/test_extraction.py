"""What people's exports hold beside an address is taken off, and nothing is made an address that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emailverify.lists.addresses import is_address
from airflow_provider_emailverify.lists.cleaning import AddressList, Cleaner
from tests.unit.lists.test_addresses import AWKWARD

A, B, C = "ada@example.com", "bob@example.com", "cy@example.com"


@pytest.mark.parametrize(
    ("value", "addresses", "changes"),
    [
        (f"Ada <{A}>", [A], {"name"}),
        (f'"Lovelace, Ada" <{A}>', [A], {"name"}),
        (f"Lovelace, Ada <{A}>", [A], {"name"}),
        (f"{A} <{A}>", [A], {"name"}),
        (f"<{A}>", [A], {"quotes"}),
        (f"'{A}'", [A], {"quotes"}),
        (f'"{A}"', [A], {"quotes"}),
        (f"\u201c{A}\u201d", [A], {"quotes"}),
        (f"[{A}]", [A], {"quotes"}),
        (f"{A}'", [A], {"quotes"}),
        (f"mailto:{A}", [A], {"mailto"}),
        (f"MAILTO:{A}?subject=Hello", [A], {"mailto"}),
        (f"<mailto:{A}>", [A], {"mailto", "quotes"}),
        (f"{A}.", [A], {"punctuation"}),
        (f"{A},", [A], {"punctuation"}),
        (f"{A} ;", [A], {"punctuation"}),
        (f"Ada <{A}>;", [A], {"name", "punctuation"}),
        ("ada\uff20example\uff0ecom", [A], {"full_width"}),
        ("\uff41da@example.com", [A], {"full_width"}),
        (f"{A}; {B}", [A, B], {"several"}),
        (f"{A},{B};", [A, B], {"several"}),
        (f"{A} ::: {B}", [A, B], {"several"}),
        (f"{A}:::{B}:::{C}", [A, B, C], {"several"}),
        (f"{A} {B}", [A, B], {"several"}),
        (f"{A}\n{B}", [A, B], {"several"}),
        (f"{A} / {B}", [A, B], {"several"}),
        (f"{A}/{B}", [A, B], {"several"}),
        (f"{A} | {B}", [A, B], {"several"}),
        (f"Ada <{A}>, Bob <{B}>", [A, B], {"several", "name"}),
        (f"Lovelace, Ada <{A}>; Bob <{B}>", [A, B], {"several", "name"}),
        (f"{A}, Bob <{B}>", [A, B], {"several", "name"}),
        (f"mailto:{A},{B}", [A, B], {"several", "mailto"}),
        (f'"x;y"@example.com; {B}', ['"x;y"@example.com', B], {"several"}),
        (f"{A}; {A}", [A], {"punctuation"}),
    ],
)
def test_addresses_are_taken_out_of_what_stands_around_them(
    value: str, addresses: list[str], changes: set[str]
) -> None:
    cleaner = Cleaner()

    assert cleaner.addresses([B, value, C]) == [B, *addresses, C]
    assert {change.value for change, count in cleaner.changed.items() if count} == changes
    assert cleaner.dropped.total() == 0


@pytest.mark.parametrize(
    "value",
    [
        "john,smith@example.com",
        "john;smith@example.com",
        "john smith@example.com",
        "smith@example.com,john",
        "a@b@example.com",
        "ada@example.com bob",
        "see ada@example.com for more",
        "ada@example.com (work), none",
        "<ada@example.com",
        "ada@@example.com",
        "@example.com",
        "Ada <>",
        "Ada <bob>, ada@",
        "x@y <n/a>",
        "https://example.com/?to=ada@example.com&x=1, no",
        "ada@example.com; n/a",
        "mailto:",
    ],
)
def test_what_is_not_understood_as_a_whole_is_no_address(value: str) -> None:
    cleaner = Cleaner()

    assert cleaner.addresses([value]) == []
    assert cleaner.dropped.total() == 1


PIECES = st.lists(
    st.sampled_from([A, B, "<", ">", '"', "'", ",", ";", " ", ":::", "mailto:", "/", "x", "@", "."]), max_size=9
)


@given(PIECES)
def test_only_addresses_that_stand_there_as_a_whole_come_out(pieces: list[str]) -> None:
    text = "".join(pieces)

    for address in Cleaner().addresses([text]):
        assert is_address(address)
        assert address in text


@given(st.sampled_from(AWKWARD), st.sampled_from(["{}", "<{}>", "Name <{}>", "mailto:{}", "{};", " {} "]))
def test_addresses_of_all_kinds_survive(address: str, pattern: str) -> None:
    found = Cleaner().addresses([pattern.format(address)])

    assert found in ([address], []) if "mailto" in pattern or "<" in address else [address]


def test_an_address_in_any_spelling_is_bought_once_and_what_was_changed_is_counted() -> None:
    values = ["ADA@example.com", A, f"Ada <{A}>", f"mailto:{A}", f"{B}; {A}"]

    with AddressList([values]) as emails:
        assert list(emails.batches(9)) == [["ADA@example.com", B]]
        assert emails.cleaned == {"name": 1, "mailto": 1, "several": 1}
