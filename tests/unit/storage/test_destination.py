"""A URI names one place, the same to everybody, or it is refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidDestinationError, StorageError
from airflow_provider_emailverify.storage.destination import Destination, open_source
from airflow_provider_emailverify.storage.uris import check_destination, check_source

CHECKS: list[Callable[[str], Any]] = [check_source, check_destination]


@pytest.mark.parametrize("uri", ["", "  ", "\n", None, 3, b"/x", Path("/x")])
@pytest.mark.parametrize("check", CHECKS)
def test_what_is_empty_or_no_text_is_refused(check: Callable[[Any], Any], uri: Any) -> None:
    with pytest.raises(EmailVerifyError, match=r"(source|destination) is empty") as caught:
        check(uri)
    assert caught.value.permanent


@pytest.mark.parametrize("uri", ["relative/x.csv", "gs//bucket/x", "s3:/bucket/x", "file://tmp/x", "FILE:///tmp/x"])
@pytest.mark.parametrize("check", CHECKS)
def test_what_would_be_in_the_working_directory_is_refused(check: Callable[[str], Any], uri: str) -> None:
    with pytest.raises(EmailVerifyError, match=r"is no URI such as .*, and no absolute path"):
        check(uri)


@pytest.mark.parametrize("uri", ["file:x", "~/x", "c:\\x", "x", "S3://bucket/x", "://bucket/x"])
def test_what_looks_like_a_uri_and_is_none_is_refused(uri: str) -> None:
    with pytest.raises(InvalidDestinationError, match="is no URI such as"):
        Destination(uri)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("emea::2026/x.csv", "'::', at which fsspec cuts it"),
        ("zip::x.csv", "'::'"),
        ("x.csv?versionId=7", r"'\?', after which"),
        ("x.csv?", r"'\?'"),
        ("a?b.csv", r"'\?'"),
        ("x.csv#", "'#', at which"),
        ("x.csv?#y", r"'\?'"),
        ("a\tb.csv", r"the character U\+0009"),
        ("a\nb.csv", r"U\+000A"),
        ("a\rb.csv", r"U\+000D"),
        ("a\0b.csv", r"U\+0000"),
        ("a\x1bb.csv", r"U\+001B"),
        ("a\x7fb.csv", r"U\+007F"),
        ("a\x85b.csv", r"U\+0085"),
        ("a\u2028b.csv", r"U\+2028"),
        ("a\udcffb.csv", r"U\+DCFF"),
        ("x.csv\n", "ends with white space"),
        ("x.csv ", "ends with white space"),
        ("x.csv\u00a0", "ends with white space"),
    ],
)
@pytest.mark.parametrize(
    "base", ["s3://bucket/", "s3://conn@bucket/folder/", "gs://bucket/", "file:///data/", "/data/"]
)
@pytest.mark.parametrize("check", CHECKS)
def test_a_name_that_some_library_takes_for_another_is_refused(
    check: Callable[[str], Any], base: str, name: str, reason: str
) -> None:
    with pytest.raises(EmailVerifyError, match=reason) as caught:
        check(base + name)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("gs://bucket/list#1712345678", "'#'"),
        ("abfs://container/a#b", "'#'"),
        ("s3://buc#ket/x", "'#'"),
        ("s3://bucket/a/../x", "a part '.' or '..'"),
        ("s3://bucket/./x", "a part '.' or '..'"),
        ("gs://bucket/..", "a part '.' or '..'"),
        ("s3:///x", "has no bucket"),
        ("s3://conn@/x", "has no bucket"),
        ("//host/x", "two slashes"),
        ("//conn@host/x", "two slashes"),
        ("file:////x", "two slashes"),
        ("abfs://container/a.", "ends in a dot"),
        ("az://container/a./b", "ends in a dot"),
        ("abfss://container/a\\b", "a backslash"),
        ("abfss://lists@account.dfs.core.windows.net/x", r"as Spark writes it.*abfs://<connection>@lists/…"),
        ("wasbs://lists@account.blob.core.windows.net/x", r"as Spark writes it.*abfs://<connection>@lists/…"),
        ("abfs://account.blob.core.windows.net/lists/x", r"abfs://<connection>@<container>/…"),
        ("sftp://host/a[1].csv", r"'\['"),
        ("s3://b[/x", "a bucket with characters that a URL cannot have"),
        ("s3://ex\u2100mple/x", "a bucket with characters that a URL cannot have"),
        (f"s3://bucket/{'k' * 1025}", "longer than 1,024 bytes"),
        (f"gs://bucket/{'é' * 513}", "longer than 1,024 bytes"),
        (f"/data/{'k' * 256}", "more than 255 bytes"),
        (f"/data/{'é' * 128}/x", "more than 255 bytes"),
        (f"file:///{'k/' * 2048}k", "longer than 4,095 bytes"),
    ],
)
@pytest.mark.parametrize("check", CHECKS)
def test_a_name_that_its_storage_does_not_keep_is_refused(check: Callable[[str], Any], uri: str, reason: str) -> None:
    with pytest.raises(EmailVerifyError, match=reason):
        check(uri)


@pytest.mark.parametrize("scheme", ["s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "wasbs", "oss", "memory", "sftp"])
@pytest.mark.parametrize("authority", ["bucket", "my_conn@bucket"])
@pytest.mark.parametrize("check", CHECKS)
def test_a_bucket_without_a_file_is_refused(check: Callable[[str], Any], scheme: str, authority: str) -> None:
    with pytest.raises(
        EmailVerifyError, match=r"names a bucket only\. End it with a slash for a folder, or name a file"
    ):
        check(f"{scheme}://{authority}")


@pytest.mark.parametrize("uri", ["s3://bucket/", "s3://bucket/folder/", "file:///data/", "/data/", "/", "memory://b/"])
def test_a_folder_is_a_destination_and_no_source(uri: str) -> None:
    assert Destination(uri).is_folder
    with pytest.raises(EmailVerifyError, match=r"is a folder\. Name a file in it"):
        check_source(uri)


def test_a_star_is_refused_where_it_is_written_and_not_where_it_is_read() -> None:
    with pytest.raises(InvalidDestinationError, match=r"holds '\*', a wildcard for those who read it"):
        check_destination("s3://bucket/a*.csv")
    assert check_source("s3://bucket/a*.csv").key == "a*.csv"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://c@bucket/x",
        "abfs://box@account/x",
        "/data/x",
        "file:///data/",
        "local:///data/x",
        "gs://b/",
        "s3://bucket//x//y",
        "s3://bucket/proofy-a%3A%3Ab.csv",
        "s3://bucket/%2E%2E/x",
        "s3://bucket/~/x",
        "s3://bucket/list #5.csv",
        "file:///data/list #5.csv",
        "/data/a#/x.csv",
        "/data/a/../x.csv",
        "/data//a/./x.csv",
        "/data/[1] {a,b} $HOME \\ \u200b 'x'.csv",
        "/data/ü\u0308.csv",
        "/data/s3:x@y.csv",
        "memory://bucket/x",
        "https://host/x",
        f"/{'k' * 255}",
        f"s3://bucket/{'k' * 1024}",
    ],
)
def test_what_names_one_place_is_taken_as_it_is_written(uri: str) -> None:
    assert Destination(uri).uri == uri
    if not uri.endswith("/"):
        check_source(uri)


def test_a_folder_leaves_room_for_names() -> None:
    with pytest.raises(InvalidDestinationError, match="longer than 769 bytes"):
        Destination(f"s3://bucket/{'k' * 770}/")
    folder = Destination(f"s3://bucket/{'k' * 768}/")

    assert folder.file("n" * 255).uri.endswith("n" * 255)


def test_a_file_of_a_folder_is_checked_too() -> None:
    with pytest.raises(InvalidDestinationError, match="'::'"):
        Destination("s3://bucket/folder/").file("a::b.csv")


@pytest.mark.parametrize("uri", ["s3://key:s3cret@bucket/x?sig=s3cret", "s3://key:s3cret@bucket/x::y", "/x?sig=s3cret"])
@pytest.mark.parametrize("check", CHECKS)
def test_a_refusal_shows_no_password_and_no_signature(check: Callable[[str], Any], uri: str) -> None:
    with pytest.raises(EmailVerifyError) as caught:
        check(uri)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("reach", [open_source, lambda uri: Destination(uri).check()])
def test_a_password_in_place_of_a_connection_is_not_shown(reach: Callable[[str], Any]) -> None:
    with pytest.raises(StorageError, match="there is no Airflow connection of the name before the '@'") as caught:
        reach("s3://AKIA:s3cret@bucket/x.csv")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_long_uri_is_cut_in_messages() -> None:
    with pytest.raises(InvalidDestinationError) as caught:
        Destination(f"s3://bucket/{'k' * 5000}")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("uri", ["nosuch://bucket/x", "s3://no_such_connection@bucket/x/"])
def test_a_storage_that_cannot_be_reached_is_a_clear_error(uri: str) -> None:
    with pytest.raises(StorageError, match="Check the scheme, the connection"):
        Destination(uri).check()


@pytest.mark.parametrize(
    ("uri", "advice"),
    [
        (
            "abfss://lists@account/x",
            r"If 'lists' is the container and 'account' the account, write abfss://<connection>@lists/…",
        ),
        ("az://lists/x", "Airflow's scheme for that storage is abfs"),
        ("wasbs://my_azure@lists/x", "Airflow's scheme for that storage is abfs"),
        ("https://account.blob.core.windows.net/lists/x", "Airflow's scheme for that storage is s3, gs or abfs"),
    ],
)
@pytest.mark.parametrize("reach", [open_source, lambda uri: Destination(uri).check()])
def test_another_way_to_write_a_storage_is_told(reach: Callable[[str], Any], uri: str, advice: str) -> None:
    with pytest.raises(StorageError, match=advice):
        reach(uri)


@pytest.mark.parametrize(
    ("base", "uri", "refused"),
    [
        ("file:///data/xcom", "file:///data/xcom/results/", True),
        ("file:///data/xcom/", "file:///data/xcom", True),
        ("file:///data/xcom", "file:///data/other/../xcom/a.csv", True),
        ("/data/xcom", "file:///data/xcom/a.csv", True),
        ("file:///data/xcom", "/data/xcom/a.csv", True),
        ("file:///data/xcom", "file:///data/xcom2/a.csv", False),
        ("file:///data/xcom", "file:///data/", False),
        ("", "file:///data/", False),
    ],
)
def test_a_destination_that_xcom_would_take_for_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, base: str, uri: str, refused: bool
) -> None:
    monkeypatch.setenv("AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH", base)

    if refused:
        with pytest.raises(InvalidDestinationError, match="xcom_objectstorage_path"):
            Destination(uri).check()
    else:
        Destination(uri).check()


@pytest.mark.parametrize(
    ("uri", "asset"),
    [
        ("s3://conn@bucket/a/x.csv", "s3://bucket/a/x.csv"),
        ("/data/list #5.csv", "file:///data/list %235.csv"),
        ("file:///data/a%3Ab.csv", "file:///data/a%3Ab.csv"),
    ],
)
def test_an_asset_is_the_same_whoever_reads_it(uri: str, asset: str) -> None:
    assert Destination(uri).asset_uri == asset
