"""Limits that a user gives as a count or as a share, and exact arithmetic for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidRequestError

_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(\s*%)?")


@dataclass(frozen=True, slots=True)
class Limit:
    """
    A limit: a count, or a share of a whole that is known later.

    :param value: the count, or the share as a fraction.
    :param is_share: which of them it is.
    :param text: the limit as the user wrote it.
    """

    value: Fraction
    is_share: bool
    text: str

    def count(self, whole: int) -> Fraction:
        """
        Return the limit as a count, a fraction of one where it is a share.

        :param whole: what a share is a share of.
        """
        return self.value * whole if self.is_share else self.value

    def __str__(self) -> str:
        """Return what the user wrote."""
        return self.text


def read_limit(name: str, value: Any) -> Limit | None:
    """
    Read a limit: ``100`` is a count, ``0.05`` and ``"5%"`` are shares.

    :param name: the argument's, for messages.
    :param value: what the user wrote; a template may have made a text of it. None and "" are no limit.
    :raises InvalidRequestError: it is neither a count nor a share.
    """
    text = str(value).strip()
    if value is None or text in ("", "None"):
        return None
    number, is_share = Fraction(-1), True
    if isinstance(value, float) and 0 <= value <= 1:
        number = Fraction(repr(value))  # what is written, 0.29, and not the binary fraction beside it
    elif not isinstance(value, float | bool) and (match := _NUMBER.fullmatch(text)):
        number = Fraction(match[1]) / (100 if match[2] else 1)
        is_share = bool(match[2]) or "." in match[1]
    if number < 0 or (is_share and number > 1):
        raise InvalidRequestError(f"{name} is a count, or a share from 0.0 to 1.0 or in percent, not {value!r}.")
    return Limit(number, is_share, text)


def plain_number(value: float) -> str:
    """
    Return a number as a person writes it: 1,000,000 and not 1e+06.

    :param value: the number; two digits behind the point are kept.
    """
    return f"{value:,.2f}".removesuffix("0").removesuffix("0").removesuffix(".")
