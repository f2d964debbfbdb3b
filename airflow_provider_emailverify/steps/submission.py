"""
One list on its way to one vendor, batch by batch, each paid for once.

What was submitted is written down where the next try of the task finds it: before a batch is sent, that it will be;
after the vendor's answer, its id. A try that dies between the two leaves one batch in doubt, and nobody but the
vendor knows whether it was accepted and charged for. No address is ever written down.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    RateLimitedError,
    SourceChangedError,
    SubmissionStoppedError,
    SubmissionUnknownError,
    TransientError,
    UnsupportedOperationError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.retries import retrying
from airflow_provider_emailverify.version_compat import never_expire

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.lists.cleaning import AddressList
    from airflow_provider_emailverify.steps.state import StateStore

# The turn is acquired before a batch is written down, and attempts are repeated by who writes it down.
_TURN_IS_TAKEN = CallPolicy(attempts=1, wait_for_turn=False)

log = logging.getLogger(__name__)

OnUnknown = Literal["fail", "resubmit"]

_PLAN = "emailverify_plan"


class BatchNames:
    """
    Name the batches of one task instance: the same in every try, and in no other run.

    :param dag_id: the Dag.
    :param run_id: its run.
    :param task_id: the task.
    :param map_index: the instance of a mapped task; -1 if it is none.
    """

    def __init__(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> None:
        identity = "\0".join((dag_id, run_id, task_id, str(map_index)))
        digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
        # What a vendor takes for a name is not documented, so it is short and plain.
        self._stem = "-".join([*(re.sub(r"[^A-Za-z0-9_.-]", "_", part)[:40] for part in (dag_id, task_id)), digest])

    def __getitem__(self, number: int) -> str:
        """Return the name of a batch, counted from 1."""
        return f"{self._stem}-{number:05d}"


class Submission:
    """
    Submit a list in batches, each once over all tries of a task.

    :param hook: the vendor's.
    :param emails: the list.
    :param batch_size: addresses in a batch.
    :param names: how the batches are called.
    :param store: where what was submitted is written down.
    :raises SourceChangedError: an earlier try began with another list, other batches or another connection.
    """

    def __init__(
        self, hook: EmailVerifyHook, emails: AddressList, batch_size: int, names: BatchNames, store: StateStore
    ) -> None:
        self.hook = hook
        self.emails = emails
        self.batch_size = batch_size
        #: How many batches the list makes.
        self.batches = -(-emails.unique // batch_size)
        #: The ids of the batches that the vendor accepted, by number.
        self.accepted: dict[int, str] = {}
        self._names = names
        self._store = store
        self._in_doubt: set[int] = set()
        self._own: list[int] = []  # what this process submitted and may cancel
        self._cancelled: set[int] = set()
        self._is_stopped = False
        self._is_waiting = False
        self._plan = {
            "conn_id": hook.conn_id,
            "batch_size": batch_size,
            "emails": emails.unique,
            "sha256": emails.sha256,
        }
        self._resume()

    @property
    def resumed(self) -> int:
        """How many batches an earlier try had submitted."""
        return len(self.accepted) - len(self._own)

    @property
    def remaining(self) -> int:
        """How many addresses are still to be submitted."""
        return sum(self._size_of(number) for number in range(1, self.batches + 1) if number not in self.accepted)

    def settle_doubts(self, on_unknown: OnUnknown) -> None:
        """
        Find out what became of the batches that an earlier try may have submitted.

        :param on_unknown: what to do if the vendor cannot tell.
        :raises SubmissionUnknownError: it cannot tell, and ``on_unknown`` is ``fail``.
        """
        for number in sorted(self._in_doubt):
            try:
                batch_id = self.hook.find_batch(self._names[number])
            except UnsupportedOperationError:
                if on_unknown == "fail":
                    raise self._unknown(number, "An earlier try began to submit it, and its answer is lost") from None
                log.warning("%s is submitted again, as on_unknown_submission says.", self._describe(number))
            else:
                self._in_doubt.remove(number)
                if batch_id:
                    self._accept(number, batch_id)
                else:
                    self._store.delete(_key(number))

    def run(self, on_unknown: OnUnknown) -> list[str]:
        """
        Submit the batches that were not submitted yet, and return the ids of all.

        :param on_unknown: ``resubmit`` lets the next try send again what may have been accepted by now.
        :raises SubmissionUnknownError: nobody knows whether the vendor took a batch, and ``on_unknown`` is ``fail``.
        :raises SubmissionStoppedError: :meth:`stop` was called.
        :raises EmailVerifyError: the vendor refused a batch; what was submitted before stays submitted.
        """
        for number, batch in enumerate(self.emails.batches(self.batch_size), 1):
            if number not in self.accepted:
                self._submit(number, batch, on_unknown)
        return [self.accepted[number] for number in range(1, self.batches + 1)]

    def stop(self) -> None:
        """
        Submit no further batch. A signal handler may call it; it must be the last thing that the handler does.

        :raises SubmissionStoppedError: no batch is on its way, so that :meth:`run` can be left where it is.
        """
        self._is_stopped = True
        if self._is_waiting:
            raise self._stopped()

    def cancel(self, hook: EmailVerifyHook) -> None:
        """
        Cancel at the vendor what this process submitted. It may be called by a signal handler, and again.

        :param hook: one of the signal handler's own, for the other may be in the middle of something.
        """
        for number in reversed(self._own):
            if number in self._cancelled:
                continue
            try:
                hook.cancel_batch(self.accepted[number])
            except EmailVerifyError as error:
                log.warning("%s was not cancelled: %s", self._describe(number), error)
                if isinstance(error, UnsupportedOperationError):
                    return
            else:
                self._cancelled.add(number)
                log.info("%s was cancelled, id %s", self._describe(number), self.accepted[number])

    def record_cancelled(self) -> None:
        """Write down which batches were cancelled, so that no later try takes them for good ones."""
        for number in self._cancelled:
            self._write(_key(number), {"name": self._names[number], "cancelled": self.accepted[number]})

    def _resume(self) -> None:
        earlier = self._store.get(_PLAN)
        if earlier is None:
            return
        changed = [name for name, value in self._plan.items() if earlier.get(name) != value]
        if changed:
            raise SourceChangedError(
                f"{self.hook.client.name}: an earlier try of this task began to submit this list, and since then "
                f"{' and '.join(changed)} changed ({earlier.get('emails')} addresses then, {self.emails.unique} now). "
                "Going on would pay for some addresses twice and for others never. Put the source and the arguments "
                "back as they were and clear the task, or trigger a new run, which pays for the whole list."
            )
        for number in range(1, self.batches + 1):
            record = self._store.get(_key(number))
            if isinstance(record, str) and record:
                self.accepted[number] = record
            elif record is not None:
                self._in_doubt.add(number)

    def _submit(self, number: int, batch: list[str], on_unknown: OnUnknown) -> None:
        retrying(self.hook.client.policy.attempts, RateLimitedError, VendorUnreachableError)(
            self._submit_once, number, batch, on_unknown
        )

    def _submit_once(self, number: int, batch: list[str], on_unknown: OnUnknown) -> None:
        self._wait_for_turn()  # before it is written down, because a try that dies while it waits has sent nothing
        name = self._names[number]
        self._write(_PLAN, self._plan)
        self._write(_key(number), {"name": name})
        try:
            batch_id = self.hook.with_policy(_TURN_IS_TAKEN).submit_batch(batch, name)
        except SubmissionUnknownError as error:
            if on_unknown == "fail":
                raise self._unknown(number, str(error)) from None
            raise TransientError(f"{error} The next try submits it again, as on_unknown_submission says.") from None
        except EmailVerifyError as error:  # the vendor took nothing, this time
            if number in self._in_doubt:
                raise error.with_message(
                    f"{self._describe(number)}: {error} It stays in doubt whether an earlier try submitted it."
                ) from None
            self._store.delete(_key(number))
            if not self.accepted and not self._in_doubt:
                self._store.delete(_PLAN)
            raise error.with_message(f"{self._describe(number)}: {error}") from None
        self._own.append(number)
        self._accept(number, batch_id)

    def _wait_for_turn(self) -> None:
        self._is_waiting = True
        try:
            if self._is_stopped:
                raise self._stopped()
            self.hook.client.acquire_turn()
        finally:
            self._is_waiting = False

    def _stopped(self) -> SubmissionStoppedError:
        return SubmissionStoppedError(
            f"{self.hook.client.name}: the task was killed when {len(self.accepted)} of {self.batches} batches were "
            "submitted. The next try goes on after them, those apart that were cancelled."
        )

    def _accept(self, number: int, batch_id: str) -> None:
        log.info("%s was accepted, id %s", self._describe(number), batch_id)
        self.accepted[number] = batch_id
        self._write(_key(number), batch_id)

    def _write(self, key: str, value: Any) -> None:
        self._store.set(key, value, retention=never_expire())

    def _size_of(self, number: int) -> int:
        return min(self.batch_size, self.emails.unique - (number - 1) * self.batch_size)

    def _describe(self, number: int) -> str:
        return f"{self.hook.client.name}, batch {number} of {self.batches} ({self._size_of(number):,} addresses)"

    def _unknown(self, number: int, what: str) -> SubmissionUnknownError:
        return SubmissionUnknownError(
            f"{self._describe(number)}: {what}. {self.hook.hook_name} may have accepted it and charged up to "
            f"{self._size_of(number):,} credits. Look for it in the vendor's dashboard (name {self._names[number]!r}, "
            f"if it keeps names). If it is there, set this task's state key {_key(number)!r} to its id, a JSON string; "
            "if it is not, delete that key (both in Airflow's REST API, .../state-store). Or set "
            "on_unknown_submission='resubmit' and risk paying twice. Then clear the task."
        )


def _key(number: int) -> str:
    return f"emailverify_batch_{number:05d}"
