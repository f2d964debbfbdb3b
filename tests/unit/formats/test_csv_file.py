"""Records and header of a CSV file, whatever wrote it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.formats import csv_file, text_file
from airflow_provider_emailverify.formats.csv_file import CsvFile, QuotesFaultError
from airflow_provider_emailverify.formats.csv_head import read_head
from airflow_provider_emailverify.formats.text_file import LineFaultError, TextFile

REPRODUCIBLE = settings(derandomize=True, deadline=None, max_examples=500)


def place_of(names: Sequence[str]) -> int | None:
    return names.index("email") if "email" in names else None


def open_csv(content: str, *, strict: bool = True) -> CsvFile:
    return CsvFile(TextFile(io.BytesIO(content.encode())), place_of, strict=strict)


@REPRODUCIBLE
@given(
    st.text(alphabet='ab,;"\r\n \x0c\u2028é', max_size=60),
    st.integers(1, 20),
    st.booleans(),
)
def test_records_are_those_of_the_csv_module(body: str, chunk: int, strict: bool) -> None:
    expected: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(body, newline=""), strict=strict)
    is_well_formed = True
    try:
        for record in reader:
            expected.append((1 + reader.line_num, record))  # noqa: PERF401 - what came before the error counts
    except csv.Error:
        is_well_formed = False
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "_CHUNK_BYTES", chunk)  # so that every boundary is met
        table = CsvFile(["email,x\n", *TextFile(io.BytesIO(body.encode()))], place_of, strict=strict)
        try:
            for record in table.records():
                found.append((table.line, record))  # noqa: PERF401 - what came before the error counts
        except QuotesFaultError:
            assert not is_well_formed
        else:
            assert is_well_formed

    assert found == [(line, record) for line, record in expected if record]


@pytest.mark.parametrize(
    "above",
    ["", "\n\n", " \r\n", "sep=,\n", "\n\nsep=,\n\n", "Contacts of May\n", "Contacts of May, 2026\n\nby Jane, Joe\n"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_header_is_found_beneath_what_programs_write_above_it(above: str, end: str) -> None:
    content = f"{above}id,email\n1,a@example.com\n2,b@example.com\n".replace("\r\n", "\n").replace("\n", end)

    table = open_csv(content)

    assert table.head.names == ("id", "email")
    assert list(table.records()) == [["1", "a@example.com"], ["2", "b@example.com"]]
    assert table.line == content.count(end)


@pytest.mark.parametrize(
    "content",
    [
        "id,channel,contact\n1,email,b@example.com\n2,email,c@example.com\n",
        "a@example.com,Jane\nx,email\nb@example.com,Joe\n",
        "note by a@example.com\nid,email\n1,b@example.com\n",
        "id,name\n1,email\n2,x\n",
    ],
)
def test_a_row_is_not_taken_for_a_header(content: str) -> None:
    head = open_csv(content).head

    assert place_of(head.names) is None


@pytest.mark.parametrize("separator", ",;\t|")
def test_the_separator_is_the_one_that_makes_the_column(separator: str) -> None:
    header = separator.join(["id", "email", '"a,b;c|d\te"', "x,y" if separator == ";" else "xy"])
    table = open_csv(f"{header}\n{separator.join(['1', 'a@example.com', 'z', 'z'])}\n")

    assert (table.head.separator, table.head.names[1]) == (separator, "email")
    assert next(table.records())[1] == "a@example.com"


def test_a_declared_separator_goes_before_a_found_one() -> None:
    assert open_csv("sep=#\nemail#a,b\na@example.com#c,d\n").head.names == ("email", "a,b")
    assert read_head("sep=;\na,b,c;d\n").names == ("a,b,c", "d")
    assert open_csv("sep=;\nid,email\n1,a@example.com\n").head.names == ("id", "email")  # it is not what is used


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_of_megabytes_is_read(quote: str) -> None:
    note = "long note " * 500_000

    assert list(open_csv(f"email,note\na@example.com,{quote}{note}{quote}\n").records()) == [["a@example.com", note]]


def test_a_record_that_does_not_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_LINE_CHARACTERS", 1_000_000)

    def blocks() -> Iterator[str]:
        yield 'email,note\n"\n'
        while True:
            yield '","\n' * 1000  # closes a field, and opens the next one

    with pytest.raises(LineFaultError, match="has a row of more than"):
        list(CsvFile(blocks(), place_of).records())


def test_many_records_that_end_within_a_block_are_no_endless_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "MAX_LINE_CHARACTERS", 100)
    blocks = ["email,note\n", *['z"\na@example.com,"x\ny"\n"\n', '"b@example.com"\n"'] * 1000]

    assert sum(1 for _ in CsvFile(blocks, place_of, strict=False).records()) > 1000


def test_the_limit_of_the_csv_module_is_raised_and_never_lowered() -> None:
    before = csv.field_size_limit(2**31 - 1)
    try:
        list(open_csv('email\n"a@example.com"\n').records())
        assert csv.field_size_limit() == 2**31 - 1
    finally:
        csv.field_size_limit(before)
