"""A list on the worker's disk: counted, digested, cut into batches, and gone afterwards."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError
from airflow_provider_emailverify.lists.cleaning import AddressList
from tests.unit.lists.test_addresses import AWKWARD

BLOCKS = [["a@example.com", " b@example.com", "none"], ["B@example.com", "b@EXAMPLE.com", ""], ["c@example.com"]]


def test_it_counts_what_was_read_kept_and_dropped() -> None:
    with AddressList(BLOCKS) as emails:
        assert (emails.read, emails.unique, emails.dropped) == (7, 4, 2)


def test_it_hands_out_batches_in_the_order_of_the_file_as_often_as_need_be() -> None:
    with AddressList(BLOCKS) as emails:
        for _ in range(2):
            assert list(emails.batches(3)) == [["a@example.com", "b@example.com", "B@example.com"], ["c@example.com"]]


def test_awkward_addresses_come_out_as_they_went_in() -> None:
    with AddressList([AWKWARD]) as emails:
        assert [email for batch in emails.batches(7) for email in batch] == AWKWARD


def test_the_digest_tells_other_addresses_and_another_order() -> None:
    def digest(*addresses: str) -> str:
        with AddressList([list(addresses)]) as emails:
            return emails.sha256

    same = digest("a@example.com", "b@example.com")
    assert digest("a@example.com ", "none", "b@example.com", "a@EXAMPLE.com") == same
    assert digest("b@example.com", "a@example.com") != same
    assert digest("a@example.com", "c@example.com") != same


def test_a_list_that_is_too_long_is_refused_without_reading_on() -> None:
    def endless() -> Iterator[list[str]]:
        number = 0
        while True:
            yield [f"user{number}@example.com"]
            number += 1

    with pytest.raises(InvalidRequestError, match="more than 1,000 addresses, which is max_emails"):
        AddressList(endless(), max_emails=1000)


def test_a_list_of_exactly_max_emails_is_taken() -> None:
    with AddressList(BLOCKS, max_emails=4) as emails:
        assert emails.unique == 4


def test_nothing_of_it_can_be_found_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with AddressList(BLOCKS):
        assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_said_to_be() -> None:
    emails = AddressList([])
    with Path("/dev/full").open("w") as full:
        os.dup2(full.fileno(), emails._file.fileno())

    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"):
        emails._fill([[f"user{number}@example.com" for number in range(10_000)]], None)


def test_memory_does_not_grow_with_the_file_beyond_what_tells_duplicates() -> None:
    def blocks() -> Iterator[list[str]]:
        for start in range(0, 65_536, 1024):
            yield [f"{'x' * 100}{number}@example.com" for number in range(start, start + 1024)]

    tracemalloc.start()
    try:
        with AddressList(blocks()) as emails:
            for _ in emails.batches(1000):
                pass
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * emails.unique  # the addresses alone would be more than twice as much
