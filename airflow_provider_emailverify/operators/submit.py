"""Submit a file of addresses in batches, and pay for each batch once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_emailverify.exceptions import (
    InsufficientCreditsError,
    InvalidRequestError,
    InvalidSourceError,
    StorageError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.limits import read_limit
from airflow_provider_emailverify.steps.connecting import open_hook
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.steps.state import patiently
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent
from airflow_provider_emailverify.version_compat import task_state_store

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.ledger import Ledger
    from airflow_provider_emailverify.steps.names import BatchNames
    from airflow_provider_emailverify.steps.records import PurchaseRecords
    from airflow_provider_emailverify.steps.submission import Submission

#: Addresses in a batch of a vendor that documents no limit. More at once means fewer ids to wait for; fewer at once,
#: fewer addresses whose fate is unknown if a worker dies at the wrong moment.
DEFAULT_BATCH_SIZE = 10_000


class EmailVerifySubmitOperator(BaseOperator):
    """
    Submit the addresses of a file to a vendor, and return the ids of the batches.

    The file is read once, in constant memory: white space around an address is cut off, and characters that nobody
    sees are taken out; an address that was seen before is left out (upper and lower case in the domain are the same),
    and so is what is no address at all. The rest is cut into batches of the vendor's size. Nothing is submitted before
    the whole list is known to be good; a list that has values, but no address, is an error.

    No address is paid for twice in one run of the Dag. Each batch is written down before it is submitted, and its id
    when the vendor has accepted it; a retry, a cleared task or another worker goes on after the last one. If a worker
    dies with a batch on its way, nobody but the vendor knows whether it was accepted: the next try asks, if the vendor
    has a call for that, and fails otherwise with what to do. It is written to the ``ledger``, else to Airflow's task
    state store. Before Airflow 3.3 there is none, so there a second try without a ledger submits nothing at all unless
    ``on_unknown_submission`` allows it.

    The return value is the list of batch ids, ready for ``.expand()``; it is empty if the file has no rows. The
    XCom key ``summary`` holds ``read`` (values), ``dropped`` (of them no addresses), ``dropped_by_reason``, ``cleaned``
    (addresses that were changed, by what was: ``invisible`` characters), ``unique`` (addresses), ``submitted``
    (addresses, by this try or an earlier one), ``batches``, ``resumed`` (batches of earlier tries).

    :param source: a URI as ``ObjectStoragePath`` takes it, such as ``s3://my_conn@bucket/lists/{{ ds }}.csv``.
        (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param email_column: the name of the column in a CSV or Parquet file, or of the member of a JSON line. (templated)
    :param source_format: ``csv``, ``jsonl``, ``parquet`` or ``lines`` (one address a line); by default what the file's
        name ends in, ``.gz`` apart. (templated)
    :param encoding: of a text file.
    :param batch_size: addresses in a batch; by default the vendor's limit, or 10,000 if it documents none. (templated)
    :param max_emails: refuse a list of more addresses, before anything is spent. (templated)
    :param max_dropped: refuse a list of which more values are no addresses, before anything is spent: a count, or a
        share such as ``"5%"`` or ``0.05``. Empty cells do not count, on neither side. (templated)
    :param check_credits: refuse a list for which the balance is too small, if the vendor tells the balance.
    :param on_unknown_submission: what to do about a batch of which nobody knows whether the vendor accepted it:
        ``fail``, or ``resubmit`` and maybe pay for it twice. (templated)
    :param ledger: a folder such as ``s3://my_conn@bucket/ledger/`` for the records of what was submitted, as small
        objects without addresses. It keeps what Airflow may wipe, on every supported Airflow. (templated)
    :param cancel_on_kill: when the task is killed, cancel at the vendor what this try submitted, if the vendor has
        such a call. Airflow leaves five seconds for that. A worker that is shut down in good order counts as a kill,
        a timeout of the task does not.
    """

    template_fields: Sequence[str] = (
        "source",
        "conn_id",
        "email_column",
        "source_format",
        "batch_size",
        "max_emails",
        "max_dropped",
        "on_unknown_submission",
        "ledger",
    )
    ui_color = "#dcefe2"
    _clock: ClassVar[Clock] = time

    def __init__(
        self,
        *,
        source: str,
        conn_id: str,
        email_column: str = "email",
        source_format: Literal["csv", "jsonl", "parquet", "lines"] | None = None,
        encoding: str = "utf-8",
        batch_size: int | None = None,
        max_emails: int | None = None,
        max_dropped: int | float | str | None = None,
        check_credits: bool = True,
        on_unknown_submission: Literal["fail", "resubmit"] = "fail",
        ledger: str | None = None,
        cancel_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.conn_id = conn_id
        self.email_column = email_column
        self.source_format = source_format
        self.encoding = encoding
        self.batch_size = batch_size
        self.max_emails = max_emails
        self.max_dropped = max_dropped
        self.check_credits = check_credits
        self.on_unknown_submission = on_unknown_submission
        self.ledger = ledger
        self.cancel_on_kill = cancel_on_kill
        self._kill_switch = KillSwitch()

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

    def on_kill(self) -> None:
        """Stop after the batch that is on its way, and cancel what this try submitted if that was asked for."""
        self._kill_switch.pull()

    def _submit_list(
        self, context: Context, hook: EmailVerifyHook, names: BatchNames, records: PurchaseRecords
    ) -> list[str]:
        from airflow_provider_emailverify.lists.cleaning import AddressList
        from airflow_provider_emailverify.lists.reader import read_column
        from airflow_provider_emailverify.steps.submission import Submission

        batch_size = _batch_size(hook, _whole_number("batch_size", self.batch_size))
        max_emails = _whole_number("max_emails", self.max_emails)
        max_dropped = read_limit("max_dropped", self.max_dropped)
        values = read_column(self.source, self.email_column, self.source_format, self.encoding)
        with AddressList(self._kill_switch.watch(values), max_emails) as emails:
            emails.check_dropped(max_dropped)
            submission = Submission(
                hook, emails, batch_size, names, records, kill_switch=self._kill_switch, clock=self._clock
            )
            self.log.info(
                "Read %d values: %d addresses, %d no addresses, the rest duplicates; %d batches, %d of them "
                "submitted by an earlier try",
                emails.read,
                emails.unique,
                emails.dropped,
                submission.batches,
                submission.resumed,
            )
            self._check_length(submission.batches)
            submission.settle_doubts(self.on_unknown_submission)
            self._check_credits(submission)
            with self._cancelled_on_kill(submission):
                batch_ids = submission.run(self.on_unknown_submission)
                summary = {
                    "read": emails.read,
                    "dropped": emails.dropped,
                    "dropped_by_reason": emails.dropped_by_reason,
                    "cleaned": emails.cleaned,
                    "unique": emails.unique,
                    "submitted": emails.unique,
                    "batches": submission.batches,
                    "resumed": submission.resumed,
                }
                patiently(partial(context["ti"].xcom_push, key="summary", value=summary), clock=self._clock)
        return batch_ids

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
        if not isinstance(self.source, str) or not self.source.strip():
            raise InvalidSourceError(f"The source is empty ({self.source!r}). Give a URI such as s3://bucket/list.csv.")
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
            kept = TaskState(task_state_store(context), clock=self._clock)
            if not kept.is_kept:
                self.log.warning(
                    "Airflow before 3.3 does not keep what this try submits. If it does not end well, a second try "
                    "will submit nothing. The argument ledger keeps it."
                )
        records = PurchaseRecords(kept, context["ti"].try_number, clock=self._clock)
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
        # Airflow annotates nothing of that method.
        is_mapped_over = self.has_dag() and next(self.iter_mapped_dependants(), None) is not None  # type: ignore[no-untyped-call]
        if batches > limit and is_mapped_over:
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
                f"{submission.hook.client.name} has {credits_left:,g} credits, and {submission.remaining:,} addresses "
                "are still to be submitted."
            )
            raise InsufficientCreditsError(what).with_steps(
                what,
                "Nothing was submitted by this try.",
                "1. Buy credits at the vendor. Or set check_credits=False to let the vendor decide.",
                "2. Clear the task.",
            )


def _batch_size(hook: EmailVerifyHook, asked: int | None) -> int:
    limit = hook.max_batch_size
    if asked and limit and asked > limit:
        raise InvalidRequestError(
            f"{hook.hook_name} takes {limit:,} addresses a batch, so batch_size cannot be {asked:,}."
        )
    return asked or limit or DEFAULT_BATCH_SIZE


def _whole_number(name: str, value: Any) -> int | None:
    """Return a whole number, which a template may have made a text."""
    if value is None or str(value).strip() in ("", "None"):
        return None
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise InvalidRequestError(f"{name} must be a whole number of at least 1, got {value!r}.")
    return number
