"""A list of batches: what is known of each, one budget of outage, and what is said of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchFailedError,
    BatchNotFoundError,
    VendorOutageError,
)
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait
from tests.clock import Clock


@pytest.fixture
def hook(sandbox: SandboxServer, connect: Callable[..., str]) -> EmailVerifyHook:
    """Cliova, which tells how many addresses a batch has."""
    return EmailVerifyHook.get_hook(connect("cliova", sandbox.cliova_url, requests_per_minute=1_000_000))


def submit(sandbox: SandboxServer, count: int, addresses: int = 2, ready_after: float = 0) -> list[str]:
    """Return the ids of batches at the vendor."""
    ids = [f"b{number}" for number in range(count)]
    emails = [f"{number}@example.com" for number in range(addresses)]
    for batch_id in ids:
        sandbox.ledger.create_batch("cliova", emails, batch_id=batch_id, ready_after=ready_after)
    return ids


def ask_all(wait: BatchesWait, hook: EmailVerifyHook) -> None:
    for place in wait.open_batches():
        wait.record(place, wait.ask(place, hook), hook)


def said(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return what was logged of lists; a wait of an earlier test may still be ending in a thread of its own."""
    of_lists = (record for record in caplog.records if record.name.endswith(".waiting_for_many"))
    return [record.getMessage() for record in of_lists if record.levelno >= level]


