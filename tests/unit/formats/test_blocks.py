"""Records as they stand in a file: nothing is lost between them, and they are those that are read as fields."""

from __future__ import annotations

import csv
import io
from itertools import repeat

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.formats import csv_file, text_file
from airflow_provider_emailverify.formats.csv_file import CsvBlock, CsvFile
from airflow_provider_emailverify.formats.text_file import TextFile, split_lines

LINES = st.text(st.sampled_from("ab\n\r\x0b\u2028"), max_size=12)
RECORDS = st.text(st.sampled_from('a,"\n\r'), max_size=30)


@settings(derandomize=True)
@given(LINES.filter(bool))
def test_lines_and_their_breaks_are_the_whole_text(text: str) -> None:
    lines, breaks = split_lines(text)

    ends = repeat(breaks, len(lines)) if isinstance(breaks, str) else breaks
    assert "".join(line + end for line, end in zip(lines, ends, strict=True)) == text
    assert list(io.StringIO(text, newline="")) == [
        line + end
        for line, end in zip(lines, repeat(breaks, len(lines)) if isinstance(breaks, str) else breaks, strict=True)
    ]


def joined(block: CsvBlock) -> str:
    ends = repeat(block.breaks, len(block.texts)) if isinstance(block.breaks, str) else block.breaks
    return "".join(text + end for text, end in zip(block.texts, ends, strict=True))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(RECORDS, st.integers(1, 9))
@example('a,"b\r\nc"\r\n\r\nd,"e', 3)
@example('"a"\n"', 1)
def test_blocks_are_the_whole_file_and_the_records_that_the_csv_module_finds(text: str, size: int) -> None:
    content = f"x,y\n{text}".encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_file, "_CHUNK_BYTES", size)  # so that every boundary is met
        patch.setattr(csv_file, "_BLOCK_RECORDS", size)
        table = CsvFile(TextFile(io.BytesIO(content)), strict=False)
        blocks = list(table.blocks())
        fields = [
            record
            for block in CsvFile(TextFile(io.BytesIO(content)), strict=False).blocks(with_quoted=False)
            for record in (
                block.fields if block.fields is not None else [line.split(",") for line in block.texts if line]
            )
            if record
        ]

    assert table.head_text + "".join(map(joined, blocks)) == content.decode()
    lines = io.StringIO(content.decode(), newline="")
    assert fields == [record for record in csv.reader(lines) if record][1:]
    found = [
        record
        for block in blocks
        for record in (block.fields if block.fields is not None else [line.split(",") for line in block.texts if line])
        if record
    ]
    assert found == fields


@pytest.mark.parametrize(
    ("encoding", "content", "mark", "plain"),
    [
        ("utf-8", b"a\n", b"", "utf-8"),
        ("utf-8", b"\xef\xbb\xbfa\n", b"\xef\xbb\xbf", "utf-8"),
        ("utf-8-sig", b"\xef\xbb\xbfa\n", b"\xef\xbb\xbf", "utf-8"),
        ("utf-8-sig", b"a\n", b"", "utf-8"),
        ("utf-8", "a\n".encode("utf-16-le"), b"", "utf-8"),
        ("utf-8", b"\xff\xfe" + "a\n".encode("utf-16-le"), b"\xff\xfe", "utf-16-le"),
        ("utf-16", b"\xfe\xff" + "a\n".encode("utf-16-be"), b"\xfe\xff", "utf-16-be"),
        ("utf-32", b"\xff\xfe\0\0" + "a\n".encode("utf-32-le"), b"\xff\xfe\0\0", "utf-32-le"),
        ("latin-1", b"\xe9\n", b"", "iso8859-1"),
    ],
)
def test_the_mark_and_the_encoding_write_what_was_read(encoding: str, content: bytes, mark: bytes, plain: str) -> None:
    text = TextFile(io.BytesIO(content), encoding)

    assert (text.mark, text.encoding) == (mark, plain)
    assert text.mark + "".join(text).encode(text.encoding) == content
