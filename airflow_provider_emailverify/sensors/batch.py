"""Wait until batches are ready."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, NoReturn, cast

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

from airflow_provider_emailverify.batches import read_batch_ids
from airflow_provider_emailverify.exceptions import ConnectionMissingError, InvalidRequestError, TransientError
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.links import EmailVerifyBatchLink
from airflow_provider_emailverify.steps.arguments import read_optional_seconds
from airflow_provider_emailverify.steps.batch_states import count_of
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.poking import POKE_SECONDS, Poke
from airflow_provider_emailverify.steps.state import WaitNotes, patiently
from airflow_provider_emailverify.steps.waiting import MISSING_SECONDS, BatchWait
from airflow_provider_emailverify.steps.waiting_for_many import BatchesWait
from airflow_provider_emailverify.task_errors import as_task_error, error_in, fail_fast_when_permanent, log_steps
from airflow_provider_emailverify.triggers.batch import EmailVerifyBatchTrigger
from airflow_provider_emailverify.version_compat import TaskDeferralError, task_state_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock

log = logging.getLogger(__name__)

# Airflow 2 has no class for a deferral that timed out, only these words of its scheduler.
_TIMED_OUT = "Trigger/execution timeout"
# Of a trigger's ids and notes as JSON; its other arguments take some hundred bytes. MySQL keeps 65,535 bytes of a
# trigger's arguments, which are encrypted, and a third longer then.
_MOST_BYTES = 39_000


class _Result(NamedTuple):
    """What a wait ends with: the task's return value, and its XCom ``status``."""

    value: str | list[str]
    status: dict[str, Any]


