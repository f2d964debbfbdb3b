"""The three formats hold the same rows, and every consumer reads them back."""

from __future__ import annotations

import csv
import gc
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import IncompleteResponseError, InvalidRequestError, StorageError
from airflow_provider_emailverify.results import parquet_writer, writers
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, Finding, Origin, Reason, Row, Verdict, utc_text
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import check_format, open_writer, write_rows
from airflow_provider_emailverify.storage.spool import Spool
from tests.unit.results.conftest import ORIGIN, as_record, read_back, written

FORMATS = ["csv", "jsonl", "parquet"]
REPRODUCIBLE = settings(
    derandomize=True, deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TIMES = st.integers(0, 4_000_000_000).map(utc_text)
FINDINGS = st.builds(
    Finding,
    verdict=st.sampled_from(Verdict),
    reason=st.sampled_from(Reason),
    vendor_status=st.none() | TEXT,
    **dict.fromkeys(FLAGS, st.sampled_from([True, False, None])),
    origin=st.none() | st.builds(Origin, vendor=TEXT, batch_id=TEXT, verified_at=st.none() | TIMES),
)
ROWS = st.lists(FINDINGS, min_size=1, max_size=4).flatmap(
    lambda findings: st.lists(st.tuples(st.none() | TEXT, st.sampled_from(findings)), max_size=20)
)
DELIVERABLE = Finding(verdict=Verdict.DELIVERABLE, reason=Reason.ACCEPTED, vendor_status="valid", role=True)
UNKNOWN = Finding(verdict=Verdict.UNKNOWN, reason=Reason.OTHER, vendor_status="gold", known=False)


@REPRODUCIBLE
@given(ROWS, st.integers(1, 7), st.integers(1, 9))
def test_every_format_holds_the_same_rows_and_what_went_in_comes_out(
    tmp_path: Path, rows: list[Row], batch: int, group: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "_BATCH_ROWS", batch)  # so that every boundary is met
        patch.setattr(parquet_writer, "_ROW_GROUP_ROWS", group)
        found = [read_back(written(rows, result_format, tmp_path), result_format) for result_format in FORMATS]

    assert found == [[as_record(row) for row in rows]] * 3


@pytest.mark.parametrize("result_format", FORMATS)
def test_no_rows_make_a_file_that_says_so(tmp_path: Path, result_format: str) -> None:
    assert read_back(written([], result_format, tmp_path), result_format) == []


def test_csv_is_what_the_readme_shows(tmp_path: Path) -> None:
    content = written([("support@proofy.io", DELIVERABLE), (None, UNKNOWN)], "csv", tmp_path)

    assert content.decode() == (
        ",".join(COLUMNS) + "\r\n"
        "support@proofy.io,deliverable,accepted,proofy,valid,b-1,,,,,,,,true,,,,,,2026-11-26T09:30:00Z\r\n"
        ",unknown,other,proofy,gold,b-1,,,,,,,,,,,,,,2026-11-26T09:30:00Z\r\n"
    )


@pytest.mark.parametrize("email", ['a"b@example.com', "a,b@example.com", "a\nb@example.com", "=cmd()@example.com"])
def test_csv_quotes_as_the_standard_library_does(tmp_path: Path, email: str) -> None:
    line = io.StringIO(newline="")
    csv.writer(line).writerow([email])

    content = written([(email, DELIVERABLE)], "csv", tmp_path)

    assert f"\r\n{line.getvalue()[:-2]},deliverable," in content.decode()


def test_parquet_has_proper_types_compression_and_a_schema_that_explains_itself(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(pa.BufferReader(written([("support@proofy.io", DELIVERABLE)] * 100, "parquet", tmp_path)))

    schema = file.schema_arrow
    assert schema.names == list(COLUMNS)
    assert schema.metadata[b"emailverify.schema_version"] == b"1"
    assert schema.metadata[b"emailverify.vendor"] == b"proofy"
    assert schema.field("email").type == pa.string()
    for name in ("verdict", "reason", "vendor", "vendor_status", "batch_id"):
        assert schema.field(name).type == pa.dictionary(pa.int32(), pa.string())
    assert {schema.field(name).type for name in FLAGS} == {pa.bool_()}
    assert schema.field("verified_at").type == pa.timestamp("us", tz="UTC")
    assert {name: schema.field(name).metadata[b"description"].decode() for name in COLUMNS} == COLUMNS
    columns = [file.metadata.row_group(0).column(number) for number in range(len(COLUMNS))]
    assert {column.compression for column in columns} == {"ZSTD"}
    assert "RLE_DICTIONARY" in columns[1].encodings
    assert "RLE_DICTIONARY" not in columns[0].encodings


def test_parquet_does_without_pandas(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from tests.unit.results.conftest import *\n"
        "from airflow_provider_emailverify.results.schema import Finding, Reason\n"
        "finding = Finding(verdict=Verdict.RISKY, reason=Reason.OTHER)\n"
        f"written([('a@example.com', finding)], 'parquet', Path({str(tmp_path)!r}))\n"
        "print('pandas' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split()[-1] == "False"


def test_each_file_gets_its_verdicts_and_all_rows_are_counted(tmp_path: Path) -> None:
    spools = [Spool(tmp_path, name) for name in ("a", "b")]
    tally = Tally(expected=5)
    files = [
        (open_writer("jsonl", spools[0], ORIGIN), frozenset({Verdict.DELIVERABLE})),
        (open_writer("jsonl", spools[1], ORIGIN), frozenset({Verdict.UNKNOWN, Verdict.RISKY})),
    ]

    counts = write_rows([("a@example.com", DELIVERABLE), (None, UNKNOWN), (None, DELIVERABLE)], files, tally)

    emails = [[json.loads(line)["verdict"] for line in spool.rewound().read().splitlines()] for spool in spools]
    assert (counts, emails) == ([2, 1], [["deliverable"] * 2, ["unknown"]])
    assert tally.as_dict() == {
        "schema_version": 1,
        "expected": 5,
        "received": 3,
        "without_address": 2,
        "verdicts": {"deliverable": 2, "undeliverable": 0, "risky": 0, "unknown": 1},
        "reasons": {"accepted": 2, "other": 1},
        "unmapped": {"gold": 1},
    }
    for spool in spools:
        spool.close()


@pytest.mark.parametrize("result_format", FORMATS)
def test_a_file_that_lost_rows_on_the_disk_is_noticed(
    tmp_path: Path, result_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, "test")
    writer = open_writer(result_format, spool, ORIGIN)
    kept = written([("a@example.com", DELIVERABLE)], result_format, tmp_path)
    close = writer.close

    def close_and_lose() -> None:
        close()
        spool.file.truncate(0)
        spool.file.seek(0)
        spool.write(kept)

    monkeypatch.setattr(writer, "close", close_and_lose)

    with pytest.raises(StorageError, match="does not hold what was written to it, 2 rows"):
        write_rows([("a@example.com", DELIVERABLE)] * 2, [(writer, frozenset(Verdict))], Tally())
    spool.close()


@pytest.mark.parametrize("result_format", FORMATS)
def test_a_writer_that_was_left_by_an_error_writes_nothing_more(tmp_path: Path, result_format: str) -> None:
    """Arrow's writer writes its footer when it is collected, and the spool may be anybody's by then."""

    def cut() -> Iterator[Row]:
        yield "a@example.com", DELIVERABLE
        raise IncompleteResponseError("cut")

    spool = Spool(tmp_path, "test")
    try:
        write_rows(cut(), [(open_writer(result_format, spool, ORIGIN), frozenset(Verdict))], Tally())
    except IncompleteResponseError as error:  # its traceback keeps the writer alive
        before = spool.size
        del error
    gc.collect()

    assert spool.size == before
    spool.close()


def finding_of(word: str | None) -> Finding:
    return Finding(verdict=Verdict.UNKNOWN, reason=Reason.OTHER, vendor_status=word, known=False)


def test_unmapped_words_in_a_summary_hold_no_address_and_are_few() -> None:
    tally = Tally()

    tally.add([(None, finding_of("mailbox of jane@example.com is gone")), (None, finding_of(None))])
    tally.add([(None, finding_of(f"word {number} " + "x" * 100)) for number in range(50)])

    words = tally.as_dict()["unmapped"]
    assert words["mailbox of <address> is gone"] == words["(no word)"] == 1
    assert words["(other words)"] == 32
    assert len(words) == 21
    assert max(map(len, words)) == 40


@pytest.mark.parametrize("result_format", ["xlsx", "", "vendor", None])
def test_a_format_that_there_is_not_is_refused(result_format: Any) -> None:
    with pytest.raises(InvalidRequestError, match="one of vendor, csv, jsonl, parquet, not"):
        check_format(result_format)


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writers, "find_spec", lambda name: None)

    with pytest.raises(InvalidRequestError, match=r"pip install 'airflow-provider-emailverify\[parquet\]'"):
        check_format("parquet")


def test_a_text_of_its_own_for_each_address_is_counted_without_being_looked_at() -> None:
    tally, other = Tally(), Tally()

    tally.add([(None, finding_of(f"mailbox of user{number}@example.com is gone")) for number in range(3000)])
    other.add([(None, finding_of(f"word {number}")) for number in range(3000)])

    assert tally.as_dict()["unmapped"] == {"mailbox of <address> is gone": 1000, "(other words)": 2000}
    assert other.as_dict()["unmapped"]["(other words)"] == 2980
