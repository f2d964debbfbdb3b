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
        "id,email\r1,a@example.com\r2,ü@example.com\r",
        '"id","email"\r"1","a@example.com"\r"2","ü@example.com"',
        "sep=;\nid;email\n1;a@example.com\n2;ü@example.com\n",
        "\ufeffsep=;\r\nid;email\r\n1;a@example.com\r\n2;ü@example.com\r\n",
        '"sep=|"\r\n"id"|"email"\r\n1|a@example.com\r\n2|ü@example.com\r\n',
        "sep=\t\nid\temail\n1\ta@example.com\n2\tü@example.com\n",
        "\n\r\n  \nid,email\n1,a@example.com\n2,ü@example.com\n",
        "Report of May, 2026\n\nid,email\n1,a@example.com\n2,ü@example.com\n",
        "My contacts;;\nid;email;\n1;a@example.com;\n2;ü@example.com;\n",
        "id,E-Mail\n1,a@example.com\n2,ü@example.com\n",
        "id,e mail,email status\n1,a@example.com,x@example.com\n2,ü@example.com,\n",
        "email,E-Mail,EMAIL\na@example.com,x,y\nü@example.com,x,y\n",
        "email,note\na@example.com," + "long " * 100_000 + "\nü@example.com,x\n",
        'email,note\na@example.com,"' + "long\n" * 100_000 + '"\nü@example.com,x\n',
        "email," + ",".join(f"column {number}" for number in range(20_000)) + "\na@example.com\nü@example.com\n",
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


def test_json_members_are_found_as_columns_are(file: Any) -> None:
    assert read(file("list.jsonl", '{"id": 1}\n{"E-Mail": "a@example.com"}\n')) == ["", "a@example.com"]
    assert read(file("list.jsonl", '{"E-Mail": "x", "email": "a@example.com"}\n')) == ["a@example.com"]


def test_numbers_of_any_length_in_json_are_of_no_interest(file: Any) -> None:
    content = f'{{"email": "a@example.com", "id": {"9" * 5000}}}\n{{"email": "b@example.com", "id": 1e999}}\n'

    assert read(file("list.jsonl", content)) == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("names", [["secret@example.com", "Jane"], ["secret Doe", "Berlin"]])
def test_columns_of_parquet_that_are_a_row_are_not_shown(tmp_path: Path, names: list[str]) -> None:
    pa = pytest.importorskip("pyarrow", reason="the Parquet tests need the extra parquet")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({names[0]: ["a"], names[1]: ["b"]}), tmp_path / "list.parquet")

    with pytest.raises(InvalidSourceError, match="has no column 'email'") as caught:
        read(tmp_path / "list.parquet")

    assert "secret" not in str(caught.value)


