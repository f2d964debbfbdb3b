"""A limit in requests a minute, as the times in which so many turns fit."""

from __future__ import annotations

import math
from fractions import Fraction

from pyrate_limiter import Rate

# A vendor counts what arrives, and requests that leave evenly arrive unevenly: hence a second more than the minute.
_SLACK_SECONDS = 1
_WINDOW_MS = (60 + _SLACK_SECONDS) * 1000
# A fraction of a request counts over so many minutes at most.
_MOST_MINUTES = 10
# Of several processes, none takes more than this part of a minute's turns at once, or than so many turns.
_SPREAD = 12
_LEAST_AT_ONCE = 3


def rates_of(requests_per_minute: float) -> list[Rate]:
    """
    Return the windows of a limit, the longest last.

    :param requests_per_minute: the limit. A fraction counts over a longer time: 5.5 are 11 turns in two minutes and 6
        in one, 0.8 is a turn in 75 seconds.
    """
    limit = Fraction(str(requests_per_minute))
    if limit < 1:
        return [Rate(1, int(_WINDOW_MS / limit))]
    minutes = max(range(1, _MOST_MINUTES + 1), key=lambda minutes: Fraction(math.floor(limit * minutes), minutes))
    turns = math.floor(limit * minutes)
    if minutes == 1:
        return [Rate(turns, _WINDOW_MS)]
    return [Rate(math.floor(limit) + 1, _WINDOW_MS), Rate(turns, minutes * _WINDOW_MS)]


def spread_rates_of(requests_per_minute: float) -> list[Rate]:
    """
    Return the windows of a limit for several processes: a short one besides, so that nobody takes all turns at once.

    :param requests_per_minute: the limit.
    """
    rates = rates_of(requests_per_minute)
    minute = rates[0]
    at_once = max(_LEAST_AT_ONCE, minute.limit // _SPREAD)
    if at_once >= minute.limit:
        return rates
    return [Rate(at_once, at_once * minute.interval // minute.limit), *rates]


def even_rate_of(requests_per_minute: float) -> Rate:
    """
    Return a limit as turns at even distances, of which some may be taken late: never more in a minute than the limit.

    :param requests_per_minute: the limit.
    """
    longest = rates_of(requests_per_minute)[-1]
    return Rate(longest.limit, longest.interval, burst=max(1, int(requests_per_minute * 1000 // _WINDOW_MS)))


def distance_of(requests_per_minute: float) -> float:
    """
    Return the seconds from one turn to the next, when they are taken evenly.

    :param requests_per_minute: the limit.
    """
    return 60 / requests_per_minute
