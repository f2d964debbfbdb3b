"""One vendor account's pace: its requests a minute, and the pauses that the vendor asks for."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable
from fractions import Fraction

from pyrate_limiter import InMemoryBucket, Rate, RateItem

from airflow_provider_emailverify.http.auth import Secret
from airflow_provider_emailverify.http.policy import Clock

# A vendor counts what arrives, and requests that leave evenly arrive unevenly: hence a second more than the minute.
_SLACK_SECONDS = 1
# A fraction of a request counts over so many minutes at most.
_MOST_MINUTES = 10
# After a refusal that does not say for how long: doubled from one such pause to the next.
_FIRST_HOLD_SECONDS = 2.0
_LONGEST_HOLD_SECONDS = 300.0


class RateLimit:
    """
    Hand out turns to ask: so many in any minute, none while the vendor wants to be left alone. Threads share it.

    :param requests_per_minute: the limit; None for no limit. A fraction counts over a longer time: 5.5 are 11 turns in
        two minutes and 6 in one, 0.8 is a turn in 75 seconds.
    :param clock: what time is taken from and waited by.
    """

    def __init__(self, requests_per_minute: float | None = None, *, clock: Clock = time) -> None:
        self.clock = clock
        # Reentrant, because a signal handler may interrupt a thread that holds it and need it too.
        self._lock = threading.RLock()
        self._bucket: InMemoryBucket | None = None
        self._requests_per_minute: float | None = None
        self._connections: dict[str, float | None] = {}
        self._held_until = 0.0
        self._refusals = 0
        self._set(requests_per_minute)

    @property
    def requests_per_minute(self) -> float | None:
        """The limit that holds now."""
        return self._requests_per_minute

    def set_for(self, conn_id: str, requests_per_minute: float | None) -> None:
        """
        Say what one connection of the account allows; the slowest of them holds.

        A new limit counts the turns that were taken under the old one.

        :param conn_id: the connection. Saying it again replaces what was said of it before.
        :param requests_per_minute: its limit; None for no limit.
        """
        with self._lock:
            self._connections[conn_id] = requests_per_minute
            self._set(self._slowest())

    def forget(self, conn_id: str) -> None:
        """
        Drop what a connection allowed, because it is of another account now.

        :param conn_id: the connection.
        """
        with self._lock:
            self._connections.pop(conn_id, None)
            self._set(self._slowest())

    @property
    def held(self) -> float:
        """Seconds for which the vendor wants to be left alone, 0 at the least."""
        return max(0.0, self._held_until - self.clock.monotonic())

    @property
    def wait(self) -> float:
        """Seconds until there can be a turn, 0 at the least. Somebody else may take that turn."""
        with self._lock:
            pause = self.try_acquire()
            if not pause and self._bucket:
                self._bucket.items.pop()
            return pause

    def try_acquire(self) -> float:
        """Take a turn and return 0, or return the seconds after which to try again. It never blocks."""
        with self._lock:
            if held := self.held:
                return held
            if self._bucket is None:
                return 0.0
            # Pyrate's Limiter does the same, but notes a turn at the time that it had planned for it.
            now = int(self.clock.monotonic() * 1000)
            self._bucket.leak(now)
            turn = RateItem("", now)
            # Of the buckets only those that are kept elsewhere answer with an awaitable.
            return 0.0 if self._bucket.put(turn) else int(self._bucket.waiting(turn)) / 1000  # type: ignore[arg-type]

    def acquire(self, longest_hold: float, sleep: Callable[[float], None] | None = None) -> float:
        """
        Wait for a turn, take it and return 0; or return the seconds for which the vendor wants to be left alone.

        :param longest_hold: how many seconds of the latter to sit out.
        :param sleep: waits some seconds; it may raise. None for the clock's.
        """
        sleep = sleep or self.clock.sleep
        while pause := self.try_acquire():
            if (held := self.held) > longest_hold:
                return held
            sleep(pause)
        return 0.0

    def hold(self, seconds: float | None) -> None:
        """
        Let nobody ask for a while.

        :param seconds: how long the vendor wants to be left alone; None if it does not say.
        """
        with self._lock:
            if seconds is None:
                if self.held:  # one refusal too many brings several: those under way are refused as well
                    return
                seconds = min(_FIRST_HOLD_SECONDS * 2**self._refusals, _LONGEST_HOLD_SECONDS)
                self._refusals = min(self._refusals + 1, 16)
            self._held_until = max(self._held_until, self.clock.monotonic() + seconds)

    def relax(self) -> None:
        """Note that the vendor has answered."""
        self._refusals = 0

    def _slowest(self) -> float | None:
        return min((limit for limit in self._connections.values() if limit), default=None)

    def _set(self, limit: float | None) -> None:
        if limit == self._requests_per_minute:
            return
        self._requests_per_minute = limit
        before = self._bucket.items if self._bucket else []
        self._bucket = InMemoryBucket(_rates(limit)) if limit else None
        if self._bucket:
            self._bucket.items = list(before)


class AccountLimits:
    """
    The limits of the accounts that this process talks to, one for each vendor's host and key.

    :param clock: what time is taken from and waited by.
    """

    def __init__(self, *, clock: Clock = time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._limits: dict[bytes, RateLimit] = {}
        self._accounts: dict[tuple[str, str], bytes] = {}

    def limit_of(self, conn_id: str, base_url: str, key: Secret, requests_per_minute: float | None) -> RateLimit:
        """
        Return the limit that all connections of an account share.

        :param conn_id: the connection that was read.
        :param base_url: the vendor.
        :param key: the account's key; only a hash of it is kept.
        :param requests_per_minute: what this connection allows from now on.
        """
        account = hashlib.blake2b(f"{base_url}\0{key.reveal()}".encode()).digest()
        with self._lock:
            before = self._accounts.get((conn_id, base_url))
            if before and before != account:  # the key was changed
                self._limits[before].forget(conn_id)
            self._accounts[conn_id, base_url] = account
            limit = self._limits.setdefault(account, RateLimit(clock=self._clock))
        limit.set_for(conn_id, requests_per_minute)
        return limit


_limits = AccountLimits()


def limit_of_account(conn_id: str, base_url: str, key: Secret, requests_per_minute: float | None) -> RateLimit:
    """
    Return the limit that all connections of an account share in this process.

    :param conn_id: the connection that was read.
    :param base_url: the vendor.
    :param key: the account's key; only a hash of it is kept.
    :param requests_per_minute: what this connection allows from now on.
    """
    return _limits.limit_of(conn_id, base_url, key, requests_per_minute)


def _rates(requests_per_minute: float) -> list[Rate]:
    window = (60 + _SLACK_SECONDS) * 1000
    limit = Fraction(str(requests_per_minute))
    if limit < 1:
        return [Rate(1, int(window / limit))]
    minutes = max(range(1, _MOST_MINUTES + 1), key=lambda minutes: Fraction(math.floor(limit * minutes), minutes))
    turns = math.floor(limit * minutes)
    if minutes == 1:
        return [Rate(turns, window)]
    return [Rate(math.floor(limit) + 1, window), Rate(turns, minutes * window)]
