"""One vendor account's pace: its requests a minute, and the pauses that the vendor asks for."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable

from pyrate_limiter import InMemoryBucket, RateItem

from airflow_provider_emailverify.http.auth import Secret
from airflow_provider_emailverify.http.machine_turns import MachineTurns
from airflow_provider_emailverify.http.policy import Clock
from airflow_provider_emailverify.http.rates import rates_of
from airflow_provider_emailverify.http.shared_turns import SharedTurns, Turn, Turns

# After a refusal that does not say for how long: doubled from one such pause to the next.
_FIRST_HOLD_SECONDS = 2.0
_LONGEST_HOLD_SECONDS = 300.0


class RateLimit:
    """
    Hand out turns to ask: so many in any minute, none while the vendor wants to be left alone. Threads share it.

    Other processes share it too, as far as there is a place that counts for them. A turn may then take as long as that
    place needs to answer: do not ask for one on an event loop.

    :param requests_per_minute: the limit; None for no limit. A fraction counts over a longer time: 5.5 are 11 turns in
        two minutes and 6 in one, 0.8 is a turn in 75 seconds.
    :param shared: counts for other processes too.
    :param clock: what time is taken from and waited by.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        *,
        shared: SharedTurns = SharedTurns(),  # noqa: B008 - of no place, so nothing changes in it
        clock: Clock = time,
    ) -> None:
        self.clock = clock
        self._shared = shared
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
            if held := self.held:
                return held
            if turn := self._shared.look(self._requests_per_minute):
                return self._heed(turn)
            pause = self._take()
            if not pause and self._bucket:
                self._bucket.items.pop()
            return pause

    def try_acquire(self) -> float:
        """Take a turn and return 0, or return the seconds after which to try again. It waits for no turn."""
        with self._lock:
            if held := self.held:
                return held
            turn = self._shared.take(self._requests_per_minute)
            if turn is None:
                return self._take()
            if not turn.pause and self._bucket:  # it counts here too, should the other place be away for the next one
                now = self._now()
                self._bucket.leak(now)
                self._bucket.items.append(RateItem("", now))
            return self._heed(turn)

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
            self._shared.hold(self.held)

    def relax(self) -> None:
        """Note that the vendor has answered."""
        self._refusals = 0

    def share(self, turns: SharedTurns) -> None:
        """
        Count in other places from now on.

        :param turns: the places.
        """
        with self._lock:
            self._shared = turns

    def _take(self) -> float:
        """Take a turn of this process alone and return 0, or return the seconds after which to try again."""
        if self._bucket is None:
            return 0.0
        # Pyrate's Limiter does the same, but notes a turn at the time that it had planned for it.
        turn = RateItem("", self._now())
        self._bucket.leak(turn.timestamp)
        if self._bucket.put(turn):
            return 0.0
        return int(self._bucket.waiting(turn)) / 1000  # type: ignore[arg-type] # only buckets elsewhere answer by and by

    def _heed(self, turn: Turn) -> float:
        """Return the pause of a turn, and keep the vendor's."""
        if turn.is_held:
            self._held_until = max(self._held_until, self.clock.monotonic() + turn.pause)
        return turn.pause

    def _now(self) -> int:
        return int(self.clock.monotonic() * 1000)

    def _slowest(self) -> float | None:
        return min((limit for limit in self._connections.values() if limit), default=None)

    def _set(self, limit: float | None) -> None:
        if limit == self._requests_per_minute:
            return
        self._requests_per_minute = limit
        before = self._bucket.items if self._bucket else []
        self._bucket = InMemoryBucket(rates_of(limit)) if limit else None
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
        self._limits: dict[str, RateLimit] = {}
        self._accounts: dict[tuple[str, str], str] = {}
        self._places: dict[str, Callable[[str], Turns] | None] = {}

    def limit_of(
        self,
        conn_id: str,
        base_url: str,
        key: Secret,
        requests_per_minute: float | None,
        elsewhere: Callable[[str], Turns] | None = None,
    ) -> RateLimit:
        """
        Return the limit that all connections of an account share.

        :param conn_id: the connection that was read.
        :param base_url: the vendor.
        :param key: the account's key; only a hash of it is kept.
        :param requests_per_minute: what this connection allows from now on.
        :param elsewhere: makes, of a name for the account, what counts for other machines too.
        """
        account = hashlib.blake2b(f"{base_url}\0{key.reveal()}".encode(), digest_size=20).hexdigest()
        with self._lock:
            before = self._accounts.get((conn_id, base_url))
            if before and before != account:  # the key was changed
                self._limits[before].forget(conn_id)
            self._accounts[conn_id, base_url] = account
            limit = self._limits.setdefault(account, RateLimit(clock=self._clock))
            if account not in self._places or elsewhere not in (None, self._places[account]):
                self._places[account] = elsewhere
                places: list[Turns] = [elsewhere(account)] if elsewhere else []
                limit.share(SharedTurns([*places, MachineTurns(account, clock=self._clock)], clock=self._clock))
        limit.set_for(conn_id, requests_per_minute)
        return limit


_limits = AccountLimits()


def limit_of_account(
    conn_id: str,
    base_url: str,
    key: Secret,
    requests_per_minute: float | None,
    elsewhere: Callable[[str], Turns] | None = None,
) -> RateLimit:
    """
    Return the limit that all connections of an account share: in this process, on this machine, and elsewhere.

    :param conn_id: the connection that was read.
    :param base_url: the vendor.
    :param key: the account's key; only a hash of it is kept.
    :param requests_per_minute: what this connection allows from now on.
    :param elsewhere: makes, of a name for the account, what counts for other machines too; None for this machine.
    """
    return _limits.limit_of(conn_id, base_url, key, requests_per_minute, elsewhere)
