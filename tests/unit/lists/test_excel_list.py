"""Lists in Excel files: which sheet, which row is the header, and what cells hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidSourceError
from airflow_provider_emailverify.lists.reader import read_column
from tests.unit.lists.excel import workbook

pytest.importorskip("python_calamine", reason="Excel files need the extra excel")

ROWS = [["id", "E-Mail", None], [1, "a@b.example", True], [None, None, None], [2.5, " c@d.example ", "x"], [3]]


def read(folder: Path, sheets: dict[str, Any], name: str = "list.xlsx", **options: Any) -> list[str]:
    (folder / name).write_bytes(workbook(sheets))
    return [value for block in read_column(f"file://{folder}/{name}", **options) for value in block]


def test_the_first_sheet_is_read_and_blank_rows_are_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, {"One": ROWS, "Two": [["x"]]}) == ["a@b.example", " c@d.example ", ""]


def test_a_sheet_can_be_named(tmp_path: Path) -> None:
    assert read(tmp_path, {"Two": [["x"]], "One & all": ROWS}, sheet="One & all")[0] == "a@b.example"
    with pytest.raises(InvalidSourceError, match=r"it has no sheet 'Three'; it has One, Two\."):
        read(tmp_path, {"One": ROWS, "Two": ROWS}, sheet="Three")


def test_notes_may_stand_above_the_header(tmp_path: Path) -> None:
    assert read(tmp_path, {"One": [["My contacts"], [None], *ROWS]})[0] == "a@b.example"


def test_numbers_and_the_like_are_no_addresses(tmp_path: Path) -> None:
    assert read(tmp_path, {"One": [["email"], ["a@b.example"], [7], [1.5], [True]]}) == [
        "a@b.example",
        "7",
        "1.5",
        "true",
    ]


def test_the_format_can_be_told_if_the_name_does_not(tmp_path: Path) -> None:
    assert read(tmp_path, {"One": ROWS}, "list.bin", source_format="excel")[0] == "a@b.example"


@pytest.mark.parametrize(
    "rows", [[], [[None]], [["secret@b.example"], ["x@b.example"]], [["a", "b"], ["c@d.example", 1]]]
)
def test_a_sheet_without_the_column_is_refused_without_a_word_of_its_content(tmp_path: Path, rows: Any) -> None:
    with pytest.raises(InvalidSourceError, match=r"list\.xlsx") as caught:
        read(tmp_path, {"One": rows})
    assert "example" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("content", [b"", b"email\nx@b.example\n", workbook({"One": ROWS})[:-200]])
def test_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "list.xlsx").write_bytes(content)

    with pytest.raises(InvalidSourceError, match="it is not a whole Excel file"):
        list(read_column(f"file://{tmp_path}/list.xlsx"))


def test_without_calamine_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(InvalidSourceError, match=r"pip install 'airflow-provider-emailverify\[excel\]'"):
        read(tmp_path, {"One": ROWS})
