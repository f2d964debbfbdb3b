"""
What happens to lists on their way when a part of the deployment goes: at the destination, at the vendor, in Airflow.

Each test prints how long it took from the fault to the last list. The tasks wait 5 s before their first retry.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.sandbox import vendor as sandbox_vendor
from tests.chaos.outcomes import Outcomes
from tests.e2e.cluster import BUCKET, KEY, TRIGGERERS, Surroundings
from tests.e2e.deployment import eventually
from tests.redis_server import IS_THERE as REDIS_IS_THERE

pytest.importorskip("airflow.sdk.execution_time.context", reason="what is deployed is the newest Airflow")
pytestmark = pytest.mark.skipif(not REDIS_IS_THERE, reason="there is no redis-server here")

ROWS = 12
STEP = 180
AWAY = 120
# A task that `hold` names waits where it is about to publish, in its first try, until somebody lets it go.
DAGS = """
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG
from airflow.sdk.definitions.context import get_current_context
from airflow_provider_emailverify import task_groups
from airflow_provider_emailverify.steps import landing_many, merging

FOLDER = Path("{folder}")

def hold(module, task_id):
    original = module.publish_together

    def held(*arguments, **options):
        context = get_current_context()
        ti, params = context["ti"], context["params"]
        if params["hold"] == task_id and ti.task_id.endswith(task_id) and ti.try_number == 1:
            (FOLDER / (params["name"] + ".held")).touch()
            while not (FOLDER / (params["name"] + ".go")).exists():
                time.sleep(0.2)
        return original(*arguments, **options)

    module.publish_together = held

hold(landing_many, "download")
hold(merging, "merge")
with DAG(
    "walk",
    schedule=None,
    params={{"name": "", "vendor": "", "hold": ""}},
    default_args={{"retries": 6, "retry_delay": timedelta(seconds=5)}},
):
    task_groups.verify_emails(
        source="s3://bucket@lists/{{{{ params.name }}}}/list.csv",
        conn_id="{{{{ params.vendor }}}}",
        destination="s3://bucket@lists/{{{{ params.name }}}}/out.csv",
        submit={{"batch_size": 4, "max_active_tis_per_dag": 16}},
        wait={{"poke_interval": 3}},
    )
