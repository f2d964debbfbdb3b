"""
Many triggers of one kind on one event loop, as the triggerer runs them; prints one line of JSON.

The triggers start one in each round of the loop, as Airflow's ``TriggerRunner.create_triggers`` does. The lag of the
loop is measured from before the first one starts until the end; polls are counted at the vendor, from ``--warm-up`` on.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

TICK_SECONDS = 0.005
FOREVER = 1e10


def ours(number: int, interval: float, conn_id: str = "bench_cliova") -> Any:
    """Our own trigger."""
    from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger

    return EmailVerifyBatchTrigger(conn_id, f"batch-{number}", interval)


def listed(count: int, interval: float) -> Any:
    """Our own trigger, for a list of batches."""
    from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger

    return EmailVerifyBatchTrigger("bench_cliova", [f"listed-{number}" for number in range(count)], interval)


def http(number: int, interval: float) -> Any:
    """The http provider's."""
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    return HttpSensorTrigger(endpoint=f"http/{number}", http_conn_id="bench_http", poke_interval=interval)


def dbt(number: int, interval: float) -> Any:
    """dbt Cloud's."""
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    return DbtCloudRunJobTrigger("bench_dbt", number, FOREVER, interval, account_id=1)


def airbyte(number: int, interval: float) -> Any:
    """Airbyte's."""
    from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger

    return AirbyteSyncTrigger(number, "bench_airbyte", FOREVER, interval)


KINDS: dict[str, Callable[[int, float], Any]] = {kind.__name__: kind for kind in (ours, http, dbt, airbyte)}
PATHS = {"ours": "cliova", "http": "http", "dbt": "api", "airbyte": "airbyte"}


def connect(port: int, secure_port: int) -> None:
    """Declare the connections."""
    url = f"http://127.0.0.1:{port}"
    for name, fields in {
        "cliova": {"conn_type": "cliova", "host": f"{url}/cliova", "password": "benchmark-key"},
        "hanging": {"conn_type": "cliova", "host": f"{url}/hanging", "password": "benchmark-key"},
        "http": {"conn_type": "http", "host": url},
        "dbt": {
            "conn_type": "dbt_cloud",
            "host": f"localhost:{secure_port}",
            "login": "1",
            "password": "benchmark-key",
        },
        "airbyte": {"conn_type": "airbyte", "host": f"{url}/airbyte"},
    }.items():
        os.environ[f"AIRFLOW_CONN_BENCH_{name.upper()}"] = json.dumps(fields)


def asked(port: int) -> dict[str, int]:
    """Return how often the vendor was asked, by path."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counts") as answer:
        found: dict[str, int] = json.load(answer)
    return found


def memory(name: str) -> float:
    """Return a figure of /proc/self/status in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


class Collections:
    """
    Python's garbage collections, which stall every thread.

    :ivar spans: from when to when each one lasted that took more than a millisecond.
    """

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self._since = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        """Be told by the collector."""
        now = time.perf_counter()
        if phase == "start":
            self._since = now
        elif now - self._since > 0.001:
            self.spans.append((self._since, now))

    @property
    def longest(self) -> float:
        """Seconds of the longest one."""
        return max((end - start for start, end in self.spans), default=0.0)

    def within(self, start: float, end: float) -> float:
        """Return the seconds of a time that went into collections."""
        return sum(max(0.0, min(end, last) - max(start, first)) for first, last in self.spans)


async def follow(trigger: Any) -> None:
    """Run a trigger as the triggerer does."""
    async for event in trigger.run():
        raise RuntimeError(f"a wait has ended: {event}")


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Run the triggers."""
    lags: list[float] = []
    stalls: list[tuple[float, float]] = []
    collections = Collections()
    gc.callbacks.append(collections)
    idle = memory("VmRSS")

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            now = time.perf_counter()
            lags.append(now - before - TICK_SECONDS)
            if lags[-1] > TICK_SECONDS:
                stalls.append((before, now))

    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0.1)
    started = time.perf_counter()
    used = time.process_time()
    triggers = [ours(n, args.interval, "bench_hanging") for n in range(args.hanging)]
    if args.listed:
        triggers.append(listed(args.listed, args.interval))
    triggers += [KINDS[args.kind](n, args.interval) for n in range(args.waits)]
    tasks = []
    for trigger in triggers:
        tasks.append(asyncio.create_task(follow(trigger)))
        await asyncio.sleep(0)
    started_all = time.perf_counter() - started
    await asyncio.sleep(max(0.0, args.warm_up - started_all))
    first, since = await asyncio.to_thread(asked, args.port), time.perf_counter()
    await asyncio.sleep(args.window)
    last, window = await asyncio.to_thread(asked, args.port), time.perf_counter() - since
    ticker.cancel()
    broken = [task for task in tasks if task.done()]
    if broken:
        raise RuntimeError(f"{len(broken)} waits have ended, the first by {broken[0].exception()!r}")
    lags.sort()
    path = PATHS[args.kind]
    return {
        "share": (last.get(path, 0) - first.get(path, 0)) / ((args.waits + args.listed) * window / args.interval),
        "p99_ms": lags[int(len(lags) * 0.99)] * 1000,
        "worst_ms": lags[-1] * 1000,
        "gc_ms": collections.longest * 1000,
        "worst_without_gc_ms": max(
            (end - start - TICK_SECONDS - collections.within(start, end) for start, end in stalls), default=0.0
        )
        * 1000,
        "start_s": started_all,
        "cpu_share": (time.process_time() - used) / (time.perf_counter() - started),
        "idle_mib": idle,
        "peak_mib": memory("VmHWM"),
    }


def main() -> None:
    """Measure one case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--secure-port", type=int, required=True)
    parser.add_argument("--waits", type=int, required=True)
    parser.add_argument("--interval", type=float, required=True)
    parser.add_argument("--hanging", type=int, default=0, help="waits at a vendor that answers after 30 s")
    parser.add_argument("--listed", type=int, default=0, help="batches of one more wait of our own")
    parser.add_argument("--freeze", action="store_true")
    parser.add_argument("--warm-up", type=float, required=True)
    parser.add_argument("--window", type=float, required=True)
    args = parser.parse_args()
    connect(args.port, args.secure_port)
    KINDS[args.kind](0, 1.0)  # imports
    logging.disable(logging.INFO)
    if args.freeze:
        gc.collect()
        gc.freeze()
    loop = asyncio.new_event_loop()
    print(json.dumps(loop.run_until_complete(measure(args))), flush=True)
    os._exit(0)  # peers that block would keep the process


if __name__ == "__main__":
    main()
