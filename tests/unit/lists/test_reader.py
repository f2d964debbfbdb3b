"""Every kind of file in which somebody keeps addresses, and what is said about those that cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidSourceError, StorageError
from airflow_provider_emailverify.lists.reader import read_column
from tests.unit.lists.test_addresses import AWKWARD


def read(path: Path, column: str = "email", **options: Any) -> list[str]:
    return [value for block in read_column(f"file://{path}", column, **options) for value in block]


@pytest.fixture
def file(tmp_path: Path) -> Any:
    """Write a file, and return its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [
        "email\na@example.com\nü@example.com\n",
        "email\na@example.com\nü@example.com",
        "email\r\na@example.com\r\nü@example.com\r\n",
        "\ufeffemail\na@example.com\nü@example.com\n",
        "id,email,name\n1,a@example.com,A\n2,ü@example.com,B\n",
        'id,"email"\n1,"a@example.com"\n2,"ü@example.com"\n',
        '"first\nname",email\n"x\ny",a@example.com\n"z",ü@example.com\n',
        "id;email\n1;a@example.com\n2;ü@example.com\n",
        "id\temail\n1\ta@example.com\n2\tü@example.com\n",
        "id|email\n1|a@example.com\n2|ü@example.com\n",
        "id, Email \n1,a@example.com\n2,ü@example.com\n",
        "email\na@example.com\n\n\nü@example.com\n\n",
    ],
)
def test_a_csv_file_is_read_whatever_wrote_it(file: Any, content: str) -> None:
    assert read(file("list.csv", content)) == ["a@example.com", "ü@example.com"]


def test_a_row_that_is_too_short_has_an_empty_value(file: Any) -> None:
    assert read(file("list.csv", "id,email\n1,a@example.com\n2\n3,b@example.com\n")) == [
        "a@example.com",
        "",
        "b@example.com",
    ]


def test_an_exact_name_goes_before_one_in_another_case(file: Any) -> None:
    assert read(file("list.csv", "EMAIL,email\nx@example.com,a@example.com\n")) == ["a@example.com"]


@pytest.mark.parametrize("name", ["list.txt", "list.list", "list.TXT"])
def test_a_file_of_lines_is_read_as_it_stands(file: Any, name: str) -> None:
    assert read(file(name, '\ufeffa@example.com\r\n\r\n"b, c"@example.com\n')) == [
        "a@example.com",
        '"b, c"@example.com',
    ]


def test_json_lines_are_read_by_member(file: Any) -> None:
    rows = [{"email": "a@example.com"}, {"email": None}, {"id": 3}, {"email": 4}, {"email": "ü@example.com"}]
    content = "\n".join(map(json.dumps, rows))

    assert read(file("list.jsonl", content)) == ["a@example.com", "", "", "", "ü@example.com"]


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
def test_a_parquet_file_is_read_by_column(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow", reason="the Parquet tests need the extra parquet")
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "large_string": pa.large_string(),
        "dictionary": pa.dictionary(pa.int8(), pa.string()),
    }
    column = pa.array(["a@example.com", None, "ü@example.com"], types[kind])
    pq.write_table(pa.table({"id": [1, 2, 3], "Email": column}), tmp_path / "list.parquet")

    assert read(tmp_path / "list.parquet") == ["a@example.com", "", "ü@example.com"]


@pytest.mark.parametrize("name", ["list.csv.gz", "list.csv"])
def test_gzip_is_known_by_its_content(file: Any, name: str) -> None:
    assert read(file(name, gzip.compress(b"email\na@example.com\n", mtime=0) + gzip.compress(b"b@example.com\n"))) == [
        "a@example.com",
        "b@example.com",
    ]


def test_the_format_can_be_told(file: Any) -> None:
    assert read(file("list", "a@example.com\n"), source_format="lines") == ["a@example.com"]
    assert read(file("list.dat", "email\na@example.com\n"), source_format="csv") == ["a@example.com"]


def test_another_encoding_can_be_told(file: Any) -> None:
    assert read(file("list.csv", "email\nü@example.com\n".encode("cp1252")), encoding="cp1252") == ["ü@example.com"]
    assert read(file("list.csv", "email\nü@example.com\n".encode("utf-16")), encoding="utf-16") == ["ü@example.com"]


def test_awkward_addresses_survive_every_format(tmp_path: Path) -> None:
    import csv

    with (tmp_path / "list.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([["email"], *([address] for address in AWKWARD)])
    (tmp_path / "list.txt").write_text("\n".join(AWKWARD), encoding="utf-8")
    (tmp_path / "list.jsonl").write_text("\n".join(json.dumps({"email": address}) for address in AWKWARD))

    for name in ("list.csv", "list.txt", "list.jsonl"):
        assert read(tmp_path / name) == AWKWARD


def test_a_file_of_many_blocks_is_read_whole(file: Any) -> None:
    addresses = [f"user{number}@example.com" for number in range(10_000)]

    assert read(file("list.csv", "\n".join(["email", *addresses]))) == addresses
    assert read(file("list.txt", "\n".join(addresses))) == addresses
    assert read(file("list.jsonl", "\n".join(f'{{"email": "{address}"}}' for address in addresses))) == addresses


@pytest.mark.parametrize(
    ("name", "content", "options", "advice"),
    [
        ("list.csv", "id,mail\n1,secret@example.com\n", {}, "no column 'email'; set email_column"),
        ("list.csv", "secret@example.com\nother@example.com\n", {}, "source_format='lines'"),
        ("list.csv", "email,Email ,email\nsecret@example.com,,\n", {}, "has 2 columns 'email'"),
        ("list.csv", "", {}, "no column 'email'"),
        ("list.csv", 'email\na@example.com\n"secret@example.com\nb@example.com\n', {}, "quotes"),
        ("list.csv", 'email\na@example.com\n"secret"@example.com\n', {}, "line 3"),
        ("list.csv", b"email\nsecret\xfc@example.com\n", {}, "not text in utf-8"),
        ("list.csv", "email\nsecret@example.com\n", {"encoding": "klingon"}, "no encoding 'klingon'"),
        ("list.csv.gz", gzip.compress(b"email\nsecret@example.com\n" * 99, mtime=0)[:-20], {}, "gzip stream is cut"),
        ("list.jsonl", '{"email": "a@example.com"}\nsecret@example.com\n', {}, "line 2"),
        ("list.jsonl", '["secret@example.com"]\n', {}, "line 1"),
        ("list.jsonl", '{"a": 1}, {"email": "secret@example.com"}\n', {}, "line 1"),
        ("list.jsonl", '{"mail": "secret@example.com"}\n', {}, "none of its 1 lines has 'email'"),
        ("list.parquet", "secret@example.com", {}, "no whole Parquet file"),
        ("list.xlsx", "secret@example.com", {}, "set source_format to one of csv, jsonl, parquet, lines"),
        ("list.csv", "email\nsecret@example.com\n", {"source_format": "xml"}, "source_format is one of csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_without_a_word_of_its_content(
    file: Any, name: str, content: str | bytes, options: Any, advice: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="the Parquet tests need the extra parquet")
    with pytest.raises(InvalidSourceError) as caught:
        read(file(name, content), **options)

    assert advice in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_file_that_is_not_there_is_an_error_of_the_storage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"list\.csv: FileNotFoundError"):
        read(tmp_path / "list.csv")


def test_a_storage_connection_that_is_not_there_is_an_error_of_the_storage() -> None:
    with pytest.raises(StorageError, match=r"Source s3://no_such_conn@bucket/list\.csv"):
        list(read_column("s3://no_such_conn@bucket/list.csv", "email"))
