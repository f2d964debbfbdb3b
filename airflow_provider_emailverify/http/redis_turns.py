"""Turns of an account that many machines share, by Redis: it keeps the time, and one small value an account."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pyrate_limiter import GCRA, RedisStateStore

from airflow_provider_emailverify.http.rates import distance_of, even_rate_of
from airflow_provider_emailverify.http.shared_turns import Turn, UnavailableError

# Who waits for the same turn comes at slightly different times, or the same one would be first again and again.
_JITTER = 0.05


class RedisTurns:
    """
    The turns of one account in a Redis.

    :param account: a name for the account that holds no secret.
    :param connect: returns a client that gives up soon; called once. What it raises counts as "away".
    :param name: how messages call that Redis.
    """

    def __init__(self, account: str, connect: Callable[[], Any], name: str) -> None:
        self.name = name
        self._connect = connect
        self._client: Any = None
        self._turns = f"emailverify:{{{account}}}:turns"
        self._hold = f"emailverify:{{{account}}}:hold"

    def take(self, requests_per_minute: float | None) -> Turn:
        """
        Take a turn if there is one.

        :param requests_per_minute: the limit; None for none.
        :raises UnavailableError: Redis does not answer.
        """
        return self._ask(requests_per_minute, takes=True)

    def look(self, requests_per_minute: float | None) -> Turn:
        """
        Tell whether there is a turn, and take none.

        :param requests_per_minute: the limit; None for none.
        :raises UnavailableError: Redis does not answer.
        """
        return self._ask(requests_per_minute, takes=False)

    def hold(self, seconds: float) -> None:
        """
        Let nobody have a turn for a while.

        :param seconds: how long.
        :raises UnavailableError: Redis does not answer.
        """
        milliseconds = int(seconds * 1000)
        with self._opened() as client:
            if milliseconds > client.pttl(self._hold):
                client.set(self._hold, 1, px=milliseconds)

    def _ask(self, limit: float | None, *, takes: bool) -> Turn:
        with self._opened() as client:
            (seconds, microseconds), hold = client.pipeline(transaction=False).time().pttl(self._hold).execute()
            if hold > 0:
                return Turn(hold / 1000, is_held=True)
            if not limit:
                return Turn(0.0)
            rates, now = [even_rate_of(limit)], seconds * 1000 + microseconds // 1000
            # Pyrate's bucket does the same, but a look at it takes a turn.
            algorithm = GCRA()
            store: Any = RedisStateStore(client, self._turns)  # without annotations
            if takes:
                said = store.check(algorithm, rates, now, 1)
            else:
                _, said = algorithm.step(rates, store.read(algorithm, rates), now, 1)
        if said.allowed:
            return Turn(0.0)
        return Turn(said.retry_after_ms / 1000 + random.random() * _JITTER * distance_of(limit))  # noqa: S311 - no secret

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            if self._client is None:
                self._client = self._connect()
            yield self._client
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the tasks go on
            raise UnavailableError(f"{type(error).__name__}: {error}") from None
