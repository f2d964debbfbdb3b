"""When a trigger asks again."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.batches import BatchState, BatchStatus
from airflow_provider_emailverify.steps.intervals import Intervals
from tests.clock import Clock


def status(processed: int | None, total: int | None = 1000) -> BatchStatus:
    return BatchStatus(
        batch_id="b", vendor="v", state=BatchState.RUNNING, vendor_status="x", processed=processed, total=total
    )


def test_a_lonely_wait_asks_after_its_interval(clock: Clock) -> None:
    assert all(60 <= Intervals(60, clock=clock).first(1) <= 61 for _ in range(100))


def test_a_herd_is_spread_over_one_more_interval(clock: Clock) -> None:
    pauses = [Intervals(60, clock=clock).first(waits) for waits in range(1, 2001)]

    assert min(pauses) >= 60
    assert max(pauses) <= 120
    per_second = [sum(start <= pause < start + 1 for pause in pauses) for start in range(60, 120)]
    assert max(per_second) < 2 * min(per_second) + 40


def test_a_young_batch_is_asked_for_at_the_interval(clock: Clock) -> None:
    intervals = Intervals(60, clock=clock)
    clock.now = 20 * 60

    assert intervals.next(status(None)) == 60
    assert intervals.next(None) == 60


def test_a_batch_that_takes_long_is_asked_for_less_often(clock: Clock) -> None:
    intervals, polls = Intervals(60, clock=clock), 0

    while clock.now < 6 * 3600:
        clock.now += intervals.next(status(None))
        polls += 1

    assert polls < 100, "at a fixed interval it would be 360"
    assert intervals.next(status(None)) == pytest.approx(900)


def test_a_long_interval_is_never_shortened(clock: Clock) -> None:
    intervals = Intervals(3600, clock=clock)
    clock.now = 10**6

    assert intervals.next(status(None)) == 3600


def test_progress_foretells_the_end(clock: Clock) -> None:
    """A batch of one hour at a steady pace: few polls on the way, and news at most one interval late."""
    intervals, polls = Intervals(10, clock=clock), []

    while not polls or polls[-1] < 3600:
        clock.now += intervals.next(status(min(1000, int(clock.now / 3.6))))
        polls.append(clock.now)

    assert len(polls) < 60, "at a fixed interval it would be 360"
    assert polls[-1] - 3600 <= 10


def test_near_the_end_of_a_long_batch_the_interval_is_short_again(clock: Clock) -> None:
    intervals = Intervals(10, clock=clock)
    intervals.next(status(0))
    clock.now = 6 * 3600

    assert intervals.next(status(None)) == 900
    assert intervals.next(status(1000)) == 10


@pytest.mark.parametrize(("processed", "total"), [(None, 1000), (5, None), (5, 0), (0, 1000)])
def test_counts_that_say_nothing_leave_it_to_the_age(clock: Clock, processed: int | None, total: int | None) -> None:
    intervals = Intervals(10, clock=clock)
    intervals.next(status(processed, total))
    clock.now = 4000

    assert intervals.next(status(processed, total)) == pytest.approx(200)


def test_a_count_that_falls_starts_anew(clock: Clock) -> None:
    intervals = Intervals(10, clock=clock)
    intervals.next(status(500))
    clock.now = 100
    intervals.next(status(100))
    clock.now = 200

    assert intervals.next(status(200)) == pytest.approx(400)
