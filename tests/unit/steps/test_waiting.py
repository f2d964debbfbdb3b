"""What each answer means for a wait, and how long a vendor may stay without one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchFailedError,
    BatchNotFoundError,
    VendorOutageError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.waiting import BatchWait
from tests.clock import Clock


@pytest.fixture
def hook(sandbox: SandboxServer, connect: Callable[..., str]) -> EmailVerifyHook:
    """Cliova, with a batch that is ready."""
    sandbox.ledger.create_batch("cliova", ["a@example.com"], batch_id="b", ready_after=0)
    return EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, requests_per_minute=1_000_000))


def test_a_ready_batch_ends_the_wait(hook: EmailVerifyHook) -> None:
    status = BatchWait("b", 60).ask(hook)

    assert status
    assert status.state is BatchState.READY


@pytest.mark.parametrize(
    ("state", "kind", "expected"),
    [
        ("FAILED", None, BatchFailedError),
        ("CANCELLED", None, BatchFailedError),
        (None, "not_found", BatchNotFoundError),
        (None, "unauthorized", AuthenticationError),
    ],
)
def test_what_waiting_does_not_cure_ends_it(
    hook: EmailVerifyHook, sandbox: SandboxServer, state: str | None, kind: str | None, expected: type[Exception]
) -> None:
    sandbox.ledger.batch("b").state = state
    if kind:
        sandbox.faults.add(kind=kind)

    with pytest.raises(expected):
        BatchWait("b", 60).ask(hook)


def test_a_key_that_was_good_may_be_refused_for_ten_minutes(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It was changed at the vendor, and is about to be changed in the connection."""
    sandbox.ledger.batch("b").state = "PROCESSING"
    wait = BatchWait("b", 3600, clock=clock)
    wait.ask(hook)
    sandbox.faults.add(kind="unauthorized")

    assert wait.ask(hook) is None
    assert "the vendor refuses the key that it took before" in caplog.text
    clock.sleep(599)
    again = BatchWait("b", 3600, wait.notes, clock=clock)  # another process, in reschedule mode
    assert again.ask(hook) is None
    clock.sleep(1)
    with pytest.raises(AuthenticationError, match="answered 401"):
        again.ask(hook)


def test_a_key_that_is_good_again_ends_the_outage(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock) -> None:
    sandbox.ledger.batch("b").state = "PROCESSING"
    wait = BatchWait("b", 3600, clock=clock)
    wait.ask(hook)
    sandbox.faults.add(kind="unauthorized", times=1)
    wait.ask(hook)
    clock.sleep(10)

    assert wait.ask(hook) is None
    assert wait.outage == 0


def test_an_unknown_word_means_not_yet_and_is_said_once(
    hook: EmailVerifyHook, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.ledger.batch("b").state = "PONDERING"
    wait = BatchWait("b", 0)

    with caplog.at_level(logging.INFO, "airflow_provider_emailverify.steps.waiting"):
        assert [wait.ask(hook) for _ in range(3)] == [None, None, None]

    assert [record.getMessage() for record in caplog.records] == [
        "Cliova (connection 'cliova_default'), batch 'b': waiting until it is ready.",
        "Batch 'b' at cliova is running ('PONDERING').",
        "'PONDERING' is not a documented status. Waiting on.",
    ]


def test_an_outage_ends_the_wait_when_it_has_lasted_too_long(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    sandbox.faults.add(kind="server_error")
    wait = BatchWait("b", 100, clock=clock)

    assert wait.ask(hook) is None
    clock.now = 99
    assert wait.ask(hook) is None
    clock.now = 101
    with pytest.raises(VendorOutageError, match="no useful answer for 101 s, and max_outage is 100 s") as caught:
        wait.ask(hook)
    assert "answered 500" in "".join(caught.value.steps)


def test_one_useful_answer_starts_the_budget_anew(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock) -> None:
    sandbox.ledger.batch("b").state = "IN PROGRESS"
    wait = BatchWait("b", 100, clock=clock)

    for clock.now in (0, 90, 180, 270):
        sandbox.faults.add(kind="reset", times=1)
        assert wait.ask(hook) is None
        assert wait.ask(hook) is None
    assert wait.outage == 0


def test_a_budget_that_was_used_in_part_is_not_given_back(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    sandbox.faults.add(kind="server_error")

    with pytest.raises(VendorOutageError):
        BatchWait("b", 100, {"failing_since": clock.time() - 101}, clock=clock).ask(hook)


def test_a_wait_without_a_budget_goes_on(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock) -> None:
    sandbox.faults.add(kind="server_error")
    wait = BatchWait("b", None, clock=clock)

    for clock.now in (0, 1e6):
        assert wait.ask(hook) is None


def test_retry_after_is_kept_to(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock) -> None:
    sandbox.faults.add(kind="rate_limit", retry_after=600, times=1)
    wait = BatchWait("b", 3600, clock=clock)

    assert wait.ask(hook) is None
    assert 590 < wait.pause <= 600
    clock.now = 300
    assert wait.ask(hook) is None
    assert sandbox.ledger.count("cliova", "status") == 1
    clock.now = 601
    assert wait.ask(hook)


@pytest.mark.parametrize("retry_after", [7200, "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_beyond_the_budget_ends_with_the_budget(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock, retry_after: int | str
) -> None:
    sandbox.faults.add(kind="server_error", status=503, retry_after=retry_after)
    wait = BatchWait("b", 3600, clock=clock)

    assert wait.ask(hook) is None
    assert 3590 < wait.pause <= 3600
    clock.now = 3601
    with pytest.raises(VendorOutageError, match="max_outage is 3600 s") as caught:
        wait.ask(hook)
    assert "wants to be left alone for longer" in "".join(caught.value.steps)
    assert sandbox.ledger.count("cliova", "status") == 1


@pytest.mark.parametrize("shape", ["null", "html", "empty", "not_json", "string"])
def test_garbage_counts_as_no_answer(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock, shape: Any) -> None:
    sandbox.faults.add(kind="wrong_shape", shape=shape)
    wait = BatchWait("b", 100, clock=clock)

    assert wait.ask(hook) is None
    clock.now += 1
    assert wait.outage == 1


def test_an_outage_is_measured_without_the_wall_clock(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    sandbox.faults.add(kind="server_error")
    wait = BatchWait("b", 100, clock=clock)
    wait.ask(hook)

    clock.epoch += 500_000_000
    assert wait.ask(hook) is None
