"""Time as an argument."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """What is used of the module :mod:`time`. A test puts a clock of its own in its place."""

    def monotonic(self) -> float:
        """Return seconds of a clock that is never set."""

    def time(self) -> float:
        """Return the seconds since 1970."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
