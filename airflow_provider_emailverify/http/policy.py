"""How requests are sent: an argument, so that nobody changes a client that others share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """
    How a client sends its requests. To change it, take :meth:`.client.VendorClient.with_policy`.

    :param attempts: how often a request that may be repeated is sent, the first time included. A caller that repeats
        more than one request sets it to 1.
    :param wait_for_turn: wait for the account's rate limit before each request. A caller that has acquired the turn
        sets it to False.
    :param sleep: waits some seconds, for a turn and between two attempts; it may raise to end that early. None for the
        account's own clock.
    :param timeout: seconds that the vendor may stay silent, if that is less than the connection allows.
    """

    attempts: int = 4
    wait_for_turn: bool = True
    sleep: Callable[[float], None] | None = None
    timeout: float | None = None


class Clock(Protocol):
    """What time is taken from and waited by: the module :mod:`time`, or in tests something quicker."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""

    def time(self) -> float:
        """Return seconds since 1970."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
