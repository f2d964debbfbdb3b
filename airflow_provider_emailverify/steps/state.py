"""
Remember things from one try of a task to the next.

This module alone touches Airflow's state stores: the task's, from Airflow 3.3 on, and that of an asset with a watcher.
Both are kept by the API server, which can be away for a moment.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_emailverify.exceptions import TransientError
from airflow_provider_emailverify.version_compat import never_expire

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow_provider_emailverify.http.policy import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

# A quarter of a minute: an API server that restarts is back by then.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
_WAIT = "emailverify_wait"


class StateStore(Protocol):
    """What is used of Airflow's task state store."""

    def get(self, key: str) -> Any:
        """Return a value, or None."""

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Write a value."""


class InMemoryStore:
    """Stand in where Airflow has no task state store. It ends with the process."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})

    def get(self, key: str) -> Any:
        """Return a value, or None."""
        return self.values.get(key)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Write a value."""
        self.values[key] = value


class Records(Protocol):
    """
    Records of a task under keys, wherever they are kept.

    :ivar is_kept: whether the next try finds them.
    :ivar how_to_write: how a person writes one, in words.
    """

    is_kept: bool
    how_to_write: str

    @property
    def carried(self) -> dict[str, Any]:
        """Where they are not kept, all of them as JSON, for another process of the same try."""

    def get(self, key: str) -> Any:
        """Return a record; None if there is none."""

    def set(self, key: str, value: Any) -> None:
        """Write a record in place of what is there."""

    def claim(self, key: str, value: dict[str, Any]) -> bool:
        """Write a record that says that something begins; return False if another process has just done so."""

    def where(self, key: str) -> str:
        """Return how a person finds a record."""


class TaskState:
    """
    Keep records in Airflow's task state store.

    :param store: the store; None before Airflow 3.3, where records end with the process.
    :param carried: the :attr:`carried` of the process before, where there is no store.
    :param clock: the time.
    """

    how_to_write = "The task's tab Storage, Task State Store, does it, with the expiration Never."

    def __init__(self, store: StateStore | None, carried: dict[str, Any] | None = None, *, clock: Clock = time) -> None:
        self.is_kept = store is not None
        self._store = store or InMemoryStore(carried)
        self._clock = clock

    @property
    def carried(self) -> dict[str, Any]:
        """What another process of this try has to know, because nobody keeps it: JSON."""
        return self._store.values if isinstance(self._store, InMemoryStore) else {}

    def get(self, key: str) -> Any:
        """
        Return a record; None if there is none, or if something on the way to Airflow's API says so.

        :param key: the record.
        :raises TransientError: the store cannot be read now.
        """
        return self._patiently("read", self._store.get, key)

    def set(self, key: str, value: Any) -> None:
        """
        Write a record in place of what is there. It is kept as long as the run, not for Airflow's default of 30 days.

        :param key: the record.
        :param value: its JSON.
        :raises TransientError: the store cannot be written to now.
        """
        self._patiently("write", self._set, key, value)

    def claim(self, key: str, value: dict[str, Any]) -> bool:
        """
        Write a record, see that it is there, and return True. The store has no way to do that exclusively.

        :param key: the record.
        :param value: its JSON.
        :raises TransientError: the store cannot be written to now, or does not keep what it was given.
        """
        self._patiently("keep", self._set_and_check, key, value)
        return True

    def where(self, key: str) -> str:
        """Return how a person finds a record."""
        return f"this task's state key {key!r}"

    def _set(self, key: str, value: Any) -> None:
        self._store.set(key, value, retention=never_expire())

    def _set_and_check(self, key: str, value: Any) -> None:
        self._set(key, value)
        if self._store.get(key) != value:
            raise LookupError(key)

    def _patiently(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        try:
            return patiently(call, *arguments, clock=self._clock)
        except Exception as error:
            raise TransientError(f"Airflow cannot {what} this task's state now ({type(error).__name__}).") from error


def patiently(call: Callable[..., T], *arguments: Any, clock: Clock = time) -> T:
    """
    Call something that can be away for a moment, such as Airflow's API; call it again for a quarter of a minute.

    :param call: what to call. It may be called several times.
    :param arguments: its arguments.
    :param clock: the time.
    """
    for pause in _PAUSES:
        try:
            return call(*arguments)
        except Exception as error:  # noqa: BLE001 - Airflow's API has errors of every kind, storages too
            log.warning("%s. Trying again in %g s.", type(error).__name__, pause)
        clock.sleep(pause)
    return call(*arguments)


class WaitNotes:
    """
    Carry the notes of a wait from poke to poke: in reschedule mode each is a process of its own.

    A poke that cannot read them goes on without, and leaves them as they are.

    :param store: where they are kept; None if nowhere.
    :param try_number: the try of the task; the notes of an earlier one are no longer of use.
    :ivar are_kept: whether the next poke finds them.
    """

    def __init__(self, store: Any, try_number: int) -> None:
        self.are_kept = store is not None
        self._store = store
        self._try_number = try_number

    def read(self) -> dict[str, Any] | None:
        """Return the notes of the poke before; None if there are none."""
        if self._store is None:
            return None
        try:
            notes = self._store.get(_WAIT)
        except Exception as error:  # noqa: BLE001 - Airflow's API or the storage is away
            log.warning("The notes of this wait cannot be read now (%s).", type(error).__name__)
            self._store = None
            return None
        return notes if isinstance(notes, dict) and notes.get("try") == self._try_number else None

    def write(self, notes: dict[str, Any]) -> None:
        """
        Keep the notes for the next poke.

        :param notes: primitives.
        """
        if self._store is None:
            return
        try:
            self._store.set(_WAIT, {"try": self._try_number, **notes})
        except Exception as error:  # noqa: BLE001 - Airflow's API or the storage is away
            log.warning("The notes of this wait cannot be kept now (%s).", type(error).__name__)


class ToldBatches:
    """
    Remember of which batches an asset's watcher has told.

    :param store: the asset's state store; None before Airflow 3.3, where it is remembered until the triggerer restarts.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._told: set[str] = set()

    async def knows(self, batch_id: str) -> bool | None:
        """
        Tell whether a batch was told of; None while Airflow does not say.

        :param batch_id: the vendor's identifier of the batch.
        """
        try:
            if batch_id not in self._told and self._store and await self._store.aget(_told_key(batch_id)):
                self._told.add(batch_id)
        except Exception as error:  # noqa: BLE001 - Airflow's API is away
            log.warning("Batch %r: whether it was told of cannot be read now (%s).", batch_id, type(error).__name__)
            return None
        return batch_id in self._told

    async def remember(self, batch_id: str) -> bool:
        """
        Remember that a batch was told of; return False if Airflow did not take it.

        :param batch_id: the vendor's identifier of the batch.
        """
        try:
            if self._store:
                await self._store.aset(_told_key(batch_id), batch_id)
        except Exception as error:  # noqa: BLE001 - Airflow's API is away
            log.warning("Batch %r: that it is told of cannot be kept now (%s).", batch_id, type(error).__name__)
            return False
        self._told.add(batch_id)
        return True


def _told_key(batch_id: str) -> str:
    # Keys have 512 characters at most; a batch id may have more, and any.
    return f"emailverify_told_{hashlib.blake2b(batch_id.encode(), digest_size=16).hexdigest()}"
