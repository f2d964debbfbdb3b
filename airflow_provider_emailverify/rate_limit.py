"""A limit of requests a minute, shared by the threads that use one client."""

from __future__ import annotations

from pyrate_limiter import InMemoryBucket, Limiter, MonotonicClock, Rate
from pyrate_limiter.limiter import SingleBucketFactory

_MINUTE_MS = 60_000


class RateLimit:
    """
    Let at most so many requests pass in any minute; the others wait for their turn.

    :param requests_per_minute: the limit; less than one is one request in a longer time.
    """

    def __init__(self, requests_per_minute: float) -> None:
        if requests_per_minute >= 1:
            rate = Rate(int(requests_per_minute), _MINUTE_MS)
        else:
            rate = Rate(1, int(_MINUTE_MS / requests_per_minute))
        self._clock = MonotonicClock()
        self._bucket = InMemoryBucket([rate])
        # The library's own clean-up is a thread per limiter; wait() cleans up as it goes.
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False))

    def wait(self) -> None:
        """Return when the next request may go out."""
        self._bucket.leak(self._clock.now())
        self._limiter.try_acquire()
