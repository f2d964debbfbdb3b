"""Retry with exponential back-off, and honour Retry-After."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import tenacity

from airflow_provider_emailverify.exceptions import RateLimitedError, TransientError

log = logging.getLogger(__name__)

# A vendor that asks for a longer pause gets it from the caller, who can free the worker meanwhile.
MAX_PAUSE_SECONDS = 60.0
# What was refused because of other requests is sent again for so long: vendors count a minute, and others ask too.
_REFUSED_SECONDS = 180.0
_DAY_SECONDS = 86_400.0
# Above it, seconds are no pause but a time: some day in 2001 or later.
_A_TIME = 1e9
_BACK_OFF = tenacity.wait_random_exponential(multiplier=1, min=0.5, max=MAX_PAUSE_SECONDS)


def retrying(
    attempts: int,
    *errors: type[TransientError],
    least_pause: Callable[[], float] = lambda: 0.0,
    sleep: Callable[[float], None] = time.sleep,
) -> tenacity.Retrying:
    """
    Return a caller that calls a function until it succeeds, pausing in between, and raises its last error.

    The pauses grow exponentially, with jitter, and are never shorter than the vendor asks for. That the vendor was
    asked too often is no failure: it is waited out for three minutes, however often it is said.

    :param attempts: how often, the first time included; with 1, nothing at all is repeated.
    :param errors: those that are worth another attempt, unless the vendor asks for a pause of more than a minute, or
        three if it was asked too often.
    :param least_pause: tells, after a failure, for how many seconds the next attempt would have to wait anyway.
    :param sleep: waits some seconds.
    """

    def is_worth_it(error: BaseException) -> bool:
        longest = _REFUSED_SECONDS if isinstance(error, RateLimitedError) else MAX_PAUSE_SECONDS
        return isinstance(error, errors) and (error.retry_after or 0) <= longest

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = (error.retry_after if isinstance(error, TransientError) else None) or 0.0
        return max(asked, least_pause(), _BACK_OFF(state))

    refusals = 0

    def is_enough(state: tenacity.RetryCallState) -> bool:
        nonlocal refusals
        if state.attempt_number == 1:
            refusals = 0
        if attempts > 1 and state.outcome and isinstance(state.outcome.exception(), RateLimitedError):
            refusals += 1
            return state.idle_for + state.upcoming_sleep > _REFUSED_SECONDS
        return state.attempt_number - refusals >= attempts

    def log_retry(state: tenacity.RetryCallState) -> None:
        if not state.outcome or not state.next_action:
            return
        error, seconds = state.outcome.exception(), state.next_action.sleep
        if isinstance(error, RateLimitedError):
            log.info("%s The next attempt is in %.1f s.", error, seconds)
        else:
            number = state.attempt_number - refusals
            log.info("%s Attempt %d of %d failed; the next one is in %.1f s.", error, number, attempts, seconds)

    return tenacity.Retrying(
        sleep=sleep,
        stop=is_enough,
        wait=pause,
        retry=tenacity.retry_if_exception(is_worth_it),
        before_sleep=log_retry,
        reraise=True,
    )


def pause_asked_for(status: int, headers: Mapping[str, str]) -> float | None:
    """
    Return the seconds for which an answer asks to be left alone, a day at most; None if it asks for nothing.

    :param status: its HTTP status.
    :param headers: its headers: ``Retry-After``, and where a limit was reached also ``RateLimit-Reset``, which some
        vendors fill with seconds from now, and others with the time as seconds since 1970.
    """
    if status < 400:
        return None
    asked = retry_after(headers.get("Retry-After"))
    reset = (headers.get("RateLimit-Reset") or headers.get("X-RateLimit-Reset") or "").strip()
    if asked is not None or status != 429 or not reset.isdecimal():
        return asked
    seconds = float(reset)
    return min(seconds if seconds < _A_TIME else max(0.0, seconds - time.time()), _DAY_SECONDS)


def retry_after(value: str | None) -> float | None:
    """
    Return the seconds from now that a header ``Retry-After`` asks for, a day at most; None if it asks for nothing.

    :param value: seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    if not value:
        return None
    if value.strip().isdecimal():
        return min(float(value), _DAY_SECONDS)
    try:
        when = parsedate_to_datetime(value)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), _DAY_SECONDS)
    except (ValueError, OverflowError):
        return None
