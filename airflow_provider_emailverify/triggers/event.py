"""Tell of batches that become ready, for DAGs that an asset schedules. It needs Airflow 3."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_emailverify.exceptions import BatchFailedError, BatchNotFoundError, EmailVerifyError
from airflow_provider_emailverify.steps.poller import poller_of
from airflow_provider_emailverify.steps.waiting import BatchWait

if TYPE_CHECKING:
    from airflow_provider_emailverify.batches import BatchStatus

try:
    from airflow.triggers.base import BaseEventTrigger
except ImportError:  # Airflow 2, whatever mypy sees: the module can be imported, and the class says what it needs
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment]

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
        if not hasattr(BaseEventTrigger, "hash"):
            raise RuntimeError("EmailVerifyBatchEventTrigger needs Airflow 3: assets have no watchers before it.")
        # Airflow annotates nothing of it.
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.variable = variable
        self.poll_interval = poll_interval
        self._told: set[str] = set()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of this class and its arguments, primitives only."""
        return (
            "airflow_provider_emailverify.triggers.event.EmailVerifyBatchEventTrigger",
            {"conn_id": self.conn_id, "variable": self.variable, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for all batches at the same time, and for new ones, without end."""
        waits: dict[str, asyncio.Task[BatchStatus | None]] = {}
        try:
            while True:
                listed = await self._listed(waits.keys())
                for batch_id in waits.keys() - listed:
                    waits.pop(batch_id).cancel()
                for batch_id in listed - waits.keys():
                    if not await self._is_told(batch_id):
                        waits[batch_id] = asyncio.create_task(self._wait_for(batch_id))
                if waits:
                    await asyncio.wait(waits.values(), timeout=self.poll_interval, return_when=asyncio.FIRST_COMPLETED)
                else:
                    await asyncio.sleep(self.poll_interval)
                for batch_id in [batch_id for batch_id, wait in waits.items() if wait.done()]:
                    status = waits.pop(batch_id).result()
                    # Another triggerer may have been at it meanwhile. What cannot be remembered is not told yet.
                    if status and await self._is_told(batch_id) is False and await self._remember(batch_id):
                        yield TriggerEvent({"batch_id": batch_id, "status": status.as_dict()})
        finally:
            for wait in waits.values():
                wait.cancel()

    async def _wait_for(self, batch_id: str) -> BatchStatus | None:
        """Return the status of a batch that is ready; None for one that never will be."""
        try:
            with poller_of(self.conn_id) as poller:
                return await poller.wait_for(BatchWait(batch_id, max_outage=None), self.poll_interval)
        except (BatchFailedError, BatchNotFoundError) as error:
            log.warning("%s No event will tell of it.", error)
            await self._remember(batch_id)
        except EmailVerifyError as error:
            log.warning("%s Asking again in %g s.", error, self.poll_interval)
            await asyncio.sleep(self.poll_interval)
        return None

    async def _listed(self, before: Collection[str]) -> set[str]:
        """Return the batch ids that the Variable lists; those from before while it cannot be read."""
        try:
            # In a thread: reading a Variable can block the event loop.
            ids = await asyncio.to_thread(_read, self.variable)
        except Exception as error:  # noqa: BLE001 - Airflow's API is down, or the Variable is no JSON
            log.warning("Variable %r cannot be read now (%s).", self.variable, type(error).__name__)
            return set(before)
        if isinstance(ids, list) and all(isinstance(batch_id, str) for batch_id in ids):
            return set(ids)
        log.warning('Variable %r is no JSON list of batch ids, such as ["b-1", "b-2"].', self.variable)
        return set(before)

    async def _is_told(self, batch_id: str) -> bool | None:
        """Tell whether a batch was told of; None while Airflow does not say."""
        store = getattr(self, "asset_state_store", None)
        try:
            if batch_id not in self._told and store and await store.aget(_key(batch_id)):
                self._told.add(batch_id)
        except Exception as error:  # noqa: BLE001 - Airflow's API is down
            log.warning("What was told of batch %r cannot be read now (%s).", batch_id, type(error).__name__)
            return None
        return batch_id in self._told

    async def _remember(self, batch_id: str) -> bool:
        """Remember that a batch was told of; False if Airflow did not take it."""
        try:
            if store := getattr(self, "asset_state_store", None):
                await store.aset(_key(batch_id), batch_id)
        except Exception as error:  # noqa: BLE001 - Airflow's API is down
            log.warning("Batch %r: that it is told of cannot be kept now (%s).", batch_id, type(error).__name__)
            return False
        self._told.add(batch_id)
        return True


def _read(variable: str) -> Any:
    from airflow.sdk import Variable

    return Variable.get(variable, default=[], deserialize_json=True)


def _key(batch_id: str) -> str:
    # Keys have 512 characters at most; a batch id may have more, and any.
    return f"emailverify_told_{hashlib.blake2b(batch_id.encode(), digest_size=16).hexdigest()}"
