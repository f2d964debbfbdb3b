"""A submit task over all its tries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.state import InMemoryStore

EMAILS = [f"user{number}@example.com" for number in range(6)]
BATCHES = [EMAILS[:2], EMAILS[2:4], EMAILS[4:]]


class Ti(SimpleNamespace):
    """As much of a task instance as the operator uses."""

    def __init__(self, try_number: int = 1) -> None:
        super().__init__(dag_id="d", run_id="r", task_id="submit", map_index=-1, try_number=try_number, pushed={})

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


class Store(InMemoryStore):
    """
    A task's state, as Airflow 3.3 keeps it from one try to the next.

    :ivar on_set: called when a value was written, with its key and the value.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_set: Callable[[str, Any], object] = lambda _key, _value: None

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        super().set(key, value, retention=retention)
        self.on_set(key, value)


class Task:
    """A submit task: what Airflow keeps of it is the state store, if it has one."""

    def __init__(self, source: Path, conn_id: str) -> None:
        self.source = source
        self.conn_id = conn_id
        self.store: Any = Store()
        self.tries = 0
        #: How often tasks of the run were cleared; None where the context has no run.
        self.clear_number: int | None = None
        self.summary: dict[str, Any] = {}
        self.operator: EmailVerifySubmitOperator | None = None

    def attempt(self, **arguments: Any) -> list[str]:
        """Run a try in what could be a new process, and return the batch ids."""
        self.tries += 1
        ti = Ti(self.tries)
        self.operator = EmailVerifySubmitOperator(
            **{
                "task_id": "submit",
                "source": f"file://{self.source}",
                "conn_id": self.conn_id,
                "batch_size": 2,
                **arguments,
            }
        )
        context: Any = {"ti": ti} if self.store is None else {"ti": ti, "task_state_store": self.store}
        if self.clear_number is not None:
            context["dag_run"] = SimpleNamespace(clear_number=self.clear_number)
        try:
            return self.operator.execute(context)
        finally:
            self.summary = ti.pushed.get("summary", {})

    def kill(self) -> None:
        """Kill the try that runs, as Airflow's signal handler does."""
        assert self.operator
        self.operator.on_kill()


def sent(sandbox: SandboxServer) -> list[list[str]]:
    """Return the addresses of each batch that the vendor has accepted."""
    return [list(batch.addresses) for batch in sandbox.ledger.batches()]


def submissions(sandbox: SandboxServer) -> int:
    """Return how often something was submitted."""
    return sandbox.ledger.count(operation="submit")