def test_what_is_final_is_not_asked_for_again(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    ids = submit(sandbox, 4)
    sandbox.ledger.batch("b2").ready_after = 1e9
    wait = BatchesWait([*ids, "gone"], 60)

    for _ in range(3):
        ask_all(wait, hook)

    assert sandbox.ledger.count() == 5 + 1 + 1
    assert [wait.states.batch_ids[place] for place in wait.open_batches()] == ["b2"]


def test_failed_and_unknown_batches_do_not_end_the_wait_for_the_others(
    hook: EmailVerifyHook, sandbox: SandboxServer
) -> None:
    ids = submit(sandbox, 3)
    sandbox.faults.add(kind="batch_failed", batch_id="b0")
    wait = BatchesWait([*ids, "gone"], 60)

    ask_all(wait, hook)

    assert wait.is_over
    assert wait.ready_ids(leave_out=True) == ["b1", "b2"]
    with pytest.raises(BatchFailedError) as caught:
        wait.ready_ids(leave_out=False)
    assert str(caught.value).startswith("2 of 4 batches failed: 'b0' (failed), 'gone' (unknown to the vendor). ")
    assert "set failed_batches='leave_out'" in str(caught.value)
    assert caught.value.steps[:3] == ("2 of 4 batches failed:", "'b0' (failed)", "'gone' (unknown to the vendor)")
    assert max(map(len, caught.value.steps)) <= 100


def test_no_batch_that_is_ready_is_a_failure_even_if_failures_are_left_out(
    hook: EmailVerifyHook, sandbox: SandboxServer
) -> None:
    wait = BatchesWait(["x", "y"], 60)

    ask_all(wait, hook)

    with pytest.raises(BatchNotFoundError, match="2 of 2 batches failed") as caught:
        wait.ready_ids(leave_out=True)
    assert "leave_out" not in str(caught.value)


def test_messages_and_summary_name_some_of_many(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    wait = BatchesWait([f"gone-{number}" for number in range(1500)], 60)
    answer = wait.ask(0, hook)
    for place in range(1500):
        wait.record(place, answer, hook)

    with pytest.raises(BatchNotFoundError) as caught:
        wait.ready_ids(leave_out=False)
    assert "and 1,480 more" in caught.value.steps
    assert len(str(caught.value)) < 1500
    assert len(json.dumps(wait.states.summary)) < 1500
    assert wait.states.summary["more_not_ready"] == 1480
    assert wait.states.summary["states"] == {"ready": 0, "failed": 0, "cancelled": 0, "unknown": 1500}


def test_a_refused_key_ends_the_wait_for_all(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    sandbox.faults.add(kind="unauthorized")

    with pytest.raises(AuthenticationError):
        BatchesWait(["a", "b"], 60).ask(0, hook)


def test_a_key_that_was_good_for_one_batch_may_be_refused_for_others_for_ten_minutes(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    wait = BatchesWait(submit(sandbox, 2, ready_after=1e9), 3600, clock=clock)
    ask_all(wait, hook)
    sandbox.faults.add(kind="unauthorized")

    ask_all(wait, hook)
    clock.now += 599
    ask_all(wait, hook)
    clock.now += 1
    with pytest.raises(AuthenticationError):
        ask_all(wait, hook)


def test_any_useful_answer_starts_the_budget_of_all_anew(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    wait = BatchesWait(submit(sandbox, 2, ready_after=1e9), 100, clock=clock)
    sandbox.faults.add(kind="server_error", batch_id="b0")

    for clock.now in (0, 90, 180, 270):
        ask_all(wait, hook)

    assert wait.outage == 0


def test_a_batch_that_alone_gets_no_answers_ends_the_wait_when_the_others_are_final(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    wait = BatchesWait(submit(sandbox, 3), 100, clock=clock)
    sandbox.faults.add(kind="server_error", batch_id="b1")

    for clock.now in (0, 99):
        ask_all(wait, hook)
    clock.now = 201

    with pytest.raises(
        VendorOutageError, match=r"1 batch \('b1'\): no useful answer for 102 s, and max_outage is 100 s"
    ):
        ask_all(wait, hook)


def test_an_outage_names_some_of_those_that_are_open(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock
) -> None:
    wait = BatchesWait([f"b{number}" for number in range(25)], 0, clock=clock)
    sandbox.faults.add(kind="server_error")

    with pytest.raises(VendorOutageError, match=r"^25 batches \('b0', 'b1', .*'b19' and 5 more\): no useful answer"):
        ask_all(wait, hook)


def test_progress_is_said_when_it_has_changed_by_a_tenth_or_after_a_quarter_of_an_hour(
    hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ids = submit(sandbox, 100, ready_after=1e9)
    wait = BatchesWait(ids, 60, clock=clock)

    with caplog.at_level("INFO", "airflow_provider_emailverify"):
        wait.begin()
        for clock.now, ready in ((0, 0), (120, 5), (240, 12), (360, 15), (1200, 16), (1300, 100)):
            for batch_id in ids[:ready]:
                sandbox.ledger.batch(batch_id).ready_after = 0
            ask_all(wait, hook)

    assert said(caplog) == [
        "Waiting until 100 batches are ready.",
        "10 of 100 batches ready, 20 of 200 addresses.",
        "16 of 100 batches ready, 32 of 200 addresses.",
        *(f"{ready} of 100 batches ready, {2 * ready} of 200 addresses." for ready in range(20, 100, 10)),
        "Waited 1300 s: 100 of 100 batches ready, 200 of 200 addresses.",
    ]


@pytest.mark.parametrize(
    ("batches", "each", "text"),
    [
        (1, 1, "1 of 1 batch ready, 1 of 1 address"),
        (2, 500_000, "2 of 2 batches ready, 1 of 1 million addresses"),
        (3, 3_333_333, "3 of 3 batches ready, 9.9 of 9.9 million addresses"),
        (1000, 10_000, "1,000 of 1,000 batches ready, 10 of 10 million addresses"),
        (2000, 1_000_000, "2,000 of 2,000 batches ready, 2,000 of 2,000 million addresses"),
    ],
)
def test_counts_agree_with_their_nouns(hook: EmailVerifyHook, batches: int, each: int, text: str) -> None:
    wait = BatchesWait([str(number) for number in range(batches)], 60)
    for place in range(batches):
        wait.record(place, hook.batch_status(str(place), "completed", total=each), hook)

    assert wait.states.progress == text


def test_addresses_are_told_only_if_the_vendor_tells_them_of_each_batch(hook: EmailVerifyHook) -> None:
    wait = BatchesWait(["a", "b", "c"], 60)
    wait.record(0, hook.batch_status("a", "completed", total=10), hook)
    wait.record(1, hook.batch_status("b", "in progress", total=10, processed=4), hook)
    assert wait.states.progress == "1 of 3 batches ready"

    wait.record(2, hook.batch_status("c", "in progress", total=5), hook)
    assert wait.states.progress == "1 of 3 batches ready, 14 of 25 addresses"

    wait.record(1, hook.batch_status("b", "in progress", processed=9), hook)
    assert wait.states.progress == "1 of 3 batches ready, 19 of 25 addresses"


def test_an_unknown_word_is_said_once_whichever_batch_it_is_for(
    hook: EmailVerifyHook, caplog: pytest.LogCaptureFixture
) -> None:
    wait = BatchesWait(["a", "b"], 60)

    for place in (0, 1, 0):
        wait.record(place, hook.batch_status("a", "Pondering"), hook)

    assert said(caplog, logging.WARNING) == ["'Pondering' is not a documented status. Waiting on."]


# --- from one process to the next ---


def test_notes_let_another_process_go_on(hook: EmailVerifyHook, sandbox: SandboxServer, clock: Clock) -> None:
    ids = [*submit(sandbox, 4), "gone"]
    sandbox.ledger.batch("b3").ready_after = 1e9
    first = BatchesWait(ids, 100, clock=clock)
    first.begin()
    ask_all(first, hook)
    first.stop_at(3)
    clock.now = 50

    notes = json.loads(json.dumps(first.notes))
    again = BatchesWait(ids, 100, notes, clock=clock)

    assert again.waited == 50
    assert again.open_batches() == [3]
    assert again.states.progress == first.states.progress
    sandbox.ledger.batch("b3").ready_after = 0
    ask_all(again, hook)
    assert again.states.summary == {
        "vendor": "cliova",
        "batches": 5,
        "states": {"ready": 4, "failed": 0, "cancelled": 0, "unknown": 1},
        "addresses": 8,
        "addresses_done": 8,
        "not_ready": {"gone": "unknown"},
        "more_not_ready": 0,
    }


def test_notes_of_another_list_are_not_used(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    first = BatchesWait(submit(sandbox, 3), 100)
    ask_all(first, hook)

    assert len(BatchesWait(["b0", "b1", "c"], 100, first.notes).open_batches()) == 3


def test_notes_of_thousands_of_batches_are_small(hook: EmailVerifyHook) -> None:
    wait = BatchesWait([str(number) for number in range(2000)], 100)
    for place in range(0, 2000, 3):
        wait.record(place, hook.batch_status("b", "completed", total=10_000), hook)
        if place + 1 < 2000:
            wait.record(place + 1, hook.batch_status("b", "in progress", total=10_000, processed=place), hook)

    assert len(json.dumps(wait.notes)) < 2000


def test_a_part_tells_the_whole_what_became_of_it(hook: EmailVerifyHook, sandbox: SandboxServer) -> None:
    ids = [*submit(sandbox, 5), "gone"]
    whole = BatchesWait(ids, 100)
    whole.record(0, whole.ask(0, hook), hook)
    places = whole.open_batches()[:3]
    others = json.loads(json.dumps(whole.states.others(places)))
    part = BatchesWait([ids[place] for place in places], 100, others=others)
    ask_all(part, hook)

    assert part.states.progress == "4 of 6 batches ready"
    whole.states.record_event(json.loads(json.dumps(part.states.event)), whole.open_batches())
    assert whole.open_batches() == [4, 5]
    ask_all(whole, hook)
    assert (whole.states.progress, whole.ready_ids(leave_out=True)) == (
        "5 of 6 batches ready, 1 failed, 10 of 10 addresses",
        ids[:5],
    )


@pytest.mark.parametrize(
    "change",
    [
        {"batches": 9},
        {"batches": "2"},
        {"not_ready": []},
        {"not_ready": {"failed": ["z"]}},
        {"not_ready": {"sold": ["a"]}},
        {"vendor": None},
    ],
)
def test_an_event_about_something_else_is_refused(change: dict[str, Any]) -> None:
    states = BatchesWait(["a", "b", "c"], 100).states
    event = {"batches": 2, "not_ready": {}, "vendor": "cliova", "addresses": None, "addresses_done": None} | change

    with pytest.raises(ValueError, match=r"It tells|not in tuple"):
        states.record_event(event, [0, 1, 2])
    assert states.open_from(0) == [0, 1, 2]
