"""Results that are not good enough stop a DAG, with the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.operators.check import EmailVerifyCheckOperator
from airflow_provider_emailverify.results.schema import Finding, Reason, Row, Verdict
from tests.unit.results.conftest import written

VERDICTS = {"deliverable": 60, "undeliverable": 20, "risky": 5, "unknown": 15}
SUMMARY = {"received": 100, "expected": 110, "without_address": 3, "verdicts": VERDICTS, "rows": 100}
FIGURES = {"received": 100, "expected": 110, "missing": 10, "without address": 3, **VERDICTS}


def check(result: Any = SUMMARY, **limits: Any) -> Any:
    return EmailVerifyCheckOperator(task_id="check", result=result, **limits).execute({})


@pytest.mark.parametrize(
    "limits",
    [
        {"max_undeliverable": 20, "max_unknown": 15, "max_missing": 10, "min_rows": 100},
        {"max_undeliverable": 0.2, "max_unknown": 0.15, "max_missing": 0.1, "min_rows": 0.9},
        {"max_undeliverable": "20%", "max_unknown": "0.15", "max_missing": "10", "min_rows": "90 %"},
        {"max_undeliverable": 1.0, "max_unknown": "", "max_missing": None},
        {"max_missing": 0, "expected_rows": 100},
        {"max_missing": 0, "expected_rows": "90"},
    ],
)
def test_results_within_the_limits_pass_with_their_figures(limits: dict[str, Any]) -> None:
    figures = check(**limits)

    expected = int(limits.get("expected_rows", 110))
    assert figures == {**FIGURES, "expected": expected, "missing": max(expected - 100, 0)}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_undeliverable": 19}, r"20 \(20\.0%\) rows are undeliverable, more than max_undeliverable=19"),
        ({"max_undeliverable": 0.19}, r"20 \(20\.0%\) rows are undeliverable, more than max_undeliverable=0\.19"),
        ({"max_undeliverable": 0}, "more than max_undeliverable=0"),
        ({"max_unknown": "14%"}, r"15 \(15\.0%\) rows are unknown, more than max_unknown=14%"),
        ({"max_unknown": 0.0}, r"15 \(15\.0%\) rows are unknown"),
        ({"max_missing": 9}, r"10 \(9\.1%\) rows are missing, more than max_missing=9"),
        ({"max_missing": 0.09}, "more than max_missing=0.09"),
        ({"min_rows": 101}, r"100 rows came, fewer than min_rows=101 \(101\)"),
        ({"min_rows": 0.95}, r"100 rows came, fewer than min_rows=0\.95 \(105\)"),
        ({"max_unknown": 1, "min_rows": 200}, r"unknown, .*; 100 rows came, fewer"),
    ],
)
def test_results_beyond_a_limit_fail_at_once_with_the_figures(limits: dict[str, Any], message: str) -> None:
    figures = (
        r"Figures: received 100, expected 110, missing 10, without address 3, deliverable 60, undeliverable 20, "
        r"risky 5, unknown 15\."
    )
    with pytest.raises(AirflowFailException, match=rf"ResultCheckError: .*{message}.*{figures}"):
        check(**limits)


def test_the_task_can_be_skipped_in_place_of_failing() -> None:
    with pytest.raises(AirflowSkipException, match=r"15 \(15\.0%\) rows are unknown, .*Figures: received 100"):
        check(max_unknown=1, soft_fail=True)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_unknown": 1.5}, "a share from 0.0 to 1.0 or in percent, not 1.5"),
        ({"max_unknown": "150%"}, "not '150%'"),
        ({"max_unknown": "few"}, "not 'few'"),
        ({"max_unknown": True}, "not True"),
        ({"max_unknown": -1}, "not -1"),
        ({"max_unknown": [1]}, r"not \[1\]"),
        ({"max_unknown": float("nan")}, "not nan"),
        ({"expected_rows": "many", "min_rows": 1}, "expected_rows is a number of rows, not 'many'"),
    ],
)
@pytest.mark.parametrize("soft_fail", [True, False])
def test_a_limit_that_makes_no_sense_fails(limits: dict[str, Any], message: str, soft_fail: bool) -> None:
    with pytest.raises(AirflowFailException, match=message):
        check(**limits, soft_fail=soft_fail)


@pytest.mark.parametrize("limit", [{"max_missing": 0}, {"max_missing": 0.1}, {"min_rows": 0.9}])
def test_a_limit_that_needs_the_expected_rows_does_not_pass_without_them(limit: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="set expected_rows"):
        check({**SUMMARY, "expected": None}, **limit)


@pytest.mark.parametrize("result", [None, {}, 7, [], {"rows": 3, "media_type": "text/csv"}])
def test_what_is_no_result_fails(result: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"neither the summary .* nor their path"):
        check(result, min_rows=1)


@pytest.mark.parametrize(
    ("undeliverable", "limit", "is_within"),
    [
        (29, 0.29, True),  # as a binary fraction 0.29 is less than 29 of 100
        (29, "0.29", True),
        (29, "29%", True),
        (30, 0.29, False),
        (57, 0.57, True),
        (58, "57.9 %", False),
        (0, 0.0, True),
        (100, 1.0, True),
    ],
)
def test_a_share_is_compared_exactly(undeliverable: int, limit: Any, is_within: bool) -> None:
    verdicts = {**dict.fromkeys(VERDICTS, 0), "undeliverable": undeliverable, "deliverable": 100 - undeliverable}
    summary = {**SUMMARY, "expected": 100, "verdicts": verdicts}

    if is_within:
        assert check(summary, max_undeliverable=limit)
    else:
        with pytest.raises(AirflowFailException, match="undeliverable, more than"):
            check(summary, max_undeliverable=limit)


NOTHING = {"received": 0, "expected": None, "without_address": 0, "verdicts": dict.fromkeys(VERDICTS, 0), "rows": 0}


@pytest.mark.parametrize("expected", [{"expected": 7}, {"expected": None}])
@pytest.mark.parametrize("limits", [{"max_undeliverable": 0.3}, {"max_unknown": 5}])
def test_no_rows_at_all_are_not_good_enough(expected: dict[str, Any], limits: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="no rows came"):
        check({**NOTHING, **expected}, **limits)


@pytest.mark.parametrize("said", [{"result": {**NOTHING, "expected": 0}}, {"result": NOTHING, "expected_rows": 0}])
def test_a_list_that_had_no_addresses_is_good_enough(said: dict[str, Any]) -> None:
    assert check(**said, max_undeliverable=0.3, max_missing=0)["received"] == 0


@pytest.mark.parametrize("limits", [{}, {"max_unknown": None, "min_rows": ""}])
@pytest.mark.parametrize("soft_fail", [True, False])
def test_no_limit_at_all_is_an_error(limits: dict[str, Any], soft_fail: bool) -> None:
    with pytest.raises(AirflowFailException, match="No limit is set"):
        check(**limits, soft_fail=soft_fail)


ROWS: list[Row] = [
    (None if number == 0 else f"user{number}@example.com", Finding(verdict=verdict, reason=Reason.OTHER))
    for number, verdict in enumerate([Verdict.DELIVERABLE] * 3 + [Verdict.UNKNOWN] * 2)
]
COUNTS = {"deliverable": 3, "undeliverable": 0, "risky": 0, "unknown": 2}


@pytest.mark.parametrize("result_format", ["csv", "jsonl", "parquet"])
def test_the_rows_of_a_path_are_counted(tmp_path: Path, result_format: str) -> None:
    path = tmp_path / f"b.{result_format}"
    path.write_bytes(written(ROWS, result_format, tmp_path))

    assert check(f"file://{path}", min_rows=1) == {
        "received": 5,
        "expected": None,
        "missing": None,
        "without address": 1,
        **COUNTS,
    }
    with pytest.raises(AirflowFailException, match=r"2 \(40\.0%\) rows are unknown"):
        check(f"file://{path}", max_unknown=0.3)


def test_the_rows_of_several_paths_are_counted_together(tmp_path: Path) -> None:
    paths = {}
    for name, rows in (("deliverable", ROWS[:3]), ("unknown", ROWS[3:])):
        path = tmp_path / f"{name}.csv"
        path.write_bytes(written(rows, "csv", tmp_path))
        paths[name] = f"file://{path}"

    assert check(paths, min_rows=1)["received"] == 5


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", b"email,status\nsupport@proofy.io,valid\n"),
        ("b.csv", b"email,verdict\nsupport@proofy.io,great\n"),
        ("b.csv", b"\xff\xfe"),
        ("b.jsonl", b'{"email": "support@proofy.io"}\n'),
        ("b.jsonl", b'{"email": "support@proofy.io", \n'),
        ("b.jsonl", b"[1]\n"),
        ("b.jsonl", b'{"email": "support@proofy.io", "verdict": ["risky"]}\n'),
        ("b.jsonl", b"[" * 100_000),
        ("b.csv", b'email,verdict\n"support@proofy.io,risky\n'),
        ("b.csv", b"email,verdict\nsupport@proofy.io\n"),
        ("b.csv", b""),
        ("b.parquet", b"PAR1"),
    ],
)
def test_a_file_of_something_else_fails_without_its_content(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(AirflowFailException, match="holds no rows of the schema") as caught:
        check(f"file://{tmp_path}/{name}", min_rows=1)
    assert "proofy.io" not in str(caught.value)


def test_a_missing_file_can_be_retried_and_another_kind_cannot(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"Cannot open file://.*b\.csv: FileNotFoundError"):
        check(f"file://{tmp_path}/b.csv", min_rows=1)
    with pytest.raises(AirflowFailException, match=r"ends in \.csv, \.jsonl or \.parquet"):
        check(f"file://{tmp_path}/b.json", min_rows=1)


def test_the_arguments_are_kept_as_they_are_given() -> None:
    given = dict.fromkeys(EmailVerifyCheckOperator.template_fields, "{{ x }}")

    made = EmailVerifyCheckOperator(task_id="check", soft_fail=True, **given)

    assert {name: getattr(made, name) for name in given} == given
    assert made.soft_fail


MERGED = {"rows": 12, "no_address": 2, "missing": 3, "verdicts": {**dict.fromkeys(VERDICTS, 0), "deliverable": 6}}


@pytest.mark.parametrize(
    ("unknown", "limits", "message"),
    [
        (4, {"max_unknown": 0.4, "max_missing": 0.3, "min_rows": 0.7}, None),
        (4, {"max_unknown": 0.39}, r"4 \(40\.0%\) rows are unknown"),
        (4, {"max_missing": "29%"}, r"3 \(30\.0%\) rows are missing"),
        (4, {"min_rows": 8}, "7 rows came, fewer than min_rows=8"),
    ],
)
def test_a_merged_list_is_checked_as_a_whole(unknown: int, limits: dict[str, Any], message: str | None) -> None:
    merged = {**MERGED, "verdicts": {**MERGED["verdicts"], "unknown": unknown}}  # type: ignore[dict-item]
    if message:
        with pytest.raises(AirflowFailException, match=message):
            check(merged, **limits)
        return
    figures = check(merged, **limits)
    assert (figures["received"], figures["expected"], figures["missing"], figures["without address"]) == (7, 10, 3, 2)


def test_a_merged_list_of_which_no_row_got_an_answer_is_not_good_enough() -> None:
    merged = {**MERGED, "missing": 10, "verdicts": {**dict.fromkeys(VERDICTS, 0), "unknown": 10}}

    with pytest.raises(AirflowFailException, match="no rows came, where 10 were expected"):
        check(merged, max_undeliverable=0.5)


def test_a_merged_list_without_rows_is_good_enough() -> None:
    assert check({**MERGED, "rows": 0, "missing": 0, "verdicts": dict.fromkeys(VERDICTS, 0)}, max_unknown=0)
