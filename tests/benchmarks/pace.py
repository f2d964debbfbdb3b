"""
How well many processes keep to one limit: turns in any minute, turns in all, and what each process got.

    python tests/benchmarks/pace.py
    python tests/benchmarks/pace.py --processes 40 --trees 2 --limit 600 --minutes 10
    python tests/benchmarks/pace.py --redis

The processes belong to several trees, as those of two workers do, and take turns as fast as they may: by the file of
the machine, or by a Redis of their own (Debian: redis-server), each then with a file of its own. Beside it stands what
they did if each kept to the limit for itself. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests import turn_taker
from tests.redis_server import RedisServer


def main() -> None:
    """Let the processes take turns, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=40)
    parser.add_argument("--trees", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600, help="turns a minute")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument(
        "--redis", action="store_true", help="count in a Redis, each process as on a machine of its own"
    )
    args = parser.parse_args()
    print(
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; {args.processes} processes of {args.trees} "
        f"trees for {args.minutes:g} minutes, {args.limit:g} turns a minute by {'Redis' if args.redis else 'a file'}",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = [str(stack.enter_context(RedisServer(Path(folder))).port)] if args.redis else []
        takers = []
        for number in range(args.processes):
            place = Path(folder) / (f"machine-{number}" if args.redis else "turns")
            command = [sys.executable, turn_taker.__file__, str(place), str(args.limit), str(args.minutes * 60), *port]
            group = 0 if number % args.trees else None
            takers.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=group))
        started = time.monotonic()
        times = [list(map(float, taker.communicate()[0].split())) for taker in takers]
        seconds = time.monotonic() - started
    taken = sorted(at for each in times for at in each)
    most = max(bisect_left(taken, at + 60) - number for number, at in enumerate(taken))
    steady = [at for at in taken if at > taken[0] + 60]
    a_minute = 60 * len(steady) / (taken[-1] - taken[0] - 60) if steady else float("nan")
    shares = sorted(map(len, times))
    print(f"most turns in any minute   {most:>8,} of {args.limit:g}")
    print(
        f"turns a minute after the first {a_minute:>4,.0f}, {100 * (1 - a_minute / args.limit):.1f} % below the limit"
    )
    print(f"turns of one process       {shares[0]:>8,} to {shares[-1]:,}, in the middle {shares[len(shares) // 2]:,}")
    print(f"in all                     {len(taken):>8,} in {seconds:.0f} s")


if __name__ == "__main__":
    main()
