"""A count or a share, exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.limits import plain_number, read_limit


@pytest.mark.parametrize(
    ("value", "whole", "count"),
    [
        (0, 100, 0),
        (100, 7, 100),
        ("100", 7, 100),
        (" 12 ", 7, 12),
        (0.29, 100, 29),
        ("0.29", 100, 29),
        ("29%", 100, 29),
        ("29 %", 100, 29),
        ("0.5%", 200, 1),
        (1.0, 50, 50),
        (0.0, 50, 0),
        ("1.0", 50, 50),
        (1e-05, 100_000, 1),
        ("1%", 50, Fraction(1, 2)),
    ],
)
def test_a_limit_is_an_exact_count(value: Any, whole: int, count: Fraction) -> None:
    limit = read_limit("max_dropped", value)

    assert limit is not None
    assert limit.count(whole) == count
    assert str(limit) == str(value).strip()


@pytest.mark.parametrize("value", [None, "", " ", "None"])
def test_nothing_is_no_limit(value: Any) -> None:
    assert read_limit("max_dropped", value) is None


@pytest.mark.parametrize(
    "value",
    [-1, "-1", -0.1, 1.1, "101%", "1.5", "x", "%", True, float("nan"), float("inf"), "nan", "1e9", "1/2", [], "9" * 30],
)
def test_what_is_no_limit_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequestError, match="max_dropped is a count, or a share"):
        read_limit("max_dropped", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e6, "1,000,000"), (12345678901.0, "12,345,678,901"), (2.5, "2.5"), (0.25, "0.25"), (0.0, "0"), (100, "100")],
)
def test_numbers_are_written_as_a_person_writes_them(value: float, text: str) -> None:
    assert plain_number(value) == text
