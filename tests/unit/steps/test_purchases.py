"""Whatever crashes and whatever gets lost: no batch is bought twice silently, and none is left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.steps.ledger import Ledger
from airflow_provider_emailverify.steps.state import InMemoryStore, TaskState
from tests.purchases import Purchase, Time

# What one process does to the records, and what is lost: (open them, lose some).
Setup = tuple[Callable[[Time], Any], Callable[[random.Random, float], None]]


@contextmanager
def in_airflow(_folder: Path) -> Iterator[Setup]:
    store = InMemoryStore()

    def lose(rng: random.Random, share: float) -> None:
        for key in [key for key in store.values if rng.random() < share]:
            del store.values[key]

    yield lambda time: TaskState(store, clock=time), lose


@contextmanager
def in_ledger(folder: Path) -> Iterator[Setup]:
    def lose(rng: random.Random, share: float) -> None:
        for path in sorted(folder.rglob("*.json")):
            if rng.random() < share:
                path.write_text(rng.choice(["", '{"pl'])) if rng.random() < 0.3 else path.unlink()

    yield lambda time: Ledger(f"file://{folder}/", "stem", clock=time), lose


KINDS = {"airflow": in_airflow, "ledger": in_ledger}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)  # thousands of crashes, but none of the machine
    return str(request.param)


@pytest.mark.parametrize("can_find", [False, True], ids=["mute", "can be asked"])
def test_every_crash_point_of_the_first_try_is_survived(kind: str, can_find: bool, tmp_path: Path) -> None:
    points = 0
    for seed in range(4):
        for point in range(200):
            with KINDS[kind](tmp_path / f"{seed}-{point}") as (open_records, _):
                purchase = Purchase(random.Random(seed), open_records, can_find=can_find)
                purchase.steps.left = point
                ended = purchase.attempt_or_end()
                survived = purchase.steps.left is not None and purchase.steps.left >= 0
                purchase.steps.left = None
                for _ in range(12):
                    if ended is not None:
                        break
                    purchase.time.now += 601
                    if not can_find or purchase.rng.random() < 0.3:
                        purchase.repair()
                    ended = purchase.attempt_or_end()
                assert ended is not None, f"seed {seed}, point {point}: it never ends"
                purchase.assert_all_was_bought(ended)
                points += 1
                if survived:
                    break
    assert points > 50


@pytest.mark.parametrize("can_find", [False, True], ids=["mute", "can be asked"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_whatever_gets_lost_nothing_is_paid_twice(kind: str, can_find: bool, share: float, tmp_path: Path) -> None:
    ends = 0
    for seed in range(80):
        rng = random.Random(seed)
        with KINDS[kind](tmp_path / str(seed)) as (open_records, lose):
            purchase = Purchase(rng, open_records, can_find=can_find)
            for _ in range(5):
                purchase.steps.left = rng.choice([None, rng.randint(0, 40)])
                ended = purchase.attempt_or_end()
                purchase.assert_nothing_was_paid_twice()
                if ended is not None:
                    purchase.assert_all_was_bought(ended)
                    ends += 1
                purchase.steps.left = None
                lose(rng, share)
                purchase.time.now += rng.choice([0, 60, 601])
    assert ends > 10


def test_a_zombie_and_a_new_try_never_buy_the_same_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger's records are created exclusively; Airflow's store cannot do that."""
    monkeypatch.setattr("os.fsync", lambda _descriptor: None)
    both_bought = 0
    for seed in range(200):
        rng = random.Random(seed)
        with in_ledger(tmp_path / str(seed)) as (open_records, _):
            purchase = Purchase(rng, open_records)
            if rng.random() < 0.5:
                purchase.steps.left = rng.randint(0, 20)
                purchase.attempt_or_end()
            before = len(purchase.vendor.accepted)

            def meanwhile(purchase: Purchase = purchase, rng: random.Random = rng) -> None:
                purchase.steps.left = rng.choice([None, rng.randint(0, 40)])
                purchase.attempt_or_end()
                purchase.steps.left = None

            purchase.steps.left, purchase.steps.event = rng.randint(0, 25), meanwhile
            purchase.attempt_or_end()
            purchase.steps.left = purchase.steps.event = None

            purchase.assert_nothing_was_paid_twice()
            both_bought += len(purchase.vendor.accepted) > before
            purchase.repair()
            for _ in range(20):
                purchase.time.now += 601
                if (ended := purchase.attempt_or_end()) is not None:
                    purchase.assert_all_was_bought(ended)
                    break
                purchase.repair()
            else:
                pytest.fail(f"seed {seed}: it never ends")
    assert both_bought > 25
