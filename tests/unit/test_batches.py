"""Identifiers of batches, which may hold anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_emailverify.batches import quote_batch_id, read_batch_id, read_batch_ids
from airflow_provider_emailverify.exceptions import InvalidRequestError


def test_a_quoted_batch_id_is_a_name_in_its_folder() -> None:
    assert quote_batch_id("../x y") == "..%2Fx%20y"
    assert quote_batch_id("..") == "%2E%2E"


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
