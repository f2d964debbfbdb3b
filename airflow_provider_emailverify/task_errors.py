"""Turn an error into what it means for an Airflow task."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify import exceptions
from airflow_provider_emailverify.exceptions import EmailVerifyError, TransientError

log = logging.getLogger(__name__)


def as_task_error(error: EmailVerifyError) -> Exception:
    """
    Return what to raise in a task for an error: one that fails it without retries, if they could not cure it.

    :param error: what went wrong.
    """
    return AirflowFailException(f"{type(error).__name__}: {error}") if error.permanent else error


def error_in(event: Any) -> EmailVerifyError | None:
    """
    Return the error that a trigger's event tells of; None if it tells of none.

    :param event: the event.
    """
    match event:
        case {"error": {"type": str(name), "message": str(message)} as told}:
            kind = getattr(exceptions, name, None)
            if isinstance(kind, type) and issubclass(kind, EmailVerifyError):
                return kind(message).with_steps(*map(str, told.get("steps", ())))
    return None


def log_steps(error: EmailVerifyError) -> None:
    """
    Log what a person has to know and to do, a short line each, because Airflow's log page cuts long ones.

    :param error: what went wrong. One that only has to be tried again says nothing.
    """
    if error.steps or error.advice or not isinstance(error, TransientError):
        for line in error.lines:
            log.error(line)


@contextmanager
def fail_fast_when_permanent() -> Iterator[None]:
    """
    Fail the task at once on an error that a retry cannot cure. Log what there is to do about any error.

    :raises AirflowFailException: in place of an error that is ``permanent``.
    """
    try:
        yield
    except EmailVerifyError as error:
        log_steps(error)
        if not error.permanent:
            raise
        raise as_task_error(error) from error