class EmailVerifyBatchSensor(BaseSensorOperator):
    """
    Wait until a batch of addresses, or each batch of a list, is ready at the vendor.

    All three ways to wait (``mode="poke"``, ``mode="reschedule"``, ``deferrable=True``) end in the same state with
    the same XCom. For one batch, that is the batch id as return value, and under the key ``status`` the vendor's last
    word on it. For a list, it is the list of the ids that are ready, in the order given, each once; ``status`` then has
    counts, and the names of some that failed. An empty list ends at once with an empty list.

    A batch that failed, or is unknown to the vendor, ends its own wait at once. The others of a list are waited for.
    Then the task fails without retries, unless ``failed_batches`` says otherwise. A key that is refused ends the whole
    wait at once. A vendor that is down does not: the sensor asks again until ``max_outage`` or ``timeout``.

    :param batch_id: the vendor's identifier of the batch, for instance the XCom of the task that submitted it, or a
        list of them. A number is taken for its digits, and the text of a list for that list. (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param failed_batches: what becomes of a list of which some batches failed or are unknown to the vendor: ``fail``
        fails the task when the others are final; ``leave_out`` returns those that are ready, and fails if none is.
    :param deferrable: wait in the triggerer, without a worker slot. It needs a running triggerer. The worker asks once
        before, except in the first try of a mapped task, right after the submission. A list that is too long for one
        trigger, some thousand batches, is deferred several times; ``timeout`` counts from the first.
    :param max_outage: seconds, or a timedelta, for which there may be no useful answer (no connection, HTTP 429 or 5xx,
        garbage, Airflow's own API away) before the task fails and may retry; None for no limit. In reschedule mode it
        takes Airflow 3.3 or a ``ledger`` to count over several pokes; otherwise ``timeout`` alone ends such a wait.
        For a list there is one budget: any useful answer, for whichever batch, starts it anew. (templated)
    :param poke_interval: seconds between two polls of a batch, or a timedelta. The default keeps the wait for one batch
        below every limit that Proofy documents (50 calls an hour). In deferrable mode it is a floor, and
        ``exponential_backoff`` has no effect.
    :param ledger: the folder where the submission keeps its records. In reschedule mode the sensor keeps there what it
        has to know from one poke to the next. A poke for a list ends after 20 s and the answers that are under way
        then, and the next one goes on where it stopped. Where nothing is kept, a poke asks for all batches, however
        long that takes. (templated)
    :param cancel_on_kill: in deferrable mode, cancel the batches at the vendor when a person ends the wait, if the
        vendor has such a call. From Airflow 3.3 on, which allows 30 s for it. Airflow does so when the task is cleared,
        marked as failed, and marked as success too: what was paid for is thrown away in all three cases.
    :param timeout: seconds, or a timedelta, after which the wait is given up, without retries, in every mode.
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id", "max_outage", "ledger")
    operator_extra_links = (EmailVerifyBatchLink(),)
    ui_color = "#dcefe2"
    _clock: ClassVar[Clock] = time

    def __init__(
        self,
        *,
        batch_id: str | list[str],
        conn_id: str,
        failed_batches: Literal["fail", "leave_out"] = "fail",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_outage: timedelta | float | str | None = 3600.0,
        poke_interval: timedelta | float = 120.0,
        ledger: str | None = None,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.failed_batches = failed_batches
        self.deferrable = deferrable
        self.max_outage = max_outage
        self.ledger = ledger
        self.cancel_on_kill = cancel_on_kill
        self._hook: EmailVerifyHook | None = None
        self._wait: BatchWait | BatchesWait | None = None
        self._notes: WaitNotes | None = None
        # Of a list: so many of its open batches, the first ones, were not asked for by the last poke.
        self._unasked = 0

    def execute(self, context: Context) -> Any:
        """
        Wait, and return the batch id, or the list of those that are ready.

        :param context: the task's context.
        """
        self._hook = self._wait = None
        return self._poke_or_defer(context) if self.deferrable else super().execute(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Ask the vendor once for each batch that is not final; of a list, for as many as can be within some seconds.

        :param context: the task's context.
        :raises AirflowFailException: waiting on is pointless.
        :raises VendorOutageError: the vendor has answered nothing useful for ``max_outage``.
        """
        with fail_fast_when_permanent():
            wait = self._wait = self._wait or self._start_wait(context)
            result = self._ask(wait)
            if result is not None and not self._push(context, result.status, wait):
                result = None
            if result is None and self._notes:
                self._notes.write(wait.notes)
        return PokeReturnValue(is_done=result is not None, xcom_value=result.value if result else None)

    def execute_complete(self, context: Context, event: Any = None) -> Any:
        """
        Take over from the trigger, and return the batch id, or the list of those that are ready.

        :param context: the task's context.
        :param event: what the trigger said.
        :raises ValueError: the event is not one of :class:`EmailVerifyBatchTrigger`.
        """
        if error := error_in(event):
            log_steps(error)
            self._end(as_task_error(error))
        match event:
            case {"batch_id": str(batch_id), "status": {"state": "ready"} as status}:
                patiently(partial(context["ti"].xcom_push, key="status", value=status), clock=self._clock)
                return batch_id
            case {"notes": {"deadline": int() | float() as deadline} as notes} if isinstance(
                wait := self._new_wait(notes), BatchesWait
            ):
                if wait.goes_on:
                    wait.states.record_event(event, wait.open_batches())
                self._hook, self._wait, self._notes = None, wait, None
                return self._poke_or_defer(context, deadline)
        raise ValueError(f"The trigger of {self._about} sent an unknown event.")

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
            raise self._timeout_error() from None

    def _end(self, error: BaseException) -> NoReturn:
        """Raise an error, or a skip where the sensor's poke mode would skip."""
        is_verdict = isinstance(error, AirflowFailException | AirflowTaskTimeout)
        if self.never_fail or (self.soft_fail and is_verdict):
            flag = "never_fail" if self.never_fail else "soft_fail"
            raise AirflowSkipException(f"Skipping due to {flag} is set to True.") from error
        raise error

    @property
    def _about(self) -> str:
        """How messages call what is waited for."""
        try:
            ids = read_batch_ids(self.batch_id)
        except InvalidRequestError:  # Airflow has not rendered it
            ids = str(self.batch_id)
        return f"batch {ids!r}" if isinstance(ids, str) else f"the list of {count_of(len(ids), 'batch')}"

    def _timeout_error(self) -> AirflowSensorTimeout:
        about = self._about
        return AirflowSensorTimeout(f"{about[0].upper()}{about[1:]} was not ready within {self.timeout:g} s.")

    def _poke_or_defer(self, context: Context, deadline: float | None = None) -> Any:
        """Ask, and return the result; or wait in the triggerer until a time, in seconds since 1970."""
        try:
            answer = self._look(context) if deadline is None else self.poke(context)
        except Exception as error:
            if not self.silent_fail or isinstance(error, AirflowFailException):
                self._end(error)
            self.log.exception("Sensor poke failed")
            answer = PokeReturnValue(is_done=False)
        if answer.is_done:
            return answer.xcom_value
        longest = min(self.timeout, (self.execution_timeout or timedelta.max).total_seconds())
        left = longest if deadline is None else deadline - self._clock.time()
        if deadline is not None and left <= 0:
            raise self._timeout_error()
        max_outage = None if self.silent_fail else read_optional_seconds("max_outage", self.max_outage)
        wait = self._wait or self._new_wait(None)
        waited_for = self._part_of(wait, left) if isinstance(wait, BatchesWait) else {"batch_id": wait.batch_id}
        return self.defer(
            trigger=EmailVerifyBatchTrigger(
                conn_id=self.conn_id,
                poll_interval=self.poke_interval,
                max_outage=max_outage,
                started=wait.started_at,
                cancel_on_kill=self.cancel_on_kill,
                **waited_for,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left),
        )

    def _look(self, context: Context) -> PokeReturnValue:
        """Poke, unless it is too early for that: of a mapped wait, each task would first queue for a request."""
        ti = context["ti"]
        if ti.try_number > 1 or ti.map_index in (None, -1):
            return self.poke(context)
        with fail_fast_when_permanent():
            self._wait = self._start_wait(context)
            self._open(self._wait)
        return PokeReturnValue(is_done=False)

    def _part_of(self, wait: BatchesWait, left: float) -> dict[str, Any]:
        """Return the trigger's arguments for as many open batches as fit into it."""
        # In the trigger, and not in the arguments of the deferral: dag.test() drops those.
        notes = wait.notes | {"deadline": self._clock.time() + left}
        places, ids, size = wait.open_batches(), wait.states.batch_ids, len(json.dumps(notes))
        for count, place in enumerate(places):
            size += len(json.dumps(ids[place])) + 2
            if count and size > _MOST_BYTES:
                places = places[:count]
                break
        return {
            "batch_id": [ids[place] for place in places],
            "unasked": min(self._unasked, len(places)),
            "others": wait.states.others(places),
            "notes": notes,
        }

    def _start_wait(self, context: Context) -> BatchWait | BatchesWait:
        if self.failed_batches not in ("fail", "leave_out"):
            raise InvalidRequestError(f"failed_batches must be 'fail' or 'leave_out', got {self.failed_batches!r}.")
        self._notes = WaitNotes(self._open_store(context) if self.reschedule else None, context["ti"].try_number)
        return self._new_wait(self._notes.read())

    def _new_wait(self, notes: dict[str, Any] | None) -> BatchWait | BatchesWait:
        ids, max_outage = read_batch_ids(self.batch_id), read_optional_seconds("max_outage", self.max_outage)
        self._unasked = 0 if isinstance(ids, str) else len(ids)
        kind: Any = BatchWait if isinstance(ids, str) else BatchesWait
        return cast("BatchWait | BatchesWait", kind(ids, max_outage, notes, clock=self._clock))

    def _open_store(self, context: Context) -> Any:
        if self.ledger is None:
            return task_state_store(context)
        from airflow_provider_emailverify.steps.ledger import Ledger
        from airflow_provider_emailverify.steps.names import BatchNames

        return Ledger(self.ledger, BatchNames.of(context).stem, clock=self._clock)

    def _ask(self, wait: BatchWait | BatchesWait) -> _Result | None:
        if isinstance(wait, BatchesWait) and wait.is_over:
            return self._result_of(wait)
        hook = self._hook = (not wait.outage and self._hook) or self._open(wait)  # what fails may have been changed
        if hook is None:
            return None
        if isinstance(wait, BatchWait):
            status = wait.ask(hook)
            return _Result(wait.batch_id, status.as_dict()) if status else None
        self._unasked = Poke(wait, hook, clock=self._clock).run(self._poke_seconds())
        return self._result_of(wait) if wait.is_over else None

    def _open(self, wait: BatchWait | BatchesWait) -> EmailVerifyHook | None:
        """Return the hook, None if the connection cannot be read now."""
        try:
            # A poke that fails is repeated after the interval, not while a slot is held.
            return open_hook(self.conn_id).with_policy(CallPolicy(attempts=1))
        except TransientError as error:
            wait.record_failure(error)
        except ConnectionMissingError as error:
            if wait.started_at is None or wait.outage >= MISSING_SECONDS:
                raise
            wait.record_failure(TransientError(str(error)))
        return None

    def _poke_seconds(self) -> float:
        """Return how long a poke for a list may last."""
        if not self.reschedule or self.deferrable or (self._notes and self._notes.are_kept):
            return POKE_SECONDS
        log.info(
            "Nothing is kept from one poke to the next: there is no task state before Airflow 3.3, and no ledger. "
            "So each poke asks for all batches, however long that takes."
        )
        return self.timeout

    def _result_of(self, wait: BatchesWait) -> _Result:
        return _Result(wait.ready_ids(leave_out=self.failed_batches == "leave_out"), wait.states.summary)

    def _push(self, context: Context, status: dict[str, Any], wait: BatchWait | BatchesWait) -> bool:
        try:
            patiently(partial(context["ti"].xcom_push, key="status", value=status), clock=self._clock)
        except Exception as error:  # noqa: BLE001 - Airflow's API is away, in words of its own
            wait.record_failure(TransientError(f"Airflow cannot keep the result now ({type(error).__name__})."))
            return False
        return True
