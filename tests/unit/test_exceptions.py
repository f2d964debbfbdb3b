"""Errors survive the way from a trigger to a task, and can be named in a retry policy."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest
from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_emailverify import exceptions
from airflow_provider_emailverify.exceptions import EmailVerifyError, TransientError

ALL = [value for value in vars(exceptions).values() if inspect.isclass(value) and issubclass(value, EmailVerifyError)]


@pytest.mark.parametrize("error", ALL)
def test_every_error_can_be_made_from_its_message(error: type[EmailVerifyError]) -> None:
    assert str(error("what happened")) == "what happened"
    assert str(pickle.loads(pickle.dumps(error("what happened")))) == "what happened"


@pytest.mark.parametrize("error", ALL)
def test_no_error_is_an_airflow_exception(error: type[EmailVerifyError]) -> None:
    assert not issubclass(error, AirflowException)


def test_what_is_transient_is_not_permanent() -> None:
    assert not [error for error in ALL if issubclass(error, TransientError) and error.permanent]


def test_the_tree_at_the_top_of_the_module_is_the_tree_of_the_classes() -> None:
    """Name, parent by indentation, and a star where trying again cannot help."""
    parents: list[str] = []
    drawn = {}
    for line in exceptions.__doc__.splitlines():
        if match := re.match(r"( {4}[│ ]*(?:[├└]── )?)(\w+)( +\*)?(  |$)", line):
            depth = (len(match[1]) - 4) // 4
            parents[depth:] = [match[2]]
            drawn[match[2]] = (parents[depth - 1] if depth else "Exception", bool(match[3]))

    assert drawn == {error.__name__: (error.__bases__[0].__name__, error.permanent) for error in ALL}


# --- lines, as they stand in Airflow's log page ---

LONG = "s3://my_aws@some-bucket/lists/of/the/marketing/department/2026-11-26.csv"


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        (
            "Connection 'x': its Password is empty; put the key there.",
            ["Connection 'x': its Password is empty; put the key there."],
        ),
        (
            f"Source '{LONG}': it has no column 'Mail'. Set email_column.",
            ["It has no column 'Mail'.", f"(Source '{LONG}')", "Set email_column."],
        ),
        (
            f"Cannot list {LONG}: FileNotFoundError. Check the path.",
            [f"Cannot list {LONG}:", "FileNotFoundError.", "Check the path."],
        ),
        ("", []),
    ],
)
def test_a_long_message_is_broken_and_its_reason_stands_first(message: str, lines: list[str]) -> None:
    assert list(EmailVerifyError(message).lines) == lines


def test_a_long_step_goes_on_below_its_text() -> None:
    error = EmailVerifyError("x").with_steps(
        f"1. Look at {'this and ' * 12}that.", "   an-indented-name", "2. Clear the task."
    )

    assert error.lines == (
        "1. Look at this and this and this and this and this and this and this and this and this",
        "   and this and this and this and that.",
        "   an-indented-name",
        "2. Clear the task.",
    )
