"""The submit operator: what it submits, and what it refuses before it spends."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_emailverify.exceptions import RateLimitedError, StorageError
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.steps.names import BatchNames
from tests.clock import Clock
from tests.conftest import AWKWARD_KEY
from tests.submit_task import EMAILS, Task, Ti, sent, submissions
from tests.unit.lists.test_addresses import AWKWARD

# --- what is submitted ---


def test_a_file_becomes_batches_whose_ids_are_returned(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    task = make_task(vendor)

    assert task.attempt() == [batch.batch_id for batch in sandbox.ledger.batches(vendor)]
    assert sent(sandbox) == [EMAILS[:2], EMAILS[2:4], EMAILS[4:]]


def test_the_summary_counts_what_was_read_kept_and_submitted(make_task: Callable[..., Task]) -> None:
    task = make_task(emails=[*EMAILS, "USER0@example.com", "user0@EXAMPLE.com", "user0@\u200bexample.com", "none"])

    task.attempt()

    assert task.summary == {
        "sources": {"files": 1, "digest": task.summary["sources"]["digest"]},
        "read": 10,
        "dropped": 1,
        "dropped_by_reason": {"no_at_sign": 1},
        "cleaned": {"invisible": 1},
        "unique": 6,
        "duplicates": 3,
        "known": 0,
        "prescreened": 0,
        "to_buy": 6,
        "submitted": 6,
        "batches": 3,
        "resumed": 0,
    }
    assert json.loads(json.dumps(task.summary)) == task.summary


def test_awkward_addresses_reach_the_vendor_unchanged(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task(vendor, AWKWARD).attempt(batch_size=1000)

    assert sent(sandbox) == [AWKWARD]


def test_the_batch_size_is_the_vendors_limit_or_ten_thousand(
    vendor: str, make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task(vendor, [f"user{number}@example.com" for number in range(10_001)]).attempt(batch_size=None)

    assert [len(batch) for batch in sent(sandbox)] == [10_000, 1]


def test_a_file_without_rows_is_no_error(make_task: Callable[..., Task], sandbox: SandboxServer) -> None:
    assert make_task(emails=[]).attempt() == []
    assert sandbox.ledger.count() == 0


def test_a_list_without_one_address_is_an_error_that_counts_by_reason(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    with pytest.raises(AirflowFailException, match="2 values, and not one address: 1 without an @, 1 not an address"):
        make_task(emails=["none", "secret@"]).attempt()
    assert sandbox.ledger.count() == 0


@pytest.mark.parametrize("max_dropped", [1, "1", "24%", 0.24])
def test_a_list_of_which_too_much_is_dropped_is_refused_before_anything_is_spent(
    make_task: Callable[..., Task], sandbox: SandboxServer, max_dropped: Any
) -> None:
    task = make_task(emails=[*EMAILS, "none", "secret@"])

    with pytest.raises(AirflowFailException, match=f"2 of 8 values .* max_dropped={max_dropped}.*raise max_dropped"):
        task.attempt(max_dropped=max_dropped)
    assert sandbox.ledger.count() == 0
    assert len(task.attempt(max_dropped="25%")) == 3


def test_a_limit_that_makes_no_sense_is_refused_before_the_list_is_read(make_task: Callable[..., Task]) -> None:
    task = make_task()
    task.source = Path("/nowhere/list.csv")

    with pytest.raises(AirflowFailException, match="max_dropped is a count, or a share"):
        task.attempt(max_dropped="a few")


def test_arguments_that_a_template_made_text_are_understood(
    make_task: Callable[..., Task], sandbox: SandboxServer
) -> None:
    make_task().attempt(batch_size="3", max_emails=" 6 ", source_format="lines")

    assert [len(batch) for batch in sent(sandbox)] == [3, 3]


# --- what is refused before anything is spent ---


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"max_emails": 5}, "6 addresses would be bought, and max_emails is 5. Nothing was submitted."),
        ({"max_emails": 0}, "6 addresses would be bought, and max_emails is 0."),
        ({"max_emails": -1}, "max_emails must be a whole number of at least 0, got -1"),
        ({"known": "s3://b/verified/"}, "known and prescreen need answers"),
        ({"prescreen": "smtp"}, "prescreen is one of syntax, dns, not 'smtp'"),
        ({"max_age": "60"}, "an age is a text such as '60d'"),
        ({"max_age": {"good": "60d"}}, "'good' is unknown"),
        ({"batch_size": "many"}, "batch_size must be a whole number of at least 1, got 'many'"),
        ({"batch_size": 10_001}, "Proofy takes 10,000 addresses a batch"),
        ({"on_unknown_submission": "ignore"}, "'fail' or 'resubmit', got 'ignore'"),
        ({"source": " "}, "source is empty"),
        ({"source_format": "csv"}, "source_format='lines'"),
    ],
)
def test_what_makes_no_sense_is_refused_without_a_retry(
    make_task: Callable[..., Task], sandbox: SandboxServer, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(AirflowFailException, match=re.escape(says)):
        make_task("proofy").attempt(**arguments)

    assert submissions(sandbox) == 0


def test_a_source_that_is_not_there_may_come_with_a_retry(make_task: Callable[..., Task], tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        make_task().attempt(source=f"file://{tmp_path}/later.txt")


def test_too_few_credits_are_noticed_before_they_are_spent(connect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=5) as poor:
        task = Task(tmp_path / "list.txt", connect("proofy", poor.proofy_url))

        with pytest.raises(AirflowFailException, match="has 5 credits, and 6 addresses are still to be submitted"):
            task.attempt()

        assert submissions(poor) == 0


def test_only_what_is_still_to_be_submitted_has_to_be_affordable(
    connect: Callable[..., str], clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=7) as vendor:
        task = Task(tmp_path / "list.txt", connect("proofy", vendor.proofy_url))
        vendor.faults.add(operation="submit", kind="rate_limit", skip=1, times=1)
        with pytest.raises(RateLimitedError):
            task.attempt()

        assert len(task.attempt()) == 3


def test_the_vendor_decides_about_credits_if_that_is_wanted(connect: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    with SandboxServer(credits=5) as poor:
        task = Task(tmp_path / "list.txt", connect("proofy", poor.proofy_url))

        with pytest.raises(AirflowFailException, match=r"batch 3 of 3 \(2 addresses\).*Not enough credits"):
            task.attempt(check_credits=False)

        assert len(poor.ledger.batches()) == 2
        assert poor.ledger.count(operation="credits") == 0


def test_more_batches_than_airflow_maps_over_are_refused_before_they_are_paid_for(
    make_task: Callable[..., Task], sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    task = make_task()
    with DAG("d", schedule=None):
        submit = EmailVerifySubmitOperator(
            task_id="submit", source=f"file://{task.source}", conn_id=task.conn_id, batch_size=2
        )
        EmailVerifyBatchSensor.partial(task_id="each", conn_id=task.conn_id).expand(batch_id=submit.output)

    with pytest.raises(AirflowFailException, match=r"3 batches, and Airflow maps over 2 at most.*max_map_length"):
        submit.execute({"ti": Ti(), "task_state_store": task.store})  # type: ignore[typeddict-item]

    assert submissions(sandbox) == 0
    assert len(task.attempt()) == 3  # nothing is mapped over this one


# --- names, logs ---


def test_batch_names_are_the_same_in_every_try_and_differ_between_instances() -> None:
    identities = [
        ("d", "r", "t", -1),
        ("d", "r", "t", 0),
        ("d", "r", "t", 1),
        ("d", "r2", "t", -1),
        ("d", "r", "t2", -1),
    ]
    names = [BatchNames(*identity)[number] for identity in identities for number in (1, 2)]

    assert names == [BatchNames(*identity)[number] for identity in identities for number in (1, 2)]
    assert len(set(names)) == len(names)


def test_batch_names_are_short_and_plain() -> None:
    name = BatchNames("dag ü/?&" * 30, "scheduled__2026-01-01T00:00:00+00:00", "group.task" * 20, 7)[123]

    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,110}", name)


def test_no_log_holds_an_address_or_the_key(
    vendor: str,
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        task = make_task(vendor, [*EMAILS, "no address, not@all"])
        sandbox.faults.add(operation="submit", kind="echo_key", skip=1, times=1)
        with pytest.raises(AirflowFailException) as caught:
            task.attempt()
        task.attempt()

    told = caplog.text + capsys.readouterr().out + str(caught.value)
    assert "was accepted, id" in told
    assert "@" not in told
    assert AWKWARD_KEY not in told
