"""Wait for a batch in the triggerer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_emailverify.batches import read_batch_id
from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.steps.arguments import read_optional_seconds, read_seconds
from airflow_provider_emailverify.steps.poller import poller_of
from airflow_provider_emailverify.steps.waiting import BatchWait


class EmailVerifyBatchTrigger(BaseTrigger):
    """
    Fire once: when a batch is ready, or when waiting for it has become pointless.

    The event is ``{"batch_id": …, "status": {…}}``, or ``{"batch_id": …, "error": {"type": …, "message": …, "steps":
    […]}}`` with the name of a class in :mod:`airflow_provider_emailverify.exceptions`, and what a person has to do.

    :param conn_id: the Airflow connection of the vendor.
    :param batch_id: the vendor's identifier of the batch.
    :param poll_interval: seconds between two polls at least; more for a batch that takes long, up to 15 minutes.
    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param started: when the wait began, in seconds since 1970; None if it begins with this trigger.
    """

    def __init__(
        self,
        conn_id: str,
        batch_id: str,
        poll_interval: float = 120.0,
        max_outage: float | None = 3600.0,
        started: float | None = None,
    ) -> None:
        # Airflow annotates nothing of it.
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.batch_id = read_batch_id(batch_id)
        self.poll_interval = read_seconds("poll_interval", poll_interval)
        self.max_outage = read_optional_seconds("max_outage", max_outage)
        self.started = started

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and its arguments, primitives only."""
        return (
            "airflow_provider_emailverify.triggers.batch.EmailVerifyBatchTrigger",
            {
                "conn_id": self.conn_id,
                "batch_id": self.batch_id,
                "poll_interval": self.poll_interval,
                "max_outage": self.max_outage,
                "started": self.started,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say. Running twice at the same time does no harm: it only asks."""
        event: dict[str, Any] = {"batch_id": self.batch_id}
        try:
            with poller_of(self.conn_id) as poller:
                wait = BatchWait(self.batch_id, self.max_outage, {"started": self.started})
                status = await poller.wait_for(wait, self.poll_interval)
        except EmailVerifyError as error:
            event["error"] = {"type": type(error).__name__, "message": str(error), "steps": list(error.steps)}
        else:
            event["status"] = status.as_dict()
        yield TriggerEvent(event)
