"""Bytes to whole lines: encodings, byte order marks, line ends, and a bound on what has none."""

from __future__ import annotations

import gzip
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.formats import text_file
from airflow_provider_emailverify.formats.text_file import (
    EncodingFaultError,
    LineFaultError,
    TextFile,
    first_byte,
    lines_of,
    unzipped,
)

REPRODUCIBLE = settings(derandomize=True, deadline=None, max_examples=300)


def lines_by_the_book(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]


@REPRODUCIBLE
@given(
    st.text(alphabet="aé☃😀\n\r \x0b\x0c\x1c\x85\u2028", max_size=30),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-7"]),
    st.integers(1, 12),
)
def test_lines_are_those_of_the_standard_library_in_blocks_of_any_size(text: str, encoding: str, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "_CHUNK_BYTES", chunk)  # so that every boundary is met
        blocks = list(TextFile(io.BytesIO(text.encode(encoding)), encoding))

    assert "".join(blocks) == text
    assert [line for block in blocks for line in lines_of(block)] == lines_by_the_book(text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_is_passed_over_and_tells_utf_16(encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")

    assert list(TextFile(io.BytesIO(mark + "é\n".encode(encoding)))) == ["é\n"]


@pytest.mark.parametrize("encoding", ["klingon", "hex", "rot13", "", "utf\x00", None, 8])
def test_an_encoding_that_there_is_not_is_told(encoding: str) -> None:
    with pytest.raises(EncodingFaultError, match="Python has no encoding"):
        TextFile(io.BytesIO(b"a"), encoding)


@pytest.mark.parametrize("content", [b"secret\xff", b"a\n" * 200_000 + b"secret\xff\n", b"a\xc3"])
def test_bytes_of_another_encoding_are_told_without_the_content(content: bytes) -> None:
    with pytest.raises(EncodingFaultError, match="is not text in utf-8") as caught:
        list(TextFile(io.BytesIO(content)))

    assert caught.value.__suppress_context__


def test_a_text_without_line_breaks_is_refused_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(b"x" * 100_000_000, 1)

    tracemalloc.start()
    try:
        with pytest.raises(LineFaultError, match="has a line of more than 16,777,216 characters"):
            list(TextFile(unzipped(io.BytesIO(bomb))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024


def test_memory_does_not_grow_with_the_text() -> None:
    packed = gzip.compress(b"a@example.com\n" * 5_000_000, 1)

    tracemalloc.start()
    try:
        assert sum(block.count("\n") for block in TextFile(unzipped(io.BytesIO(packed)))) == 5_000_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_the_first_byte_is_found_behind_blanks_and_a_byte_order_mark() -> None:
    file = io.BytesIO(b"\xef\xbb\xbf" + b" \r\n" * 1_000_000 + b"{}")

    assert first_byte(file) == b"{"
    assert file.tell() == 3
