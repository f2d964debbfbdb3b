"""Rows out of a JSON document, one at a time, and what stands around them."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import IncompleteResponseError, UnexpectedResponseError
from airflow_provider_emailverify.formats import json_file as json_stream
from airflow_provider_emailverify.formats.json_file import JsonDocument

REPRODUCIBLE = settings(derandomize=True, deadline=None, max_examples=300)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=12,
)


def read(content: bytes, member: str | None = None) -> tuple[list[Any], JsonDocument]:
    document = JsonDocument(io.BytesIO(content), "it")
    return list(document.rows(member)), document


@REPRODUCIBLE
@given(
    JSON.filter(lambda value: isinstance(value, dict | list)),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.integers(1, 30),
)
def test_what_is_read_is_what_the_standard_library_reads(
    document: Any, indent: int | None, escaped: bool, chunk: int
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=escaped).encode(errors="replace")
    document = json.loads(content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_CHUNK_BYTES", chunk)  # so that every boundary is met
        rows, found = read(content)

    if isinstance(document, list):
        assert (rows, found.lists, found.values) == (document, {None: len(document)}, {})
    else:
        lists = {name: value for name, value in document.items() if isinstance(value, list)}
        assert rows == [row for value in lists.values() for row in value]
        assert found.lists == {name: len(value) for name, value in lists.items()}
        assert found.values == {name: value for name, value in document.items() if name not in lists}


def test_only_the_wanted_list_is_handed_out_and_the_others_are_counted() -> None:
    rows, document = read(b'{"a": [1], "status": "ready", "list": [{"b": [2]}], "c": []}', "list")

    assert rows == [{"b": [2]}]
    assert document.lists == {"a": 1, "list": 1, "c": 0}
    assert document.values == {"status": "ready"}


@pytest.mark.parametrize("ahead", [True, False])
def test_members_before_and_after_the_rows_are_seen(ahead: bool) -> None:
    content = b'{"status": "ready", "list": [1]}' if ahead else b'{"list": [1], "status": "ready"}'

    assert read(content, "list")[1].values == {"status": "ready"}


@pytest.mark.parametrize("number", [b"12", b"-1.5e+3", b"0", b"1E5"])
@pytest.mark.parametrize("chunk", range(1, 8))
def test_a_number_is_not_cut_where_a_chunk_ends(number: bytes, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", chunk)

    assert read(b"[" + number + b"," + number + b"]")[0] == [json.loads(number)] * 2


@pytest.mark.parametrize(
    "content",
    [
        *(b'{"list": [1, 2', b'{"a": 1} x', b'{"a": 1}{"b": 2}', b"[1,]", b'{"a": "\xff"}', b'["a" b]', b"{", b"["),
        *(b'{"a": 1,}', b'{"a" 1}', b'{1: "a"}', b"[1 2]", b"[1", b"[12", b'["a', b"[tru]", b'{"a"', b'{"a":', b"[}"),
        *(b"[NaN]", b"[Infinity]", b'["\x00"]', b'["\n"]', b"[01]", b"[" * 200_000, b"[" + b"9" * 5000 + b"]"),
        *(b"\xff\xfe[\x001\x00]\x00", b'["\xed\xa0\x80"]'),
    ],
)
def test_json_that_is_cut_or_malformed_is_an_error_without_its_content(content: bytes) -> None:
    with pytest.raises(IncompleteResponseError) as caught:
        read(content)

    assert str(caught.value) == "it: the JSON document is cut or malformed."
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("length", range(len(b'{"list": [{"a": "b"}], "n": 1}')))
def test_a_document_that_is_cut_anywhere_is_an_error(length: int) -> None:
    with pytest.raises(UnexpectedResponseError if length == 0 else IncompleteResponseError):
        read(b'{"list": [{"a": "b"}], "n": 1}'[:length])


@pytest.mark.parametrize("content", [b"", b" \n", b"<html>", b'"ready"', b"null", b"email,result"])
def test_what_is_no_json_document(content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="it: expected a JSON document"):
        read(content)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert read(b"\xef\xbb\xbf[1]")[0] == [1]


def test_the_last_of_two_values_of_one_name_counts() -> None:
    assert read(b'{"a": "x", "a": "ready"}')[1].values == {"a": "ready"}
    assert read(b'[{"a": 1, "a": 2}]')[0] == [{"a": 2}]


def test_two_lists_of_one_name_are_an_error() -> None:
    with pytest.raises(UnexpectedResponseError, match="two lists of the same name"):
        read(b'{"list": [1], "list": [2]}')


def test_a_string_of_ten_megabytes_is_read() -> None:
    long = "x" * 10_000_000

    assert read(json.dumps([long, {"a": long}]).encode())[0] == [long, {"a": long}]


def test_a_value_of_any_length_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARACTERS", 3_000_000)

    with pytest.raises(UnexpectedResponseError, match="longer than 3,000,000 characters"):
        read(b'["' + b"x" * 20_000_000 + b'"]')


def test_memory_does_not_grow_with_the_rows() -> None:
    row = b'{"email": "support@proofy.io", "status": "valid"}'

    def peak(rows: int) -> int:
        file = io.BytesIO(b'{"list": [' + b",".join([row] * rows) + b"]}")
        tracemalloc.start()
        assert sum(1 for _ in JsonDocument(file, "it").rows("list")) == rows
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(60_000) < 1.2 * peak(20_000)
