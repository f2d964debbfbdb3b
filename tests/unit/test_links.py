"""Where a task's link leads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from airflow_provider_emailverify.links import (
    EmailVerifyBatchLink,
    EmailVerifyReportLink,
    check_public_url,
    page_url,
)
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
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


# --- the report ---

HOSTILE = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "//reports.example.com/",
    "s3://bucket/verified/",
    "reports.example.com/",
    "https://",
    "https:///verified/",
    "https://reports.example.com:port/",
    "https://[::1/",
    "https://ada:secret@reports.example.com/",
    "https://ada@reports.example.com/",
    "https://bucket.example.com/page.html?X-Amz-Signature=secret",
    "https://bucket.example.com/page.html?",
    "https://reports.example.com/#secret",
    "https://reports.example.com/a b/",
    "https://reports.example.com/\n",
    "https://reports.example.com\\@evil.example/",
    "https://reports.example.com/ü/",
    'https://reports.example.com/"onload=',
    "",
    None,
    7,
]


@pytest.mark.parametrize("url", ["https://reports.example.com/verified/", "http://127.0.0.1:8080/%C3%BC/page.html"])
def test_a_plain_url_may_be_shown(url: str) -> None:
    assert check_public_url(url) == url


@pytest.mark.parametrize("url", HOSTILE)
def test_what_is_no_plain_url_is_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        check_public_url(url)

    assert "secret" not in str(refused.value)
    assert "report_url" in str(refused.value)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://x.example/v/", "https://x.example/v/l%20%23%3F%22.report.html"),
        ("https://x.example/page", "https://x.example/page"),
    ],
)
def test_a_folder_gets_the_name_of_the_page(url: str, found: str) -> None:
    assert page_url(url, 's3://my_aws@bucket/out/l #?".report.html') == found


@pytest.mark.parametrize("kept", [*({"report_url": url} for url in HOSTILE), {}, None, "text", []])
def test_a_link_that_somebody_else_has_written_is_not_shown(monkeypatch: pytest.MonkeyPatch, kept: Any) -> None:
    monkeypatch.setattr("airflow_provider_emailverify.links.XCom.get_value", lambda **_: kept)
    task = EmailVerifyMergeOperator(
        task_id="merge", source="a.csv", results=[], destination="x/", report_url="https://x.example/"
    )

    assert EmailVerifyReportLink().get_link(task, ti_key=None) == ""


def test_the_merge_shows_its_report_and_airflow_knows_of_it() -> None:
    (link,) = EmailVerifyMergeOperator.operator_extra_links

    assert isinstance(link, EmailVerifyReportLink)
    assert f"{type(link).__module__}.{type(link).__name__}" in get_provider_info()["extra-links"]
