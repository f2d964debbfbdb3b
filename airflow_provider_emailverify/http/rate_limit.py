"""One vendor account's pace: its requests a minute, and the pauses that the vendor asks for."""

from __future__ import annotations

import hashlib
import threading
import time

from pyrate_limiter import InMemoryBucket, Rate, RateItem

# A vendor counts what arrives, and requests that leave evenly arrive unevenly: hence a second more than a minute.
_WINDOW_SECONDS = 61.0
# After a refusal that does not say for how long: doubled from one such pause to the next.
_FIRST_HOLD_SECONDS = 2.0
_LONGEST_HOLD_SECONDS = 300.0

_accounts: dict[bytes, RateLimit] = {}
_accounts_lock = threading.Lock()


class RateLimit:
    """
    Hand out turns to ask: so many in any minute, none while the vendor wants to be left alone. Threads share it.

    :param requests_per_minute: the limit, less than one for one request in a longer time; None for no limit.
    """

    def __init__(self, requests_per_minute: float | None = None) -> None:
        # Reentrant, because a signal handler may interrupt a thread that holds it and need it too.
        self._lock = threading.RLock()
        self._bucket: InMemoryBucket | None = None
        self._requests_per_minute: float | None = None
        self._held_until = 0.0
        self._refusals = 0
        self.requests_per_minute = requests_per_minute

    @property
    def requests_per_minute(self) -> float | None:
        """The limit; a new one counts the turns that were taken under the old one."""
        return self._requests_per_minute

    @requests_per_minute.setter
    def requests_per_minute(self, limit: float | None) -> None:
        with self._lock:
            if limit == self._requests_per_minute:
                return
            self._requests_per_minute = limit
            before = self._bucket.items if self._bucket else []
            self._bucket = InMemoryBucket([_rate(limit)]) if limit else None
            if self._bucket:
                self._bucket.items = list(before)

    @property
    def held(self) -> float:
        """Seconds for which the vendor wants to be left alone, 0 at the least."""
        return max(0.0, self._held_until - time.monotonic())

    def try_acquire(self) -> float:
        """Take a turn and return 0, or return the seconds after which to try again. It never blocks."""
        with self._lock:
            if held := self.held:
                return held
            if self._bucket is None:
                return 0.0
            # Pyrate's Limiter does the same, but notes a turn at the time that it had planned for it.
            now = int(time.monotonic() * 1000)
            self._bucket.leak(now)
            turn = RateItem("", now)
            # Of the buckets only those that are kept elsewhere answer with an awaitable.
            return 0.0 if self._bucket.put(turn) else int(self._bucket.waiting(turn)) / 1000  # type: ignore[arg-type]

    def acquire(self, longest_hold: float) -> float:
        """
        Wait for a turn, take it and return 0; or return the seconds for which the vendor wants to be left alone.

        :param longest_hold: how many seconds of the latter to sit out.
        """
        while pause := self.try_acquire():
            if (held := self.held) > longest_hold:
                return held
            time.sleep(pause)
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
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def relax(self) -> None:
        """Note that the vendor has answered."""
        self._refusals = 0


def limit_of_account(base_url: str, key: str, requests_per_minute: float | None) -> RateLimit:
    """
    Return the limit that all clients of an account share in this process.

    :param base_url: the vendor.
    :param key: the account's key; only a hash of it is kept.
    :param requests_per_minute: the limit from now on: what was read last from a connection holds.
    """
    account = hashlib.blake2b(f"{base_url}\0{key}".encode()).digest()
    with _accounts_lock:
        limit = _accounts.setdefault(account, RateLimit())
    limit.requests_per_minute = requests_per_minute
    return limit


def _rate(requests_per_minute: float) -> Rate:
    window = int(_WINDOW_SECONDS * 1000)
    if requests_per_minute >= 1:
        return Rate(int(requests_per_minute), window)
    return Rate(1, int(window / requests_per_minute))
