"""What an error means for an Airflow task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import EmailVerifyError


def as_task_error(error: EmailVerifyError) -> Exception:
    """
    Return what to raise in a task for an error: one that fails it without retries, if they could not cure it.

    :param error: what went wrong.
    """
    return AirflowFailException(f"{type(error).__name__}: {error}") if error.permanent else error


@contextmanager
def fail_fast_when_permanent() -> Iterator[None]:
    """
    Fail the task at once on an error that a retry cannot cure.

    :raises AirflowFailException: in place of an error that is ``permanent``.
    """
    try:
        yield
    except EmailVerifyError as error:
        if not error.permanent:
            raise
        raise as_task_error(error) from error
