"""Which columns of a list hold the addresses: found by their names, or named by the user."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_emailverify.exceptions import InvalidSourceError
from airflow_provider_emailverify.lists.reader import read_column
from tests.unit.lists.excel import workbook

FORMATS = ["csv", "jsonl", "parquet", "xlsx"]
ROWS = [
    {"id": "1", "E-Mail": "a@b.example", "Second Email": "c@d.example", "Email status": "x@y.example"},
    {"id": "2", "E-Mail": "e@f.example", "Second Email": "", "Email status": "x@y.example"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    if path.suffix == ".csv":
        path.write_text("\n".join([";".join(names), *(";".join(row.values()) for row in rows)]))
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    elif path.suffix == ".parquet":
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), file)
        path.write_bytes(file.getvalue())
    else:
        path.write_bytes(workbook({"One": [names, *(list(row.values()) for row in rows)]}))


def read(path: Path, column: Any) -> list[str]:
    return [value for block in read_column(f"file://{path}", column) for value in block]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("column", [None, "", "None", "E-Mail", "e-mail", "email", ["E-Mail"]])
def test_one_column_is_found_or_named(tmp_path: Path, kind: str, column: Any) -> None:
    write(tmp_path / f"list.{kind}", ROWS)

    assert read(tmp_path / f"list.{kind}", column) == ["a@b.example", "e@f.example"]


@pytest.mark.parametrize("kind", FORMATS)
def test_several_columns_can_be_named(tmp_path: Path, kind: str) -> None:
    write(tmp_path / f"list.{kind}", ROWS)

    found = read(tmp_path / f"list.{kind}", ["E-Mail", "second_email"])

    assert found == ["a@b.example", "e@f.example", "c@d.example", ""]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("names", "column", "message"),
    [
        (["id", "who", "x", "y"], None, "no column's name says that it holds addresses; its columns are id, who, x, y"),
        (
            ["id", "Work Email", "Home Email", "y"],
            None,
            "several columns that may .*: Work Email, Home Email\\. Set email_c",
        ),
        (["id", "E-Mail", "EMAIL", "y"], None, "several columns that may hold the addresses: E-Mail, EMAIL"),
        (["id", "who", "x", "y"], ["who", "zz"], "'zz'; its columns are id, who, x, y"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_names_of_the_columns(
    tmp_path: Path, kind: str, names: list[str], column: Any, message: str
) -> None:
    write(tmp_path / f"list.{kind}", [dict(zip(names, row.values(), strict=True)) for row in ROWS])

    with pytest.raises(InvalidSourceError, match=message) as caught:
        read(tmp_path / f"list.{kind}", column)
    assert ".example" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("column", [None, ["E-Mail", "Second Email"]])
def test_a_row_that_was_taken_for_a_header_is_not_shown(tmp_path: Path, kind: str, column: Any) -> None:
    rows = [{name: f"{number}{name}@b.example" for name in ("Jane", "Roe")} for number in range(3)]
    write(tmp_path / f"list.{kind}", [dict(zip(rows[0].values(), row.values(), strict=True)) for row in rows])

    with pytest.raises(InvalidSourceError) as caught:
        read(tmp_path / f"list.{kind}", column)
    assert ".example" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("column", [[], 7, {"a": 1}, ["email", None], ["email", "email"], [""]])
def test_something_else_than_names_is_refused(tmp_path: Path, column: Any) -> None:
    write(tmp_path / "list.csv", ROWS)

    with pytest.raises(InvalidSourceError, match="email_column"):
        read(tmp_path / "list.csv", column)


def test_notes_above_a_header_do_not_hide_a_column_that_nobody_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Report, May\n\nid,Email Address,Email status\n1,a@b.example,x@y.example\n")

    assert read(tmp_path / "list.csv", None) == ["a@b.example"]


def test_a_member_of_json_may_come_late(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text('{"id": 1}\n' * 20_000 + '{"mail": "a@b.example"}\n')

    assert read(tmp_path / "list.jsonl", None)[-1] == "a@b.example"
    assert len(read(tmp_path / "list.jsonl", None)) == 20_001
