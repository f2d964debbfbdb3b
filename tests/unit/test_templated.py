"""Wherever arguments are listed it is said which of them may be templates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.operators.check import EmailVerifyCheckOperator
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.estimate import EmailVerifyEstimateOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.task_groups import verify_emails

OPERATORS: list[type[Any]] = [
    EmailVerifySubmitOperator,
    EmailVerifyEstimateOperator,
    EmailVerifyBatchSensor,
    EmailVerifyDownloadOperator,
    EmailVerifyMergeOperator,
    EmailVerifyCheckOperator,
]
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "operators.md").read_text()
#: What the group hands to operators under another name.
RENAMED = {"results": "destination"}


def params(docstring: str | None) -> dict[str, bool]:
    """Return the parameters that a docstring tells of, and whether it calls them templated."""
    found = re.findall(r"(?s):param (\w+): (.*?)(?=\n\s*:(?:param|raises|return)|\Z)", docstring or "")
    return {name: "(templated)" in text for name, text in found}


def told(operator: type[Any]) -> dict[str, bool]:
    """Return the same for a class and those that it derives from."""
    found: dict[str, bool] = {}
    for each in reversed(operator.__mro__):
        if each.__module__.startswith("airflow_provider_emailverify."):
            found |= params(each.__doc__)
    return found


def row(name: str) -> set[str]:
    """Return the arguments that the page calls templated."""
    found = re.search(rf"(?m)^\| `{name}` \| (.*) \|$", PAGE.partition("\n## Templates\n")[2])
    assert found, f"{name} has no row"
    return set(re.findall(r"`(\w+)`", found[1]))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_docstring_marks_the_templated_arguments_and_no_other(operator: type[Any]) -> None:
    said = {name for name, is_templated in told(operator).items() if is_templated}

    assert said == set(operator.template_fields)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_page_on_operators_names_the_templated_arguments(operator: type[Any]) -> None:
    assert row(operator.__name__) == set(operator.template_fields)


def test_the_group_marks_what_its_operators_take_as_templates() -> None:
    said = params(verify_emails.__doc__)
    fields = {name for operator in OPERATORS for name in operator.template_fields}

    marked = {name for name, is_templated in said.items() if is_templated}
    assert marked == {name for name in said if RENAMED.get(name, name) in fields}
    assert row("verify_emails") == marked | {"submit", "wait", "download", "merge"}
