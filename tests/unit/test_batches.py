"""Identifiers of batches, which may hold anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_emailverify.batches import file_stem, quote_batch_id, read_batch_id, read_batch_ids
from airflow_provider_emailverify.exceptions import InvalidRequestError


def test_a_quoted_batch_id_is_a_name_in_its_folder() -> None:
    assert quote_batch_id("../x y") == "..%2Fx%20y"
    assert quote_batch_id("..") == "%2E%2E"


def test_the_files_of_a_batch_are_called_after_the_vendor_and_the_quoted_id() -> None:
    assert file_stem("proofy", "a::b/c") == "proofy-a%3A%3Ab%2Fc"
    assert file_stem("proofy", 4711) == "proofy-4711"


@pytest.mark.parametrize("batch_id", ["x" * 5000, "é" * 100, "/" * 64 + "x", "/" * 64, "%" * 1000])
def test_a_long_id_makes_a_name_with_a_bound(batch_id: str) -> None:
    stem = file_stem("proofy", batch_id)

    assert stem.startswith("proofy-")
    assert len(stem) <= 200
    assert not re.search("%(?![0-9A-F]{2})", stem)
    assert file_stem("proofy", batch_id) == stem


def test_long_ids_that_differ_at_their_ends_make_names_that_differ() -> None:
    stems = {file_stem("proofy", "x" * 300 + end) for end in ("", "a", "b", "/", "%2F")}
    assert len(stems) == 5


def test_a_number_is_its_digits() -> None:
    assert read_batch_id(4711) == quote_batch_id(4711) == "4711"


@pytest.mark.parametrize("value", [None, True, 1.0, b"b", ["b"], "", " \t", "\udcff"])
def test_what_is_no_id_is_refused_with_words(value: Any) -> None:
    for read in (read_batch_id, quote_batch_id):
        with pytest.raises(InvalidRequestError, match=r"^batch_id .* Check the task that returns it\.$"):
            read(value)


class Mapped(Sequence[Any]):
    """What Airflow hands over for the XComs of mapped tasks: a sequence that is no list."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, item: Any) -> Any:
        return self._items[item]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("b-1", "b-1"),
        (4711, "4711"),
        (["b-1"], ["b-1"]),
        ([], []),
        (("b-2", "b-1", "b-2"), ["b-2", "b-1"]),
        ([4711, "4712", 4711, "4711"], ["4711", "4712"]),
        (Mapped("a", "b"), ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's\"]", ["a", "it's"]),
        (" [4711] ", ["4711"]),
        ("[]", []),
        ("[a", "[a"),
        ("a, b", "a, b"),
    ],
)
def test_batch_ids_are_one_or_a_list_of_each_once(value: Any, expected: Any) -> None:
    assert read_batch_ids(value) == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["a", None], "Item 2 of the list: batch_id must be a str, got None"),
        (["a", ""], "Item 2 of the list: batch_id is empty"),
        ([["a"], ["b"]], "item 1 is a list itself"),
        ({"a": 1}, "batch_id must be a str"),
        (b"a", "batch_id must be a str"),
        (None, "batch_id must be a str"),
        ("[a, b]", "looks like the text of a list"),
        ("[" * 100_000 + "]", "looks like the text of a list"),
    ],
)
def test_what_is_no_batch_id_and_no_list_of_them_is_refused_with_words(value: Any, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        read_batch_ids(value)
