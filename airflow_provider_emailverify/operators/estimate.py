"""Tell what a list will cost, before anything is spent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emailverify.operators.list_arguments import ListOperator
from airflow_provider_emailverify.steps.arguments import read_whole_number
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.http.policy import Clock


class EmailVerifyEstimateOperator(ListOperator):
    """
    Read a list as the submit operator does, and buy nothing.

    The return value is what would be bought, and why not the rest: the figures of the submit operator's summary
    (``read``, ``dropped_by_reason``, ``unique``, ``duplicates``, ``known``, ``prescreened``, ``to_buy``, ``price``,
    ``saved``), and ``batches``, ``credits_left`` (None if the vendor has no call for it), and ``least_minutes``, which
    the requests alone take at the vendor's limit (None if it documents none).

    With ``answers``, the answers that cost nothing are written there, and the XCom key ``answers`` is the file's URI.
    Hand it to the submit operator, and the price that was told is the price that is charged. Otherwise some answers may
    have become too old by then, and a name server may say something else.

    How the list is read, and what of it costs nothing: see :class:`~.operators.list_arguments.ListOperator`.

    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param batch_size: addresses in a batch; by default the vendor's limit. (templated)
    """

    template_fields: Sequence[str] = (*ListOperator.template_fields, "conn_id", "batch_size")
    ui_color = "#dcefe2"
    _clock: ClassVar[Clock] = time

    def __init__(self, *, conn_id: str, batch_size: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.batch_size = batch_size
        self._kill_switch = KillSwitch()

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Read, and return the figures.

        :param context: the task's context.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        from airflow_provider_emailverify.steps.estimating import estimate
        from airflow_provider_emailverify.steps.names import BatchNames

        with fail_fast_when_permanent(), self._kill_switch.armed():
            found = estimate(
                self.buy_options(BatchNames.of(context).stem),
                open_hook(self.conn_id),
                self._kill_switch,
                batch_size=read_whole_number("batch_size", self.batch_size, least=1),
                clock=self._clock,
            )
        figures = found.figures
        context["ti"].xcom_push(key="answers", value=found.answers or "")
        self.log.info(
            "Addresses to buy: %d of %d; batches: %d; known: %d; without mail: %d",
            figures["to_buy"],
            figures["unique"],
            figures["batches"],
            figures["known"],
            figures["prescreened"],
        )
        return figures

    def on_kill(self) -> None:
        """Stop reading."""
        self._kill_switch.pull()
