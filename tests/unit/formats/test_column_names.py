"""Which column a user means, and when the names of columns may be told."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emailverify.formats.column_names import compact, find_column, shown_names


@pytest.mark.parametrize("word", ["catch all", "Catch-All", "CATCH_ALL", "catchAll", " catch--all ", "catch all?"])
def test_names_are_compared_without_case_and_punctuation(word: str) -> None:
    assert compact(word) == "catchall"


@pytest.mark.parametrize(
    ("wanted", "names", "places"),
    [
        ("Email", ["E-Mail", "Email", "EMAIL"], [1]),
        ("Email", ["E-Mail", "EMAIL"], [1]),
        ("Email", ["id", "E-Mail"], [1]),
        ("Email", ["e_mail", "E-Mail"], [0, 1]),
        ("email", ["Email", "EMAIL", "E-Mail"], [0, 1]),
        ("Email", ["Email", "Email"], [0, 1]),
        (" Email", ["Email", " Email"], [1]),
        ("#", ["No.", "#", "##"], [1]),
        ("#", ["No.", "!", ""], []),
        ("", ["", "-"], []),
        ("Email", [], []),
    ],
)
def test_a_column_is_matched_as_it_is_written_and_then_loosely(
    wanted: str, names: list[str], places: list[int]
) -> None:
    assert find_column(wanted, names) == places


ROW = ["1", "a@example.com", "x"]


@pytest.mark.parametrize(
    ("names", "rows", "shown"),
    [
        (["id", "mail", "name"], [ROW], "id, mail, name"),
        (["Nr", "Kontakt", "Ort"], [["1", "", ""], ["2", "b@example.com", "x"]], "Nr, Kontakt, Ort"),
        (["id", "who", ""], [ROW], "id, who, "),
        (["x" * 100, "E-mail 1 - Value", "z\u202e"], [ROW], "x" * 40 + ", E-mail 1 - Value, z?"),
        (["a"] * 50, [ROW], ", ".join(["a"] * 30) + ", …"),
    ],
)
def test_names_are_told_where_the_rows_show_that_they_are_names(
    names: list[str], rows: list[list[Any]], shown: str
) -> None:
    assert shown_names(names, rows) == shown


@pytest.mark.parametrize(
    "names",
    [
        *(["Jane", "jane@example.com", "x"], ["Jane", "jane%40example.com", "x"], ["Jane", "jane(at)example", "x"]),
        ["Jane", 'jane"', "x"],
        ["Jane", "janemail.example ", "x"],
        *(["Jane", "jane\uff20example", "x"], ["Jane", "&#64;", "x"], ["Jane Doe", "+49 170 1234567", "Berlin"]),
        *(["Jane Doe", "1999-12-31", "Berlin"], ["Jane Doe", "n/a", "Berlin"], ["Jane Doe", "", "Berlin"]),
        *(["1", "Jane Doe", "Berlin"], ["true", "Jane Doe", "Berlin"], ["-", "Jane Doe", "Berlin"]),
    ],
)
def test_names_that_may_be_a_row_are_not_told(names: list[str]) -> None:
    assert shown_names(names, [ROW]) == ""


@pytest.mark.parametrize(
    "rows", [[["1", "b@example.com", "x"]], [], [["1", "Jane", "x"]], [["1"]], [[None, 4, ["a@example.com"]]]]
)
def test_names_of_which_no_row_shows_what_they_are_are_not_told(rows: list[list[Any]]) -> None:
    assert shown_names(["Jane Doe", "Berlin", "x"], rows) == ""
