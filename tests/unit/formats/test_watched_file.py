"""A storage that fails in the middle of a file is told from bytes that cannot be parsed."""

from __future__ import annotations

import io

import pytest

from airflow_provider_emailverify.formats.watched_file import WatchedFile


class Failing(io.BytesIO):
    """A file of which no byte can be read."""

    def read(self, size: int | None = -1) -> bytes:
        raise ConnectionResetError("reset by the storage")


def test_the_error_of_a_file_is_remembered_whatever_a_parser_makes_of_it() -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="the Parquet tests need the extra parquet")
    watched = WatchedFile(Failing(b"x" * 1000))

    with pytest.raises(Exception, match="reset"):
        pq.ParquetFile(watched)

    assert isinstance(watched.error, ConnectionResetError)


def test_a_file_that_works_has_no_error() -> None:
    watched = WatchedFile(io.BytesIO(b"abc"))

    assert (watched.read(2), watched.tell(), watched.seek(0), watched.read()) == (b"ab", 2, 0, b"abc")
    assert watched.error is None
