"""A list is cleaned, counted by reason, kept on the worker's disk, cut into batches, and gone afterwards."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import InvalidRequestError, InvalidSourceError, StorageError
from airflow_provider_emailverify.limits import read_limit
from airflow_provider_emailverify.lists.addresses import SeenAddresses, is_address
from airflow_provider_emailverify.lists.cleaning import AddressList, Cleaner
from tests.unit.lists.test_addresses import AWKWARD, NO_ADDRESSES

BLOCKS = [["a@example.com", " b@example.com", "none"], ["B@example.com", "b@EXAMPLE.com", ""], ["c@example.com"]]


def test_it_counts_what_was_read_kept_and_dropped() -> None:
    with AddressList(BLOCKS) as emails:
        assert (emails.read, emails.unique, emails.dropped) == (7, 3, 2)


def cleaned(*values: str) -> list[str]:
    return Cleaner().addresses(values)


def test_addresses_come_out_as_they_went_in() -> None:
    assert cleaned(*AWKWARD) == AWKWARD


@given(st.lists(st.one_of(st.sampled_from(AWKWARD + NO_ADDRESSES), st.text(st.sampled_from('aZ0.@-_+ \n"(),;ü')))))
def test_a_block_is_judged_as_its_values_one_by_one(texts: list[str]) -> None:
    cleaner, one = Cleaner(), Cleaner()

    assert cleaner.addresses(texts) == [address for text in texts for address in one.addresses([text])]
    assert (cleaner.dropped, cleaner.changed) == (one.dropped, one.changed)


@given(st.lists(st.one_of(st.sampled_from(AWKWARD + NO_ADDRESSES), st.text(st.sampled_from('aZ0.@-_+ \n"(),;ü')))))
def test_without_cleaning_only_what_is_an_address_as_it_stands_is_one(texts: list[str]) -> None:
    cleaner = Cleaner(clean=False)

    assert cleaner.addresses(texts) == [text.strip() for text in texts if is_address(text.strip())]
    assert cleaner.dropped.total() == sum(not is_address(text.strip()) for text in texts)
    assert cleaner.dropped["empty"] == sum(not text.strip() for text in texts)


def test_white_space_around_an_address_is_cut_off() -> None:
    assert cleaned(" a@example.com", "b@example.com\t", "ü@example.com\r") == [
        "a@example.com",
        "b@example.com",
        "ü@example.com",
    ]


INVISIBLE = {
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "right-to-left mark": "\u200f",
    "no-break space": "\u00a0",
    "narrow no-break space": "\u202f",
    "ideographic space": "\u3000",
    "line separator": "\u2028",
}


@pytest.mark.parametrize("name", INVISIBLE)
@pytest.mark.parametrize(
    "pattern", ["{}jane@example.com", "jane@example.com{}", "ja{}ne@example.com", "jane@exa{}mple.com"]
)
def test_an_address_with_characters_that_nobody_sees_is_the_same_address(name: str, pattern: str) -> None:
    with AddressList([["jane@example.com", pattern.format(INVISIBLE[name])]]) as emails:
        assert list(emails.batches(10)) == [["jane@example.com"]]
        assert emails.cleaned == {"invisible": 1}


def test_control_characters_around_an_address_are_invisible_too_and_inside_they_are_a_fault() -> None:
    with AddressList([["\x00a@example.com", "b@example.com\x7f", "c\x00c@example.com"]]) as emails:
        assert list(emails.batches(10)) == [["a@example.com", "b@example.com"]]
        assert emails.cleaned == {"invisible": 2}
        assert emails.dropped_by_reason == {"blank_inside": 1}


def test_what_is_dropped_is_counted_by_reason() -> None:
    values = [
        "a@example.com",
        "",
        "  ",
        "\u200b",
        "n/a",
        "jane",
        "a b@example.com",
        "a@b@c",
        "x" * 300 + "@example.com",
    ]

    with AddressList([values]) as emails:
        assert emails.dropped == 8
        assert emails.dropped_by_reason == {
            "empty": 3,
            "no_at_sign": 2,
            "blank_inside": 1,
            "malformed": 1,
            "too_long": 1,
        }


def test_values_of_which_not_one_is_an_address_are_an_error_with_the_reasons() -> None:
    with pytest.raises(
        InvalidSourceError, match=r"has 4 values, and not one address: 2 without an @, 1 empty, 1 not an address"
    ) as caught:
        AddressList([["Jane", "secret"], ["", "secret@"]])

    assert "secret" not in str(caught.value)


def test_one_value_that_is_no_address_is_an_error_too() -> None:
    with pytest.raises(InvalidSourceError, match="has 1 value, and not one address: 1 empty"):
        AddressList([[""]])


def test_no_values_are_no_error() -> None:
    with AddressList([]) as emails:
        assert (emails.read, emails.unique) == (0, 0)


@pytest.mark.parametrize(
    ("limit", "is_kept"),
    [
        (3, True),
        (2, False),
        ("3", True),
        ("30%", True),
        ("29%", False),
        (0.3, True),
        (0.29999, False),
        (None, True),
        (0, False),
    ],
)
def test_a_list_of_which_too_much_is_dropped_is_refused(limit: object, is_kept: bool) -> None:
    values = [*["a@example.com"] * 7, "x", "y", "z", *[""] * 90]
    with AddressList([values]) as emails:
        if is_kept:
            emails.check_dropped(read_limit("max_dropped", limit))
        else:
            with pytest.raises(InvalidRequestError, match=f"3 of 10 .* max_dropped={limit}. Dropped are 90 empty, 3 w"):
                emails.check_dropped(read_limit("max_dropped", limit))


def test_it_hands_out_batches_in_the_order_of_the_file_as_often_as_need_be() -> None:
    with AddressList(BLOCKS) as emails:
        for _ in range(2):
            assert list(emails.batches(2)) == [["a@example.com", "b@example.com"], ["c@example.com"]]


def test_awkward_addresses_come_out_as_they_went_in() -> None:
    with AddressList([AWKWARD]) as emails:
        assert [email for batch in emails.batches(7) for email in batch] == AWKWARD


def test_the_digest_tells_other_addresses_and_another_order() -> None:
    def digest(*addresses: str) -> str:
        with AddressList([list(addresses)]) as emails:
            return emails.sha256

    same = digest("a@example.com", "b@example.com")
    assert digest("a@example.com ", "none", "b@example.com", "a@EXAMPLE.com") == same
    assert digest("b@example.com", "a@example.com") != same
    assert digest("a@example.com", "c@example.com") != same


def test_nothing_of_it_can_be_found_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with AddressList(BLOCKS):
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [10, 10_000], ids=["in memory until the end", "written at once"])
def test_a_disk_that_is_full_is_said_to_be(count: int) -> None:
    def fill() -> None:
        with AddressList([]) as emails:
            with Path("/dev/full").open("w") as full:
                os.dup2(full.fileno(), emails._file.fileno())
            emails._fill([[f"user{number}@example.com" for number in range(count)]], SeenAddresses())

    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"):
        fill()


def test_memory_does_not_grow_with_the_file_beyond_what_tells_duplicates() -> None:
    def blocks() -> Iterator[list[str]]:
        for start in range(0, 65_536, 1024):
            yield [f"{'x' * 100}{number}@example.com" for number in range(start, start + 1024)]

    tracemalloc.start()
    try:
        with AddressList(blocks()) as emails:
            for _ in emails.batches(1000):
                pass
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * emails.unique  # the addresses alone would be more than twice as much
