"""The trigger: off the event loop, patient, and with events that the sensor understands."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from tests.clock import Clock
from tests.raw_server import RawServer


@pytest.fixture
def conn_id(sandbox: SandboxServer, connect: Callable[..., str]) -> str:
    """Cliova, with a batch that is ready."""
    sandbox.ledger.create_batch("cliova", ["a@example.com"], batch_id="b", ready_after=0)
    return connect("cliova", sandbox.cliova_url)


def event_of(trigger: EmailVerifyBatchTrigger, seconds: float = 20) -> Any:
    async def first() -> Any:
        return (await asyncio.wait_for(anext(trigger.run()), seconds)).payload

    return asyncio.run(first())


def test_it_survives_being_stored() -> None:
    path, arguments = EmailVerifyBatchTrigger("c", "b", poll_interval=5, max_outage=None).serialize()
    module, _, name = path.rpartition(".")

    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))

    assert again.serialize() == (path, arguments)
    assert all(value is None or isinstance(value, str | int | float | bool) for value in arguments.values())


def test_a_list_survives_being_stored() -> None:
    others = {"batches": 1, "ready": 1, "failed": 0, "addresses": None, "done": None}
    given = EmailVerifyBatchTrigger("c", ["b", "c"], unasked=1, others=others, notes={"deadline": 1.5})

    arguments = given.serialize()[1]

    again = EmailVerifyBatchTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize()[1] == arguments
    assert (arguments["batch_id"], arguments["unasked"], arguments["others"]) == (["b", "c"], 1, others)


def test_the_arguments_for_one_batch_are_those_that_an_older_triggerer_knows() -> None:
    arguments = EmailVerifyBatchTrigger("c", "b").serialize()[1]

    assert set(arguments) == {"conn_id", "batch_id", "poll_interval", "max_outage", "started"}


@pytest.mark.parametrize("seconds", [5, "5", timedelta(seconds=5)])
def test_times_are_numbers_texts_or_timedeltas(seconds: Any) -> None:
    arguments = EmailVerifyBatchTrigger("c", "b", poll_interval=seconds, max_outage=seconds).serialize()[1]

    assert (arguments["poll_interval"], arguments["max_outage"]) == (5.0, 5.0)


@pytest.mark.parametrize("seconds", ["soon", -1, True, float("nan")])
@pytest.mark.parametrize("name", ["poll_interval", "max_outage"])
def test_other_times_are_refused_with_words(name: str, seconds: Any) -> None:
    with pytest.raises(InvalidRequestError, match=f"{name} must be seconds"):
        EmailVerifyBatchTrigger("c", "b", **{name: seconds})


def test_a_trigger_that_an_older_version_has_stored_still_works(conn_id: str) -> None:
    stored = {"conn_id": conn_id, "batch_id": "b", "poll_interval": 0.01, "max_outage": None}

    assert event_of(EmailVerifyBatchTrigger(**stored))["status"]["state"] == "ready"


def test_a_wait_is_counted_from_its_beginning(conn_id: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "airflow_provider_emailverify"):
        event_of(EmailVerifyBatchTrigger(conn_id, "b", 0.01, started=time.time() - 3600))

    (said,) = [message for message in caplog.messages if "it is ready" in message]
    assert re.search(r"waited 360\d s; it is ready", said)


def test_it_fires_when_the_batch_is_ready(conn_id: str) -> None:
    event = event_of(EmailVerifyBatchTrigger(conn_id, "b", 0.01))

    assert event["batch_id"] == "b"
    assert event["status"]["state"] == "ready"
    assert json.loads(json.dumps(event)) == event


def test_it_fires_once_when_each_batch_of_a_list_is_final(conn_id: str, sandbox: SandboxServer) -> None:
    sandbox.ledger.create_batch("cliova", ["a@example.com"], batch_id="f", state="FAILED")

    event = event_of(EmailVerifyBatchTrigger(conn_id, ["b", "f", "gone"], 0.01, notes={"deadline": 1.0}))

    assert json.loads(json.dumps(event)) == {
        "batches": 3,
        "not_ready": {"failed": ["f"], "unknown": ["gone"]},
        "addresses": 2,
        "addresses_done": 1,
        "vendor": "cliova",
        "notes": {"deadline": 1.0},
    }


def test_what_ends_the_wait_for_a_list_is_an_event(conn_id: str, sandbox: SandboxServer) -> None:
    sandbox.faults.add(kind="unauthorized")

    event = event_of(EmailVerifyBatchTrigger(conn_id, ["b", "c"], 0.01))

    assert event["error"]["type"] == "AuthenticationError"


def test_an_empty_list_fires_at_once(connect: Callable[..., str], raw_server: RawServer) -> None:
    assert event_of(EmailVerifyBatchTrigger(connect("cliova", raw_server.url), [], 60))["batches"] == 0
    assert not raw_server.requests


def test_it_waits_through_an_outage(conn_id: str, sandbox: SandboxServer) -> None:
    sandbox.faults.add(kind="reset", times=3)

    assert "status" in event_of(EmailVerifyBatchTrigger(conn_id, "b", 0.01, max_outage=60))
    assert sandbox.ledger.count("cliova", "status") == 4


@pytest.mark.parametrize(
    ("kind", "max_outage", "name"),
    [("not_found", 60, "BatchNotFoundError"), ("server_error", 0, "VendorOutageError")],
)
def test_it_fires_when_waiting_has_become_pointless(
    conn_id: str, sandbox: SandboxServer, kind: str, max_outage: float, name: str
) -> None:
    sandbox.faults.add(kind=kind)

    event = event_of(EmailVerifyBatchTrigger(conn_id, "b", 0.01, max_outage=max_outage))

    assert event["error"]["type"] == name
    assert "batch 'b'" in event["error"]["message"].lower()
    assert json.loads(json.dumps(event)) == event


def test_a_connection_that_is_gone_is_an_event_too(clock: Clock) -> None:
    async def main() -> Any:
        return (await anext(EmailVerifyBatchTrigger("nowhere", "b", 10).run())).payload

    assert clock.run(main())["error"]["type"] == "ConnectionMissingError"


def test_the_event_loop_stays_free_while_the_vendor_hangs(conn_id: str, sandbox: SandboxServer) -> None:
    sandbox.faults.add(kind="hang", seconds=1.0, times=20)
    lags: list[float] = []

    async def beside() -> None:
        while True:
            started = time.monotonic()
            await asyncio.sleep(0.01)
            lags.append(time.monotonic() - started)

    async def main() -> float:
        ticker = asyncio.create_task(beside())
        started = time.monotonic()
        await asyncio.gather(*(anext(EmailVerifyBatchTrigger(conn_id, "b", 0.01).run()) for _ in range(20)))
        ticker.cancel()
        return time.monotonic() - started

    took = asyncio.run(main())

    assert len(lags) > 20, "the loop stood still"
    assert took < 10, "twenty waits were polled one after the other"


def test_a_cancelled_trigger_ends_at_once(conn_id: str, sandbox: SandboxServer) -> None:
    sandbox.faults.add(kind="hang", seconds=5.0)

    async def main() -> float:
        task = asyncio.ensure_future(anext(EmailVerifyBatchTrigger(conn_id, "b", 0.01).run()))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert asyncio.run(main()) < 4


def test_a_person_who_ends_the_wait_cancels_the_batches_if_that_was_asked_for(
    sandbox: SandboxServer, connect: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    connect("proofy", sandbox.proofy_url)
    for batch_id in ("one", "two"):
        sandbox.ledger.create_batch("proofy", ["a@example.com"], batch_id=batch_id, ready_after=1e9)
    asked = EmailVerifyBatchTrigger("proofy_default", ["one", "none", "two"], cancel_on_kill=True)
    again = EmailVerifyBatchTrigger(**json.loads(json.dumps(asked.serialize()[1])))

    asyncio.run(EmailVerifyBatchTrigger("proofy_default", ["one"]).on_kill())
    assert sandbox.ledger.count(operation="cancel") == 0

    asyncio.run(again.on_kill())

    assert sandbox.ledger.count(operation="cancel") == 3
    assert "Not cancelled, and still being paid for: 'none'" in caplog.text


def test_a_vendor_that_cannot_cancel_says_so(
    conn_id: str, sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(EmailVerifyBatchTrigger(conn_id, "b", cancel_on_kill=True).on_kill())

    assert "documents no call to cancel a batch" in caplog.text
    assert "still being paid for: 'b'" in caplog.text
