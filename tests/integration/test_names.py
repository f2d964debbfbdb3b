"""A name is refused, or a file is stored and read back under exactly that name: on disk, and on moto's S3."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import InvalidDestinationError, InvalidSourceError
from airflow_provider_emailverify.storage.destination import Destination, open_source
from airflow_provider_emailverify.storage.publishing import publish_together
from airflow_provider_emailverify.storage.spool import spool_for
from tests.integration.object_store import Bucket, bucket_on_loopback

try:
    from airflow.sdk.io import has_fs
except ImportError:  # before Airflow 3.0
    from airflow.io import has_fs

#: What was tried on Airflow 2.11, 3.0 and 3.3, with universal_pathlib 0.2 and 0.3.
NAMES = [
    *("plain.csv", "a::b.csv", "emea::2026/x.csv", "::", "a::", "zip::x.csv", "a:b.csv", "a:::b"),
    *("a?versionId=1", "a?b.csv", "a?", "a??", "a?#", "a?#x", "a#", "a#b.csv", "a##", "a#/x.csv", "a?/x.csv", "a#12"),
    *("t\tx.csv", "n\nx.csv", "r\rx", "x.csv\n", "\tx", "z\0x", "e\x1bx", "d\x7fx", "l\x85x", "s\u2028x"),
    *(
        "a[1].csv",
        "a[!x].csv",
        "a{1,2}.csv",
        "a*b.csv",
        "**",
        "[",
        "a]b",
        "{{ x }}.csv",
        "$HOME/x",
        "`x`",
        "a;b,c!$.csv",
    ),
    *("p/../q.csv", "p/./q.csv", "./q.csv", "../q.csv", "..", ".", "..x", "x..", "p//q.csv", "/lead.csv", "//lead.csv"),
    *("p%2Fq.csv", "%3A%3A.csv", "%2e%2e/x.csv", "%00x", "sp%20x", "a+b=c&d.csv", "%", "%%", "%zz"),
    *("back\\slash.csv", "a\\", "trail .csv ", "trail ", " lead", "dir /x", "end\u00a0", "n\u00a0b.csv"),
    *("~/x.csv", "~x", "a~b", "a@b.csv", "u@h/x", "s3://x/y", "file://x", "C:/x.csv", "q\"'<>.csv", "|`^.csv"),
    *("\xfc.csv", "u\u0308.csv", "\u200bzw.csv", "\ufeffbom.csv", "\udcffs.csv", "\uffff.csv", "\U0001f600.csv"),
    *("x" * 255, "x" * 256, "é" * 128, "x" * 1024, "x" * 1025),
]


# Airflow 2 knows no local://.
FORMS = ["file://{}/{}", "{}/{}", *(["local://{}/{}"] if has_fs("local") else [])]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A bucket on moto's server."""
    with bucket_on_loopback("names") as bucket:
        yield bucket


def land(uri: str, content: bytes) -> None:
    """Land one file, and the same again together with another, which keeps the first one aside meanwhile."""
    destination = Destination(uri)
    with spool_for(destination, "x") as spool:
        spool.write(b"old")
        publish_together([(spool, destination)])
    beside = Destination(uri.rpartition("/")[0] + "/another")
    with spool_for(destination, "x") as spool, spool_for(beside, "y") as other:
        spool.write(content)
        publish_together([(other, beside), (spool, destination)])


def check_name(uri: str, stored: Callable[[], dict[str, bytes]], name: str) -> None:
    """Assert that a name is refused, or kept."""
    content = uuid.uuid4().bytes
    try:
        land(uri, content)
    except InvalidDestinationError:
        if "*" not in name:
            with pytest.raises(InvalidSourceError):
                open_source(uri)
        return
    beside = name.rpartition("/")[0] + "/another" if "/" in name else "another"
    assert stored() == {beside: b"", name: content}
    with open_source(uri) as file:
        assert file.read() == content
    with ObjectStoragePath(uri).open("rb") as file:
        assert file.read() == content


def check_on_disk(form: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def stored() -> dict[str, bytes]:
            found = [path for path in Path(folder).rglob("*") if path.is_file()]
            return {os.path.relpath(path, folder): path.read_bytes() for path in found}

        # Several slashes are as good as one on disk, and so is a part ".".
        parts = [part for part in name.split("/") if part not in ("", ".")]
        check_name(form.format(folder, name), stored, "/".join(parts))


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name.rpartition("/")[2] not in (".", "..") and "../" not in name]
)
@pytest.mark.parametrize("form", FORMS)
def test_a_name_on_disk_is_kept_or_refused(form: str, name: str) -> None:
    check_on_disk(form, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_bucket_is_kept_or_refused(bucket: Bucket, name: str) -> None:
    folder = uuid.uuid4().hex

    check_name(f"{bucket.uri}{folder}/{name}", lambda: bucket.read(f"{folder}/"), name)


hostile_names = st.text(
    st.one_of(st.sampled_from(list(":?#*[]{}%\\.~@ /\t\n")), st.characters(exclude_characters="/")), max_size=20
).filter(lambda name: ".." not in name.split("/") and name.rpartition("/")[2] not in ("", ".", "another"))


@settings(max_examples=150, deadline=None)
@given(hostile_names, st.sampled_from(["file://{}/{}", "{}/{}"]))
@example("a?#b", "file://{}/{}")
def test_any_name_on_disk_is_kept_or_refused(name: str, form: str) -> None:
    if not name.endswith("/"):
        check_on_disk(form, name)
