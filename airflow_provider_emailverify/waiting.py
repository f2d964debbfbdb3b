"""One wait for one batch: what each answer means, and how long a vendor may stay without one."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from airflow_provider_emailverify.batches import BatchState, BatchStatus
from airflow_provider_emailverify.exceptions import BatchFailedError, TransientError, VendorOutageError

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook

log = logging.getLogger(__name__)


class BatchWait:
    """
    Ask for a batch until it is ready. The sensor and the trigger both wait through this, so they agree.

    :param batch_id: the vendor's identifier of the batch.
    :param max_outage: seconds for which the vendor may answer nothing useful; None for ever.
    :param outage: seconds for which it has done so already.
    """

    def __init__(self, batch_id: str, max_outage: float | None, outage: float = 0.0) -> None:
        self.batch_id = batch_id
        self.max_outage = max_outage
        self._failing_since = time.monotonic() - outage if outage else None
        self._not_before = 0.0
        self._last_word = ""

    @property
    def outage(self) -> float:
        """Seconds since the first of the answers that were of no use; 0 if the last one was."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    @property
    def pause(self) -> float:
        """Seconds for which the vendor wants to be left alone, 0 at the least."""
        return max(0.0, self._not_before - time.monotonic())

    def ask(self, hook: EmailVerifyHook) -> BatchStatus | None:
        """
        Ask once. Return the status of a batch that is ready, else None.

        :param hook: the vendor.
        :raises BatchFailedError: the batch failed or was cancelled.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        :raises EmailVerifyError: another error that waiting does not cure.
        """
        if self.pause:
            return None
        try:
            status = hook.get_batch_status(self.batch_id)
        except TransientError as error:
            self._bear(error)
            return None
        self._failing_since = None
        self._log_change(status)
        if status.state in (BatchState.FAILED, BatchState.CANCELLED):
            raise BatchFailedError(
                f"{hook.about(self.batch_id)}: the vendor says {status.vendor_status!r}. {BatchFailedError.advice}"
            )
        return status if status.state is BatchState.READY else None

    def _bear(self, error: TransientError) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        self._not_before = now + (error.retry_after or 0.0)
        if self.max_outage is not None and self.outage >= self.max_outage:
            raise VendorOutageError(
                f"{error} No useful answer for {self.outage:.0f} s, and max_outage is {self.max_outage:g} s. When the "
                "vendor is back, clear the task: the batch goes on without us."
            ) from None
        log.warning("%s Asking again later.", error)

    def _log_change(self, status: BatchStatus) -> None:
        if status.vendor_status == self._last_word:
            return
        self._last_word = status.vendor_status
        log.info("Batch %r at %s is %s (%r).", self.batch_id, status.vendor, status.state, status.vendor_status)
        if not status.known:
            log.warning("%r is no documented status; waiting on.", status.vendor_status)
