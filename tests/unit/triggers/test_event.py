"""Events of batches that become ready: each at most once, for any that the Variable lists."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.triggers import event

BaseEventTrigger = (
    pytest.importorskip("airflow.sdk", reason="assets have watchers from Airflow 3 on") and event.BaseEventTrigger
)


class Store:
    """An asset's state, as Airflow 3.3 keeps it."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.kept.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.kept[key] = value


@pytest.fixture
def conn_id(sandbox: SandboxServer, connect: Callable[..., str]) -> str:
    """Cliova."""
    return connect("cliova", sandbox.cliova_url)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write the Variable."""
    return lambda *batch_ids: monkeypatch.setenv("AIRFLOW_VAR_BATCHES", json.dumps(batch_ids))


def trigger(conn_id: str, store: Store | None = None) -> event.EmailVerifyBatchEventTrigger:
    made = event.EmailVerifyBatchEventTrigger(conn_id, "batches", 0.02)
    made.asset_state_store = store
    return made


def events_within(seconds: float, *triggers: Any, meanwhile: Callable[[], None] | None = None) -> list[str]:
    told: list[str] = []

    async def follow(one: Any) -> None:
        async for fired in one.run():
            told.append(fired.payload["batch_id"])  # noqa: PERF401 - it is cancelled, and keeps what it has

    async def main() -> None:
        tasks = [asyncio.ensure_future(follow(one)) for one in triggers]
        await asyncio.sleep(seconds / 2)
        if meanwhile:
            meanwhile()
        await asyncio.sleep(seconds / 2)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(main())
    return sorted(told)


def test_it_survives_being_stored(conn_id: str) -> None:
    path, arguments = trigger(conn_id).serialize()
    module, _, name = path.rpartition(".")

    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    assert again.serialize() == (path, arguments)
    assert BaseEventTrigger.hash(path, arguments) == BaseEventTrigger.hash(*again.serialize())


def test_each_ready_batch_is_told_once_and_the_others_not(
    conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]
) -> None:
    for batch_id, ready_after in {"a": 0, "b": 0.2, "never": 1e9}.items():
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=ready_after)
    listed("a", "b", "never")

    assert events_within(1.5, trigger(conn_id)) == ["a", "b"]


def test_a_batch_that_is_listed_later_is_waited_for_too(
    conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    sandbox.ledger.create_batch("cliova", [], batch_id="late", ready_after=0)
    listed("a")

    assert events_within(2, trigger(conn_id), meanwhile=lambda: listed("a", "late")) == ["a", "late"]


def test_a_restart_tells_nothing_again(conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    listed("a")
    store = Store()

    assert events_within(1, trigger(conn_id, store)) == ["a"]
    polls = sandbox.ledger.count()
    assert events_within(1, trigger(conn_id, store)) == []
    assert sandbox.ledger.count() == polls, "what was told is not even asked for"


def test_what_is_told_is_remembered_first(conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]) -> None:
    """A crash between the two costs an event; the other order would tell it twice."""
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    listed("a")
    store = Store()

    async def main() -> None:
        await asyncio.wait_for(anext(trigger(conn_id, store).run()), 5)
        assert list(store.kept.values()) == ["a"]

    asyncio.run(main())


@pytest.mark.parametrize("method", ["aget", "aset"])
def test_while_airflow_is_down_nothing_is_told_and_nothing_forgotten(
    conn_id: str, sandbox: SandboxServer, listed: Callable[..., None], method: str
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    listed("a")
    store = Store()
    works = getattr(store, method)

    async def fails(*_: Any) -> None:
        raise RuntimeError("API_SERVER_ERROR")

    setattr(store, method, fails)
    one = trigger(conn_id, store)
    assert events_within(0.5, one) == []

    assert events_within(1, one, meanwhile=lambda: setattr(store, method, works)) == ["a"]


def test_a_batch_that_failed_is_left_alone(conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="failed", state="FAILED")
    listed("failed", "unknown to the vendor")

    assert events_within(1, trigger(conn_id, Store())) == []
    assert sandbox.ledger.count() == 2


def test_a_wrong_key_is_asked_with_again(conn_id: str, sandbox: SandboxServer, listed: Callable[..., None]) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    sandbox.faults.add(kind="unauthorized", times=2)
    listed("a")

    assert events_within(1.5, trigger(conn_id)) == ["a"]


@pytest.mark.parametrize("value", ["no JSON", '{"a": 1}', '"a"', "null"])
def test_a_variable_that_is_no_list_ends_nothing(
    conn_id: str, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, listed: Callable[..., None], value: str
) -> None:
    sandbox.ledger.create_batch("cliova", [], batch_id="a", ready_after=0)
    monkeypatch.setenv("AIRFLOW_VAR_BATCHES", value)

    assert events_within(1, trigger(conn_id), meanwhile=lambda: listed("a")) == ["a"]


def test_a_missing_variable_is_an_empty_list(conn_id: str) -> None:
    assert events_within(0.2, trigger(conn_id)) == []


def test_an_id_that_is_none_is_left_out_and_ends_no_watch(
    conn_id: str, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for batch_id in ("a", "4711"):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    bad = ["null", "true", "1.5", '""', '" "', '{"id": "a"}', '["a"]', '"\\ud800"']
    monkeypatch.setenv("AIRFLOW_VAR_BATCHES", f'["a", {", ".join(bad)}, 4711]')

    assert events_within(1, trigger(conn_id)) == ["4711", "a"]
    left_out = {message for message in caplog.messages if message.startswith("Variable 'batches': batch_id")}
    assert len(left_out) == len(bad) - 1, "the empty ones are told of alike"


def test_a_batch_that_brings_a_fault_to_light_ends_no_other_wait(
    conn_id: str, sandbox: SandboxServer, listed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for batch_id in ("a", "bad"):
        sandbox.ledger.create_batch("cliova", [], batch_id=batch_id, ready_after=0)
    listed("a", "bad")
    ask = CliovaHook.get_batch_status

    def get_batch_status(hook: CliovaHook, batch_id: str) -> Any:
        return ask(hook, batch_id) if batch_id == "a" else 1 / 0  # as a vendor's hook with a fault would

    monkeypatch.setattr(CliovaHook, "get_batch_status", get_batch_status)

    assert events_within(1, trigger(conn_id)) == ["a"]


@pytest.mark.parametrize("seconds", [60, "60", timedelta(minutes=1)])
def test_the_interval_is_a_number_text_or_a_timedelta(seconds: Any) -> None:
    assert event.EmailVerifyBatchEventTrigger("c", "v", seconds).serialize()[1]["poll_interval"] == 60.0
