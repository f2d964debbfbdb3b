"""Choose the pause between two polls of a trigger."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emailverify.batches import BatchStatus
    from airflow_provider_emailverify.http.policy import Clock

# A batch that has taken an hour is asked for every three minutes: news of it come 5 % late at most.
_SHARE_OF_AGE = 0.05
# Half of what is left, then half of that: an estimate that was too long does little harm.
_SHARE_OF_REST = 0.5
_LONGEST_SECONDS = 900.0
# So many waits of one connection start alike without being a herd.
_HERD = 64


class Intervals:
    """
    Choose the interval from one poll to the next: never less than asked for, longer for a batch that takes long.

    Where the vendor tells how many addresses are done, what is left decides; else the age of the wait.

    :param floor: seconds between two polls at least.
    :param clock: the time.
    """

    __slots__ = ("_clock", "_first_progress", "_started", "floor")

    def __init__(self, floor: float, *, clock: Clock = time) -> None:
        self.floor = floor
        self._clock = clock
        self._started = clock.monotonic()
        self._first_progress: tuple[float, int] | None = None

    def first(self, waits: int, *, was_asked: bool = True) -> float:
        """
        Return the seconds until the first poll.

        Where the sensor has asked just before it deferred, the floor holds here too. Waits that start together, or
        together again after a restart, are spread over one more interval.

        :param waits: how many batches of this connection are waited for.
        :param was_asked: whether the sensor has asked just before.
        """
        spread = min(1.0, waits / _HERD)
        least = 1.0 if was_asked else 0.0
        return self.floor * random.uniform(least, least + spread)  # noqa: S311 - no secret hangs on it

    def next(self, status: BatchStatus | None) -> float:
        """
        Return the seconds from the last poll to the next one.

        :param status: the vendor's last useful answer; None if there was none yet.
        """
        left = self._seconds_left(status)
        guess = (self._clock.monotonic() - self._started) * _SHARE_OF_AGE if left is None else left * _SHARE_OF_REST
        return max(self.floor, min(guess, _LONGEST_SECONDS))

    def _seconds_left(self, status: BatchStatus | None) -> float | None:
        if status is None or status.processed is None or not status.total:
            return None
        now = self._clock.monotonic()
        if self._first_progress is None or status.processed < self._first_progress[1]:
            self._first_progress = now, status.processed
            return None
        since, before = self._first_progress
        if status.processed == before:
            return None
        return max(0, status.total - status.processed) * (now - since) / (status.processed - before)
