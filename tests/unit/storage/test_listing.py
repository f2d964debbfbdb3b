"""Which files a URI, a folder, a pattern or a list of them names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_emailverify.exceptions import InvalidSourceError, StorageError
from airflow_provider_emailverify.storage.listing import list_files

NAMES = [
    "a.csv",
    "b.csv",
    "b.csv.gz",
    "c.parquet",
    "note.html",
    "_SUCCESS",
    ".a.csv.before",
    "_incomplete/run/a.csv",
    "deep/a.csv",
    "deep/er/a.csv",
    "deep/_tmp.csv",
    ".git/a.csv",
    "x [1] +.csv",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "f" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "f"


def names(folder: Path, *patterns: str) -> list[str]:
    start = f"file://{folder}/"
    found = list_files([start + pattern for pattern in patterns], lambda name: name.endswith((".csv", ".parquet")))
    assert all(file.uri.startswith(start) for file in found)
    return [file.uri.removeprefix(start) for file in found]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ["a.csv", "b.csv", "c.parquet", "deep/a.csv", "deep/er/a.csv", "x [1] +.csv"]),
        ("deep/", ["deep/a.csv", "deep/er/a.csv"]),
        ("*", ["a.csv", "b.csv", "c.parquet", "x [1] +.csv"]),
        ("*.csv", ["a.csv", "b.csv", "x [1] +.csv"]),
        ("*.csv.gz", ["b.csv.gz"]),
        ("*.html", ["note.html"]),
        ("b*", ["b.csv"]),
        ("*/a.csv", ["deep/a.csv"]),
        ("*/", ["deep/a.csv", "deep/er/a.csv"]),
        ("d*p/*/a.csv", ["deep/er/a.csv"]),
        ("*/*/*.csv", ["deep/er/a.csv"]),
        ("_incomplete/run/*", ["_incomplete/run/a.csv"]),
        ("_*/run/a*", ["_incomplete/run/a.csv"]),
        (".*/*.csv", [".git/a.csv"]),
        ("x [1] +.*", ["x [1] +.csv"]),
        ("[ab].*", []),
        ("nothing/", []),
        ("nothing/*.csv", []),
        ("note.html", ["note.html"]),
        ("_SUCCESS", ["_SUCCESS"]),
    ],
)
def test_a_folder_or_a_pattern_stands_for_what_is_not_hidden_in_it(
    folder: Path, pattern: str, expected: list[str]
) -> None:
    assert names(folder, pattern) == expected


def test_several_are_taken_in_their_order_and_each_file_once(folder: Path) -> None:
    assert names(folder, "deep/", "b.csv", "*.csv", "a.csv") == [
        "deep/a.csv",
        "deep/er/a.csv",
        "b.csv",
        "a.csv",
        "x [1] +.csv",
    ]


def test_the_connection_and_the_spelling_of_the_uri_stay(folder: Path) -> None:
    assert next(file.uri for file in list_files(f"{folder}/deep/", lambda _: True)) == f"{folder}/deep/a.csv"


def test_a_file_that_changes_has_another_size_or_version(folder: Path) -> None:
    def look() -> tuple[int | None, str]:
        (file,) = list_files(f"file://{folder}/a.csv", bool)
        return file.size, file.version

    before = look()
    assert before[0] == 5
    assert look() == before
    (folder / "a.csv").write_text("other")
    os.utime(folder / "a.csv", (0, 0))
    assert look() != before


@pytest.mark.parametrize("named", [[], None, 7, {"a": 1}, "", ["file:///x/", ""]])
def test_nothing_is_refused(named: object) -> None:
    with pytest.raises(InvalidSourceError):
        list_files(named, bool)  # type: ignore[arg-type]


def test_a_folder_without_its_slash_is_refused_with_what_to_do(folder: Path) -> None:
    with pytest.raises(InvalidSourceError, match=r"is a folder\. End it with a slash"):
        names(folder, "deep")


def test_a_file_that_is_not_there_can_be_retried(folder: Path) -> None:
    with pytest.raises(StorageError, match=r"Cannot list file://.*missing\.csv: FileNotFoundError"):
        names(folder, "missing.csv")


@pytest.mark.parametrize("uri", ["s3://buck*t/a.csv", "s3://bucket/a?.csv", "a/b.csv", "s3://bucket/a::b/*.csv"])
def test_what_a_storage_would_read_otherwise_is_refused(uri: str) -> None:
    with pytest.raises(InvalidSourceError):
        list_files(uri, bool)
