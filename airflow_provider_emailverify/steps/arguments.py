"""Read arguments that users write in several ways."""

from __future__ import annotations

import contextlib
import math
from datetime import timedelta
from typing import Any

from airflow_provider_emailverify.batches import parse_list
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


def read_word(value: Any) -> Any:
    """
    Return an argument; None if a template made an empty text or the word None of it.

    :param value: the argument.
    """
    return None if value in ("", "None") else value


def read_texts(name: str, value: Any) -> Any:
    """
    Return an argument that is a text or a list of texts; the list, if a template made a text of it.

    :param name: the argument, for the message.
    :param value: the argument.
    :raises InvalidRequestError: it looks like the text of a list, and cannot be read as one.
    """
    if isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        return parse_list(name, value.strip())
    return value


def read_whole_number(name: str, value: Any, *, least: int) -> int | None:
    """
    Return a whole number, which a template may have made a text; None if none is given.

    :param name: the argument, for the message.
    :param value: the argument.
    :param least: the least that makes sense.
    :raises InvalidRequestError: it is something else, or less.
    """
    if value is None or str(value).strip() in ("", "None"):
        return None
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if number < least:
        raise InvalidRequestError(f"{name} must be a whole number of at least {least}, got {value!r}.")
    return number
