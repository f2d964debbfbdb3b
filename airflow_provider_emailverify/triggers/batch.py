"""Wait for batches in the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_emailverify.batches import read_batch_ids
from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.steps.arguments import read_optional_seconds, read_seconds
from airflow_provider_emailverify.steps.cancelling import cancel_batches
from airflow_provider_emailverify.steps.poller import poller_of
from airflow_provider_emailverify.steps.waiting import BatchWait
from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait


class EmailVerifyBatchTrigger(BaseTrigger):
    """
    Fire once: when a batch is ready or each batch of a list is final, or when waiting has become pointless.

    For one batch the event is ``{"batch_id": …, "status": {…}}``. For a list it is ``{"batches": …, "not_ready":
    {"failed": […], …}, "addresses": …, "addresses_done": …, "vendor": …, "notes": …}``, with the ids of those batches
    only that are not ready. When waiting is pointless it is ``{"error": {"type": …, "message": …, "steps": […]}}``,
    with the name of a class in :mod:`airflow_provider_emailverify.exceptions`, and what a person has to do.

    :param conn_id: the Airflow connection of the vendor.
    :param batch_id: the vendor's identifier of the batch, or a list of them.
    :param poll_interval: seconds between two polls of a batch at least; more for one that takes long, up to 15 minutes.
    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param started: when the wait began, in seconds since 1970; None if it begins with this trigger.
    :param unasked: of a list, so many batches, the first ones, were not asked for just before. They are due at once.
    :param others: what the whole list holds beside this part of it, for the progress that is logged.
    :param notes: what the sensor wants to find in the event of a list.
    :param until_any: fire when one batch of a list is final, not when all are. The event names no open ones.
    :param cancel_on_kill: cancel the batches at the vendor when a person ends the wait, where Airflow tells (3.3).
    """

    def __init__(
        self,
        conn_id: str,
        batch_id: str | list[str],
        poll_interval: float = 120.0,
        max_outage: float | None = 3600.0,
        started: float | None = None,
        *,
        unasked: int = 0,
        others: dict[str, Any] | None = None,
        notes: dict[str, Any] | None = None,
        until_any: bool = False,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow annotates it nowhere
        self.conn_id = conn_id
        self.batch_id = read_batch_ids(batch_id)
        self.poll_interval = read_seconds("poll_interval", poll_interval)
        self.max_outage = read_optional_seconds("max_outage", max_outage)
        self.started = started
        self.unasked = unasked
        self.others = others
        self.notes = notes
        self.until_any = until_any
        self.cancel_on_kill = cancel_on_kill

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and its arguments, primitives only."""
        arguments: dict[str, Any] = {
            "conn_id": self.conn_id,
            "batch_id": self.batch_id,
            "poll_interval": self.poll_interval,
            "max_outage": self.max_outage,
            "started": self.started,
        }
        if isinstance(self.batch_id, list):  # a triggerer of an older version knows none of these
            arguments |= {"unasked": self.unasked, "others": self.others, "notes": self.notes}
        if self.until_any:
            arguments["until_any"] = True
        if self.cancel_on_kill:
            arguments["cancel_on_kill"] = True
        return "airflow_provider_emailverify.triggers.batch.EmailVerifyBatchTrigger", arguments

    async def on_kill(self) -> None:
        """Cancel the batches, if that was asked for. Airflow calls it when a person clears or marks the task."""
        if self.cancel_on_kill:
            batch_ids = [self.batch_id] if isinstance(self.batch_id, str) else self.batch_id
            await asyncio.to_thread(cancel_batches, self.conn_id, batch_ids)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until there is something to say. Running twice at the same time does no harm: it only asks."""
        event: dict[str, Any] = {"batch_id": self.batch_id} if isinstance(self.batch_id, str) else {}
        begun = {"started": self.started}
        try:
            with poller_of(self.conn_id) as poller:
                if isinstance(self.batch_id, str):
                    wait = BatchWait(self.batch_id, self.max_outage, begun)
                    event["status"] = (await poller.wait_for(wait, self.poll_interval)).as_dict()
                else:
                    many = BatchesWait(
                        self.batch_id, self.max_outage, begun, others=self.others, until_any=self.until_any
                    )
                    await poller.wait_for_all(many, self.poll_interval, self.unasked)
                    event |= many.states.event | {"notes": self.notes}
        except EmailVerifyError as error:
            event["error"] = {"type": type(error).__name__, "message": str(error), "steps": list(error.steps)}
        yield TriggerEvent(event)
