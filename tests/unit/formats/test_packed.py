"""Packed results: one file, whole, within bounds, and never written under a name that a vendor chose."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import deque
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    IncompleteResponseError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.formats import packed
from airflow_provider_emailverify.formats.packed import packed_type, unpacked
from airflow_provider_emailverify.http.errors import ErrorRules
from airflow_provider_emailverify.results.layout import CSV_TYPE, Layout, Maps, ResultReader, VendorFile
from airflow_provider_emailverify.results.schema import Verdict

TABLE = b"email,state\r\n" + b"".join(b"user%d@example.com,ok\r\n" % number for number in range(20_000))
LAYOUT = Layout(columns={"email": ("email",), "verdict": ("state",)}, words={"ok": (Verdict.DELIVERABLE, None)})


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return content.getvalue()


PACKED = [
    pytest.param(zipped(("results.csv", TABLE)), id="zip"),
    pytest.param(zipped(("../../etc/passwd", TABLE)), id="zip with a path"),
    pytest.param(zipped(("folder/", b""), ("folder/results.csv", TABLE)), id="zip with a folder"),
    pytest.param(zipped(("results.csv", TABLE), method=zipfile.ZIP_STORED), id="zip that is not compressed"),
    pytest.param(gzip.compress(TABLE), id="gzip"),
    pytest.param(gzip.compress(TABLE[:100_000]) + gzip.compress(TABLE[100_000:]), id="gzip in two members"),
]


def reader(content: bytes, **options: Any) -> ResultReader:
    file = VendorFile(
        batch_id="b", about="Vendor, batch 'b'", content=io.BytesIO(content), media_type=CSV_TYPE, **options
    )

    def check(_file: VendorFile, document: Any) -> None:
        if ErrorRules().problem_of(200, document.values):
            raise UnexpectedResponseError("an error")

    return ResultReader(LAYOUT, file, str, check)


@pytest.mark.parametrize("content", PACKED)
def test_what_is_packed_is_counted_and_read_like_the_file_in_it(content: bytes) -> None:
    assert reader(content).count() == 20_000
    assert [row[0] for row in reader(content, length_known=False).rows(Maps())][-1] == "user19999@example.com"


@pytest.mark.parametrize("content", PACKED)
def test_what_was_cut_or_changed_on_its_way_is_no_result(content: bytes) -> None:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0x10
    for bad in (content[: len(content) // 2], content[:-5], bytes(changed)):
        with pytest.raises(IncompleteResponseError, match="damaged or was cut"):
            reader(bad).count()
        with pytest.raises(IncompleteResponseError, match="damaged or was cut"):
            list(reader(bad).rows(Maps()))


def encrypted() -> bytes:
    content = bytearray(zipped(("results.csv", b"email,state\r\n"), method=zipfile.ZIP_STORED))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + place] |= 1
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (zipped(("a.csv", TABLE), ("b.csv", TABLE)), "holds 2 files"),
        (zipped(), "holds 0 files"),
        (encrypted(), "encrypted"),
        (zipped(("r.csv", TABLE), method=zipfile.ZIP_BZIP2), "packed in an unusual way"),
        (zipped(("r.csv", TABLE), method=zipfile.ZIP_LZMA), "packed in an unusual way"),
    ],
)
def test_an_archive_that_is_not_one_readable_file_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(UnexpectedResponseError, match=problem):
        reader(content).count()


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(("r.csv", data))])
def test_what_grows_beyond_all_measure_is_stopped_on_its_way(pack: Any) -> None:
    bomb = pack(b"0" * (64 * 1024 * 1024))

    with unpacked(io.BytesIO(bomb), "b") as content, pytest.raises(UnexpectedResponseError, match="grows to more than"):
        deque(iter(lambda: content.read(1024 * 1024), b""), maxlen=0)


def test_a_file_in_a_file_is_not_unpacked_twice() -> None:
    with pytest.raises(EmailVerifyError):
        list(reader(gzip.compress(zipped(("r.csv", TABLE)))).rows(Maps()))


@pytest.mark.parametrize("content", PACKED)
def test_what_is_packed_can_be_read_from_its_beginning_again(content: bytes) -> None:
    with unpacked(io.BytesIO(content), "b") as file:
        assert file.read(11) == b"email,state"
        file.seek(0)
        assert file.read() == TABLE


def test_an_error_in_a_packed_document_is_an_error() -> None:
    with pytest.raises(UnexpectedResponseError, match="an error"):
        reader(gzip.compress(b'{"error": "no such file"}')).count()


def test_only_the_first_bytes_tell_whether_a_file_is_packed() -> None:
    assert packed_type(zipped(("a", b""))) == packed.ZIP_TYPE
    assert packed_type(gzip.compress(b"")) == packed.GZIP_TYPE
    assert packed_type(b"email") == packed_type(b"") == packed_type(b"PK@example.com") == ""
