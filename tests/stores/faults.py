"""What a store shows after any of its requests failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import pytest

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.storage.listing import list_files
from airflow_provider_emailverify.storage.publishing import MARKER
from tests.stores.contract import NEW, OLD, ROW, OnStore, land, put, text_of
from tests.stores.proxy import CUT, Fault, Request
from tests.stores.server import ObjectStore

#: A file of several parts, with addresses in each.
LARGE = ROW % b"new" * 550_000


def at(number: int, fault: Fault, *, ever_after: bool = False) -> Callable[[Request], Fault]:
    """
    Return what lets one request fail.

    :param number: how many go well before.
    :param fault: what becomes of it.
    :param ever_after: let those that follow and change something fail too.
    """
    seen = 0

    def happens(request: Request) -> Fault:
        nonlocal seen
        if ever_after and not request.changes:
            return None
        seen += 1
        return fault if seen == number + 1 or (ever_after and seen > number) else None

    return happens


def requests_of(store: ObjectStore, work: Callable[[], object]) -> list[Request]:
    """Return the requests that something takes when nothing fails."""
    assert store.proxy
    store.proxy.requests.clear()
    work()
    return store.proxy.requests.copy()


def shown(store: ObjectStore, folder: str) -> dict[str, bytes]:
    """Return what a reader sees in a folder, who passes over what is hidden."""
    return {name: body for name, body in store.read(folder).items() if not name.startswith(".")}


class StoreFaults(OnStore):
    """Each request fails in turn: writing, parts and completion, copying, deleting, looking, listing and reading."""

    def test_an_error_at_any_step_leaves_the_old_set_or_the_new_one(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        land(store.uri(f"{folder}counted/"), OLD)
        count = len(requests_of(store, lambda: land(store.uri(f"{folder}counted/"), NEW)))
        whole = shown(store, f"{folder}counted/")
        ends = set()
        for number in range(count):
            place = f"{folder}{number}/"
            land(store.uri(place), OLD)
            before = shown(store, place)
            store.proxy.fault = at(number, store.refusal)
            try:
                land(store.uri(place), NEW)
            except StorageError:
                ends.add("old")
                expected = before
            else:
                ends.add("new")
                expected = whole
            store.proxy.heal()
            assert shown(store, place) == expected, f"after the error of request {number + 1} of {count}"
            land(store.uri(place), NEW)
            assert store.read(place) == whole  # and nothing that is hidden
        assert "old" in ends

    def test_a_storage_that_stays_away_leaves_whole_files_and_no_false_marker(
        self, store: ObjectStore, folder: str
    ) -> None:
        assert store.proxy
        land(store.uri(f"{folder}counted/"), OLD)
        requests = requests_of(store, lambda: land(store.uri(f"{folder}counted/"), NEW))
        for number in range(sum(request.changes for request in requests)):
            place = f"{folder}{number}/"
            land(store.uri(place), OLD)
            store.proxy.fault = at(number, store.refusal, ever_after=True)
            with suppress(StorageError):
                land(store.uri(place), NEW)
            store.proxy.heal()
            found = shown(store, place)
            marker = json.loads(found.pop(MARKER, b"null"))
            for name, body in found.items():
                assert body in (OLD.get(name), NEW.get(name))
            if marker:
                told = {file["name"]: file["bytes"] for file in marker["published"]}
                assert told == {name: len(body) for name, body in found.items()}
            land(store.uri(place), NEW)
            assert shown(store, place) == {**NEW, MARKER: store.read(place)[MARKER]}

    @pytest.mark.parametrize("fault", ["refused", CUT])
    def test_an_error_at_any_part_of_a_file_leaves_the_old_one_or_the_new_one(
        self, store: ObjectStore, folder: str, fault: str
    ) -> None:
        assert store.proxy
        uri = store.uri(f"{folder}x.csv", extra={"config_kwargs": {"retries": {"max_attempts": 0}}})
        count = len(requests_of(store, lambda: put(uri, LARGE)))
        ends = set()
        for number in range(count):
            put(uri, ROW % b"old")
            store.proxy.fault = at(number, CUT if fault == CUT else store.refusal)
            texts = []
            try:
                put(uri, LARGE)
            except StorageError as error:
                texts.append(text_of(error, store))
            store.proxy.heal()
            assert all("What is there is whole" in text for text in texts)
            ends.add("old" if texts else "new")
            found = store.read(folder)["x.csv"]
            assert found in (ROW % b"old", LARGE), f"after the error of request {number + 1} of {count}"
            assert store.unfinished(folder) == 0
        assert "old" in ends or fault == CUT  # which libraries try again

    def test_an_error_at_any_step_of_reading_is_told(self, store: ObjectStore, folder: str) -> None:
        """A list that is read in part is never taken for a whole one."""
        assert store.proxy
        store.put(f"{folder}x.csv", b"email\n" + b"someone@example.com\n" * 300_000)

        def read() -> int:
            (file,) = list_files(store.uri(folder), lambda _: True)
            return sum(len(block) for block in read_column(file.uri, "email"))

        count = len(requests_of(store, read))
        assert count >= 3  # the listing, and the list's two pieces at least
        for number in range(count):
            store.proxy.fault = at(number, store.refusal)
            try:
                assert read() == 300_000
            except StorageError as error:
                text_of(error, store)
            store.proxy.heal()
