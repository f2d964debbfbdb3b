"""How many rows a vendor's CSV file has, and whether it is whole: from a file, and while it arrives."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.formats.csv_scan import CsvScan, CsvScanner, scan_csv

REPRODUCIBLE = settings(derandomize=True, deadline=None, max_examples=300)


def rows_by_the_book(content: bytes, separator: str = ",") -> int:
    """Count the records after the header as Python's own parser does."""
    text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
    return max(sum(1 for record in csv.reader(text, delimiter=separator) if record) - 1, 0)


HEADER = b"email,result\n"
FIELD = st.text(alphabet='ab,;"\r\n x', max_size=6)
TABLE = st.lists(st.lists(FIELD, min_size=2, max_size=3), max_size=8)


def written(table: list[list[str]], line_end: str, quoting: int, separator: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting, delimiter=separator)
    writer.writerow(["email", "result"])
    writer.writerows(table)
    return out.getvalue().encode()


def scan(content: bytes) -> CsvScan:
    return scan_csv(io.BytesIO(content), "it")


def scan_in_pieces(content: bytes, *sizes: int) -> CsvScan | None:
    """Scan as if the content arrived in pieces of some sizes, the last of them again and again."""
    scanner = CsvScanner("it")
    left = list(sizes)
    while content:
        size = left.pop(0) if len(left) > 1 else left[0]
        scanner.feed(content[:size])
        content = content[size:]
    return scanner.finish()


@REPRODUCIBLE
@given(
    TABLE,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.integers(1, 40),
)
def test_rows_of_well_formed_csv_are_counted_as_by_a_parser(
    table: list[list[str]], line_end: str, quoting: int, separator: str, chunk: int
) -> None:
    content = written(table, line_end, quoting, separator)
    expected = rows_by_the_book(content, separator)

    assert scan(content).rows == expected
    arrived = scan_in_pieces(content, chunk)
    assert arrived is None or arrived == scan(content)


@REPRODUCIBLE
@given(st.text(alphabet="ab, \r\n", max_size=30), st.integers(1, 12))
def test_rows_of_csv_with_odd_line_ends_are_counted_as_by_a_parser(body: str, chunk: int) -> None:
    content = HEADER + body.encode()

    assert scan(content).rows == rows_by_the_book(content)
    arrived = scan_in_pieces(content, chunk)
    assert arrived is None or arrived == scan(content)


@REPRODUCIBLE
@given(st.lists(st.sampled_from(['5" disk', 'a"b"', '"x\ny"', '"a ""b"""', "c", '""', '"d,e"']), min_size=2), st.data())
def test_quotes_inside_of_other_text_open_no_field(fields: list[str], data: st.DataObject) -> None:
    rows = [f"{field},{data.draw(st.sampled_from(fields))}\n".encode() for field in fields]
    content = HEADER + b"".join(rows)

    assert scan(content).rows == rows_by_the_book(content) == len(rows)


@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_well_formed_csv_is_counted_while_it_arrives(quoting: int, mark: str) -> None:
    rows = [[f"user{number}@example.com", "two\nlines" if number % 7 == 0 else "ok, so"] for number in range(5000)]
    content = mark.encode() + written(rows, "\n", quoting)

    for sizes in [(len(content),), (1, 2, 3, 1000), (9, 65536), (100_000, 7, 50_000)]:
        assert scan_in_pieces(content, *sizes) == CsvScan(["email", "result"], 5000, ends_short=False)


def test_every_cut_within_a_row_is_noticed_while_it_arrives() -> None:
    content = HEADER + b'a@example.com,ok\n"b@example.com","x\ny"\n'
    ends = {len(HEADER), len(HEADER) + 17, len(content)}

    for length in range(len(HEADER), len(content)):
        arrived = scan_in_pieces(content[:length], 5)
        assert (arrived or scan(content[:length])).ends_short is (length not in ends), length


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
        (HEADER + b'5" disk,ok\n6" disk,"o\n', 2, True),
        (HEADER + b'12",ok\nb@example.com,ok\n', 2, False),
        (HEADER + b"a\x00b,ok\n\xff\xfe,ok\n", 2, False),
        (HEADER.replace(b"\n", b"\r") + b"a@example.com,ok\rb@example.com,ok\r", 2, False),
        (HEADER.replace(b"\n", b"\r") + b"a@example.com,ok\rb@exam", 2, True),
        (HEADER + b"a@example.com,ok\rb@example.com,ok\n", 2, False),
        (b"sep=,\n" + HEADER + b"a@example.com,ok\n", 1, False),
        (b"\n \n" + HEADER + b"a@example.com,ok\n", 1, False),
        (HEADER + b"a@example.com," + b"x" * 100_000 + b"\n", 1, False),
        (HEADER + b'a@example.com,"' + b"x\n" * 100_000 + b'"\n', 1, False),
    ],
)
def test_what_a_csv_file_holds(content: bytes, rows: int, ends_short: bool) -> None:
    assert scan(content) == CsvScan(["email", "result"], rows, ends_short)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b" \r\n", b"\xef\xbb\xbf", b"<html>", b"\n<html>", b"Not available", b"oops\n"),
        *(b"Not available\nTry later\n", b"Not\ravailable\r", b'"Not available'),
    ],
)
def test_what_is_no_csv_file(content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="it: expected a CSV file"):
        scan(content)


@pytest.mark.parametrize("content", [b"", b"<html>", b" \t<a@b>,c\n", b"Not available", b"oops\n"])
def test_what_arrives_and_is_no_csv_file(content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="it: expected a CSV file"):
        scan_in_pieces(content, 3)


def test_csv_that_cannot_be_parsed_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_emailverify.formats.text_file.MAX_LINE_CHARACTERS", 1000)

    with pytest.raises(UnexpectedResponseError, match="it: the CSV file has a line of more than"):
        scan(HEADER + b"\n" + b"x" * 1_000_000)


def test_memory_stays_flat_without_line_breaks_and_within_quotes() -> None:
    for body in (b"x" * 20_000_000, b'"' + b"x\n" * 5_000_000):
        file = io.BytesIO(HEADER + body)
        tracemalloc.start()
        try:
            scanner = CsvScanner("it")
            for chunk in iter(lambda: file.read(1024 * 1024), b""):  # noqa: B023 - called at once
                scanner.feed(chunk)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 32 * 1024 * 1024
