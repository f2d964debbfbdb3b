"""Cancel batches at the vendor because a person has ended the wait for them."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_emailverify.exceptions import EmailVerifyError, UnsupportedOperationError
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.steps.connecting import open_hook

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.policy import Clock

#: Airflow gives a trigger 30 s.
MAX_SECONDS = 25.0

log = logging.getLogger(__name__)


def cancel_batches(conn_id: str, batch_ids: Sequence[str], *, clock: Clock = time) -> list[str]:
    """
    Cancel batches one after the other, for 25 s at most. Log and return the ids of those that were not cancelled.

    :param conn_id: the Airflow connection.
    :param batch_ids: the vendor's identifiers.
    :param clock: the time.
    """
    deadline = clock.monotonic() + MAX_SECONDS
    left = list(batch_ids)
    try:
        hook = open_hook(conn_id).with_policy(CallPolicy(attempts=1, wait_for_turn=False))
        for batch_id in batch_ids:
            if clock.monotonic() >= deadline:
                break
            try:
                hook.cancel_batch(batch_id)
            except UnsupportedOperationError:
                raise
            except EmailVerifyError as error:
                log.warning("Batch %r was not cancelled: %s", batch_id, error)
            else:
                left.remove(batch_id)
                log.info("Batch %r was cancelled at the vendor", batch_id)
    except EmailVerifyError as error:
        log.warning("Nothing more is cancelled: %s", error)
    if left:
        log.warning("Not cancelled, and still being paid for: %s", ", ".join(map(repr, left)))
    return left
