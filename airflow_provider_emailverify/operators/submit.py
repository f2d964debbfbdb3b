"""Submit a file of addresses in batches, and pay for each batch once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import conf

from airflow_provider_emailverify.exceptions import (
    InsufficientCreditsError,
    InvalidRequestError,
    StorageError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.limits import plain_number
from airflow_provider_emailverify.operators.leaving_slot import carried_by, leave_slot
from airflow_provider_emailverify.operators.list_arguments import ListOperator
from airflow_provider_emailverify.steps.arguments import read_optional_seconds, read_seconds, read_whole_number
from airflow_provider_emailverify.steps.batch_sizes import batch_size_of
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.steps.state import patiently
from airflow_provider_emailverify.task_errors import error_in, fail_fast_when_permanent
from airflow_provider_emailverify.version_compat import task_state_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.ledger import Ledger
    from airflow_provider_emailverify.steps.lineage import ListLineage
    from airflow_provider_emailverify.steps.list_to_buy import ListToBuy
    from airflow_provider_emailverify.steps.names import BatchNames
    from airflow_provider_emailverify.steps.records import PurchaseRecords
    from airflow_provider_emailverify.steps.submission import Submission


class EmailVerifySubmitOperator(ListOperator):
    """
    Submit the addresses of a list to a vendor, and return the ids of the batches.

    All files are read as one list, once, in constant memory. Addresses are taken out of what stands around them (see
    ``clean``). One that was seen before is left out, also in other upper and lower case or as punycode, and so is what
    is no address at all. The rest is cut into batches of the vendor's size. Nothing is submitted before the whole list
    is known to be good; a list that has values, but no address, is an error.

    No address is paid for twice in one run of the Dag. Each batch is written down before it is submitted, and its id
    when the vendor has accepted it; a retry, a cleared task or another worker goes on after the last one. If a worker
    dies with a batch on its way, nobody but the vendor knows whether it was accepted: the next try asks, if the vendor
    has a call for that, and fails otherwise with what to do. It is written to the ``ledger``, else to Airflow's task
    state store. Before Airflow 3.3 there is none, so there a second try without a ledger submits nothing at all unless
    ``on_unknown_submission`` allows it.

    The return value is the list of batch ids, for the sensor; it is empty if there is nothing to buy. The XCom key
    ``answers`` is the URI of the answers that cost nothing, "" if none were looked for: a merge takes it among its
    results. The XCom key ``summary`` holds ``sources`` (how many files, and a digest by which the merge operator knows
    them), ``read`` (values), ``dropped`` (of them no addresses), ``dropped_by_reason``, ``cleaned`` (values that were
    changed, by what was: ``invisible``, ``full_width``, ``name``, ``mailto``, ``quotes``, ``punctuation``,
    ``several``), ``unique`` (addresses), ``duplicates``, ``known``, ``prescreened``, ``to_buy``, with a price also
    ``price`` and ``saved``, ``submitted`` (addresses, by this try or an earlier one), ``batches``, ``resumed`` (batches
    of earlier tries).

    How the list is read, and what of it costs nothing: see :class:`~.operators.list_arguments.ListOperator`.

    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param batch_size: addresses in a batch; by default the vendor's limit, or 10,000 if it documents none. (templated)
    :param check_credits: refuse a list for which the balance is too small, if the vendor tells the balance.
    :param on_unknown_submission: what to do about a batch of which nobody knows whether the vendor accepted it:
        ``fail``, or ``resubmit`` and maybe pay for it twice. (templated)
    :param ledger: a folder such as ``s3://my_conn@bucket/ledger/`` for the records of what was submitted, as small
        objects without addresses. It keeps what Airflow may wipe, on every supported Airflow. (templated)
    :param cancel_on_kill: when the task is killed, cancel at the vendor what this try submitted, if the vendor has
        such a call. Airflow leaves five seconds for that. A worker that is shut down in good order counts as a kill,
        a timeout of the task does not.
    :param deferrable: where the vendor works on so many batches at a time only and the list makes more, wait for room
        in the triggerer. Otherwise Airflow 3.3 and later run the task again after ``poll_interval``, and earlier ones
        keep their slot. By default Airflow's ``[operators] default_deferrable``.
    :param poll_interval: seconds from one question to the next whether a batch has ended, at least.
    :param max_outage: seconds for which the vendor may answer nothing useful meanwhile; None for ever.
    """

    template_fields: Sequence[str] = (
        *ListOperator.template_fields,
        "conn_id",
        "batch_size",
        "on_unknown_submission",
        "ledger",
    )
    ui_color = "#dcefe2"
    _clock: ClassVar[Clock] = time

    def __init__(
        self,
        *,
        conn_id: str,
        batch_size: int | None = None,
        check_credits: bool = True,
        on_unknown_submission: Literal["fail", "resubmit"] = "fail",
        ledger: str | None = None,
        cancel_on_kill: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float | timedelta = 120.0,
        max_outage: float | timedelta | None = 3600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.batch_size = batch_size
        self.check_credits = check_credits
        self.on_unknown_submission = on_unknown_submission
        self.ledger = ledger
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable
        self.poll_interval = read_seconds("poll_interval", poll_interval)
        self.max_outage = read_optional_seconds("max_outage", max_outage)
        self._kill_switch = KillSwitch()
        self._carried: dict[str, Any] | None = None
        self._lineage: ListLineage | None = None  # for OpenLineage, which asks after the task has ended

    def execute(self, context: Context) -> list[str]:
        """
        Read, clean, submit. Return the ids of the batches.

        :param context: the task's context.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        from airflow_provider_emailverify.steps.names import BatchNames

        # The records come first: an empty one tells a later try that this one has bought nothing.
        with fail_fast_when_permanent(), self._kill_switch.armed():
            names = BatchNames.of(context)
            records = self._open_records(context, names)
            self._kill_switch.check()
            self._check_arguments()
            return self._submit_list(context, open_hook(self.conn_id), names, records)

    def execute_complete(self, context: Context, event: Any = None) -> list[str]:
        """
        Go on after a wait for room, and return the ids of the batches.

        :param context: the task's context.
        :param event: what the trigger said.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        with fail_fast_when_permanent():
            if error := error_in(event):
                raise error
        self._carried = carried_by(event)
        return self.execute(context)

    def on_kill(self) -> None:
        """Stop after the batch that is on its way, and cancel what this try submitted if that was asked for."""
        self._kill_switch.pull()

    def _submit_list(
        self, context: Context, hook: EmailVerifyHook, names: BatchNames, records: PurchaseRecords
    ) -> list[str]:
        from airflow_provider_emailverify.steps import metrics
        from airflow_provider_emailverify.steps.list_to_buy import open_list_to_buy
        from airflow_provider_emailverify.steps.submission import Submission

        batch_size = batch_size_of(hook, read_whole_number("batch_size", self.batch_size, least=1))
        with open_list_to_buy(self.buy_options(names.stem), self._kill_switch, records, clock=self._clock) as found:
            submission = Submission(
                hook, found.rest, batch_size, names, records, kill_switch=self._kill_switch, clock=self._clock
            )
            self.log.info(
                "Values: %d; addresses: %d, to buy: %d; values dropped: %d; batches: %d, submitted earlier: %d",
                found.emails.read,
                found.emails.unique,
                found.rest.unique,
                found.emails.dropped,
                submission.batches,
                submission.resumed,
            )
            self._check_length(submission.batches)
            submission.settle_doubts(self.on_unknown_submission)
            self._check_credits(submission)
            with self._cancelled_on_kill(submission):
                batch_ids = self._run(context, submission, records)
                pushed = {
                    "summary": found.summary
                    | {
                        "submitted": found.rest.unique,
                        "batches": submission.batches,
                        "resumed": submission.resumed,
                    },
                    "answers": found.answers or "",  # Airflow does not hand out an XCom that is None
                }
                if submission.resumed < submission.batches or not submission.batches:  # a cleared task counts nothing
                    for name, number in {
                        "bought": found.rest.unique,
                        "known": found.screened.known,
                        "prescreened": found.screened.prescreened,
                    }.items():
                        metrics.count(name, hook, number)
                for key, value in pushed.items():
                    patiently(partial(context["ti"].xcom_push, key=key, value=value), clock=self._clock)
            self._lineage = self._tell_lineage(found, submission, batch_ids)
        return batch_ids

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage which list became which batches, as an ``OperatorLineage``.

        :param task_instance: of no use here.
        """
        return self._lineage.facets if self._lineage else None

    def _tell_lineage(self, found: ListToBuy, submission: Submission, batch_ids: list[str]) -> ListLineage | None:
        from airflow_provider_emailverify.steps.lineage import tell_lineage

        return tell_lineage(
            self,
            read=[file.uri for file in found.sources.files],
            written={found.answers: None} if found.answers else {},
            vendor_url=submission.hook.client.site.base_url,
            batch_ids=batch_ids,
        )

    def _run(self, context: Context, submission: Submission, records: PurchaseRecords) -> list[str]:
        from airflow_provider_emailverify.steps.room import NoRoomError

        while True:
            try:
                return submission.run(self.on_unknown_submission)
            except NoRoomError as error:
                batch_ids = error.batch_ids
            leave_slot(
                self,
                context,
                records,
                deferrable=self.deferrable,
                poll_interval=self.poll_interval,
                conn_id=self.conn_id,
                batch_id=batch_ids,
                max_outage=self.max_outage,
            )
            submission.wait(self.poll_interval)

    @contextmanager
    def _cancelled_on_kill(self, submission: Submission) -> Iterator[None]:
        """Cancel what this try submits when the task is killed, if that is asked for."""
        if not self.cancel_on_kill:
            yield
            return
        # A signal handler can neither ask Airflow for a connection nor wait for its turn.
        canceller = open_hook(self.conn_id).with_policy(CallPolicy(attempts=1, wait_for_turn=False))
        self._kill_switch.on_pull = partial(submission.cancel, canceller)
        try:
            yield
        finally:
            self._kill_switch.on_pull = None
            if self._kill_switch.is_pulled:
                submission.cancel(canceller)
                submission.record_cancelled()

    def _check_arguments(self) -> None:
        if self.on_unknown_submission not in ("fail", "resubmit"):
            raise InvalidRequestError(
                f"on_unknown_submission must be 'fail' or 'resubmit', got {self.on_unknown_submission!r}."
            )

    def _open_records(self, context: Context, names: BatchNames) -> PurchaseRecords:
        from airflow_provider_emailverify.steps.ledger import Ledger
        from airflow_provider_emailverify.steps.records import PurchaseRecords
        from airflow_provider_emailverify.steps.state import TaskState

        kept: Ledger | TaskState
        if self.ledger is not None:
            kept = Ledger(self.ledger, names.stem, clock=self._clock)
            self._check_ledger(kept, context["ti"].try_number)
        else:
            kept = TaskState(task_state_store(context), self._carried, clock=self._clock)
            if not kept.is_kept and self._carried is None:
                self.log.warning(
                    "Airflow before 3.3 does not keep what this try submits. If it does not end well, a second try "
                    "will submit nothing. The argument ledger keeps it."
                )
        # A retry keeps what Airflow keeps; to clear a task may not.
        was_cleared = bool(getattr(context.get("dag_run"), "clear_number", True))
        records = PurchaseRecords(kept, context["ti"].try_number, was_cleared=was_cleared, clock=self._clock)
        records.start()
        return records

    def _check_ledger(self, ledger: Ledger, try_number: int) -> None:
        try:
            ledger.check()
        except StorageError as error:
            if try_number > 1:
                raise
            raise error.with_steps(
                *error.lines,
                "Nothing was submitted.",
                "1. Correct that.",
                "2. Trigger a new run. The next try of this one would find no record of this try, and stop.",
            ) from None

    def _check_length(self, batches: int) -> None:
        """Refuse more batches than Airflow can map over: it would say so when all of them are paid for."""
        limit = conf.getint("core", "max_map_length", fallback=1024)
        mapped = self.iter_mapped_dependants() if self.has_dag() else iter(())  # type: ignore[no-untyped-call] # Airflow annotates nothing of it
        if batches > limit and next(mapped, None) is not None:
            what = (
                f"The list makes {batches:,} batches, and Airflow maps over {limit:,} at most ([core] max_map_length)."
            )
            raise InvalidRequestError(what).with_steps(
                what,
                "Nothing was submitted.",
                "1. Raise that limit on the API server, the scheduler and the workers. Or raise batch_size,",
                "   if the vendor allows it. Or split the file.",
                "2. Clear the task.",
            )

    def _check_credits(self, submission: Submission) -> None:
        if not self.check_credits or not submission.remaining:
            return
        try:
            credits_left = submission.hook.get_credits()
        except UnsupportedOperationError:
            return
        if credits_left < submission.remaining:
            what = (
                f"{submission.hook.client.name} has {plain_number(credits_left)} credits, and "
                f"{submission.remaining:,} addresses are still to be submitted."
            )
            raise InsufficientCreditsError(what).with_steps(
                what,
                "Nothing was submitted by this try.",
                "1. Buy credits at the vendor. Or set check_credits=False to let the vendor decide.",
                "2. Clear the task.",
            )
