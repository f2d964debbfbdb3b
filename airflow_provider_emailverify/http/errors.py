"""Which error a vendor's answer stands for: by the vendor's own code, its status, and its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    EmailVerifyError,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitedError,
    TransientError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.redaction import without_addresses

# Decoded JSON: what it holds is for the vendor's hook to check.
JSON = Any

#: The statuses that can only mean "I did not take it"; any other that is no success leaves a purchase in doubt.
REFUSALS = frozenset({400, 401, 402, 403, 404, 405, 410, 411, 413, 414, 415, 422, 426, 428, 429, 431, 451})
# Not those of a problem document (RFC 9457): gateways send them too, and they are no word of the vendor's.
_WORDS_AT = ("message", "error_message", "error", "Error")
_WORDS_OF_A_PROBLEM = (*_WORDS_AT, "detail", "title")
#: Words by which an error message speaks of the balance.
CREDIT_WORDS = re.compile(r"\b(credits?|balance|quota)\b", re.IGNORECASE)
#: Words by which an error message speaks of the pace; they go before those of the balance.
PACE_WORDS = re.compile(r"\b(too many requests|rate.?limit|per (second|minute|hour|day)|simultaneous)", re.IGNORECASE)
_STATUS_ERRORS: dict[int, type[EmailVerifyError]] = {
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: AuthenticationError,
    404: BatchNotFoundError,
    408: VendorUnavailableError,
    410: BatchNotFoundError,
    425: VendorUnavailableError,
    429: RateLimitedError,
}
# What these mean does not depend on who says it: the request is too large, or comes too often.
_ANYBODYS = {413: InvalidRequestError, 414: InvalidRequestError, 431: InvalidRequestError, 429: RateLimitedError}
_FOREIGN = (
    "The answer is not in the vendor's own form, so it may come from a firewall or a proxy on the way. If it persists, "
    "check the base URL in the connection's Host and the key in Password."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """
    What an answer means that is no success.

    :param kind: the class of the error.
    :param message: the vendor's own words; "" if there are none.
    :param advice: what the person on call can do.
    :param is_refusal: whether it can only mean that the vendor took nothing.
    """

    kind: type[EmailVerifyError]
    message: str
    advice: str
    is_refusal: bool


def error_code(payload: JSON) -> str:
    """Return an error's code as most vendors say it: ``error``, ``code`` or ``status``, if it is text."""
    if not isinstance(payload, dict):
        return ""
    error = payload.get("error")
    inner = error.get("code") if isinstance(error, dict) else error
    return next((text for text in (inner, payload.get("code"), payload.get("status")) if isinstance(text, str)), "")


def error_message(payload: JSON) -> str:
    """Return an error's words as most vendors say them: a text or a list of them, under one of some names."""
    return _words(payload, _WORDS_AT)


def problem_message(payload: JSON) -> str:
    """Return an error's words of a vendor whose errors are problem documents (RFC 9457)."""
    return _words(payload, _WORDS_OF_A_PROBLEM)


def _words(payload: JSON, names: Sequence[str]) -> str:
    for name in names if isinstance(payload, dict) else ():
        said = payload.get(name)
        if isinstance(said, dict):
            said = said.get("message")
        if isinstance(said, list):
            said = " ".join(map(str, said))
        if isinstance(said, str) and said:
            return said
    return ""


def has_error(payload: JSON) -> bool:
    """Tell whether the JSON of a success is an error all the same: it has a member ``error`` that says something."""
    return isinstance(payload, dict) and bool(payload.get("error"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRules:
    """
    How a vendor says that something went wrong.

    :param codes: the vendor's error codes, by their exact spelling. They go before the status, and where one stands for
        a plain refusal, it settles what became of a request that spends credits.
    :param code_statuses: the statuses with which codes count; None for all.
    :param code_of: returns the code out of an answer; "" if there is none.
    :param message_of: returns the vendor's own words out of an answer; "" if there are none.
    :param is_error: tells whether the JSON of an answer with a status of success is an error all the same.
    :param credit_words: words by which a message speaks of the balance.
    :param pace_words: words by which a message speaks of the pace; they go before those of the balance.
    """

    codes: Mapping[str, type[EmailVerifyError]] = field(default_factory=dict)
    code_statuses: frozenset[int] | None = None
    code_of: Callable[[JSON], str] = error_code
    message_of: Callable[[JSON], str] = error_message
    is_error: Callable[[JSON], bool] = has_error
    credit_words: re.Pattern[str] = CREDIT_WORDS
    pace_words: re.Pattern[str] = PACE_WORDS

    def problem_of(self, status: int, payload: JSON) -> Problem | None:
        """
        Return what an answer means; None for a success.

        An error that ends a wait or a submission for good, such as a refused key, is believed when the vendor says it
        in its own form. A page is an outage: it comes from a firewall or a proxy, or from a wrong base URL.

        :param status: the HTTP status.
        :param payload: the decoded JSON; None if there is none.
        """
        code, message = self.code_of(payload), self.message_of(payload)
        kind = self.codes.get(code)
        if kind is not None and (self.code_statuses is None or status in self.code_statuses):
            is_refusal = issubclass(kind, RateLimitedError) or not issubclass(kind, TransientError)
            return Problem(kind, message, kind.advice, is_refusal)
        if 400 <= status < 500 and not (code or message):
            kind = _ANYBODYS.get(status, VendorUnavailableError)
            return Problem(kind, "", kind.advice if status in _ANYBODYS else _FOREIGN, status in REFUSALS)
        kind = self._kind_of_status(status, message) if status >= 400 else self._kind_of_success(payload, message)
        return Problem(kind, message, kind.advice, status in REFUSALS) if kind else None

    def _kind_of_status(self, status: int, message: str) -> type[EmailVerifyError]:
        if status >= 500:
            return VendorUnavailableError
        if status == 400 and self.pace_words.search(_plain(message)):
            return RateLimitedError
        if status == 400 and self.credit_words.search(_plain(message)):
            return InsufficientCreditsError
        return _STATUS_ERRORS.get(status, InvalidRequestError)

    def _kind_of_success(self, payload: JSON, message: str) -> type[EmailVerifyError] | None:
        if not self.is_error(payload):
            return None
        return InsufficientCreditsError if self.credit_words.search(_plain(message)) else UnexpectedResponseError


def _plain(message: str) -> str:
    """Return a message without addresses, which can hold any words."""
    return without_addresses(message, limit=len(message))
