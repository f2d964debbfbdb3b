"""Errors survive the way from a trigger to a task, and can be named in a retry policy."""

from __future__ import annotations

import inspect
import pickle

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
