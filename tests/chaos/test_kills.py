"""A worker dies at the worst moment, under Airflow's own scheduler and supervisor: is anything paid for twice?"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from airflow_provider_emailverify.sandbox.ledger import Batch
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.deployment import STEP_SECONDS, Deployment, eventually

pytest.importorskip("airflow.sdk.execution_time.context", reason="before Airflow 3.3 there is no task state store")

EMAILS = [f"user{number}@example.com" for number in range(6)]
DAGS = """
from datetime import timedelta
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator

def submit(dag_id, retries=1, **arguments):
    with DAG(dag_id, schedule=None):
        EmailVerifySubmitOperator(
            task_id="submit",
            source="file://{folder}/list.txt",
            batch_size=2,
            retries=retries,
            retry_delay=timedelta(seconds=0),
            **arguments,
        )

submit("cautious", conn_id="cliova_fast")
submit("bold", conn_id="cliova_fast", on_unknown_submission="resubmit")
submit("slow", conn_id="cliova_slow")
submit("ledger", conn_id="cliova_fast", ledger="file://{folder}/ledger/")
submit("checking", conn_id="proofy_fast", retries=0)
submit("cancelling", conn_id="proofy_slow", check_credits=False, cancel_on_kill=True)
"""


@pytest.fixture(scope="module")
def vendors() -> Iterator[SandboxServer]:
    """The vendors that the tests of this module pay."""
    with SandboxServer(ready_after=3600.0) as server:
        yield server


@pytest.fixture(scope="module")
def deployment(vendors: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One Airflow for all tests of this module."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "list.txt").write_text("\n".join(EMAILS))
    cliova = {"conn_type": "cliova", "host": vendors.cliova_url, "password": "sandbox-key"}
    proofy = {"conn_type": "proofy", "host": vendors.proofy_url, "password": "sandbox-key"}
    # Before the third batch, the slow ones wait for as long as a test needs to kill them.
    slowly = {"extra": {"requests_per_minute": 2}}
    connections = {
        "cliova_fast": cliova,
        "cliova_slow": cliova | slowly,
        "proofy_fast": proofy,
        "proofy_slow": proofy | slowly,
    }
    with Deployment(folder, {"dags": DAGS.replace("{folder}", str(folder))}, connections) as running:
        yield running


@pytest.fixture
def airflow(vendors: SandboxServer, deployment: Deployment) -> Deployment:
    """Airflow, and vendors with empty books, of which nobody has asked anything in the last minute."""
    shutil.rmtree(deployment.temporary / f"airflow-emailverify-{os.getuid()}", ignore_errors=True)
    vendors.ledger.reset()
    vendors.faults.clear()
    return deployment


@pytest.fixture
def until(airflow: Deployment) -> Callable[..., None]:
    """Wait for something that happens in a run."""

    def wait(run_id: str, condition: Callable[[], object]) -> None:
        eventually(condition, STEP_SECONDS, lambda: airflow.log(run_id)[-4000:])

    return wait


def kill_task(airflow: Deployment, run_id: str) -> None:
    """Kill the process of a task, as the kernel does when memory runs out; its supervisor lives."""
    os.kill(airflow.task(run_id, "submit")["pid"], signal.SIGKILL)


def kill_worker(airflow: Deployment, run_id: str) -> None:
    """Kill the process of a task and its supervisor, as when a host is lost."""
    task = psutil.Process(airflow.task(run_id, "submit")["pid"])
    for process in (task.parent(), task):
        process.kill()


def submitted(vendors: SandboxServer) -> list[Batch]:
    return vendors.ledger.batches()


def assert_each_was_paid_once(vendors: SandboxServer) -> None:
    assert vendors.ledger.charged() == dict.fromkeys(EMAILS, 1)


@pytest.mark.parametrize("kill", [kill_task, kill_worker])
def test_the_next_try_goes_on_after_the_last_recorded_batch(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None], kill: Callable[[Deployment, str], None]
) -> None:
    run_id = airflow.trigger("slow")
    until(run_id, lambda: "id" in airflow.states(run_id).get("emailverify_batch_00002", {}))
    kill(airflow, run_id)

    airflow.wait_for_state(run_id, "submit", "success", tries=2)

    assert_each_was_paid_once(vendors)
    assert airflow.xcom(run_id, "submit") == [batch.batch_id for batch in submitted(vendors)]
    assert airflow.xcom(run_id, "submit", "summary")["resumed"] == 2


def test_a_batch_that_was_on_its_way_is_not_sent_again_until_the_user_says_that_it_never_arrived(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None]
) -> None:
    vendors.faults.add(operation="submit", kind="hang", skip=1, times=1, seconds=3600)
    run_id = airflow.trigger("cautious")
    until(run_id, lambda: vendors.ledger.count(operation="submit") == 2)
    kill_task(airflow, run_id)

    airflow.wait_for_state(run_id, "submit", "failed", tries=2)

    assert vendors.ledger.count(operation="submit") == 2
    assert "batch 2 of 3" in airflow.log(run_id)

    airflow.set_state("cautious", run_id, "submit", "emailverify_batch_00002", False)
    airflow.clear("cautious", run_id, "submit")
    airflow.wait_for_state(run_id, "submit", "success")

    assert_each_was_paid_once(vendors)


def test_a_batch_whose_answer_was_lost_is_taken_over_when_the_user_tells_its_id(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None]
) -> None:
    vendors.faults.add(operation="submit", kind="slow", skip=1, times=1, size=1, interval=3600)
    run_id = airflow.trigger("cautious")
    until(run_id, lambda: len(submitted(vendors)) == 2)
    kill_task(airflow, run_id)

    airflow.wait_for_state(run_id, "submit", "failed", tries=2)

    assert len(submitted(vendors)) == 2

    lost = submitted(vendors)[1]
    assert lost.name in airflow.log(run_id)
    airflow.set_state("cautious", run_id, "submit", "emailverify_batch_00002", lost.batch_id)
    airflow.clear("cautious", run_id, "submit")
    airflow.wait_for_state(run_id, "submit", "success")

    assert_each_was_paid_once(vendors)
    assert airflow.xcom(run_id, "submit")[1] == lost.batch_id


def test_only_the_batch_in_doubt_is_paid_twice_if_the_user_allows_it(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None]
) -> None:
    vendors.faults.add(operation="submit", kind="slow", skip=1, times=1, size=1, interval=3600)
    run_id = airflow.trigger("bold")
    until(run_id, lambda: len(submitted(vendors)) == 2)
    kill_task(airflow, run_id)

    airflow.wait_for_state(run_id, "submit", "success", tries=2)

    assert sorted(vendors.ledger.charged_more_than_once()) == EMAILS[2:4]
    first, lost, again, last = submitted(vendors)
    assert lost.name == again.name
    assert airflow.xcom(run_id, "submit") == [first.batch_id, again.batch_id, last.batch_id]


def test_a_task_whose_state_is_discarded_when_it_is_cleared_buys_nothing_without_a_ledger(
    vendors: SandboxServer, airflow: Deployment
) -> None:
    run_id = airflow.trigger("cautious")
    airflow.wait_for_state(run_id, "submit", "success", tries=1)
    for key in airflow.states(run_id):
        airflow.set_state("cautious", run_id, "submit", key, None)

    airflow.clear("cautious", run_id, "submit")
    airflow.wait_for_state(run_id, "submit", "failed", tries=2)

    assert_each_was_paid_once(vendors)
    assert "2. If there are none, set this task's state key 'emailverify_plan'" in airflow.log(run_id)


def test_a_task_whose_state_is_discarded_goes_on_with_its_ledger(vendors: SandboxServer, airflow: Deployment) -> None:
    run_id = airflow.trigger("ledger")
    airflow.wait_for_state(run_id, "submit", "success", tries=1)
    before = airflow.xcom(run_id, "submit")
    assert airflow.states(run_id) == {}

    airflow.clear("ledger", run_id, "submit")
    airflow.wait_for_state(run_id, "submit", "success", tries=2)

    assert airflow.xcom(run_id, "submit") == before
    assert_each_was_paid_once(vendors)


@pytest.mark.parametrize("moment", [0.0, 0.3, 0.6, 1.0, 1.5])
def test_a_task_that_a_user_kills_early_buys_no_further_batch(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None], moment: float
) -> None:
    """While the credits are asked for, which takes long, and before."""
    vendors.faults.add(operation="credits", kind="slow", size=1, interval=0.2)
    run_id = airflow.trigger("checking")
    until(run_id, lambda: airflow.task(run_id, "submit").get("pid"))
    time.sleep(moment)

    os.kill(airflow.task(run_id, "submit")["pid"], signal.SIGTERM)

    airflow.wait_for_state(run_id, "submit", "failed")
    assert submitted(vendors) == []


def test_a_task_that_is_cleared_after_its_success_submits_nothing(vendors: SandboxServer, airflow: Deployment) -> None:
    run_id = airflow.trigger("cautious")
    airflow.wait_for_state(run_id, "submit", "success", tries=1)
    before = airflow.xcom(run_id, "submit")

    airflow.clear("cautious", run_id, "submit")
    airflow.wait_for_state(run_id, "submit", "success", tries=2)

    assert airflow.xcom(run_id, "submit") == before
    assert_each_was_paid_once(vendors)


def test_a_task_that_a_user_kills_cancels_what_it_submitted_and_stops(
    vendors: SandboxServer, airflow: Deployment, until: Callable[..., None]
) -> None:
    run_id = airflow.trigger("cancelling")
    until(run_id, lambda: "id" in airflow.states(run_id).get("emailverify_batch_00001", {}))

    airflow.kill_by_user("cancelling", run_id, "submit")

    until(run_id, lambda: "cancelled" in airflow.states(run_id)["emailverify_batch_00001"])
    assert {batch.state for batch in submitted(vendors)} == {"cancelled"}
    assert vendors.ledger.count(operation="submit") == len(submitted(vendors)) < 3


def test_no_log_holds_an_address_or_the_key(airflow: Deployment) -> None:
    logs = "".join(path.read_text() for path in (airflow.home / "logs").rglob("*.log"))

    assert "was accepted, id" in logs
    assert "@example.com" not in logs
    assert "sandbox-key" not in logs
