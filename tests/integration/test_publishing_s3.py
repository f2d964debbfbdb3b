"""Files and sets of files in a bucket: media types, whose file is whose, and what a failure leaves."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.steps.earlier import Earlier
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish, publish_together
from airflow_provider_emailverify.storage.spool import spool_for
from tests.integration.object_store import Bucket, bucket_on_loopback

MEDIA_TYPES = {
    "deliverable.csv": "text/csv",
    "rows.jsonl": "application/x-ndjson",
    "rows.parquet": "application/vnd.apache.parquet",
    "report.html": "text/html",
    "vendor.json": "application/json",
}
NEW = {name: f"new {name}".encode() for name in MEDIA_TYPES}
OLD = {"deliverable.csv": b"old", "unknown.csv": b"old", "vendor.json": b"old"}


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A bucket on moto's server."""
    with bucket_on_loopback("results") as bucket:
        yield bucket


@pytest.fixture
def folder() -> str:
    """A prefix of its own for each test."""
    return f"{uuid.uuid4().hex}/"


def land(uri: str, files: dict[str, bytes], **summary: Any) -> list[str]:
    place = Destination(uri)
    with ExitStack() as stack:
        spools = []
        for name, content in files.items():
            spool = stack.enter_context(spool_for(place, name, MEDIA_TYPES.get(name, "")))
            spool.write(content)
            spools.append((spool, place.file(name)))
        return publish_together(spools, place, summary)


def check(found: dict[str, bytes], files: dict[str, bytes]) -> None:
    """Assert that these files are there, their marker, and nothing else."""
    marker = json.loads(found[MARKER])
    assert {name: content for name, content in found.items() if name != MARKER} == files
    assert {file["name"]: file["bytes"] for file in marker["published"]} == {n: len(c) for n, c in files.items()}


@pytest.mark.parametrize("size", [0, 10, 13 * 1024 * 1024])
def test_a_file_has_its_media_type(bucket: Bucket, folder: str, size: int) -> None:
    destination = Destination(f"{bucket.uri}{folder}x.csv")
    with spool_for(destination, "x", "text/csv") as spool:
        spool.write(bytes(size))
        publish(spool, destination)

    assert bucket.media_type(f"{folder}x.csv") == "text/csv"
    assert bucket.read(folder) == {"x.csv": bytes(size)}


def test_every_file_of_a_set_has_its_media_type_when_it_is_put_back_too(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(bucket.uri + folder, NEW)
    types = {name: bucket.media_type(folder + name) for name in [*NEW, MARKER]}
    fail_at_the_marker(bucket, monkeypatch, lambda: None)
    with pytest.raises(StorageError):
        land(bucket.uri + folder, {name: content + b"!" for name, content in NEW.items()})

    assert types == {**MEDIA_TYPES, MARKER: "application/json"}
    assert {name: bucket.media_type(folder + name) for name in [*NEW, MARKER]} == types


def test_landing_again_leaves_exactly_what_the_marker_says(bucket: Bucket, folder: str) -> None:
    bucket.put(f"{folder}notes.txt", b"a stranger's")
    land(bucket.uri + folder, {**NEW, "unknown.csv": b"u"})
    land(bucket.uri + folder, NEW)

    check({k: v for k, v in bucket.read(folder).items() if k != "notes.txt"}, NEW)
    assert bucket.read(folder)["notes.txt"] == b"a stranger's"


def fail_at_the_marker(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, happen: Callable[[], object]) -> None:
    """Let something happen when the next landing puts its marker, which then fails."""
    files = Destination(bucket.uri).file_system
    put = files.put_file

    def put_file(source: str, target: str, **options: Any) -> None:
        if not target.endswith(MARKER):
            return put(source, target, **options)
        monkeypatch.undo()
        happen()
        raise ConnectionResetError("connection reset")

    monkeypatch.setattr(files, "put_file", put_file)


def test_a_failure_at_the_end_puts_everything_back(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(bucket.uri + folder, OLD, run="old")
    before = bucket.read(folder)
    fail_at_the_marker(bucket, monkeypatch, lambda: None)

    with pytest.raises(StorageError, match="connection reset"):
        land(bucket.uri + folder, NEW, run="new")
    assert bucket.read(folder) == before
    assert json.loads(before[MARKER])["run"] == "old"


@pytest.mark.parametrize("other", [{n: c + b"!" for n, c in NEW.items()}, NEW], ids=["other bytes", "the same bytes"])
def test_a_failure_leaves_the_files_of_another_landing(
    bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch, other: dict[str, bytes]
) -> None:
    """The same bytes have the same ETag, and within a second the same time."""
    fail_at_the_marker(bucket, monkeypatch, lambda: land(bucket.uri + folder, other))

    with pytest.raises(StorageError, match="connection reset"):
        land(bucket.uri + folder, NEW)
    found = {name: content for name, content in bucket.read(folder).items() if not name.startswith(".")}
    check(found, other)


def test_an_answer_that_got_lost_is_undone_too(bucket: Bucket, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    land(bucket.uri + folder, OLD)
    before = bucket.read(folder)
    files = Destination(bucket.uri).file_system
    put = files.put_file

    def put_and_lose_the_answer(source: str, target: str, **options: Any) -> None:
        put(source, target, **options)
        if target.endswith("report.html"):
            raise ConnectionResetError("connection reset")

    monkeypatch.setattr(files, "put_file", put_and_lose_the_answer)

    with pytest.raises(StorageError, match="connection reset"):
        land(bucket.uri + folder, NEW)
    assert bucket.read(folder) == before


def test_a_set_is_read_by_the_uris_that_publishing_returns(bucket: Bucket, folder: str) -> None:
    uris = land(bucket.uri + folder, NEW)

    for uri, content in zip(uris, NEW.values(), strict=True):
        with ObjectStoragePath(uri).open("rb") as file:
            assert file.read() == content


def test_a_folder_whose_name_is_a_pattern_is_one_folder(bucket: Bucket, folder: str) -> None:
    bucket.put(f"{folder}a1/x.csv", b"another's")
    for _ in range(2):
        land(f"{bucket.uri}{folder}[a]1{{2}}/", NEW)

    check(bucket.read(f"{folder}[a]1{{2}}/"), NEW)
    assert bucket.read(f"{folder}a1/") == {"x.csv": b"another's"}


def test_the_figures_of_each_run_are_kept_in_a_bucket(bucket: Bucket, folder: str) -> None:
    place = Destination(bucket.uri + folder)
    figures = {"rows": 1, "verdicts": dict.fromkeys(("deliverable", "undeliverable", "risky", "unknown"), 1)}
    runs = [Earlier(place, datetime(2026, 11, day, 6, tzinfo=UTC), "d") for day in (5, 12, 19)]

    assert runs[0].read() == []
    for run in (*runs, runs[2]):
        run.write(figures)

    assert [each["moment"][:10] for each in runs[2].read()] == ["2026-11-05", "2026-11-12"]
    assert len(bucket.read(folder)) == 3
    assert bucket.media_type(f"{folder}2026-11-05T060000.000000Z-d.summary.json") == "application/json"
