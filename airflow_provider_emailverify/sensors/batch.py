"""Wait until a batch is ready."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_emailverify import exceptions
from airflow_provider_emailverify.batches import read_batch_id
from airflow_provider_emailverify.exceptions import EmailVerifyError, TransientError
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.links import EmailVerifyBatchLink
from airflow_provider_emailverify.steps.arguments import read_optional_seconds
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.state import WaitNotes, patiently
from airflow_provider_emailverify.steps.waiting import BatchWait
from airflow_provider_emailverify.task_errors import as_task_error, fail_fast_when_permanent, log_steps
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from airflow_provider_emailverify.version_compat import TaskDeferralError, task_state_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.batches import BatchStatus
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock

# Airflow 2 has no class for a deferral that timed out, only these words of its scheduler.
_TIMED_OUT = "Trigger/execution timeout"


class EmailVerifyBatchSensor(BaseSensorOperator):
    """
    Wait until a batch of addresses is ready at the vendor.

    All three ways to wait (``mode="poke"``, ``mode="reschedule"``, ``deferrable=True``) end in the same state with
    the same XCom: the batch id as return value, and under the key ``status`` the vendor's last word on it. A batch
    that failed, is unknown to the vendor, or cannot be asked for with this key ends the wait at once and without
    retries. A vendor that is down does not: the sensor asks again until ``max_outage`` or ``timeout``.

    :param batch_id: the vendor's identifier of the batch, for instance the XCom of the task that submitted it. A number
        is taken for its digits. (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param deferrable: wait in the triggerer, without a worker slot. It needs a running triggerer.
    :param max_outage: seconds, or a timedelta, for which there may be no useful answer (no connection, HTTP 429 or 5xx,
        garbage, Airflow's own API away) before the task fails and may retry; None for no limit. In reschedule mode it
        takes Airflow 3.3 or a ``ledger`` to count over several pokes; otherwise ``timeout`` alone ends such a wait.
        (templated)
    :param poke_interval: seconds between two polls, or a timedelta. The default keeps one wait below every limit
        that Proofy documents (50 calls an hour). In deferrable mode it is a floor, and ``exponential_backoff`` has
        no effect.
    :param ledger: the folder where the submission keeps its records. In reschedule mode the sensor keeps there what it
        has to know from one poke to the next. (templated)
    :param timeout: seconds, or a timedelta, after which the wait is given up, without retries, in every mode.
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id", "max_outage", "ledger")
    operator_extra_links = (EmailVerifyBatchLink(),)
    ui_color = "#dcefe2"
    _clock: ClassVar[Clock] = time

    def __init__(
        self,
        *,
        batch_id: str,
        conn_id: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_outage: timedelta | float | str | None = 3600.0,
        poke_interval: timedelta | float = 120.0,
        ledger: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.deferrable = deferrable
        self.max_outage = max_outage
        self.ledger = ledger
        self._hook: EmailVerifyHook | None = None
        self._wait: BatchWait | None = None
        self._notes: WaitNotes | None = None

    def execute(self, context: Context) -> Any:
        """
        Wait, and return the batch id.

        :param context: the task's context.
        """
        self._hook = self._wait = None
        if not self.deferrable:
            return super().execute(context)
        try:
            answer = self.poke(context)
        except Exception as error:
            if not self.silent_fail or isinstance(error, AirflowFailException):
                self._end(error)
            self.log.exception("Sensor poke failed")
            answer = PokeReturnValue(is_done=False)
        if answer.is_done:
            return answer.xcom_value
        return self.defer(
            trigger=EmailVerifyBatchTrigger(
                conn_id=self.conn_id,
                batch_id=read_batch_id(self.batch_id),
                poll_interval=self.poke_interval,
                max_outage=None if self.silent_fail else read_optional_seconds("max_outage", self.max_outage),
                started=self._wait.started_at if self._wait else None,
            ),
            method_name="execute_complete",
            timeout=min(timedelta(seconds=self.timeout), self.execution_timeout or timedelta.max),
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Ask the vendor once.

        :param context: the task's context.
        :raises AirflowFailException: waiting on is pointless.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        """
        with fail_fast_when_permanent():
            wait = self._wait = self._wait or self._start_wait(context)
            status = self._ask(wait)
            if status is not None and not self._push(context, status.as_dict(), wait):
                status = None
            if status is None and self._notes:
                self._notes.write(wait.notes)
        return PokeReturnValue(is_done=status is not None, xcom_value=wait.batch_id if status else None)

    def execute_complete(self, context: Context, event: Any = None) -> str:
        """
        Take over from the trigger, and return the batch id.

        :param context: the task's context.
        :param event: what the trigger said.
        :raises ValueError: the event is not one of :class:`EmailVerifyBatchTrigger`.
        """
        match event:
            case {"batch_id": str(batch_id), "status": {"state": "ready"} as status}:
                patiently(partial(context["ti"].xcom_push, key="status", value=status), clock=self._clock)
                return batch_id
            case {"error": {"type": str(name), "message": str(message)} as told}:
                kind = getattr(exceptions, name, None)
                if isinstance(kind, type) and issubclass(kind, EmailVerifyError):
                    error = kind(message).with_steps(*map(str, told.get("steps", ())))
                    log_steps(error)
                    self._end(as_task_error(error))
        raise ValueError(f"The trigger of batch {self.batch_id!r} sent an unknown event.")

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Resume after the trigger, with a timeout that means what it means in poke mode.

        Airflow defers with a single timeout, skips on it with ``never_fail`` (poke mode fails), and does not apply
        ``execution_timeout`` to a deferred task.

        :param next_method: the method to resume in.
        :param next_kwargs: its arguments.
        :param context: the task's context.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowException as outcome:
            cause = outcome.__cause__ if isinstance(outcome, AirflowSkipException) else outcome
            timed_out = isinstance(cause, AirflowSensorTimeout) or str(cause) == _TIMED_OUT
            if not timed_out:
                if isinstance(cause, TaskDeferralError):  # the trigger broke, which says nothing of the batch
                    self._end(cause)
                raise
            if self.soft_fail:  # Airflow 3.0 fails instead
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from cause
            if self.execution_timeout and self.execution_timeout.total_seconds() < self.timeout:
                self._end(AirflowTaskTimeout(f"Waited for longer than execution_timeout, {self.execution_timeout}."))
            raise AirflowSensorTimeout(f"Batch {self.batch_id!r} was not ready within {self.timeout:g} s.") from None

    def _end(self, error: BaseException) -> NoReturn:
        """Raise an error, or a skip where the sensor's poke mode would skip."""
        is_verdict = isinstance(error, AirflowFailException | AirflowTaskTimeout)
        if self.never_fail or (self.soft_fail and is_verdict):
            flag = "never_fail" if self.never_fail else "soft_fail"
            raise AirflowSkipException(f"Skipping due to {flag} is set to True.") from error
        raise error

    def _start_wait(self, context: Context) -> BatchWait:
        batch_id, max_outage = read_batch_id(self.batch_id), read_optional_seconds("max_outage", self.max_outage)
        self._notes = WaitNotes(self._open_store(context) if self.reschedule else None, context["ti"].try_number)
        return BatchWait(batch_id, max_outage, self._notes.read(), clock=self._clock)

    def _open_store(self, context: Context) -> Any:
        if self.ledger is None:
            return task_state_store(context)
        from airflow_provider_emailverify.steps.ledger import Ledger
        from airflow_provider_emailverify.steps.names import BatchNames

        return Ledger(self.ledger, BatchNames.of(context).stem, clock=self._clock)

    def _ask(self, wait: BatchWait) -> BatchStatus | None:
        try:
            hook = self._hook or open_hook(self.conn_id)
        except TransientError as error:
            wait.record_failure(error)
            return None
        if self._hook is None:  # a poke that fails is repeated after the interval, not while a slot is held
            hook = self._hook = hook.with_policy(CallPolicy(attempts=1))
        return wait.ask(hook)

    def _push(self, context: Context, status: dict[str, Any], wait: BatchWait) -> bool:
        try:
            patiently(partial(context["ti"].xcom_push, key="status", value=status), clock=self._clock)
        except Exception as error:  # noqa: BLE001 - Airflow's API is away, in words of its own
            wait.record_failure(TransientError(f"Airflow cannot keep the result now ({type(error).__name__})."))
            return False
        return True
