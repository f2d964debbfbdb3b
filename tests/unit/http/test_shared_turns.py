"""The pace of an account over several processes: by a file on one machine, by Redis over several."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from pyrate_limiter import validate_rate_list

from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.http import rate_limit
from airflow_provider_emailverify.http.auth import Secret
from airflow_provider_emailverify.http.machine_turns import MachineTurns
from airflow_provider_emailverify.http.rate_limit import AccountLimits, RateLimit
from airflow_provider_emailverify.http.rates import even_rate_of, rates_of, spread_rates_of
from airflow_provider_emailverify.http.redis_turns import RedisTurns
from airflow_provider_emailverify.http.shared_turns import UnavailableError
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests import turn_taker
from tests.clock import Clock
from tests.redis_server import IS_THERE, RedisServer

URL = "https://vendor.example"
needs_redis = pytest.mark.skipif(not IS_THERE, reason="there is no redis-server here")


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def account(clock: Any = time, limit: float | None = 10, key: str = "a key", elsewhere: Any = None) -> RateLimit:
    """Return the limit of an account as another process would see it."""
    return AccountLimits(clock=clock).limit_of("c", URL, Secret(key), limit, elsewhere)


def by_redis(server: RedisServer, name: str) -> Callable[[str], RedisTurns]:
    return lambda account: RedisTurns(f"{name}-{account}", server.client, "Redis")


def take_turns(folder: Path, limit: float, seconds: float | str, *port: int) -> subprocess.Popen[str]:
    arguments = [str(folder), str(limit), str(seconds), *map(str, port)]
    return subprocess.Popen([sys.executable, turn_taker.__file__, *arguments], stdout=subprocess.PIPE, text=True)


def most_in(seconds: float, times: list[float]) -> int:
    times = sorted(times)
    return max(bisect_left(times, start + seconds) - number for number, start in enumerate(times))


def walk(clock: Clock, limits: list[RateLimit], seconds: float) -> list[list[float]]:
    """Let each take turns as soon as it may. Return when each took one."""
    taken: list[list[float]] = [[] for _ in limits]
    due = [0.0] * len(limits)
    while clock.now < seconds:
        number = min(range(len(limits)), key=due.__getitem__)
        clock.now = max(clock.now, due[number])
        pause = limits[number].try_acquire()
        if pause:
            due[number] = clock.now + pause
        else:
            taken[number].append(clock.now)
            due[number] = clock.now + 0.2  # the request itself
    return taken


@pytest.mark.parametrize("limit", [25, 5.5, 0.8, 600])
def test_processes_of_one_machine_keep_to_one_limit_and_none_starves(clock: Clock, limit: float) -> None:
    random.seed(1)  # the same jitter on every run
    processes, seconds = 8, 8000 / limit
    taken = walk(clock, [account(clock, limit) for _ in range(processes)], seconds)

    times = list(chain(*taken))
    assert most_in(60, times) <= max(1, -(-limit // 1))
    assert len(times) >= 0.95 * limit * seconds / 60
    assert min(map(len, taken)) >= 0.25 * len(times) / processes


def test_one_process_alone_may_take_its_turns_at_once(clock: Clock) -> None:
    assert [account_limit.try_acquire() for account_limit in [account(clock, 25)] * 25] == [0.0] * 25
    assert clock.now == 0


def test_another_process_begins_where_the_first_one_stopped(rested_accounts: Path) -> None:
    first = take_turns(rested_accounts, 5, 0)
    assert len(first.communicate()[0].splitlines()) == 5

    pause = account(limit=5).try_acquire()

    assert 30 < pause < 62


def test_a_pause_that_the_vendor_asks_for_holds_for_other_processes(clock: Clock) -> None:
    account(clock).hold(45)

    other = account(clock)
    assert other.try_acquire() == other.held == 45
    assert account(clock, None).try_acquire() == 45, "without a limit too"
    assert account(clock, key="another key").try_acquire() == 0
    clock.now = 46
    assert account(clock).try_acquire() == 0


def test_to_look_when_there_is_a_turn_takes_none(clock: Clock) -> None:
    one = account(clock, 1)

    assert [one.wait, one.wait, one.try_acquire()] == [0.0, 0.0, 0.0]
    assert 60 < account(clock, 1).wait <= 65


def test_a_clock_that_began_anew_with_the_machine_holds_nobody_up(clock: Clock) -> None:
    clock.now = 1e6
    for _ in range(10):
        account(clock).try_acquire()
    account(clock).hold(60)
    clock.now = 5

    assert account(clock).try_acquire() == 0


def test_the_files_are_this_users_alone_and_name_no_key(rested_accounts: Path, clock: Clock) -> None:
    account(clock, key="sk-live-1234").try_acquire()

    assert rested_accounts.stat().st_mode & 0o777 == 0o700
    assert len(list(rested_accounts.iterdir())) >= 2
    assert not any("sk-live" in path.name or b"sk-live" in path.read_bytes() for path in rested_accounts.iterdir())


def test_a_folder_that_others_can_write_to_is_not_used(
    rested_accounts: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    rested_accounts.mkdir(mode=0o777)
    rested_accounts.chmod(0o777)
    one = account(clock, 5)

    assert [one.try_acquire() for _ in range(5)] == [0.0] * 5
    assert one.try_acquire() > 0, "this process alone keeps to the limit"
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{rested_accounts} is not a folder of this user alone" in said


def test_a_file_that_somebody_tidied_away_or_broke_is_made_anew(rested_accounts: Path, clock: Clock) -> None:
    one = account(clock, 5)
    one.try_acquire()
    for path in rested_accounts.iterdir():
        path.unlink()
    one.try_acquire()
    (file,) = rested_accounts.glob("*.sqlite")
    assert [account(clock, 5).try_acquire() for _ in range(2)] == [0.0] * 2
    assert account(clock, 5).try_acquire() > 0

    for path in rested_accounts.glob("*.sqlite*"):
        path.write_bytes(b"no database" * 1000)
    two = account(clock, 5)
    two.try_acquire()
    clock.now += 31
    assert two.try_acquire() == 0
    assert file.read_bytes()[:6] == b"SQLite"


def test_a_process_that_is_killed_blocks_nobody_and_one_that_is_stopped_not_for_long(
    rested_accounts: Path, caplog: pytest.LogCaptureFixture
) -> None:
    holder = take_turns(rested_accounts, 1000, "hold")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        holder.send_signal(signal.SIGSTOP)
        one = account(limit=1000)
        started = time.monotonic()
        assert [one.try_acquire() for _ in range(20)] == [0.0] * 20
        assert time.monotonic() - started < 3
        (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert "another process has had" in said
    finally:
        holder.kill()
        holder.communicate()
    MachineTurns("x").take(1000)
    started = time.monotonic()
    assert account(limit=1000).try_acquire() == 0
    assert time.monotonic() - started < 0.5


def test_a_child_opens_the_file_for_itself(rested_accounts: Path) -> None:
    """Airflow forks for each task; what the parent has open must stay so."""
    one = account(limit=10_000)
    one.try_acquire()
    child = os.fork()
    if not child:
        code = 1
        try:
            code = int(any(one.try_acquire() for _ in range(100)))
        finally:
            os._exit(code)
    assert not any(one.try_acquire() for _ in range(100))
    assert os.waitpid(child, 0)[1] == 0
    (place,) = one._shared._places
    assert place._file.bucket.count() == 201


def test_real_processes_take_no_turn_twice(rested_accounts: Path) -> None:
    takers = [take_turns(rested_accounts, 120, 4) for _ in range(6)]
    times = [list(map(float, taker.communicate()[0].split())) for taker in takers]

    assert 10 <= sum(map(len, times)) <= 120


def test_a_file_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_emailverify.http.machine_turns.folder", lambda: Path("/dev/null/x"))

    with pytest.raises(UnavailableError, match="Not a directory"):
        MachineTurns("a").take(5)


def test_every_limit_makes_rates_that_fit_together() -> None:
    for number in range(1, 4000):
        for limit in (number / 1000, number / 7, number * 1.7, float(number * 250)):
            assert validate_rate_list(rates_of(limit))
            assert validate_rate_list(spread_rates_of(limit))
            assert even_rate_of(limit).burst >= 1


@pytest.mark.parametrize("limit", [0.8, 1, 2, 5.5, 25, 60, 61, 100, 250.7, 1000, 100_000])
def test_even_turns_are_never_more_than_the_limit_in_a_minute(limit: float) -> None:
    rate = even_rate_of(limit)
    distance = rate.interval / rate.limit / 1000

    assert rate.burst + int(60 / distance) <= max(1, -(-limit // 1))
    assert 60 / distance >= 0.98 * limit
    assert rates_of(limit)[-1].limit == spread_rates_of(limit)[-1].limit


@needs_redis
def test_machines_keep_to_one_limit_by_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.client().flushall()
    takers = [take_turns(tmp_path / str(number), 600, 6, redis_server.port) for number in range(4)]
    times = [list(map(float, taker.communicate()[0].split())) for taker in takers]

    first = min(map(min, times))
    taken = sorted(time - first for time in chain(*times))
    assert most_in(1, taken) <= 10 + even_rate_of(600).burst
    assert len(taken) >= 0.6 * 10 * (taken[-1] or 1)
    assert min(map(len, times)) >= 0.1 * len(taken) / 4


@needs_redis
def test_redis_keeps_no_key_and_forgets_an_account_that_rests(redis_server: RedisServer) -> None:
    redis_server.client().flushall()
    one = account(elsewhere=by_redis(redis_server, "keys"), key="sk-live-1234")
    one.try_acquire()
    one.hold(5)

    client = redis_server.client()
    names = client.keys()
    assert len(names) == 2
    for name in names:
        assert b"sk-live" not in name
        assert 0 < client.pttl(name) <= 200_000


@needs_redis
def test_a_pause_that_the_vendor_asks_for_holds_on_other_machines(redis_server: RedisServer) -> None:
    account(elsewhere=by_redis(redis_server, "hold")).hold(45)
    other = account(elsewhere=by_redis(redis_server, "hold"))

    assert 44 < other.try_acquire() <= 45
    assert 44 < other.held <= 45


@needs_redis
def test_to_look_into_redis_takes_no_turn(redis_server: RedisServer) -> None:
    one = account(elsewhere=by_redis(redis_server, "look"), limit=1)

    assert [one.wait, one.wait, one.try_acquire()] == [0.0, 0.0, 0.0]
    assert 55 < one.wait < 66


@needs_redis
def test_scripts_that_redis_has_forgotten_are_sent_again(redis_server: RedisServer) -> None:
    one = account(elsewhere=by_redis(redis_server, "flush"), limit=1000)
    one.try_acquire()
    redis_server.client().script_flush()

    assert one.try_acquire() < 1


@needs_redis
def test_while_redis_is_away_the_machine_counts_and_nothing_fails(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with RedisServer(tmp_path) as server:
        one = account(clock, 60, elsewhere=by_redis(server, "away"))
        assert one.try_acquire() == 0
        server.stop()

        assert [one.try_acquire() for _ in range(10)] == [0.0] * 10
        clock.now = 40
        assert one.try_acquire() == 0
        server.start()
        clock.now = 80
        assert one.try_acquire() == 0

    said = [record.getMessage().partition(":")[0] for record in caplog.records]
    assert said == [
        "The requests of an account are not counted together in Redis",
        "The requests of an account are counted together in Redis again.",
    ]


@needs_redis
def test_a_connection_names_the_redis_of_its_limit(
    redis_server: RedisServer, sandbox: SandboxServer, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.client().flushall()
    monkeypatch.setenv("AIRFLOW_CONN_TURNS", f"redis://127.0.0.1:{redis_server.port}/0")
    conn_id = connect("proofy", sandbox.proofy_url, limit_conn_id="turns")

    assert EmailVerifyHook.get_hook(conn_id).get_credits() > 0
    assert len(redis_server.client().keys("emailverify:*:turns")) == 1


def test_a_redis_that_cannot_be_had_fails_no_request(
    sandbox: SandboxServer, connect: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    rate_limit._limits = rate_limit.AccountLimits()
    conn_id = connect("proofy", sandbox.proofy_url, limit_conn_id="nowhere")

    assert EmailVerifyHook.get_hook(conn_id).get_credits() > 0
    (said,) = [record.getMessage() for record in caplog.records if "counted together" in record.getMessage()]
    assert "not counted together in Redis (connection 'nowhere')" in said
    assert "nowhere" in said
