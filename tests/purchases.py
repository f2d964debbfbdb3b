"""
A list that is bought in several tries, each of which may end anywhere, while records get lost in between.

The vendor, the disk and Airflow are played; what is tried is what the steps make of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    InsufficientCreditsError,
    SubmissionUnknownError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.retries import retrying
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.steps.names import BatchNames
from airflow_provider_emailverify.steps.records import PLAN, PurchaseRecords, batch_key
from airflow_provider_emailverify.steps.submission import Submission

NAMES = BatchNames("d", "r", "t")
BATCH_SIZE = 2


class Crash(BaseException):
    """The process dies."""


class Time:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now = 1.8e9

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Emails:
    """A list."""

    def __init__(self, batches: int) -> None:
        self._batches = [[f"{number}-{each}@example.com" for each in range(BATCH_SIZE)] for number in range(batches)]
        self.unique = batches * BATCH_SIZE
        self.sha256 = f"digest of {batches} batches"

    def batches(self, _size: int) -> list[list[str]]:
        return self._batches


class Vendor:
    """
    Takes batches, and knows what was paid for.

    :ivar accepted: the id of each batch that it took, by the name; several if it took it several times.
    """

    conn_id = "vendor"
    hook_name = "Vendor"
    max_parallel_batches = None
    batch_name = "{name}"

    def __init__(self, rng: random.Random, step: Callable[[], None], *, can_find: bool) -> None:
        self.accepted: dict[str, list[str]] = {}
        self.client = SimpleNamespace(
            name="Vendor",
            policy=CallPolicy(),
            acquire_turn=lambda: None,
            check_sendable=lambda: None,
            retrying=lambda *errors: retrying(4, *errors),
        )
        self._rng = rng
        self._step = step
        self._can_find = can_find

    def with_policy(self, _policy: Any) -> Vendor:
        return self

    def submit_batch(self, _emails: Any, name: str) -> str:
        self._step()
        chance = self._rng.random()
        if chance < 0.1:
            raise InsufficientCreditsError("Not enough credits.")
        if chance < 0.2:
            raise SubmissionUnknownError("The connection broke.")
        batch_id = f"id-{name[-2:]}-{len(self.accepted.get(name, []))}"
        self.accepted.setdefault(name, []).append(batch_id)
        self._step()
        if chance < 0.3:
            raise SubmissionUnknownError("The answer was cut.")
        return batch_id

    def has_call(self, _call: str) -> bool:
        return self._can_find

    def find_batch(self, name: str) -> str | None:
        self._step()
        if not self._can_find:
            raise UnsupportedOperationError("There is no such call.")
        return next(iter(self.accepted.get(name, [])), None)


class Steps:
    """Counts what is done, and lets the process die at a step, or something else happen."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.event: Callable[[], None] | None = None

    def __call__(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            event, self.left, self.event = self.event, None, None
            if event is None:
                raise Crash
            event()


class Stepping:
    """Records that count as steps, before and after each is written."""

    def __init__(self, records: Any, step: Callable[[], None]) -> None:
        self._records = records
        self._step = step

    def get(self, key: str) -> Any:
        self._step()
        return self._records.get(key)

    def set(self, key: str, value: Any) -> None:
        self._step()
        self._records.set(key, value)
        self._step()

    def claim(self, key: str, value: dict[str, Any]) -> bool:
        self._step()
        is_first: bool = self._records.claim(key, value)
        self._step()
        return is_first

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)


class Purchase:
    """
    One task over its tries.

    :param rng: chance.
    :param open_records: opens the records as a new process does.
    """

    def __init__(self, rng: random.Random, open_records: Callable[[Time], Any], *, can_find: bool = False) -> None:
        self.rng = rng
        self.time = Time()
        self.steps = Steps()
        self.vendor = Vendor(rng, self.steps, can_find=can_find)
        self.batches = rng.randint(1, 4)
        self.tries = 0
        self._open = open_records

    def attempt(self, try_number: int | None = None) -> list[str]:
        """Run a try as a process of its own."""
        if try_number is None:
            self.tries += 1
            try_number = self.tries
        records = PurchaseRecords(Stepping(self._open(self.time), self.steps), try_number, clock=self.time)
        records.start()
        submission = Submission(
            self.vendor,  # type: ignore[arg-type]
            Emails(self.batches),  # type: ignore[arg-type]
            BATCH_SIZE,
            NAMES,
            records,
            kill_switch=KillSwitch(),
            clock=self.time,
        )
        submission.settle_doubts("fail")
        return submission.run("fail")

    def attempt_or_end(self, try_number: int | None = None) -> list[str] | None:
        """Run a try; return None if it ends with an error of ours, or dies."""
        try:
            return self.attempt(try_number)
        except (EmailVerifyError, Crash):
            return None

    def repair(self) -> None:
        """Tell the next try what the vendor's dashboard shows, where the messages say."""
        kept = self._open(self.time)
        records = PurchaseRecords(kept, 99, clock=self.time)
        records.start()
        if records.is_missing:
            kept.set(PLAN, self.batches if self.vendor.accepted else False)
        records.read_all(self.batches)
        for number in range(1, self.batches + 1):
            value = next(iter(self.vendor.accepted.get(NAMES[number], [])), False)
            place, _, path = records.where(number).partition("the object file://")
            if path:
                Path(path).parent.mkdir(exist_ok=True)
                Path(path).write_text(json.dumps(value))
            else:
                assert place
                kept.set(batch_key(number), value)

    def assert_nothing_was_paid_twice(self) -> None:
        twice = {name: ids for name, ids in self.vendor.accepted.items() if len(ids) > 1}
        assert not twice, f"paid twice: {twice}"

    def assert_all_was_bought(self, batch_ids: list[str]) -> None:
        bought = [self.vendor.accepted.get(NAMES[number]) for number in range(1, self.batches + 1)]
        assert bought == [[batch_id] for batch_id in batch_ids]
