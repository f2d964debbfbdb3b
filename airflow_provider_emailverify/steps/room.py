"""Keep to the number of batches that a vendor works on at the same time, over a list that makes more of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import BatchNotFoundError, TransientError
from airflow_provider_emailverify.steps.records import OpenBatches, PurchaseRecords

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook

log = logging.getLogger(__name__)

_FINAL = (BatchState.READY, BatchState.FAILED, BatchState.CANCELLED)


class NoRoomError(Exception):
    """
    The vendor takes no batch more until one of these has ended.

    :ivar batch_ids: the ids of the batches that it works on.
    """

    def __init__(self, batch_ids: list[str]) -> None:
        super().__init__("The vendor takes no batch more until another one has ended.")
        self.batch_ids = batch_ids


class Room:
    """
    Tell whether the vendor takes one batch more of a list.

    Other lists of the same account are not seen; their vendor refuses what is too much, and the task tries again.

    :param hook: the vendor's.
    :param records: where is written which batches were open, so that another process need not ask for all of them.
    :param accepted: the ids of the batches that the vendor has accepted, by number; it grows.
    :param sleep: waits some seconds; it may raise.
    """

    def __init__(
        self,
        hook: EmailVerifyHook,
        records: PurchaseRecords,
        accepted: Mapping[int, str],
        sleep: Callable[[float], None],
    ) -> None:
        self._most = hook.max_parallel_batches
        self._hook = hook.with_policy(replace(hook.client.policy, sleep=sleep))
        self._records = records
        self._accepted = accepted
        self._ended: set[int] | None = None

    def require(self, number: int) -> None:
        """
        Go on if the vendor takes a batch more.

        :param number: the batch that is to be submitted next. Those before it have been.
        :raises NoRoomError: it does not.
        :raises EmailVerifyError: it cannot be asked, and asking again does not help.
        """
        if self._most is None or len(self._accepted) < self._most:
            return
        if self._ended is None:
            before = self._records.open_batches
            self._ended = {each for each in self._accepted if before and before.has_ended(each)}
        if len(self._accepted) - len(self._ended) < self._most:
            return
        for each in sorted(self._accepted.keys() - self._ended):
            if self._is_over(self._accepted[each]):
                self._ended.add(each)
        open_batches = sorted(self._accepted.keys() - self._ended)
        self._records.note_open(OpenBatches(open_batches, number))
        if len(open_batches) >= self._most:
            log.info(
                "Batches accepted: %d. %s works on %d at a time; going on when one of them has ended.",
                len(self._accepted),
                self._hook.client.name,
                self._most,
            )
            raise NoRoomError([self._accepted[each] for each in open_batches])

    def _is_over(self, batch_id: str) -> bool:
        try:
            return self._hook.get_batch_status(batch_id).state in _FINAL
        except BatchNotFoundError:
            return True
        except TransientError as error:
            log.info("%s Taking the batch for one that is worked on.", error)
            return False
