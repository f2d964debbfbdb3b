"""The pace of an account: turns in any minute, and pauses that everybody keeps."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError, RateLimitedError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.http.auth import Secret
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.rate_limit import AccountLimits, RateLimit, limit_of_account
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.landing import land
from airflow_provider_emailverify.steps.result_options import ResultOptions
from airflow_provider_emailverify.storage.destination import Destination
from tests.clock import Clock

TURN_IS_TAKEN = CallPolicy(attempts=1, wait_for_turn=False)


@pytest.fixture
def strict_vendor(clock: Clock) -> Iterator[SandboxServer]:
    """A vendor that counts: it refuses the 11th request of any minute."""
    with SandboxServer(ready_after=0.0, requests_per_minute=10, clock=clock.monotonic) as server:
        yield server


def most_in_a_minute(times: list[float]) -> int:
    times = sorted(times)
    return max(bisect_left(times, start + 60) - number for number, start in enumerate(times))


def test_a_free_turn_takes_no_time(clock: Clock) -> None:
    assert RateLimit(25, clock=clock).acquire(60) == 0
    assert clock.now == 0


@pytest.mark.parametrize(("limit", "expected"), [(25, 25), (1, 1), (250.7, 251), (5.5, 6)])
def test_no_window_of_a_minute_holds_more_turns_than_the_limit(clock: Clock, limit: float, expected: int) -> None:
    rate_limit, times = RateLimit(limit, clock=clock), []

    while clock.now < 3600:
        assert rate_limit.acquire(60) == 0
        times.append(clock.now)

    assert most_in_a_minute(times) == expected
    assert 0.98 * limit * 60 <= len(times) <= limit * 60 + 1


def test_fifty_an_hour_are_one_in_seventy_two_seconds(clock: Clock) -> None:
    rate_limit, times = RateLimit(50 / 60, clock=clock), []

    while clock.now < 7200:
        rate_limit.acquire(60)
        times.append(clock.now)

    assert max(sum(start <= time < start + 3600 for time in times) for start in times) == 50


def test_without_a_limit_only_the_vendor_slows_us_down(clock: Clock) -> None:
    rate_limit = RateLimit(None, clock=clock)

    assert [rate_limit.try_acquire() for _ in range(10_000)] == [0.0] * 10_000
    rate_limit.hold(5)
    assert rate_limit.try_acquire() == 5


def test_threads_do_not_take_a_turn_twice(clock: Clock) -> None:
    rate_limit, taken = RateLimit(25, clock=clock), []
    threads = [threading.Thread(target=lambda: taken.append(rate_limit.try_acquire())) for _ in range(100)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(pause == 0 for pause in taken) == 25


def test_polls_submissions_and_downloads_of_a_process_share_one_limit(
    strict_vendor: SandboxServer, clock: Clock, connect: Callable[..., str], tmp_path: Path
) -> None:
    """A task makes a hook of its own, and a process may run several tasks."""
    strict_vendor.ledger.create_batch("proofy", ["support@proofy.io"], batch_id="b", ready_after=0)
    conn_id = connect("proofy", strict_vendor.proofy_url, requests_per_minute=10)
    submitter, waiter, downloader = (EmailVerifyHook.get_hook(conn_id) for _ in range(3))

    while clock.now < 1200:
        submitter.submit_batch(["a@example.com"])
        waiter.get_batch_status("b")
        land(downloader, "b", Destination(f"{tmp_path}/results.json"), ResultOptions())

    times = [request.at for request in strict_vendor.ledger.requests()]
    assert most_in_a_minute(times) == 10
    assert len(times) >= 0.98 * 10 * 20


URL = "https://vendor.example/v1"


def limit_of(conn_id: str, per_minute: float | None, *, url: str = URL, key: str = "key") -> RateLimit:
    return limit_of_account(conn_id, url, Secret(key), per_minute)


def test_connections_of_one_account_share_its_limit_and_other_accounts_do_not() -> None:
    one = limit_of("a", 25)

    assert limit_of("b", 25) is one
    assert limit_of("a", 25, key="another") is not one
    assert limit_of("a", 25, url="https://elsewhere.example/v1") is not one


def test_a_new_limit_counts_the_turns_under_the_old_one(clock: Clock) -> None:
    limit = limit_of("a", 25)
    for _ in range(20):
        limit.try_acquire()

    limit_of("a", 10)

    assert limit.try_acquire() > 0


@pytest.mark.parametrize("order", [("slow", "fast"), ("fast", "slow"), ("slow", "fast", "unlimited", "fast")])
def test_the_slowest_limit_of_an_accounts_connections_holds(order: tuple[str, ...]) -> None:
    per_minute = {"slow": 10, "fast": 60, "unlimited": None}

    limits = [limit_of(name, per_minute[name]) for name in order]

    assert limits[0].requests_per_minute == 10


def test_a_connection_that_is_read_again_may_raise_its_own_limit() -> None:
    limit = limit_of("a", 10)
    limit_of("b", 60)

    limit_of("a", 40)
    assert limit.requests_per_minute == 40
    limit_of("a", None)
    assert limit.requests_per_minute == 60


def test_a_connection_whose_key_was_changed_slows_down_its_old_account_no_more() -> None:
    limit_of("a", 10)
    limit_of("b", 60)

    assert limit_of("a", 10, key="new").requests_per_minute == 10
    assert limit_of("b", 60).requests_per_minute == 60


def test_two_connections_of_one_account_keep_to_the_slowest_limit(
    clock: Clock, connect: Callable[..., str], sandbox: SandboxServer
) -> None:
    hooks = [
        EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url, conn_id=conn_id, requests_per_minute=limit))
        for conn_id, limit in (("slow", 10), ("fast", 60))
    ]

    limits = {id(hook.client.limit): hook.client.limit for hook in hooks}

    assert [limit.requests_per_minute for limit in limits.values()] == [10]


def test_a_refusal_stops_every_client_of_the_account(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    sandbox.faults.add(kind="rate_limit", retry_after=40, times=1)
    one, other = (EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url)) for _ in range(2))

    with pytest.raises(RateLimitedError):
        one.get_batch_status("b")
    other.get_batch_status("b")

    assert clock.now == pytest.approx(40)


def test_a_long_pause_is_left_to_the_caller_and_nothing_is_sent(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.faults.add(kind="rate_limit", retry_after=3600, times=1)
    one, other = (EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url)) for _ in range(2))
    with pytest.raises(RateLimitedError):
        one.get_batch_status("b")
    clock.now += 600

    with pytest.raises(RateLimitedError, match=r"was not sent: .* left alone for another 3000 s") as caught:
        other.get_batch_status("b")

    assert caught.value.retry_after == pytest.approx(3000)
    assert sandbox.ledger.count() == 1


def test_refusals_without_a_time_hold_longer_and_longer_until_an_answer(clock: Clock) -> None:
    rate_limit, pauses = RateLimit(None, clock=clock), []

    for _ in range(10):
        rate_limit.hold(None)
        pauses.append(rate_limit.held)
        clock.now += rate_limit.held
    rate_limit.relax()
    rate_limit.hold(None)

    assert pauses == pytest.approx([2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    assert rate_limit.held == pytest.approx(2)


def test_refusals_of_requests_that_were_under_way_count_once(clock: Clock) -> None:
    rate_limit = RateLimit(None, clock=clock)

    for _ in range(64):
        rate_limit.hold(None)

    assert rate_limit.held == pytest.approx(2)


def test_a_submission_that_raises_before_it_sends_leaves_no_turn_behind(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    """The turn of one account let the next request of this thread pass, whosever it was."""
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    submitter = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url, requests_per_minute=10))
    other = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, requests_per_minute=1))
    other.get_batch_status("b")

    submitter.client.acquire_turn()
    with pytest.raises(InvalidRequestError):
        submitter.with_policy(TURN_IS_TAKEN).submit_batch([])
    other.get_batch_status("b")

    assert clock.now >= 60


def test_a_request_whose_turn_was_acquired_does_not_wait_and_the_next_one_does(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", sandbox.proofy_url, requests_per_minute=1))

    hook.client.acquire_turn()
    hook.with_policy(TURN_IS_TAKEN).submit_batch(["a@example.com"])
    assert clock.now == 0
    hook.submit_batch(["a@example.com"])

    assert clock.now >= 60


def test_the_key_is_not_kept() -> None:
    limits = AccountLimits()

    limits.limit_of("a", URL, Secret("the-secret-key"), 25)

    assert "the-secret-key" not in repr(vars(limits))


def test_a_fraction_of_a_request_counts_over_a_longer_time(clock: Clock) -> None:
    rate_limit, times = RateLimit(5.5, clock=clock), []

    while clock.now < 3600:
        rate_limit.acquire(60)
        times.append(clock.now)

    assert max(sum(start <= time < start + 120 for time in times) for start in times) == 11


def test_how_long_a_turn_takes_can_be_asked_without_taking_one(clock: Clock) -> None:
    rate_limit = RateLimit(1, clock=clock)

    assert [rate_limit.wait, rate_limit.wait] == [0, 0]
    assert rate_limit.try_acquire() == 0
    assert rate_limit.wait == pytest.approx(61, abs=0.1)
    rate_limit.hold(100)
    assert rate_limit.wait == pytest.approx(100)
