"""The polls of many waits: in turn, at the account's pace, and none at another's expense."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_emailverify.exceptions import AuthenticationError, ConnectionMissingError, VendorOutageError
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps import metrics, poller
from airflow_provider_emailverify.steps.poller import poller_of
from airflow_provider_emailverify.steps.waiting import BatchWait
from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from tests.clock import Clock, running_clock
from tests.raw_server import RawServer, respond

STATUS = b'{"code": "SUCCESS", "payload": [{"status": "IN PROGRESS"}]}'


class StrictVendor:
    """Cliova, with batches that are never ready, and a count: it refuses the eleventh request of any minute."""

    def __init__(self, server: RawServer, clock: Clock) -> None:
        self.polls: list[tuple[float, str]] = []
        self.url = server.url
        self._server = server
        self._clock = clock
        server.answer(self._answer)

    def _answer(self, connection: socket.socket) -> None:
        now = self._clock.now
        self.polls.append((now, self._server.targets[-1].split("/")[-2]))
        many = sum(at > now - 60 for at, _ in self.polls[-20:])
        respond(STATUS, status="429 Too Many Requests" if many > 10 else "200 OK")(connection)


@pytest.fixture
def strict_vendor(raw_server: RawServer, clock: Clock, connect: Callable[..., str]) -> StrictVendor:
    """A vendor that counts, and a connection that knows its limit."""
    vendor = StrictVendor(raw_server, clock)
    connect("cliova", vendor.url, requests_per_minute=10)
    return vendor


@pytest.fixture
def busy(raw_server: RawServer) -> RawServer:
    """Cliova, with batches that are never ready."""
    raw_server.answer(respond(STATUS))
    return raw_server


async def wait_for(conn_id: str, batch_id: str, interval: float, max_outage: float | None = 3600) -> Any:
    clock = running_clock()
    with poller_of(conn_id, clock=clock) as shared:
        return await shared.wait_for(BatchWait(batch_id, max_outage, clock=clock), interval)


async def run_for(seconds: float, *waits: Any) -> list[asyncio.Task[Any]]:
    """Let waits go on for a while, then cancel those that have not ended."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return tasks


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for happens in a thread of the vendor
        await asyncio.sleep(0.01)


def most_in_any_minute(times: Sequence[float]) -> int:
    return max(bisect_left(times, at + 60) - number for number, at in enumerate(times))


def most_in_any_second(times: Sequence[float], seconds: range) -> int:
    return max(sum(start <= at < start + 1 for at in times) for start in seconds)


def shortest_pause(times: Sequence[float]) -> float:
    return min(later - earlier for earlier, later in pairwise(times))


def poll_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("emailverify-poll")]


def test_over_an_hour_no_minute_holds_more_polls_than_the_limit(strict_vendor: StrictVendor, clock: Clock) -> None:
    clock.run(run_for(3600, *(wait_for("cliova_default", f"b{number}", 60) for number in range(40))))

    times = [at for at, _ in strict_vendor.polls]
    assert most_in_any_minute(times) == 10
    assert len(times) >= 0.97 * 10 * 59, "the limit was not made use of"
    polls = Counter(batch_id for _, batch_id in strict_vendor.polls)
    assert len(polls) == 40
    assert max(polls.values()) - min(polls.values()) <= 2, "somebody was asked for at others' expense"


def test_no_batch_is_asked_for_more_often_than_its_interval(
    busy: RawServer, clock: Clock, connect: Callable[..., str]
) -> None:
    times: list[float] = []
    busy.answer(lambda connection: (times.append(clock.now), respond(STATUS)(connection)))

    clock.run(run_for(600, wait_for(connect("cliova", busy.url), "b", 30)))

    assert times[0] >= 30, "the sensor has asked just before"
    assert len(times) >= 18
    assert shortest_pause(times) >= 30 - 1e-6


