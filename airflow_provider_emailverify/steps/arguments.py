"""Read arguments that users write in several ways."""

from __future__ import annotations

import contextlib
import math
from datetime import timedelta
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidRequestError


def read_seconds(name: str, value: Any) -> float:
    """
    Return a length of time in seconds.

    :param name: the argument, for the message.
    :param value: a number, also as text, or a timedelta.
    :raises InvalidRequestError: it is something else, negative, or endless.
    """
    seconds = math.nan
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            seconds = float(value)
    if not 0 <= seconds < math.inf:
        raise InvalidRequestError(f"{name} must be seconds, as a number or a timedelta, got {value!r}.")
    return seconds


def read_optional_seconds(name: str, value: Any) -> float | None:
    """
    Return a length of time in seconds; None for no limit.

    :param name: the argument, for the message.
    :param value: a number, also as text, a timedelta, or None.
    :raises InvalidRequestError: it is something else, negative, or endless.
    """
    if value is None or (isinstance(value, str) and value.strip() == "None"):  # what a template makes of None
        return None
    return read_seconds(name, value)
