"""Our own files of results, old and new, come back as they were written."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from airflow_provider_emailverify.exceptions import UnreadableResultsError
from airflow_provider_emailverify.results import read_back
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.read_back import read_answers
from airflow_provider_emailverify.results.schema import COLUMNS, Row
from tests.unit.results.conftest import as_record, written
from tests.unit.results.test_writers import DELIVERABLE, FORMATS, REPRODUCIBLE, ROWS, UNKNOWN

EVERYTHING = tuple(COLUMNS)[1:]


def answers_in(path: Path, columns: tuple[str, ...] = EVERYTHING) -> list[dict[str, Any]]:
    answers = Answers(columns)
    return [
        {"email": address, **dict(zip(columns, answers.values[number], strict=True))}
        for addresses, numbers in read_answers(f"file://{path}", answers)
        for address, number in zip(addresses, numbers, strict=True)
    ]


def as_text(record: dict[str, Any]) -> dict[str, str | None]:
    return {name: str(value).lower() if isinstance(value, bool) else value or None for name, value in record.items()}


@REPRODUCIBLE
@given(ROWS)
def test_what_was_written_is_read_in_every_format(tmp_path: Path, rows: list[Row]) -> None:
    rows = [row for row in rows if not row[0] or row[0].strip()]
    for result_format in FORMATS:
        path = tmp_path / f"results.{result_format}"
        path.write_bytes(written(rows, result_format, tmp_path))

        assert answers_in(path) == [as_text(as_record(row)) for row in rows]


@pytest.mark.parametrize("result_format", FORMATS)
def test_only_what_is_asked_for_is_kept(tmp_path: Path, result_format: str) -> None:
    path = tmp_path / f"results.{result_format}"
    path.write_bytes(written([("a@example.com", DELIVERABLE), (None, UNKNOWN)], result_format, tmp_path))

    assert answers_in(path, ("verdict", "role")) == [
        {"email": "a@example.com", "verdict": "deliverable", "role": "true"},
        {"email": None, "verdict": "unknown", "role": None},
    ]


@pytest.mark.parametrize("result_format", FORMATS)
def test_few_answers_are_remembered_and_all_are_read(
    tmp_path: Path, result_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_back, "MOST_FINDINGS", 1)
    rows = [("a@example.com", DELIVERABLE), ("b@example.com", UNKNOWN)] * 3
    path = tmp_path / f"results.{result_format}"
    path.write_bytes(written(rows, result_format, tmp_path))

    assert answers_in(path) == [as_text(as_record(row)) for row in rows]


@pytest.mark.parametrize("result_format", FORMATS)
def test_files_of_before_lack_the_time(tmp_path: Path, result_format: str) -> None:
    old = list(COLUMNS)[:-1]
    rows = [{**as_record(("a@example.com", DELIVERABLE))}, {**as_record(('"b"@example.com', UNKNOWN))}]
    path = tmp_path / f"results.{result_format}"
    if result_format == "parquet":
        pq.write_table(pa.Table.from_pylist([{name: row[name] for name in old} for row in rows]), path)
    elif result_format == "jsonl":
        path.write_text("".join(json.dumps({name: row[name] for name in old}) + "\n" for row in rows))
    else:
        content = written([("a@example.com", DELIVERABLE), ('"b"@example.com', UNKNOWN)], "csv", tmp_path).decode()
        path.write_text("".join(line.rpartition(",")[0] + "\r\n" for line in content.splitlines()), newline="")

    assert answers_in(path) == [as_text({**row, "verified_at": None}) for row in rows]


MERGED = {
    "csv": "id;E-Mail;note;verdict;reason;vendor;verified_at\r\n"
    '7;a@example.com;"a; b";deliverable;accepted;proofy;2026-11-26T09:30:00Z\r\n'
    "8;;;;no_address;;\r\n"
    "9;b@example.com;;unknown;missing;;\r\n"
    "\r\n"
    "10;c@example.com;one;too;many;risky;other;cliova;\r\n"
    "11;d@example.com;;risky;other;cliova;2026-11-26 10:30:00+01:00\r\n",
    "jsonl": '{"id": 7, "E-Mail": "a@example.com", "verdict": "deliverable", "reason": "accepted", "vendor": "proofy", '
    '"verified_at": "2026-11-26T09:30:00Z"}\n'
    '{"id": 8, "verdict": null, "reason": "no_address"}\n\n'
    '{"id": 9, "E-Mail": "b@example.com", "verdict": "unknown", "reason": "missing", "vendor": null}\n'
    '{"E-Mail": "d@example.com", "verdict": "risky", "reason": "other", "vendor": "cliova", '
    '"verified_at": "2026-11-26T09:30:00"}\n',
}


@pytest.mark.parametrize("result_format", FORMATS)
def test_a_merged_list_gives_its_vendors_answers(tmp_path: Path, result_format: str) -> None:
    path = tmp_path / f"list.{result_format}"
    if result_format == "parquet":
        rows = [json.loads(line) for line in MERGED["jsonl"].splitlines() if line]
        pq.write_table(
            pa.Table.from_pylist([{"E-Mail": None, "vendor": None, "verified_at": None, **r} for r in rows]), path
        )
    else:
        path.write_text(MERGED[result_format], newline="")

    assert answers_in(path, ("verdict", "vendor", "verified_at")) == [
        {"email": address, "verdict": verdict, "vendor": vendor, "verified_at": "2026-11-26T09:30:00Z"}
        for address, verdict, vendor in (
            ("a@example.com", "deliverable", "proofy"),
            ("d@example.com", "risky", "cliova"),
        )
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "has no column verdict"),
        ("a.csv", b"email,status\nx@example.com,valid\n", "has no column verdict"),
        ("a.csv", b"id,verdict\n7,risky\n", "has no column of addresses"),
        ("a.csv", b"Work Email,Home Email,verdict\nx@example.com,y@example.com,risky\n", "several columns"),
        ("a.csv", b"email,verdict\nx@example.com,great\n", "has a row whose verdict or time cannot be read"),
        ("a.csv", b"email,verdict,verified_at\nx@example.com,risky,yesterday\n", "verdict or time"),
        ("a.csv", b"email,verdict,reason\nx@example.com,risky\n", "has a row that does not fit its header"),
        ("a.csv", b'email,verdict\n"x@example.com,risky\n', "quotes that do not match"),
        ("a.csv", b"email,verdict\nx\xff@example.com,risky\n", "is not text in utf-8"),
        ("a.jsonl", b"", ""),
        ("a.jsonl", b'{"email":"x@example.com","verdict":null}\n', "verdict or time"),
        ("a.jsonl", b'{"email":"x@example.com","verdict":"risky"\n', "has a line that is not a JSON object"),
        ("a.jsonl", b'{"email":"x@example.com","verdict":"risky"}\n[1]\n', "has a line that is not a JSON object"),
        ("a.parquet", b"PAR1", "is not a whole Parquet file"),
        ("a.parquet", b"email,verdict\n", "is not a whole Parquet file"),
    ],
)
def test_a_file_of_something_else_is_named_with_the_problem_and_without_its_content(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    if not problem:
        assert answers_in(path) == []
        return

    with pytest.raises(UnreadableResultsError, match=rf"{path} holds no rows of the schema: it .*{problem}") as caught:
        answers_in(path)
    assert "x@" not in str(caught.value)


def test_half_a_parquet_file_is_none(tmp_path: Path) -> None:
    content = written([(f"a{number}@example.com", DELIVERABLE) for number in range(500)], "parquet", tmp_path)
    path = tmp_path / "a.parquet"
    path.write_bytes(content[: len(content) // 2] + content[-300:])

    with pytest.raises(UnreadableResultsError, match=r"a\.parquet holds no rows"):
        answers_in(path)


def test_a_parquet_file_whose_pages_are_damaged_is_none(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    content = written([("a@example.com", DELIVERABLE)], "parquet", tmp_path)
    path.write_bytes(content[:4] + b"\xff" * 7 + content[11:])

    with pytest.raises(UnreadableResultsError, match="is not a whole Parquet file"):
        answers_in(path)


def test_parquet_with_columns_that_say_the_same_or_nothing_in_all_rows(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = ("verdict", "vendor", "batch_id", "verified_at")
    words = {
        "verdict": [["deliverable"], ["risky", "unknown"]],
        "vendor": [["a"], [None], ["a", None]],
        "batch_id": [["b"], ["b", "c"], [None]],
        "verified_at": [["2026-11-20T09:30:00Z"], [None, "2026-11-20T09:30:00Z"], [None]],
    }
    path = tmp_path / "results.parquet"
    for rows in (0, 1, 4):
        for choice in product(*(words[name] for name in columns)):
            table: dict[str, list[Any]] = {"email": [f"{row}@example.com" for row in range(rows)]}
            table |= {
                name: [said[row % len(said)] for row in range(rows)] for name, said in zip(columns, choice, strict=True)
            }
            pq.write_table(pa.table({name: pa.array(each, pa.string()) for name, each in table.items()}), path)
            answers = Answers(columns)

            found = [
                (address, *answers.values[number])
                for block in read_answers(f"file://{path}", answers)
                for address, number in zip(*block, strict=True)
            ]

            assert found == list(zip(*table.values(), strict=True))
