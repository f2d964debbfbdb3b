"""The Redis of an Airflow connection, in which the turns of an account are counted for all machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import ConnectionConfigError

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.redis_turns import RedisTurns

# A task waits no longer for a Redis that is away or slow, and goes on without it.
_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """
    Where the turns of accounts are counted.

    :param conn_id: the Airflow connection, of type ``redis``.
    """

    conn_id: str

    def __call__(self, account: str) -> RedisTurns:
        """
        Return the turns of an account. Nothing is read and nothing is sent before the first one.

        :param account: a name for the account that holds no secret.
        """
        from airflow_provider_emailverify.http.redis_turns import RedisTurns

        return RedisTurns(account, self._connect, f"Redis (connection {self.conn_id!r})")

    def _connect(self) -> Any:
        try:
            from airflow.providers.redis.hooks.redis import RedisHook
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConnectionConfigError(
                "limit_conn_id needs the extra redis: pip install 'airflow-provider-emailverify[redis]'."
            ) from None
        client = RedisHook(redis_conn_id=self.conn_id).get_conn()
        client.connection_pool.connection_kwargs.update(
            socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS
        )
        client.set_retry(Retry(NoBackoff(), 0))
        return client
