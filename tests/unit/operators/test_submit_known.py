"""What is known is not bought, and neither is what gets no mail; a retry buys what the first try wanted to."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.results.schema import utc_text
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps import metrics
from tests.clock import Clock
from tests.dns_server import NameServer
from tests.submit_task import EMAILS, Task, Ti, sent

DAY = 86_400.0


class History:
    """Results of earlier times."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder / "verified"
        self.folder.mkdir()
        self.uri = f"file://{self.folder}/"
        self._clock = clock

    def write(self, rows: Sequence[tuple[str, str, float]], vendor: str = "proofy", name: str = "old.csv") -> None:
        """Write verdicts, each so many days old."""
        with (self.folder / name).open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["email", "verdict", "reason", "vendor", "batch_id", "catch_all", "verified_at"])
            for email, verdict, days in rows:
                moment = utc_text(self._clock.time() - days * DAY)
                table.writerow([email, verdict, "other", vendor, "b", "true", moment])


@pytest.fixture
def history(tmp_path: Path, clock: Clock) -> History:
    return History(tmp_path, clock)


@pytest.fixture
def answers(tmp_path: Path) -> str:
    return f"file://{tmp_path}/answers.csv"


def rows(uri: str) -> list[dict[str, str]]:
    with Path(uri.removeprefix("file://")).open(newline="") as file:
        return list(csv.DictReader(file))


def bought(sandbox: SandboxServer) -> list[str]:
    return [email for batch in sent(sandbox) for email in batch]


@pytest.mark.parametrize(
    ("verdict", "days", "is_known"),
    [
        ("deliverable", 59, True),
        ("deliverable", 61, False),
        ("undeliverable", 59, True),
        ("risky", 29, True),
        ("risky", 31, False),
        ("unknown", 0, False),
        ("deliverable", -1, False),
    ],
)
def test_an_answer_counts_as_long_as_its_verdict_does(
    make_task: Callable[..., Task],
    sandbox: SandboxServer,
    history: History,
    answers: str,
    verdict: str,
    days: float,
    is_known: bool,
) -> None:
    history.write([(EMAILS[0].upper(), verdict, days)])
    task = make_task()

    task.attempt(known=history.uri, answers=answers)

    assert bought(sandbox) == EMAILS[is_known:]
    assert (task.summary["known"], task.summary["to_buy"]) == (is_known, 6 - is_known)
    assert [(row["email"], row["vendor"], row["catch_all"]) for row in rows(answers)] == [
        (EMAILS[0], "proofy", "true")
    ] * is_known


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"max_age": "5d"}, 1),
        ({"max_age": {"deliverable": "1w"}}, 1),
        ({"max_age": 0}, 0),
        ({"known_vendors": ["cliova"]}, 0),
        ({"known_vendors": "proofy"}, 2),
        ({}, 2),
    ],
)
def test_ages_and_vendors_can_be_chosen(
    make_task: Callable[..., Task], history: History, answers: str, arguments: dict[str, Any], count: int
) -> None:
    history.write([(EMAILS[0], "deliverable", 1), (EMAILS[1], "deliverable", 10)])
    task = make_task()

    task.attempt(known=history.uri, answers=answers, **arguments)

    assert task.summary["known"] == count


def test_the_newest_answer_that_is_not_unknown_decides(
    make_task: Callable[..., Task], history: History, answers: str
) -> None:
    history.write([(EMAILS[0], "deliverable", 20)])
    history.write([(EMAILS[0], "undeliverable", 10)], "cliova", "newer.csv")
    history.write([(EMAILS[0], "unknown", 1)], "proofy", "unknown.csv")

    make_task().attempt(known=history.uri, answers=answers)

    assert [(row["verdict"], row["vendor"]) for row in rows(answers)] == [("undeliverable", "cliova")]


def test_a_list_of_which_all_is_known_buys_nothing_and_goes_through(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, answers: str, tmp_path: Path
) -> None:
    history.write([(email, "deliverable", 1) for email in EMAILS])
    task = make_task()

    assert task.attempt(known=history.uri, answers=answers, max_emails=0) == []

    assert sent(sandbox) == []
    ti = Ti()
    EmailVerifyMergeOperator(
        task_id="merge", source=f"file://{task.source}", results=[answers, []], destination=f"file://{tmp_path}/out/"
    ).execute({"ti": ti, "outlet_events": {}})  # type: ignore[typeddict-item]
    assert ti.pushed["summary"]["verdicts"]["deliverable"] == len(EMAILS)


