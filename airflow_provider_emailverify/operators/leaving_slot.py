"""Let a submission wait elsewhere until the vendor has room, and take its records along where nobody keeps them."""

from __future__ import annotations

import base64
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.version_compat import AirflowRescheduleException, task_state_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_emailverify.steps.records import PurchaseRecords

# MySQL keeps what a trigger is given in 65,535 bytes, encrypted; the ids that are waited for are in there too.
_MOST_CARRIED_BYTES = 36_000


def leave_slot(
    operator: BaseOperator,
    context: Context,
    records: PurchaseRecords,
    *,
    deferrable: bool,
    poll_interval: float,
    **wait: Any,
) -> None:
    """
    Leave the slot until a batch has ended; return where it cannot be left.

    It is left for the triggerer, or else for a later run of the same try, if what this try has bought is known there:
    from Airflow 3.3 on or with a ledger it is kept, before and without one the trigger carries it, if it is not too
    much.

    :param operator: the operator, whose ``execute_complete`` goes on.
    :param context: the task's context.
    :param records: what was bought.
    :param deferrable: whether there is a triggerer to wait in.
    :param poll_interval: seconds from one question to the next at least.
    :param wait: what else the trigger is given: ``conn_id``, ``batch_id`` and ``max_outage``.
    :raises TaskDeferred: the triggerer waits.
    :raises AirflowRescheduleException: Airflow runs the task again.
    """
    from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger

    carried = _packed(records.records.carried)
    if deferrable and len(carried) <= _MOST_CARRIED_BYTES:
        operator.defer(
            trigger=EmailVerifyBatchTrigger(
                **wait,
                poll_interval=poll_interval,
                until_any=True,
                # In the trigger, and not in the arguments of the deferral: dag.test() drops those.
                notes={"records": carried},
            ),
            method_name="execute_complete",
        )
    if not deferrable and task_state_store(context) is not None:  # so it is 3.3, which can do it
        raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=poll_interval))


def carried_by(event: Any) -> dict[str, Any] | None:
    """
    Return the records that came with a trigger's event; None if they are kept elsewhere.

    :param event: the event.
    """
    text = ((event or {}).get("notes") or {}).get("records")
    return dict(json.loads(zlib.decompress(base64.b64decode(text)))) if text else None


def _packed(values: dict[str, Any]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(values).encode(), 9)).decode() if values else ""
