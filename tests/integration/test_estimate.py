"""The price that is told before is the price that is charged."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.operators.estimate import EmailVerifyEstimateOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.submit_task import Task, Ti

EXAMPLES = Path(__file__).resolve().parents[2] / "dags_examples"
CELLS = st.lists(
    st.one_of(
        st.sampled_from(
            ["", "none", "a@example.com", "A@example.com", "Ada <a@example.com>", "b@example.com; c@example.com"]
        ),
        st.emails(),
        st.sampled_from(["d@x.invalid", "e@localhost", "mailto:f@example.com", "g@@example.com"]),
    ),
    max_size=15,
)


def estimated(**arguments: Any) -> tuple[dict[str, Any], str]:
    """Return the figures, and where the answers are."""
    ti = Ti()
    operator = EmailVerifyEstimateOperator(task_id="estimate", **arguments)
    return operator.execute({"ti": ti}), ti.pushed["answers"]  # type: ignore[typeddict-item]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=CELLS)
def test_the_price_told_is_the_price_charged(
    sandbox: SandboxServer, connect: Callable[..., str], tmp_path_factory: pytest.TempPathFactory, cells: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("list")
    conn_id = connect("cliova", sandbox.cliova_url, requests_per_minute=1_000_000)
    path = folder / "list.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "Email"], *enumerate([*cells, "z@example.com"])])
    before = sandbox.ledger.charged().total()
    arguments = {"source": f"file://{path}", "prescreen": "syntax", "answers": f"file://{folder}/answers.csv"}

    figures, answers = estimated(conn_id=conn_id, price_per_address=0.01, **arguments)
    told = sandbox.ledger.charged().total()
    Task(path, conn_id).attempt(source=arguments["source"], answers=answers, batch_size=None)

    assert told == before
    assert sandbox.ledger.charged().total() - before == figures["to_buy"]
    assert figures["price"] == pytest.approx(figures["to_buy"] * 0.01)
    assert figures["batches"] == (1 if figures["to_buy"] else 0)


def test_an_estimate_tells_what_the_vendor_says_of_the_account(
    sandbox: SandboxServer, connect: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("\n".join(f"user{number}@example.com" for number in range(101)))
    source = f"file://{tmp_path}/list.txt"

    proofy, _ = estimated(source=source, conn_id=connect("proofy", sandbox.proofy_url), batch_size=2)
    cliova, answers = estimated(source=source, conn_id=connect("cliova", sandbox.cliova_url))

    assert (proofy["batches"], proofy["least_minutes"], proofy["credits_left"]) == (
        51,
        7,
        sandbox.ledger.credits("proofy"),
    )
    assert (cliova["batches"], cliova["least_minutes"], cliova["credits_left"]) == (1, None, None)
    assert answers == ""
    assert sandbox.ledger.batches() == []


def test_the_example_with_an_approval_can_be_parsed() -> None:
    pytest.importorskip("airflow.providers.standard.operators.hitl", reason="Airflow 3.1 has it", exc_type=Exception)
    namespace: dict[str, Any] = {}
    exec(compile((EXAMPLES / "approve.py").read_text(), "approve.py", "exec"), namespace)

    dag = namespace["dag"]
    assert dag.get_task("verify_emails.submit").upstream_task_ids == {"approval", "estimate"}
    assert dag.get_task("approval").upstream_task_ids == {"estimate"}
