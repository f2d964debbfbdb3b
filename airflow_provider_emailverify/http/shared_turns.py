"""Turns of an account that several processes share, and what to do while the place that keeps them is away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

from airflow_provider_emailverify.http.policy import Clock

log = logging.getLogger(__name__)

# A place that is away is left alone for so long: to find that out may take a second, and everybody waits meanwhile.
_AWAY_SECONDS = 30.0

T = TypeVar("T")


class Turn(NamedTuple):
    """
    Whether there is a turn.

    :param pause: seconds after which to try again; 0 if the turn is there.
    :param is_held: whether the vendor wants to be left alone for so long.
    """

    pause: float
    is_held: bool = False


class UnavailableError(Exception):
    """A place of turns cannot be reached, or does not answer in time; the text says why."""


class Turns(Protocol):
    """A place that keeps the turns of one account. All of its methods may raise :class:`UnavailableError`."""

    name: str

    def take(self, requests_per_minute: float | None) -> Turn:
        """
        Take a turn if there is one.

        :param requests_per_minute: the limit; None for none, where only the vendor's pauses count.
        """

    def look(self, requests_per_minute: float | None) -> Turn:
        """
        Tell whether there is a turn, and take none.

        :param requests_per_minute: the limit; None for none.
        """

    def hold(self, seconds: float) -> None:
        """
        Let nobody have a turn for a while.

        :param seconds: how long.
        """


class SharedTurns:
    """
    Take turns at the first place that can be reached, and say once when one cannot.

    :param places: the places, that of most processes first.
    :param clock: the time.
    """

    def __init__(self, places: Sequence[Turns] = (), *, clock: Clock = time) -> None:
        self._places = tuple(places)
        self._clock = clock
        self._away_until: dict[str, float] = {}

    def take(self, requests_per_minute: float | None) -> Turn | None:
        """
        Take a turn if there is one; None if no place can be reached.

        :param requests_per_minute: the limit; None for none.
        """
        return self._ask(lambda place: place.take(requests_per_minute))

    def look(self, requests_per_minute: float | None) -> Turn | None:
        """
        Tell whether there is a turn, and take none; None if no place can be reached.

        :param requests_per_minute: the limit; None for none.
        """
        return self._ask(lambda place: place.look(requests_per_minute))

    def hold(self, seconds: float) -> None:
        """
        Let nobody have a turn for a while.

        :param seconds: how long.
        """
        self._ask(lambda place: place.hold(seconds))

    def _ask(self, ask: Callable[[Turns], T]) -> T | None:
        for place in self._places:
            away_until = self._away_until.get(place.name)
            now = self._clock.monotonic()
            if away_until is not None and now < away_until:
                continue
            try:
                answer = ask(place)
            except UnavailableError as error:
                if away_until is None:
                    log.warning(
                        "The requests of an account are not counted together in %s: %s. Until that changes, fewer "
                        "processes count together, and all of them may send more than the limit.",
                        place.name,
                        error,
                    )
                self._away_until[place.name] = now + _AWAY_SECONDS
            else:
                if self._away_until.pop(place.name, None) is not None:
                    log.info("The requests of an account are counted together in %s again.", place.name)
                return answer
        return None