def test_columns_of_parquet_are_shown_if_they_are_names(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="the Parquet tests need the extra parquet")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [1], "e.mail.x": ["a@example.com"]}), tmp_path / "list.parquet")

    with pytest.raises(InvalidSourceError, match=r"its columns are id, e\.mail\.x"):
        read(tmp_path / "list.parquet")
    assert read(tmp_path / "list.parquet", "e.mail.x") == ["a@example.com"]


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
    assert read(file("list.csv", "email\nü@example.com\n".encode("utf-16"))) == ["ü@example.com"]


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
        ("list.csv", "id,mail\n1,secret@example.com\n", {}, "no column 'email'; its columns are id, mail. Set email_c"),
        ("list.csv", "secret@example.com\nother@example.com\n", {}, "source_format='lines'"),
        ("list.csv", "email,Email ,email\nsecret@example.com,,\n", {}, "has 2 columns 'email'"),
        ("list.csv", "E-Mail,e_mail\nsecret@example.com,,\n", {}, "has 2 columns 'email', case and punctuation apart"),
        ("list.csv", "", {}, "no column 'email'; it is empty"),
        ("list.csv", "id,mail\n", {}, "no column 'email'; its columns are not shown"),
        ("list.csv", "secret Doe,Berlin\nJane,Rome\n", {}, "no column 'email'; its columns are not shown"),
        ("list.csv", "secret Doe,0170 1234567\nJane,a@example.com\n", {}, "its columns are not shown"),
        ("list.csv", "From secret@example.com\nemail\na@example.com\n", {}, "Add a header"),
        ("list.csv", 'email\na@example.com\n"secret@example.com\nb@example.com\n', {}, "quotes"),
        ("list.csv", 'email\na@example.com\n"secret"@example.com\n', {}, "line 3"),
        ("list.csv", b"email\nsecret\xfc@example.com\n", {}, "not text in utf-8"),
        ("list.csv", "email\nsecret@example.com\n", {"encoding": "klingon"}, "no encoding 'klingon'"),
        ("list.csv.gz", gzip.compress(b"email\nsecret@example.com\n" * 99, mtime=0)[:-20], {}, "gzip stream is cut"),
        ("list.jsonl", '{"email": "a@example.com"}\nsecret@example.com\n', {}, "line 2"),
        ("list.jsonl", '["secret@example.com"]\n', {}, "it is a JSON array; write one object a line"),
        (
            "list.jsonl",
            '\ufeff [\n{"email": "secret@example.com"}]\n',
            {},
            "it is a JSON array; write one object a line",
        ),
        ("list.jsonl", '{"email": "a@example.com"}\n\n["secret@example.com"]\n', {}, "line 3"),
        ("list.jsonl", '{"email": ' + "[" * 100_000 + "\n", {}, "line 1"),
        ("list.jsonl", '{"secret@example.com": 1}\n', {}, "a row of data, with an address. Add a header"),
        ("list.jsonl", '{"a": 1}, {"email": "secret@example.com"}\n', {}, "line 1"),
        ("list.jsonl", '{"mail": "secret@example.com"}\n', {}, "no line has 'email'; its columns are mail"),
        ("list.parquet", "secret@example.com", {}, "not a whole Parquet file"),
        (
            "list.csv",
            gzip.compress(b"secret@example.com," * 9_000_000, 1),
            {},
            "a line of more than 16,777,216 characters",
        ),
        (
            "list.txt",
            gzip.compress(b"secret@example.com," * 9_000_000, 1),
            {},
            "a line of more than 16,777,216 characters",
        ),
        ("list.jsonl", gzip.compress(b'{"secret":1' * 9_000_000, 1), {}, "a line of more than 16,777,216 characters"),
        ("list.jsonl", gzip.compress(b'["secret",1' * 9_000_000, 1), {}, "it is a JSON array"),
        ("list.docx", "secret@example.com", {}, "set source_format to one of csv, jsonl, parquet, lines"),
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
    with pytest.raises(StorageError, match=r"list\.csv': FileNotFoundError"):
        read(tmp_path / "list.csv")


@pytest.mark.parametrize(
    "uri", ["file:///data/secret::list.csv", "s3://bucket/list.csv?secret", "file:///data/", "", 3]
)
def test_a_uri_that_somebody_would_read_as_another_is_refused(uri: Any) -> None:
    with pytest.raises(InvalidSourceError, match=r"^The source ") as caught:
        list(read_column(uri, "email"))

    assert "?secret" not in str(caught.value)


def test_a_password_in_a_uri_is_not_shown() -> None:
    with pytest.raises(InvalidSourceError, match=r"Source 's3://…@bucket/list.dat': its name does not end") as caught:
        list(read_column("s3://user:secret@bucket/list.dat", "email"))

    assert "secret" not in str(caught.value)


def test_a_storage_connection_that_is_not_there_is_an_error_of_the_storage() -> None:
    with pytest.raises(StorageError, match=r"Source s3://no_such_conn@bucket/list\.csv"):
        list(read_column("s3://no_such_conn@bucket/list.csv", "email"))