def test_what_was_saved_is_measured_once(
    make_task: Callable[..., Task], history: History, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    class Stats:
        @staticmethod
        def incr(name: str, count: int = 1, rate: float = 1, *, tags: dict[str, str] | None = None) -> None:
            counts[name] += count

    monkeypatch.setattr(metrics, "Stats", Stats)
    history.write([(EMAILS[0], "deliverable", 1), (EMAILS[1], "risky", 1)])
    task = make_task()
    for _ in range(2):  # the second time it has been cleared
        task.attempt(known=history.uri, answers=answers)

    for name, number in {"bought": 4, "known": 2, "prescreened": 0}.items():
        assert counts[f"emailverify.{name}"] == number
        assert counts[f"emailverify.{name}.cliova.cliova_default"] == number


def test_the_first_month_has_no_history(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, answers: str
) -> None:
    make_task().attempt(known=[history.uri, f"file://{history.folder}/none/"], answers=answers)

    assert bought(sandbox) == EMAILS
    assert rows(answers) == []


def test_a_file_that_is_no_result_is_named(make_task: Callable[..., Task], history: History, answers: str) -> None:
    (history.folder / "list.csv").write_text("a,b\n1,2\n")

    with pytest.raises(AirflowFailException, match=r"verified/list\.csv holds no rows of the schema"):
        make_task().attempt(known=history.uri, answers=answers)


def test_a_retry_takes_the_answers_of_the_first_try_whatever_has_become_of_their_age(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, answers: str, clock: Clock
) -> None:
    history.write([(EMAILS[0], "deliverable", 59), (EMAILS[1], "risky", 1)])
    task = make_task()
    sandbox.faults.add(operation="submit", kind="no_credits", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt(known=history.uri, answers=answers)
    clock.sleep(10 * DAY)
    (history.folder / "old.csv").unlink()
    history.write([(EMAILS[5], "deliverable", 0)])

    task.attempt(known=history.uri, answers=answers)

    assert bought(sandbox) == EMAILS[2:]
    assert task.summary["known"] == 2
    assert set(sandbox.ledger.charged().values()) == {1}


def test_answers_that_were_changed_between_two_tries_are_told(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, answers: str
) -> None:
    history.write([(EMAILS[0], "deliverable", 1)])
    task = make_task()
    task.attempt(known=history.uri, answers=answers)
    Path(answers.removeprefix("file://")).write_text("email,verdict,reason,vendor,verified_at\n")

    with pytest.raises(AirflowFailException, match="not what an earlier try of this task has written"):
        task.attempt(known=history.uri, answers=answers)
    assert bought(sandbox) == EMAILS[1:]


def test_answers_that_an_estimate_has_made_are_taken_as_they_are(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, tmp_path: Path
) -> None:
    history.write([(EMAILS[0], "deliverable", 400)])
    task = make_task()

    task.attempt(answers=f"{history.uri}old.csv")

    assert bought(sandbox) == EMAILS[1:]
    with pytest.raises(StorageError, match=r"none\.csv: FileNotFoundError"):
        make_task().attempt(answers=f"file://{tmp_path}/none.csv")


def test_domains_that_take_no_mail_are_not_bought(
    make_task: Callable[..., Task], sandbox: SandboxServer, answers: str
) -> None:
    emails = ["a@good.example", "a@null.example", "a@gone.example", "a@x.invalid", "a@broken.example"]
    with NameServer({"good.example": "mx", "null.example": "null", "broken.example": "servfail"}) as server:
        task = make_task(emails=emails)
        task.attempt(prescreen="dns", prescreen_resolver=server.address, answers=answers)

    assert bought(sandbox) == ["a@good.example", "a@broken.example"]
    assert task.summary["prescreened"] == 3
    assert [
        (row["email"], row["verdict"], row["reason"], row["vendor"], row["vendor_status"]) for row in rows(answers)
    ] == [
        ("a@null.example", "undeliverable", "no_mx", "prescreen", "null_mx"),
        ("a@gone.example", "undeliverable", "no_mx", "prescreen", "no_domain"),
        ("a@x.invalid", "undeliverable", "invalid_syntax", "prescreen", "syntax"),
    ]


def test_two_months(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, clock: Clock, tmp_path: Path
) -> None:
    def month(number: int, emails: list[str]) -> list[str]:
        before = len(bought(sandbox))
        make_task(emails=emails).attempt(known=history.uri, answers=f"file://{tmp_path}/{number}.csv")
        new = bought(sandbox)[before:]
        history.write([(email, "deliverable", 0) for email in new], name=f"{number}.csv")
        return new

    first = [f"user{number}@example.com" for number in range(20)]
    second = [*first[2:], "new1@example.com", "new2@example.com"]

    assert month(1, first) == first
    clock.sleep(20 * DAY)
    assert month(2, second) == ["new1@example.com", "new2@example.com"]
    clock.sleep(41 * DAY)
    assert month(3, second) == first[2:]


class Died(BaseException):
    """The worker is gone."""


@pytest.mark.parametrize("writes", range(1, 10))
def test_a_worker_that_dies_after_any_of_its_notes_charges_nobody_twice(
    make_task: Callable[..., Task], sandbox: SandboxServer, history: History, answers: str, writes: int
) -> None:
    history.write([(EMAILS[0], "deliverable", 1), (EMAILS[3], "risky", 1)])
    task = make_task()
    left = [writes]

    def die(_key: str, _value: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise Died

    task.store.on_set = die
    with suppress(Died):
        task.attempt(known=history.uri, answers=answers)
    is_noted = "emailverify_answers" in task.store.values
    history.write([(email, "deliverable", 0) for email in EMAILS])
    task.store.on_set = lambda _key, _value: None

    with suppress(AirflowFailException):  # a batch that may have been sent
        task.attempt(known=history.uri, answers=answers)

    # Before its answers were noted it had bought nothing, and by now all is known.
    expected = [EMAILS[1], EMAILS[2], EMAILS[4], EMAILS[5]] if is_noted else []
    charged = sandbox.ledger.charged()
    assert set(charged.values()) <= {1}
    assert set(charged) <= set(expected)
    in_doubt = any(
        isinstance(value, dict) and "plan" in value and len(value) == 3 for value in task.store.values.values()
    )
    assert in_doubt or sorted(charged) == sorted(expected)