def test_a_new_wait_is_served_in_the_same_round_as_the_old_ones(strict_vendor: StrictVendor, clock: Clock) -> None:
    async def main() -> float:
        old = [asyncio.ensure_future(wait_for("cliova_default", f"old{number}", 1)) for number in range(40)]
        await asyncio.sleep(600)
        started = clock.now
        new = asyncio.ensure_future(wait_for("cliova_default", "new", 1))
        await until(lambda: "new" in {batch_id for _, batch_id in strict_vendor.polls})
        for task in [*old, new]:
            task.cancel()
        return clock.now - started

    # Forty waits at ten a minute: a round takes four minutes.
    assert clock.run(main()) < 5 * 61


def test_waits_that_start_together_are_spread(busy: RawServer, clock: Clock, connect: Callable[..., str]) -> None:
    conn_id = connect("cliova", busy.url)
    times: list[float] = []
    busy.answer(lambda connection: (times.append(clock.now), respond(STATUS)(connection)))

    clock.run(run_for(119, *(wait_for(conn_id, f"b{number}", 60) for number in range(300))))

    assert min(times) >= 60
    assert most_in_any_second(times, range(60, 120)) < 30


def test_a_pause_that_the_vendor_asks_for_is_kept_by_all(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.faults.add(kind="rate_limit", retry_after=600, times=1)
    conn_id = connect("cliova", sandbox.cliova_url)
    polls: list[float] = []

    async def main() -> None:
        tasks = [asyncio.ensure_future(wait_for(conn_id, f"b{number}", 10)) for number in range(20)]
        await until(lambda: sandbox.ledger.count() > 0)
        refused_at = clock.now
        await asyncio.sleep(590)
        # Those that were under way had left before the refusal came.
        polls.append(sandbox.ledger.count())
        await asyncio.sleep(refused_at + 630 - clock.now)
        polls.append(sandbox.ledger.count())
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    for number in range(20):
        sandbox.ledger.create_batch("cliova", [], batch_id=f"b{number}", ready_after=1e9)
    clock.run(main())

    assert polls[0] == 1
    assert polls[1] >= 20


def test_a_vendor_that_hangs_holds_up_only_its_own_waits(
    raw_server: RawServer, sandbox: SandboxServer, connect: Callable[..., str]
) -> None:
    release = threading.Event()
    raw_server.answer(lambda connection: release.wait(10))
    hanging = connect("cliova", raw_server.url, conn_id="hanging")
    lively = connect("proofy", sandbox.proofy_url, requests_per_minute=1_000_000)
    sandbox.ledger.create_batch("proofy", [], batch_id="b", ready_after=1e9)

    async def main() -> None:
        await run_for(
            2.2,
            *(wait_for(hanging, f"h{number}", 0.01) for number in range(2 * poller.THREADS)),
            *(wait_for(lively, "b", 0.1) for _ in range(10)),
        )

    asyncio.run(main())
    release.set()

    assert len(raw_server.requests) == poller.THREADS, "each hanging call has a thread, and no more than there are"
    # They would be 200 on an idle machine; behind the other's threads there would be next to none.
    assert sandbox.ledger.count("proofy") >= 50


def test_one_wait_that_is_cancelled_leaves_the_others_alone(
    sandbox: SandboxServer, connect: Callable[..., str]
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0.6)
    sandbox.faults.add(kind="hang", seconds=0.3, times=5)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> Any:
        cancelled = [asyncio.ensure_future(wait_for(conn_id, "b", 0.01)) for _ in range(100)]
        other = asyncio.ensure_future(wait_for(conn_id, "b", 0.02))
        await asyncio.sleep(0.1)
        for task in cancelled:
            task.cancel()
        return await asyncio.wait_for(other, 10)

    assert asyncio.run(main()).state == "ready"


def test_what_is_cancelled_in_the_middle_of_a_poll_gives_its_thread_back(
    raw_server: RawServer, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "THREADS", 1)
    release = threading.Event()
    raw_server.answer(lambda connection: release.wait(10), respond(b'{"payload": [{"status": "COMPLETED"}]}'))
    conn_id = connect("cliova", raw_server.url)

    async def main() -> Any:
        first = asyncio.ensure_future(wait_for(conn_id, "first", 0.01))
        await until(lambda: bool(raw_server.requests))
        second = asyncio.ensure_future(wait_for(conn_id, "second", 0.01))
        first.cancel()
        await asyncio.sleep(0.1)
        assert len(raw_server.requests) == 1, "the only thread is still at work"
        release.set()
        return await asyncio.wait_for(second, 10)

    assert asyncio.run(main()).state == "ready"


def test_the_last_wait_closes_what_the_first_has_opened(sandbox: SandboxServer, connect: Callable[..., str]) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    conn_id = connect("cliova", sandbox.cliova_url)
    while poll_threads():  # of tests before
        time.sleep(0.01)

    async def main() -> None:
        with poller_of(conn_id) as shared:
            with poller_of(conn_id) as same:
                assert same is shared
                await same.wait_for(BatchWait("b", 60), 0.01)
            assert poll_threads()
            await shared.wait_for(BatchWait("b", 60), 0.01)
        with poller_of(conn_id) as another:
            assert another is not shared

    asyncio.run(main())

    deadline = time.monotonic() + 5
    while poll_threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert poll_threads() == []
    assert poller._pollers == {}


def test_an_unchanged_connection_keeps_its_sockets(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    conn_id = connect("cliova", sandbox.cliova_url)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)

    async def main() -> list[Any]:
        clients = []
        with poller_of(conn_id, clock=clock) as shared:
            for _ in range(5):
                with suppress(TimeoutError):
                    await asyncio.wait_for(shared.wait_for(BatchWait("b", 60, clock=clock), 30), 70)
                assert shared._hook
                clients.append(shared._hook.client)
        return clients

    assert len(set(map(id, clock.run(main())))) == 1


def test_a_changed_connection_is_followed_within_a_minute(
    sandbox: SandboxServer, busy: RawServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> int:
        task = asyncio.ensure_future(wait_for(conn_id, "b", 5))
        await asyncio.sleep(20)
        connect("cliova", busy.url)
        await asyncio.sleep(70)
        before = sandbox.ledger.count()
        await asyncio.sleep(30)
        task.cancel()
        return sandbox.ledger.count() - before

    assert clock.run(main()) == 0
    assert len(busy.requests) >= 5


def test_a_new_key_ends_a_pause_that_was_meant_for_the_old_one(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    sandbox.faults.add(kind="rate_limit", retry_after=36_000, times=1)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> Any:
        first = asyncio.ensure_future(wait_for(conn_id, "b", 5))
        second = asyncio.ensure_future(wait_for(conn_id, "b", 60))
        await asyncio.sleep(30)
        connect("cliova", sandbox.cliova_url, key="another key")
        await asyncio.wait([second])
        first.cancel()
        return second.result()

    assert clock.run(main()).state == "ready"
    assert clock.now < 300


def test_a_secrets_backend_that_is_down_ends_no_wait(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    conn_id = connect("cliova", sandbox.cliova_url)

    def down(*_: Any) -> Any:
        raise RuntimeError("the backend is down")

    async def main() -> Any:
        with monkeypatch.context() as patched:
            patched.setattr(BaseHook, "get_connection", down)
            waiting = asyncio.ensure_future(wait_for(conn_id, "b", 10))
            await asyncio.sleep(100)
            assert not waiting.done()
        return await waiting

    assert clock.run(main()).state == "ready"
    assert sandbox.ledger.count() == 1


def test_a_secrets_backend_that_stays_down_ends_a_wait_with_its_budget(
    clock: Clock, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> Any:
        raise RuntimeError("the backend is down")

    monkeypatch.setattr(BaseHook, "get_connection", down)

    with pytest.raises(VendorOutageError) as caught:
        clock.run(wait_for("cliova_default", "b", 10, max_outage=60))
    assert "Connection 'cliova_default' cannot be read now (RuntimeError)." in caught.value.steps
    assert 60 <= clock.now < 90


@pytest.mark.parametrize("seconds_before", [0, 15])
def test_a_connection_that_airflow_does_not_find_for_some_minutes_ends_no_wait(
    sandbox: SandboxServer,
    clock: Clock,
    connect: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    seconds_before: float,
) -> None:
    """Airflow says the same where its secrets backend is away."""
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> Any:
        with monkeypatch.context() as patched:
            if not seconds_before:
                patched.delenv("AIRFLOW_CONN_CLIOVA_DEFAULT")
            waiting = asyncio.ensure_future(wait_for(conn_id, "b", 10))
            await asyncio.sleep(seconds_before)
            patched.delenv("AIRFLOW_CONN_CLIOVA_DEFAULT", raising=False)
            await asyncio.sleep(400)
            assert not waiting.done()
        sandbox.ledger.reset()
        sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
        return await waiting

    assert clock.run(main()).state == "ready"


def test_a_connection_that_is_deleted_ends_its_waits(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> Any:
        waiting = asyncio.ensure_future(wait_for(conn_id, "b", 10))
        await asyncio.sleep(15)
        monkeypatch.delenv("AIRFLOW_CONN_CLIOVA_DEFAULT")
        return await waiting

    with pytest.raises(ConnectionMissingError):
        clock.run(main())
    assert 600 <= clock.now < 900


def test_a_failed_poll_is_not_repeated_before_the_interval(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    """A thread that sleeps between attempts would be missing elsewhere."""
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    sandbox.faults.add(kind="server_error", times=3)
    conn_id = connect("cliova", sandbox.cliova_url, max_attempts=4)

    clock.run(wait_for(conn_id, "b", 10))

    assert sandbox.ledger.count() == 4
    assert clock.now >= 40


def test_each_loop_has_a_poller_of_its_own(sandbox: SandboxServer, connect: Callable[..., str]) -> None:
    """As ``dag.test()`` runs each trigger on a new loop."""
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    conn_id = connect("cliova", sandbox.cliova_url)

    for _ in range(3):
        assert asyncio.run(wait_for(conn_id, "b", 0.01)).state == "ready"


def test_no_poll_is_logged_at_info_but_each_change_is(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    batch = sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=1e9)
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> None:
        waiting = asyncio.ensure_future(wait_for(conn_id, "b", 10))
        await asyncio.sleep(100)
        sandbox.faults.add(kind="server_error", times=5)
        await asyncio.sleep(100)
        batch.state = "COMPLETED"
        await waiting

    with caplog.at_level(logging.INFO, "airflow_provider_emailverify"):
        clock.run(main())

    said = [(record.levelname, record.getMessage().partition("batch 'b': ")[2]) for record in caplog.records]
    said = [(level, text or record.getMessage()) for (level, text), record in zip(said, caplog.records, strict=True)]
    assert sandbox.ledger.count() > 15
    assert [level for level, _ in said] == ["INFO", "INFO", "WARNING", "INFO", "INFO", "INFO"]
    assert [text for _, text in said][:2] == [
        "waiting until it is ready.",
        "Batch 'b' at cliova is running ('IN PROGRESS').",
    ]
    assert "answers again, after" in said[3][1]
    assert said[4][1] == "Batch 'b' at cliova is ready ('COMPLETED')."
    assert said[5][1].startswith("waited ")


def test_polls_waits_refusals_and_outages_are_measured_by_vendor_and_connection(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[tuple[str, Any]] = Counter()
    gauges: list[tuple[str, float]] = []

    class Stats:
        @staticmethod
        def incr(name: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
            counts[name, tuple((tags or {}).items())] += count

        @staticmethod
        def gauge(name: str, value: float, *, tags: dict[str, str] | None = None) -> None:
            gauges.append((name, value))

    monkeypatch.setattr(metrics, "Stats", Stats)
    sandbox.ledger.create_batch("cliova", [], batch_id="b", ready_after=0)
    sandbox.faults.add(kind="rate_limit", retry_after=1, times=1)
    sandbox.faults.add(kind="server_error", times=2)
    conn_id = connect("cliova", sandbox.cliova_url, conn_id="my_cliova")

    clock.run(wait_for(conn_id, "b", 10))
    while poll_threads():
        time.sleep(0.01)

    tags = (("vendor", "cliova"), ("conn_id", "my_cliova"))
    for name, expected in {"polls": 4, "throttled": 1, "outages": 1}.items():
        assert counts[f"emailverify.{name}", tags] == expected
        assert counts[f"emailverify.{name}.cliova.my_cliova", ()] == expected
    ours = [value for name, value in gauges if name == "emailverify.waits.cliova.my_cliova"]
    assert (ours[0], ours[-1]) == (1, 0)
    assert ("emailverify.waits", 1) in gauges


def test_the_loop_is_free_while_a_thousand_waits_start_and_are_polled(
    busy: RawServer, connect: Callable[..., str]
) -> None:
    conn_id = connect("cliova", busy.url)
    rounds: list[int] = []

    async def beside() -> None:
        while True:
            await asyncio.sleep(0.01)
            rounds.append(1)

    async def main() -> None:
        ticker = asyncio.create_task(beside())
        tasks = []
        for number in range(1000):  # one in each round of the loop, as the triggerer does
            tasks.append(asyncio.ensure_future(anext(EmailVerifyBatchTrigger(conn_id, f"b{number}", 2).run())))
            await asyncio.sleep(0)
        await asyncio.sleep(5)
        for task in [*tasks, ticker]:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(main())
    while poll_threads():  # they would write into the logs of the next test
        time.sleep(0.01)

    # On an idle machine there are 500 rounds and many more polls; how fast both are is what tests/benchmarks measures.
    assert len(busy.requests) > 50
    assert len(rounds) > 50


# --- a list of batches in one wait ---


async def wait_for_list(
    conn_id: str, batch_ids: list[str], interval: float, max_outage: float | None = 3600, unasked: int = 0
) -> BatchesWait:
    clock = running_clock()
    wait = BatchesWait(batch_ids, max_outage, clock=clock)
    with poller_of(conn_id, clock=clock) as shared:
        await shared.wait_for_all(wait, interval, unasked)
    return wait


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_a_list_and_single_waits_share_the_limit_batch_by_batch(strict_vendor: StrictVendor, clock: Clock) -> None:
    singles = (wait_for("cliova_default", batch_id, 60) for batch_id in names("single", 20))

    clock.run(run_for(3600, wait_for_list("cliova_default", names("listed", 20), 60), *singles))

    times = [at for at, _ in strict_vendor.polls]
    assert max(bisect_left(times, at + 60) - number for number, at in enumerate(times)) == 10
    assert len(times) >= 0.97 * 10 * 59, "the limit was not made use of"
    polls = Counter(batch_id for _, batch_id in strict_vendor.polls)
    assert len(polls) == 40
    assert max(polls.values()) - min(polls.values()) <= 3, "somebody was asked for at others' expense"


def test_each_batch_of_a_list_is_asked_for_at_its_own_interval(
    busy: RawServer, clock: Clock, connect: Callable[..., str]
) -> None:
    times: dict[str, list[float]] = defaultdict(list)

    def answer(connection: socket.socket) -> None:
        times[busy.targets[-1].split("/")[-2]].append(clock.now)
        respond(STATUS)(connection)

    busy.answer(answer)
    clock.run(run_for(600, wait_for_list(connect("cliova", busy.url), names("b", 10), 30)))

    assert len(times) == 10
    for asked in times.values():
        assert asked[0] >= 30, "the sensor has asked just before"
        assert len(asked) >= 16
        assert min(later - earlier for earlier, later in pairwise(asked)) >= 30 - 1


def test_what_the_sensor_has_not_asked_for_is_asked_for_at_once(
    busy: RawServer, clock: Clock, connect: Callable[..., str]
) -> None:
    asked: list[str] = []

    def answer(connection: socket.socket) -> None:
        asked.append(busy.targets[-1].split("/")[-2])
        respond(STATUS)(connection)

    busy.answer(answer)
    clock.run(run_for(29, wait_for_list(connect("cliova", busy.url), names("b", 4), 30, unasked=2)))

    assert sorted(asked) == ["b0", "b1"]


def test_what_is_final_is_not_asked_for_again_and_the_rest_is_waited_for(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    for batch_id in names("b", 5):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    sandbox.ledger.batch("b1").state = "FAILED"
    sandbox.ledger.batch("b2").state = "IN PROGRESS"
    conn_id = connect("cliova", sandbox.cliova_url)

    async def main() -> BatchesWait:
        waiting = asyncio.ensure_future(wait_for_list(conn_id, [*names("b", 5), "gone"], 10))
        await asyncio.sleep(200)
        sandbox.ledger.batch("b2").state = "COMPLETED"
        return await waiting

    wait = clock.run(main())

    assert wait.ready_ids(leave_out=True) == ["b0", "b2", "b3", "b4"]
    asked = Counter(request.batch_id for request in sandbox.ledger.requests("cliova", "status"))
    assert asked.pop("b2") >= 10
    assert set(asked.values()) == {1}


def test_a_list_ends_with_its_budget(sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]) -> None:
    sandbox.faults.add(kind="server_error")
    conn_id = connect("cliova", sandbox.cliova_url)

    with pytest.raises(VendorOutageError, match="3 batches"):
        clock.run(wait_for_list(conn_id, names("b", 3), 10, max_outage=60))
    assert 60 <= clock.now < 100


def test_a_list_waits_through_an_unreadable_connection(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch_id in names("b", 3):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    conn_id = connect("cliova", sandbox.cliova_url)

    def down(*_: Any) -> Any:
        raise RuntimeError("the backend is down")

    async def main() -> BatchesWait:
        with monkeypatch.context() as patched:
            patched.setattr(BaseHook, "get_connection", down)
            waiting = asyncio.ensure_future(wait_for_list(conn_id, names("b", 3), 10))
            await asyncio.sleep(100)
            assert not waiting.done()
        return await waiting

    assert clock.run(main()).is_over
    assert sandbox.ledger.count() == 3


def test_a_pause_that_the_vendor_asks_for_is_kept_for_a_list(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    for batch_id in names("b", 5):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    sandbox.faults.add(kind="rate_limit", retry_after=600, times=1)
    conn_id = connect("cliova", sandbox.cliova_url)

    wait = clock.run(wait_for_list(conn_id, names("b", 5), 10))

    assert wait.is_over
    assert clock.now >= 600
    assert sandbox.ledger.count() == 6


def test_a_refused_key_ends_the_wait_for_a_list(
    sandbox: SandboxServer, clock: Clock, connect: Callable[..., str]
) -> None:
    sandbox.faults.add(kind="unauthorized", skip=3)
    conn_id = connect("cliova", sandbox.cliova_url)
    for batch_id in names("b", 10):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=1e9)

    with pytest.raises(AuthenticationError):
        clock.run(wait_for_list(conn_id, names("b", 10), 10))


def test_a_list_that_is_cancelled_gives_its_threads_back(
    raw_server: RawServer, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "THREADS", 2)
    release = threading.Event()
    raw_server.answer(
        lambda connection: release.wait(10),
        lambda connection: release.wait(10),
        respond(b'{"payload": [{"status": "COMPLETED"}]}'),
    )
    conn_id = connect("cliova", raw_server.url)

    async def main() -> Any:
        first = asyncio.ensure_future(wait_for_list(conn_id, names("b", 10), 0.01))
        await until(lambda: len(raw_server.requests) == 2)
        second = asyncio.ensure_future(wait_for(conn_id, "second", 0.01))
        first.cancel()
        await asyncio.sleep(0.1)
        assert len(raw_server.requests) == 2, "both threads are still at work"
        release.set()
        return await asyncio.wait_for(second, 10)

    assert asyncio.run(main()).state == "ready"


def test_a_list_makes_no_task_for_each_batch(busy: RawServer, connect: Callable[..., str]) -> None:
    conn_id = connect("cliova", busy.url, requests_per_minute=1)

    async def main() -> int:
        waiting = asyncio.ensure_future(wait_for_list(conn_id, names("b", 2000), 60, unasked=2000))
        await asyncio.sleep(0.5)
        tasks = len(asyncio.all_tasks())
        waiting.cancel()
        return tasks

    assert asyncio.run(main()) <= 4
