"""Tell of batches that become ready, for DAGs that an asset schedules. It needs Airflow 3."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_emailverify.batches import read_batch_id
from airflow_provider_emailverify.exceptions import (
    BatchFailedError,
    BatchNotFoundError,
    EmailVerifyError,
    InvalidRequestError,
)
from airflow_provider_emailverify.steps.arguments import read_seconds
from airflow_provider_emailverify.steps.poller import poller_of
from airflow_provider_emailverify.steps.state import ToldBatches
from airflow_provider_emailverify.steps.waiting import BatchWait
from airflow_provider_emailverify.version_compat import (
    HAS_ASSET_WATCHERS,
    BaseEventTrigger,
    asset_state_store,
    read_variable,
)

if TYPE_CHECKING:
    from airflow_provider_emailverify.batches import BatchStatus

log = logging.getLogger(__name__)


class EmailVerifyBatchEventTrigger(BaseEventTrigger):
    """
    Fire for each of the listed batches when it becomes ready, at most once.

    Which batches there are stands in an Airflow Variable, a JSON list of batch ids, to which whoever submits adds.
    An event is ``{"batch_id": …, "status": {…}}``, as :class:`.EmailVerifyBatchTrigger` has it. A batch that failed or
    is unknown is logged and left alone; everything else is asked for again.

    From Airflow 3.3 on, the watched asset remembers what was told, before it is told: after a crash at the worst
    moment an event is missing rather than there twice. Earlier versions remember it until the triggerer restarts, so
    take batches that are done out of the Variable there. Watch one asset with one trigger.

    :param conn_id: the Airflow connection of the vendor.
    :param variable: the key of the Variable.
    :param poll_interval: seconds between two polls of a batch at least, and between two looks at the Variable.
    """

    def __init__(self, conn_id: str, variable: str, poll_interval: float = 120.0) -> None:
        if not HAS_ASSET_WATCHERS:
            raise RuntimeError("EmailVerifyBatchEventTrigger needs Airflow 3: assets have no watchers before it.")
        super().__init__()  # type: ignore[no-untyped-call] # Airflow annotates it nowhere
        self.conn_id = conn_id
        self.variable = variable
        self.poll_interval = read_seconds("poll_interval", poll_interval)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and its arguments, primitives only."""
        return (
            "airflow_provider_emailverify.triggers.event.EmailVerifyBatchEventTrigger",
            {"conn_id": self.conn_id, "variable": self.variable, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for all batches at the same time, and for new ones, without end."""
        told = ToldBatches(asset_state_store(self))
        waits: dict[str, asyncio.Task[BatchStatus | None]] = {}
        try:
            while True:
                listed = await self._listed(waits.keys())
                for batch_id in waits.keys() - listed:
                    waits.pop(batch_id).cancel()
                for batch_id in listed - waits.keys():
                    if not await told.knows(batch_id):
                        waits[batch_id] = asyncio.create_task(self._wait_for(batch_id, told))
                if waits:
                    await asyncio.wait(waits.values(), timeout=self.poll_interval, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(self.poll_interval)
                for batch_id in [batch_id for batch_id, wait in waits.items() if wait.done()]:
                    status = waits.pop(batch_id).result()
                    # Another triggerer may have been at it meanwhile. What cannot be remembered is not told yet.
                    if status and await told.knows(batch_id) is False and await told.remember(batch_id):
                        yield TriggerEvent({"batch_id": batch_id, "status": status.as_dict()})
        finally:
            for wait in waits.values():
                wait.cancel()

    async def _wait_for(self, batch_id: str, told: ToldBatches) -> BatchStatus | None:
        """Return the status of a batch that is ready; None for one that never will be."""
        try:
            with poller_of(self.conn_id) as poller:
                return await poller.wait_for(BatchWait(batch_id, max_outage=None), self.poll_interval)
        except (BatchFailedError, BatchNotFoundError) as error:
            log.warning("%s No event will tell of it.", error)
            await told.remember(batch_id)
        except EmailVerifyError as error:
            log.warning("%s Asking again in %g s.", error, self.poll_interval)
            await asyncio.sleep(self.poll_interval)
        except Exception as error:  # noqa: BLE001 - a fault that one batch brings to light ends no other's wait
            log.warning(
                "Batch %r cannot be asked for (%s). Asking again in %g s.",
                batch_id,
                type(error).__name__,
                self.poll_interval,
            )
            await asyncio.sleep(self.poll_interval)
        return None

    async def _listed(self, before: Collection[str]) -> set[str]:
        """Return the batch ids that the Variable lists; those from before while it cannot be read."""
        try:
            # In a thread: reading a Variable can block the event loop.
            ids = await asyncio.to_thread(read_variable, self.variable)
        except Exception as error:  # noqa: BLE001 - Airflow's API is down, or the Variable is no JSON
            log.warning("Variable %r cannot be read now (%s).", self.variable, type(error).__name__)
            return set(before)
        if isinstance(ids, list):
            return {batch_id for value in ids if (batch_id := self._read_id(value))}
        log.warning('Variable %r must be a JSON list of batch ids, such as ["b-1", "b-2"].', self.variable)
        return set(before)

    def _read_id(self, value: Any) -> str:
        """Return a batch id of the Variable; "" for what cannot be one."""
        try:
            return read_batch_id(value)
        except InvalidRequestError as error:
            log.warning("Variable %r: %s It is left out.", self.variable, error)
            return ""