"""


class Walk:
    """One list on its way: the walk over it, what it should be, and what is there."""

    def __init__(self, around: Surroundings, name: str, vendor: str, hold: str = "") -> None:
        self._around = around
        self.name = name
        self.emails = [f"{name}.{number}@example.com" for number in range(ROWS)]
        around.put(f"{name}/list.csv", "Email\n" + "".join(f"{email}\n" for email in self.emails))
        around.put(f"{name}/out.csv", "Email,verdict\nold,old\n")
        self.run_id = around.airflow.trigger("walk", name=name, vendor=vendor, hold=hold)

    @property
    def held(self) -> Path:
        """A file that is there as soon as the task that is held has come to its place."""
        return self._around.airflow.home / f"{self.name}.held"

    def go(self) -> None:
        """Let the task that is held go on."""
        (self._around.airflow.home / f"{self.name}.go").touch()

    def task(self, task: str) -> dict[str, object]:
        """Return state, try number and process of a task."""
        return self._around.airflow.task(self.run_id, f"verify_emails.{task}")

    def until(self, condition: Callable[[], object], seconds: float = STEP) -> None:
        """Wait for something that happens in this run."""
        eventually(condition, seconds, lambda: self._around.airflow.log(self.run_id)[-6000:])

    def until_deferred(self) -> None:
        """Return when the batches are waited for in a triggerer."""
        self.until(lambda: self.task("wait")["state"] == "deferred")

    def until_recorded(self, batches: int) -> None:
        """Return when that many batches were accepted and written down."""
        key = f"emailverify_batch_{batches:05}"
        self.until(lambda: "id" in self._around.airflow.states(self.run_id).get(key, {}))

    def until_over(self, state: str = "success", seconds: float = STEP) -> None:
        """Return when the run has ended, and in this state."""
        self.until(lambda: self._around.airflow.run_state(self.run_id) in ("success", "failed"), seconds)
        assert self._around.airflow.run_state(self.run_id) == state, self._around.airflow.log(self.run_id)[-8000:]

    def rows(self) -> list[tuple[str, str]]:
        """Return addresses and verdicts of the verified list."""
        text = self._around.get(f"s3://{BUCKET}/{self.name}/out.csv")
        return [(row["Email"], row["verdict"]) for row in csv.DictReader(io.StringIO(text))]

    def is_untouched(self) -> bool:
        """Say whether the file of before is there as it was."""
        return self.rows() == [("old", "old")]

    def check(self, times: int = 1) -> None:
        """The list is back and whole, each address was bought that many times, and nothing else lies about."""
        assert self.rows() == [(email, "deliverable") for email in self.emails]
        charged = self._around.vendors.ledger.charged()
        assert {email: charged.get(email) for email in self.emails} == dict.fromkeys(self.emails, times)
        names = [each.partition("/")[2] for each in self._around.names(f"{self.name}/")]
        others = [each for each in names if not each.startswith("_results/") or not each.endswith(".csv")]
        assert sorted(others) == ["list.csv", "out.csv"]


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """One deployment for all tests, with a second account at Cliova, whose pace a test may change."""
    folder = tmp_path_factory.mktemp("chaos")
    with Surroundings(folder, {"dags": DAGS.format(folder=folder / "airflow")}, ready_after=3.0) as around:
        around.vault.connections["slow"] = around.vault.connections["cliova"] | {"password": "another-key"}
        yield around


@pytest.fixture(scope="module")
def outcomes() -> Iterator[Outcomes]:
    """What the tests find."""
    outcomes = Outcomes()
    yield outcomes
    outcomes.write()


@pytest.fixture
def name(around: Surroundings, request: pytest.FixtureRequest) -> str:
    """A name for the lists of a test; no fault is left over from the tests before."""
    around.vendors.faults.clear()
    set_pace(around, 300)
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))[:50]


@pytest.fixture
def three(around: Surroundings, name: str) -> dict[str, Walk]:
    """Three lists on their way: one is being bought, one downloaded, one merged."""
    set_pace(around, 2)
    walks = {
        "submit": Walk(around, f"{name}-submit", "slow"),
        "download": Walk(around, f"{name}-download", "proofy", hold="download"),
        "merge": Walk(around, f"{name}-merge", "cliova", hold="merge"),
    }
    walks["submit"].until_recorded(1)
    for task in ("download", "merge"):
        walks[task].until(walks[task].held.exists)
    assert walks["submit"].task("submit")["state"] == "running"
    assert all(walk.is_untouched() for walk in walks.values())
    set_pace(around, 300)
    return walks


def set_pace(around: Surroundings, per_minute: int) -> None:
    """Change how often the slow account may be asked, from the next task on."""
    fields = around.vault.connections["slow"]
    fields["extra"] = fields["extra"] | {"requests_per_minute": per_minute}


def check_all(walks: Iterable[Walk], seconds: float = STEP) -> None:
    """All lists come back whole, and each address was bought once."""
    for walk in walks:
        walk.until_over(seconds=seconds)
    for walk in walks:
        walk.check()


def test_workers_are_lost(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    workers = {around.airflow.worker_of(walk.run_id, f"verify_emails.{task}") for task, walk in three.items()}
    with outcomes.measure("SIGKILL of the workers in submit, download and merge", "each goes on in its next try"):
        for worker in workers:
            around.airflow.kill(worker)
            around.airflow.start(worker)
        check_all(three.values())

    for task, walk in three.items():
        assert walk.task(task)["try"] == 2


def test_workers_are_stopped_in_good_order(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    """Celery lets them end their tasks; new ones take what is queued."""
    workers = {around.airflow.worker_of(walk.run_id, f"verify_emails.{task}") for task, walk in three.items()}
    with outcomes.measure("SIGTERM of the workers in submit, download and merge", "they end their tasks first"):
        stopped = [around.airflow.terminate(worker) for worker in workers]
        time.sleep(5)
        assert [process.poll() for process in stopped] == [None] * len(stopped)
        for walk in three.values():
            walk.go()
        for process in stopped:
            process.wait(STEP)
        check_all(three.values())

    for task, walk in three.items():
        assert walk.task(task)["try"] == 1


def test_both_triggerers_are_lost_one_after_the_other(around: Surroundings, name: str, outcomes: Outcomes) -> None:
    around.vendors.faults.add(operation="status", kind="not_ready")
    walks = [Walk(around, f"{name}-{number}", ("proofy", "cliova")[number % 2]) for number in range(8)]
    for walk in walks:
        walk.until_deferred()
    with outcomes.measure("SIGKILL of a triggerer, and of the other when the first was replaced", "no wait is lost"):
        for triggerer in TRIGGERERS:
            around.airflow.kill(triggerer)
            around.airflow.start(triggerer)
            eventually(lambda: around.airflow.count_lost_waits() == 0, STEP)
        around.vendors.faults.clear()
        check_all(walks)


def test_a_person_ends_tasks(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    """By "mark as failed", which the UI asks of the same API."""
    with outcomes.measure("a task marked as failed in submit, download and merge, then cleared", "each goes on"):
        for task, walk in three.items():
            around.airflow.kill_by_user("walk", walk.run_id, f"verify_emails.{task}")
        for walk in three.values():
            walk.until_over("failed")
            assert walk.is_untouched()
        for task, walk in three.items():
            around.airflow.clear("walk", walk.run_id, f"verify_emails.{task}")
            walk.until(lambda walk=walk: around.airflow.run_state(walk.run_id) not in ("failed",))
        check_all(three.values())


def test_tasks_are_cleared_while_they_run(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    with outcomes.measure("submit, download and merge cleared while they run", "each starts again, and goes on"):
        for task, walk in three.items():
            around.airflow.clear_now("walk", walk.run_id, f"verify_emails.{task}")
        check_all(three.values())


def test_the_broker_restarts_and_forgets(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    queued = Walk(around, f"{three['merge'].name}-queued", "proofy")
    with outcomes.measure("Redis restarted, its queue lost, 10 s away", "what was queued is queued again"):
        around.redis.stop()
        time.sleep(10)
        around.redis.start()
        for walk in three.values():
            walk.go()
        check_all([*three.values(), queued], 2 * STEP)


def test_the_database_restarts(around: Surroundings, three: dict[str, Walk], outcomes: Outcomes) -> None:
    with outcomes.measure("PostgreSQL restarted, 10 s away", "each goes on, in a next try if its worker gave up"):
        around.postgresql.stop()
        time.sleep(10)
        around.postgresql.start()
        for walk in three.values():
            walk.go()
        check_all(three.values(), 2 * STEP)


@pytest.mark.parametrize(
    ("server", "means"),
    [("vendor", "the vendor"), ("store", "the object store"), ("secrets", "the secrets backend")],
)
def test_a_server_is_away(around: Surroundings, name: str, outcomes: Outcomes, server: str, means: str) -> None:
    """When a list is about to be bought, waited for, downloaded and merged."""
    around.vendors.faults.add(operation="status", kind="not_ready", vendor="cliova")
    waits = Walk(around, f"{name}-wait", "cliova")
    held = [Walk(around, f"{name}-{task}", "proofy", hold=task) for task in ("download", "merge")]
    for walk in held:
        walk.until(walk.held.exists)
    waits.until_deferred()
    with around.away(server):
        bought = Walk(around, f"{name}-submit", "proofy")
        for walk in held:
            walk.go()
        time.sleep(AWAY)
        around.vendors.faults.clear()
    with outcomes.measure(f"{means} away for two minutes, in submit, wait, download and merge", "each goes on"):
        check_all([waits, *held, bought], 2 * STEP)


def test_the_key_is_rotated_in_a_wait(
    around: Surroundings, name: str, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    around.vendors.faults.add(operation="status", kind="not_ready")
    walks = [Walk(around, f"{name}-{vendor}", vendor) for vendor in ("proofy", "cliova")]
    for walk in walks:
        walk.until_deferred()
    time.sleep(10)
    with outcomes.measure("the key rotated in a wait, the secret ten seconds later", "the wait takes the new key"):
        monkeypatch.setitem(sandbox_vendor.REFUSED_KEYS, KEY, 401)
        time.sleep(10)
        for vendor in ("proofy", "cliova"):
            monkeypatch.setitem(around.vault.connections[vendor], "password", "rotated-key")
        around.vendors.faults.clear()
        check_all(walks, 2 * STEP)


def test_the_same_run_twice_at_once(around: Surroundings, name: str, outcomes: Outcomes) -> None:
    with outcomes.measure("the same list in two runs at once, to one destination", "one whole list; two purchases"):
        walks = [Walk(around, name, "proofy") for _ in range(2)]
        for walk in walks:
            walk.until_over()
    for walk in walks:
        walk.check(times=2)


def test_a_batch_in_doubt_is_repaired(around: Surroundings, name: str, outcomes: Outcomes) -> None:
    """The worker is lost while the vendor has taken a batch, and its answer is on the way."""
    around.vendors.faults.add(operation="submit", kind="slow", skip=1, times=1, size=1, interval=3600)
    walk = Walk(around, name, "cliova")
    walk.until(lambda: around.vendors.ledger.charged().get(walk.emails[4]))
    worker = around.airflow.worker_of(walk.run_id, "verify_emails.submit")
    around.airflow.kill(worker)
    around.airflow.start(worker)
    walk.until_over("failed", 2 * STEP)
    assert "batch 2 of 3" in around.airflow.log(walk.run_id)
    assert walk.is_untouched()

    with outcomes.measure("a worker lost with a batch on its way, its id then written by a person", "it goes on"):
        lost = next(batch for batch in around.vendors.ledger.batches("cliova") if walk.emails[4] in batch.addresses)
        key = "emailverify_batch_00002"
        around.airflow.set_state("walk", walk.run_id, "verify_emails.submit", key, lost.batch_id)
        around.airflow.clear("walk", walk.run_id, "verify_emails.submit")
        walk.until(lambda: around.airflow.run_state(walk.run_id) != "failed")
        check_all([walk])
