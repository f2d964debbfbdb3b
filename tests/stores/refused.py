"""What a person is told when a store refuses, or is away."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.storage.listing import list_files
from tests.stores.contract import NEW, OnStore, land, put, refused
from tests.stores.faults import at
from tests.stores.proxy import CUT, LOST
from tests.stores.server import ObjectStore


class StoreRefusals(OnStore):
    """A store that refuses, or is away, is named with what to do, and shows what it showed."""

    @pytest.mark.parametrize("size", [10, 13 * 1024 * 1024], ids=["one request", "several parts"])
    def test_a_connection_that_is_cut_leaves_the_old_file(self, store: ObjectStore, folder: str, size: int) -> None:
        uri = store.uri(f"{folder}x.csv", extra={"config_kwargs": {"retries": {"max_attempts": 0}}})
        put(uri, b"old")
        store.proxy.fault = lambda request: CUT if request.changes else None

        text = refused(lambda: put(uri, bytes(size)), store)

        assert store.read(folder) == {"x.csv": b"old"}
        assert "try again later" in text

    def test_an_answer_that_gets_lost_is_asked_for_again(self, store: ObjectStore, folder: str) -> None:
        uri = store.uri(f"{folder}x.csv")
        put(uri, b"old")
        store.proxy.fault = at(0, LOST)

        put(uri, b"new")

        assert store.read(folder) == {"x.csv": b"new"}

    def test_a_bucket_that_is_not_there_is_named(self, store: ObjectStore) -> None:
        uri = store.uri("x.csv", bucket="missing")
        place = store.uri("folder/", bucket="missing")

        asked = [
            partial(put, uri, b""),
            partial(land, place, NEW),
            lambda: list(read_column(uri, "email")),
            lambda: list_files(uri, lambda _: True),
            lambda: list_files(place, lambda _: True),
        ]
        for ask in asked:
            assert "'missing' exists" in refused(ask, store)

    def test_what_is_forbidden_is_told_with_the_connection(self, store: ObjectStore, folder: str) -> None:
        uri = store.uri(f"{folder}x.csv")
        put(uri, b"old")
        store.proxy.fault = lambda request: store.refusal if request.changes else None

        assert "Check the credentials of the Airflow connection" in refused(lambda: put(uri, b"new"), store)
        store.proxy.heal()
        assert store.read(folder) == {"x.csv": b"old"}


class WrongCredentials(OnStore):
    """A store that looks at credentials."""

    def test_wrong_credentials_are_told_with_the_connection(self, store: ObjectStore, folder: str) -> None:
        assert store.wrong
        uri = store.uri(f"{folder}x.csv")
        put(uri, b"old")
        wrong = store.uri(f"{folder}x.csv", **store.wrong)
        conn_id = wrong.partition("://")[2].partition("@")[0]

        asked = [
            lambda: put(wrong, b"new"),
            lambda: land(wrong.removesuffix("x.csv"), NEW),
            lambda: list(read_column(wrong, "email")),
            lambda: list_files(wrong, lambda _: True),
            lambda: list_files(wrong.removesuffix("x.csv"), lambda _: True),
        ]
        for ask in asked:
            assert f"Check the credentials of the Airflow connection '{conn_id}'" in refused(ask, store)
        assert store.read(folder) == {"x.csv": b"old"}
