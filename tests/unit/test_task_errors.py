"""What an error leaves in the log of a task."""

from __future__ import annotations

import logging

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    ConnectionConfigError,
    EmailVerifyError,
    IncompleteResponseError,
    StorageError,
)
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent


def logged(error: EmailVerifyError, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what is logged about an error."""
    with pytest.raises((EmailVerifyError, AirflowFailException)), fail_fast_when_permanent():
        raise error
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


@pytest.mark.parametrize("kind", [ConnectionConfigError, StorageError, AuthenticationError])
def test_what_asks_something_of_a_person_is_logged_in_short_lines(
    kind: type[EmailVerifyError], caplog: pytest.LogCaptureFixture
) -> None:
    assert logged(kind("It is wrong. Mend it."), caplog) == ["It is wrong.", "Mend it."]


def test_what_only_has_to_be_tried_again_is_not(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(IncompleteResponseError("The body was cut."), caplog) == []


@pytest.mark.parametrize(
    ("kind", "raised"), [(AuthenticationError, AirflowFailException), (StorageError, StorageError)]
)
def test_only_what_a_retry_cannot_cure_fails_at_once(kind: type[EmailVerifyError], raised: type[Exception]) -> None:
    with pytest.raises(raised), fail_fast_when_permanent():
        raise kind("It is wrong.")
