"""Rows of JSON that hold objects: their members are columns."""

from __future__ import annotations

import io
import json
from typing import Any

from airflow_provider_emailverify.results.layout import JSON_TYPE, Layout, Maps, ResultReader, VendorFile
from airflow_provider_emailverify.results.schema import Reason, Row, Verdict

LAYOUT = Layout(
    columns={"email": ("email",), "verdict": ("status",), "catch_all": ("domainacceptall",), "role": ("accountrole",)},
    words={"risky": (Verdict.RISKY, None)},
    is_nested=True,
)


def rows(*elements: Any) -> list[Row]:
    content = io.BytesIO(json.dumps(elements).encode())
    file = VendorFile(batch_id="b", about="b", content=content, media_type=JSON_TYPE)
    return list(ResultReader(LAYOUT, file, str, lambda *_: None).rows(Maps()))


def test_members_of_objects_are_columns() -> None:
    row = {"email": "a@example.com", "status": "risky", "domain": {"acceptAll": "yes"}, "account": {"role": "no"}}

    [(email, finding)] = rows(row)

    assert (email, finding.reason, finding.catch_all, finding.role) == ("a@example.com", Reason.CATCH_ALL, True, False)


def test_rows_may_lack_an_object_or_have_something_else_in_its_place() -> None:
    first = {"email": "a@example.com", "status": "risky", "domain": {}, "account": {"role": "yes"}}

    found = rows(
        first,
        {"email": "b@example.com", "status": "risky"},
        {"email": "c@example.com", "status": "risky", "domain": None, "account": ["role"]},
        {"email": "d@example.com", "status": "risky", "domain": {"acceptAll": {"deep": 1}}},
    )

    assert [email for email, _ in found] == ["a@example.com", "b@example.com", "c@example.com", "d@example.com"]
    assert [finding.reason for _, finding in found] == [Reason.ROLE, Reason.OTHER, Reason.OTHER, Reason.OTHER]
