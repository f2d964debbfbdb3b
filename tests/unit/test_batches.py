"""Identifiers of batches, which may hold anything."""

from __future__ import annotations

from airflow_provider_emailverify.batches import quote_batch_id


def test_a_quoted_batch_id_is_a_name_in_its_folder() -> None:
    assert quote_batch_id("../x y") == "..%2Fx%20y"
    assert quote_batch_id("..") == "%2E%2E"
