"""Identifiers of batches, which may hold anything."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emailverify.batches import quote_batch_id, read_batch_id
from airflow_provider_emailverify.exceptions import InvalidRequestError


def test_a_quoted_batch_id_is_a_name_in_its_folder() -> None:
    assert quote_batch_id("../x y") == "..%2Fx%20y"
    assert quote_batch_id("..") == "%2E%2E"


def test_a_number_is_its_digits() -> None:
    assert read_batch_id(4711) == quote_batch_id(4711) == "4711"


@pytest.mark.parametrize("value", [None, True, 1.0, b"b", ["b"], "", " \t", "\udcff"])
def test_what_is_no_id_is_refused_with_words(value: Any) -> None:
    for read in (read_batch_id, quote_batch_id):
        with pytest.raises(InvalidRequestError, match=r"^batch_id .* Check the task that returns it\.$"):
            read(value)
