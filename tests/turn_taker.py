"""
A process that takes turns of an account as long as it may, and says when: ``turn_taker.py FOLDER LIMIT SECONDS``.

Each line is a time in seconds since the machine began. With a fourth argument, turns are counted by the Redis at that
port. ``hold`` in place of SECONDS keeps the file's lock until the process is stopped.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from airflow_provider_emailverify.http import machine_turns, rate_limit
from airflow_provider_emailverify.http.auth import Secret
from airflow_provider_emailverify.http.redis_turns import RedisTurns

KEY = Secret("a key")


def main() -> None:
    """Take turns."""
    folder, limit, seconds, *port = sys.argv[1:]
    machine_turns.folder = lambda: Path(folder)
    elsewhere = None
    if port:
        import redis

        def elsewhere(account: str) -> RedisTurns:
            return RedisTurns(account, lambda: redis.Redis(port=int(port[0]), socket_timeout=1), "Redis")

    account = rate_limit.AccountLimits().limit_of("c", "https://vendor.example", KEY, float(limit), elsewhere)
    if seconds == "hold":
        account.try_acquire()
        (place,) = account._shared._places
        with place._opened():
            print("held", flush=True)
            time.sleep(60)
    end = time.monotonic() + float(seconds)
    while True:
        pause = account.try_acquire()
        if pause and time.monotonic() + pause > end:
            return
        if pause:
            time.sleep(pause)
        else:
            print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
