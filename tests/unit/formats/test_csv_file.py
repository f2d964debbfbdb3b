"""Is a vendor's file whole, and how many rows has it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.formats import csv_file as outline
from airflow_provider_emailverify.formats.csv_file import first_byte, outline_csv

REPRODUCIBLE = settings(derandomize=True, deadline=None, max_examples=300)


def rows_by_the_book(content: bytes) -> int:
    """Count the records after the header as Python's own parser does."""
    text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    return max(sum(1 for record in csv.reader(text) if record) - 1, 0)


HEADER = b"email,result\n"
FIELD = st.text(alphabet='ab,;"\r\n x', max_size=6)
TABLE = st.lists(st.lists(FIELD, min_size=2, max_size=3), max_size=8)


def written(table: list[list[str]], line_end: str, quoting: int) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)
    writer.writerow(["email", "result"])
    writer.writerows(table)
    return out.getvalue().encode()


@REPRODUCIBLE
@given(
    TABLE,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.integers(1, 40),
)
def test_rows_of_well_formed_csv_are_counted_as_by_a_parser(
    table: list[list[str]], line_end: str, quoting: int, chunk: int
) -> None:
    content = written(table, line_end, quoting)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outline, "_CHUNK_BYTES", chunk)  # so that every boundary is met
        patch.setattr(outline, "_fields", lambda line: ["email", "result"])
        assert outline_csv(io.BytesIO(content), "it").rows == rows_by_the_book(content)


@REPRODUCIBLE
@given(st.text(alphabet="ab, \r\n", max_size=30), st.integers(1, 12))
def test_rows_of_csv_with_odd_line_ends_are_counted_as_by_a_parser(body: str, chunk: int) -> None:
    content = HEADER + body.encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outline, "_CHUNK_BYTES", chunk)
        patch.setattr(outline, "_fields", lambda line: ["email", "result"])
        assert outline_csv(io.BytesIO(content), "it").rows == rows_by_the_book(content)


@pytest.mark.parametrize(
    ("content", "rows", "ends_short"),
    [
        (HEADER, 0, False),
        (HEADER.strip(), 0, False),
        (HEADER + b"a@example.com,ok\n", 1, False),
        (HEADER + b"a@example.com,o", 1, True),  # cannot be told from a cut
        (HEADER + b"a@example.com,ok\n\n\n", 1, False),
        (b"\xef\xbb\xbf" + HEADER + b"a@example.com,ok\n", 1, False),
        (HEADER + b"a@exam", 1, True),
        (HEADER + b'"a@exam', 1, True),
        (HEADER + b'"a@example.com","o\nk"\n', 1, False),
        (HEADER + b'5" disk,ok\n6" disk,ok\n', 2, False),
        (HEADER + b'12",ok\nb@example.com,ok\n', 2, True),  # cannot be told from a cut
        (HEADER + b"a\x00b,ok\n\xff\xfe,ok\n", 2, False),
    ],
)
def test_what_a_csv_file_holds(content: bytes, rows: int, ends_short: bool) -> None:
    found = outline_csv(io.BytesIO(content), "it")

    assert (found.header, found.rows, found.ends_short) == (["email", "result"], rows, ends_short)


@pytest.mark.parametrize(
    "content", [b"", b" \r\n", b"\xef\xbb\xbf", b"<html>", b"Not available", b"oops\n", b"Not available\nTry later\n"]
)
def test_what_is_no_csv_file(content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="it: expected a CSV file"):
        outline_csv(io.BytesIO(content), "it")


def test_the_first_byte_is_found_behind_blanks_and_a_byte_order_mark() -> None:
    file = io.BytesIO(b"\xef\xbb\xbf" + b" \r\n" * 1_000_000 + b"{}")

    assert first_byte(file) == b"{"
    assert file.tell() == 3
