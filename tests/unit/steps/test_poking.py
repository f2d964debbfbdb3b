"""A poke for many batches: short, at the account's pace, and each goes on where the last one stopped."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from airflow_provider_emailverify.exceptions import AuthenticationError, VendorOutageError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.poking import Poke
from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait
from tests.clock import Clock


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Wait for requests that a poke has left alone: they would reach the vendor in the next test."""
    yield
    while any(thread.name.startswith("emailverify-poke") for thread in threading.enumerate()):
        time.sleep(0.01)


@pytest.fixture
def hook_at(sandbox: SandboxServer, connect: Callable[..., str]) -> Callable[[float], EmailVerifyHook]:
    """Cliova, with so many requests a minute."""
    return lambda limit: EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, requests_per_minute=limit))


def submit(sandbox: SandboxServer, count: int, ready_after: float = 1e9) -> list[str]:
    ids = [f"b{number}" for number in range(count)]
    for batch_id in ids:
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=ready_after)
    return ids


def polls(sandbox: SandboxServer) -> Counter[str]:
    return Counter(request.batch_id for request in sandbox.ledger.requests("cliova", "status"))


def test_a_poke_asks_for_each_open_batch_once(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook]
) -> None:
    ids = submit(sandbox, 100)
    wait, hook = BatchesWait(ids, 60), hook_at(1_000_000)

    assert Poke(wait, hook).run(20) == 0

    assert polls(sandbox) == Counter(ids)


def test_a_poke_is_short_however_slow_the_limit_and_the_next_one_goes_on(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook], clock: Clock
) -> None:
    ids = submit(sandbox, 10)
    wait, hook = BatchesWait(ids, 3600, clock=clock), hook_at(4)

    lasted = []
    for _ in range(5):
        began = clock.now
        Poke(wait, hook, clock=clock).run(20)
        lasted.append(clock.now - began)
        clock.now += 60

    assert max(lasted) <= 20
    asked = [request.batch_id for request in sandbox.ledger.requests("cliova", "status")]
    assert len(asked) >= 16
    for first in range(0, len(asked), 4):  # at the same time, so in any order
        assert set(asked[first : first + 4]) == set((ids * 3)[first : first + 4])


def test_another_process_goes_on_where_a_poke_stopped(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook], clock: Clock
) -> None:
    ids = submit(sandbox, 6)
    wait, hook = BatchesWait(ids, 3600, clock=clock), hook_at(4)

    assert Poke(wait, hook, clock=clock).run(20) == 2
    clock.now += 100
    assert Poke(BatchesWait(ids, 3600, wait.notes, clock=clock), hook, clock=clock).run(20) == 2

    asked = [request.batch_id for request in sandbox.ledger.requests("cliova", "status")]
    assert sorted(asked[:4]) == ids[:4]
    assert sorted(asked[4:]) == ["b0", "b1", "b4", "b5"]


def test_a_vendor_that_is_down_is_left_alone_until_the_next_poke(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook]
) -> None:
    wait, hook = BatchesWait(submit(sandbox, 100), 3600), hook_at(1_000_000)
    sandbox.faults.add(kind="server_error")

    assert Poke(wait, hook).run(20) > 80

    first = polls(sandbox)
    assert len(first) < 20
    Poke(wait, hook).run(20)
    assert not (polls(sandbox) - first).keys() & first.keys(), "the same ones were asked for again"


def test_one_batch_without_answers_does_not_stop_a_poke(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook]
) -> None:
    wait, hook = BatchesWait(submit(sandbox, 50), 3600), hook_at(1_000_000)
    sandbox.faults.add(kind="server_error", batch_id="b0")

    assert Poke(wait, hook).run(20) == 0


def test_a_vendor_that_hangs_holds_a_poke_for_its_time_out_only(
    sandbox: SandboxServer, connect: Callable[..., str]
) -> None:
    hook = EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, timeout=1, requests_per_minute=1_000_000))
    sandbox.faults.add(kind="hang", seconds=5)
    began = time.monotonic()

    left = Poke(BatchesWait(submit(sandbox, 100), 3600), hook).run(0.5)

    assert left >= 90
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    ("kind", "error"), [("unauthorized", AuthenticationError), ("server_error", VendorOutageError)]
)
def test_what_ends_the_wait_ends_the_poke(
    sandbox: SandboxServer,
    hook_at: Callable[[float], EmailVerifyHook],
    kind: str,
    error: type[Exception],
) -> None:
    sandbox.faults.add(kind=kind)

    with pytest.raises(error):
        Poke(BatchesWait(submit(sandbox, 100), 0), hook_at(1_000_000)).run(20)

    assert sandbox.ledger.count() < 30


def test_a_pause_that_the_vendor_asks_for_ends_a_poke_and_is_kept(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook], clock: Clock
) -> None:
    ids = submit(sandbox, 3, ready_after=0)
    wait, hook = BatchesWait(ids, 3600, clock=clock), hook_at(1_000_000)
    sandbox.faults.add(kind="rate_limit", retry_after=600, times=1)

    Poke(wait, hook, clock=clock).run(20)
    asked = sandbox.ledger.count()
    for clock.now in (100, 590):
        wait = BatchesWait(ids, 3600, wait.notes, clock=clock)
        Poke(wait, hook, clock=clock).run(5)
    assert sandbox.ledger.count() == asked <= 3

    clock.now = 620
    Poke(wait, hook, clock=clock).run(20)
    assert wait.is_over


def test_a_pause_beyond_the_budget_ends_with_the_budget(
    sandbox: SandboxServer, hook_at: Callable[[float], EmailVerifyHook], clock: Clock
) -> None:
    wait, hook = BatchesWait(submit(sandbox, 1), 3600, clock=clock), hook_at(1_000_000)
    sandbox.faults.add(kind="rate_limit", retry_after=7200, times=1)
    Poke(wait, hook, clock=clock).run(20)
    clock.now = 3601

    with pytest.raises(VendorOutageError, match="max_outage is 3600 s"):
        Poke(wait, hook, clock=clock).run(20)
    assert sandbox.ledger.count() == 1
