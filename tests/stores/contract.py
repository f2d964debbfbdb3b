"""What holds for every object store; test modules derive a class for each."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_emailverify.exceptions import InvalidDestinationError, StorageError
from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.ledger import Ledger
from airflow_provider_emailverify.storage.destination import Destination, open_source
from airflow_provider_emailverify.storage.listing import list_files
from airflow_provider_emailverify.storage.publishing import MARKER, publish_together
from airflow_provider_emailverify.storage.spool import spool_for
from tests.stores import object_store
from tests.stores.server import ObjectStore
from tests.submit_task import Ti

ROW = b"someone@example.com,%s\n"
OLD = {"a.csv": ROW % b"old a", "b.json": b"old b", "gone.csv": ROW % b"old"}
NEW = {"a.csv": ROW % b"new a", "b.json": b"new b", "c.parquet": b"new c"}
MEDIA_TYPES = {"a.csv": "text/csv", "b.json": "application/json", "c.parquet": "application/vnd.apache.parquet"}
#: Names that people use.
KEYS = (
    *("plain.csv", "with space.csv", "dt=2026-11-27/hour=09/list.csv", "a+b.csv", "100%.csv", "a%20b.csv", "%2F.csv"),
    *("é.csv", "e\u0301.csv", "Адреса.csv", "名簿.csv", "😀.csv", "a&b;c,d.csv", "(1).csv", "[1].csv", "{x}.csv"),
    *("it's.csv", "a@b.csv", "a:b.csv", "~x.csv", "x.tar.gz", "deep/er/and/deeper.csv", "a=b&c=d.csv", "x", "a#b.csv"),
    "a?b.csv",
)


def put(uri: str, content: bytes, media_type: str = "") -> str:
    return land(uri, {"": content}, media_type)[0]


def land(uri: str, files: dict[str, bytes], media_type: str = "") -> list[str]:
    """Publish files together in a folder; one, called "", at the URI itself."""
    place = Destination(uri)
    with ExitStack() as stack:
        spools = []
        for name, content in files.items():
            spool = stack.enter_context(spool_for(place, name, media_type or MEDIA_TYPES.get(name, "")))
            spool.write(content)
            spools.append((spool, place.file(name)))
        return publish_together(spools, place if place.is_folder else None)


def refused(call: Callable[[], object], store: ObjectStore) -> str:
    """Return what a person reads of the error that something ends with."""
    with pytest.raises(StorageError) as caught:
        call()
    return text_of(caught.value, store)


def text_of(error: StorageError, store: ObjectStore) -> str:
    """Return what a person reads of an error, which holds no secret, no address and no markup."""
    text = " ".join([*error.lines, str(error)])
    for unfit in (*store.secrets, "example.com", "Content:", "<?xml", "Signature="):
        assert unfit not in text
    return text


class OnStore:
    """
    Tests of one store, which is started once for the class.

    :cvar kind: one of :data:`tests.stores.STORES`.
    """

    kind: str

    @pytest.fixture(scope="class")
    def started(self, request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
        with object_store(request.cls.kind) as store:
            yield store

    @pytest.fixture
    def store(self, started: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
        """A store without faults, whose libraries wait no longer than a test may."""
        sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", lambda seconds, *result: sleep(min(seconds, 0.001), *result))
        yield started
        if started.proxy:
            started.proxy.heal()

    @pytest.fixture
    def folder(self) -> str:
        """A prefix of its own for each test."""
        return f"{uuid.uuid4().hex}/"


class StoreContract(OnStore):
    """Files and folders appear whole, are listed and read, and what goes wrong is told."""

    def test_a_file_appears_is_replaced_and_is_read(self, store: ObjectStore, folder: str) -> None:
        uri = store.uri(f"{folder}x.csv")

        assert put(uri, b"one", "text/csv") == uri
        put(uri, b"the second", "text/csv")

        assert store.read(folder) == {"x.csv": b"the second"}
        with open_source(uri) as file:
            assert file.read() == b"the second"
        assert [file.size for file in list_files(store.uri(folder), lambda _: True)] == [10]
        if store.proxy:
            assert store.media_type(f"{folder}x.csv") == "text/csv"

    @pytest.mark.parametrize("size", [0, 1, 13 * 1024 * 1024 + 1])
    def test_a_file_of_any_size_is_whole(self, store: ObjectStore, folder: str, size: int) -> None:
        content = bytes(range(256)) * (size // 256 + 1)

        put(store.uri(f"{folder}x.csv"), content[:size])

        assert store.read(folder) == {"x.csv": content[:size]}

    def test_a_list_of_strangers_is_read(self, store: ObjectStore, folder: str) -> None:
        emails = [f"user{number}@example.com" for number in range(1000)]
        store.put(f"{folder}dt=2026-11-27/list one.csv", "\n".join(["email", *emails]).encode())

        uri = store.uri(f"{folder}dt=2026-11-27/list one.csv")
        assert [value for block in read_column(uri, "email") for value in block] == emails
        assert [file.uri for file in list_files(store.uri(f"{folder}*/*.csv"), lambda _: True)] == [uri]
        assert [file.uri for file in list_files(store.uri(folder), lambda _: True)] == [uri]

    @pytest.mark.parametrize("key", KEYS)
    def test_a_name_is_kept_or_refused(self, store: ObjectStore, folder: str, key: str) -> None:
        uri = store.uri(folder + key)
        content = key.encode()
        try:
            put(uri, b"old")
        except InvalidDestinationError:
            assert "?" in key or ("#" in key and store.scheme in ("abfs", "gs"))
            return
        beside = store.uri(folder + key.rpartition("/")[0] + "/beside") if "/" in key else store.uri(f"{folder}beside")
        with spool_for(Destination(uri), "x") as spool, spool_for(Destination(beside), "y") as other:
            spool.write(content)
            publish_together([(spool, Destination(uri)), (other, Destination(beside))])

        found = store.read(folder)
        assert {name: found[name] for name in found if not name.endswith("beside")} == {key: content}
        with open_source(uri) as file:
            assert file.read() == content
        with ObjectStoragePath(uri).open("rb") as file:
            assert file.read() == content
        assert uri in [file.uri for file in list_files(store.uri(folder), lambda _: True)]

    def test_a_set_lands_with_its_marker_and_removes_what_is_stale(self, store: ObjectStore, folder: str) -> None:
        store.put(f"{folder}notes.txt", b"a stranger's")
        land(store.uri(folder), OLD)
        land(store.uri(folder), NEW)

        found = store.read(folder)
        published = json.loads(found.pop(MARKER))["published"]
        assert found == {**NEW, "notes.txt": b"a stranger's"}
        assert {file["name"]: file["bytes"] for file in published} == {name: len(body) for name, body in NEW.items()}
        if store.proxy:
            assert {name: store.media_type(folder + name) for name in NEW} == MEDIA_TYPES

    def test_two_tries_do_not_both_begin_a_batch(self, store: ObjectStore, folder: str) -> None:
        first, second = (Ledger(store.uri(folder), "task") for _ in range(2))

        first.check()
        assert first.claim("00001", {"n": 1})
        assert not second.claim("00001", {"n": 2})
        assert second.get("00001")["n"] == 1

    def test_a_whole_walk_stays_in_the_store(
        self, store: ObjectStore, folder: str, sandbox: SandboxServer, connect: Callable[..., str]
    ) -> None:
        emails = [f"user{number}@example.com" for number in range(20)]
        source = store.uri(f"{folder}list.csv")
        store.put(f"{folder}list.csv", "\n".join(["email", *emails]).encode())
        conn_id = connect("proofy", f"{sandbox.url}/proofy/v1", requests_per_minute=1_000_000)
        context: Any = {"ti": Ti(), "outlet_events": {}}
        kept = store.uri(f"{folder}ledger/")

        submit = EmailVerifySubmitOperator(task_id="submit", source=source, conn_id=conn_id, batch_size=10, ledger=kept)
        ids = submit.execute(context)
        download = EmailVerifyDownloadOperator(
            task_id="download",
            conn_id=conn_id,
            batch_id=ids,
            destination=store.uri(f"{folder}results/"),
            output_format="csv",
            report=True,
        )
        results = download.execute(context)
        merge = EmailVerifyMergeOperator(
            task_id="merge",
            source=source,
            results=results,
            destination=store.uri(f"{folder}verified/"),
            split_by_verdict=True,
        )
        merged = merge.execute(context)

        place = f"{folder}verified/list.verified/"
        assert merged["deliverable"] == store.uri(f"{place}deliverable.csv")
        files = [content for name, content in store.read(place).items() if name.endswith(".csv")]
        rows = [row.partition(b",")[0].decode() for content in files for row in content.splitlines()[1:]]
        assert sorted(rows) == sorted(emails)
        assert len([name for name in store.read(f"{folder}results/") if name.endswith(".csv")]) == 2
        assert store.read(f"{folder}ledger/")
