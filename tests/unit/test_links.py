"""Where a task's link leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from airflow_provider_emailverify.links import EmailVerifyBatchLink
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor

LINK = EmailVerifyBatchLink()


def sensor(conn_id: str, batch_id: Any = "b") -> EmailVerifyBatchSensor:
    return EmailVerifyBatchSensor(task_id="wait", conn_id=conn_id, batch_id=batch_id)


@pytest.mark.parametrize("vendor", ["proofy", "cliova"])
def test_it_leads_nowhere_where_the_vendor_has_no_page_for_people(connect: Callable[..., str], vendor: str) -> None:
    conn_id = connect(vendor, "")

    assert LINK.get_link(sensor(conn_id), ti_key=None) == ""


def test_it_leads_to_the_batch_where_the_vendor_has_a_page_for_it(
    connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProofyHook, "batch_page", "https://app.vendor.example/batches/{id}")
    conn_id = connect("proofy", "")

    assert LINK.get_link(sensor(conn_id, "../a b"), ti_key=None) == "https://app.vendor.example/batches/..%2Fa%20b"


@pytest.mark.parametrize(("batch_id", "end"), [(["a", "b"], None), ("['a', 'b']", None), ([], None), (["a"], "/a")])
def test_several_batches_have_no_page_in_common(
    connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch, batch_id: Any, end: str | None
) -> None:
    conn_id = connect("proofy", "")
    monkeypatch.setattr(ProofyHook, "batch_page", "https://app.vendor.example/batches/{id}")

    expected = f"https://app.vendor.example/batches{end}" if end else ""
    assert LINK.get_link(sensor(conn_id, batch_id), ti_key=None) == expected


@pytest.mark.parametrize("conn_id", ["nowhere", "{{ params.conn }}"])
def test_without_a_connection_there_is_none(conn_id: str) -> None:
    assert LINK.get_link(sensor(conn_id), ti_key=None) == ""


@pytest.mark.parametrize("operator", [EmailVerifyBatchSensor, EmailVerifyDownloadOperator])
def test_operators_show_it_and_airflow_knows_of_it(operator: type) -> None:
    (link,) = operator.operator_extra_links

    assert isinstance(link, EmailVerifyBatchLink)
    assert f"{type(link).__module__}.{type(link).__name__}" in get_provider_info()["extra-links"]
