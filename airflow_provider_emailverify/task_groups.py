"""Verify a list by one call: submit it, wait for each batch, land its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import TaskGroup, task, task_group

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.version_compat import ConcatXComArg, MapXComArg, PlainXComArg, ZipXComArg

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg


def verify_emails(
    group_id: str = "verify_emails",
    *,
    source: str | XComArg | None = None,
    sources: Sequence[str] | XComArg | None = None,
    conn_id: str | XComArg,
    destination: str | XComArg,
    ledger: str | XComArg | None = None,
    submit: Mapping[str, Any] | None = None,
    wait: Mapping[str, Any] | None = None,
    download: Mapping[str, Any] | None = None,
    paths: Mapping[str, Any] | None = None,
) -> XComArg:
    """
    Verify the addresses of a file, and return the list of the paths where the results are.

    Adds a task group to the Dag: ``submit``; for each batch ``batch.wait`` and ``batch.download``, so that a batch is
    landed as soon as it is ready; and ``paths``, which returns the paths as a list. A list without addresses ends in
    an empty one. The result is an ``XComArg``: hand it to a task, or expand over it. With ``split_by_verdict`` the list
    holds dicts of paths. Dependencies on the result are dependencies on the group: in ``x >> verify_emails(…) >> y``
    the list is submitted after ``x``, and ``y`` comes after the last batch.

    All arguments may be templates or the output of other tasks. The arguments below are common to all tasks. Each
    mapping holds further arguments for one of them, ``BaseOperator``'s included, such as
    ``wait={"deferrable": True, "timeout": 86400}``; see the operators.

    :param group_id: the name of the task group.
    :param source: the file with the addresses.
    :param sources: several files in place of one, also as the output of a task that lists them; ``submit`` is mapped
        over them, and a task ``batches`` joins their batch ids. An address that stands in two files is submitted twice.
    :param conn_id: the Airflow connection; its type names the vendor.
    :param destination: the folder for the results. It ends in a slash, for there may be many batches.
    :param ledger: the folder for the records of what was submitted. With it a second try goes on where the first one
        ended on every supported Airflow, whatever Airflow keeps.
    :param submit: arguments for :class:`~.operators.submit.EmailVerifySubmitOperator`, such as ``email_column``.
    :param wait: arguments for :class:`~.sensors.batch.EmailVerifyBatchSensor`, such as ``deferrable``.
    :param download: arguments for :class:`~.operators.download.EmailVerifyDownloadOperator`, such as
        ``output_format``.
    :param paths: arguments for the task that collects the paths, such as ``trigger_rule``.
    :raises ValueError: neither ``source`` nor ``sources``, or both; ``destination`` is no folder; or the group is to
        stand in a mapped one.
    """
    if (source is None) == (sources is None):
        raise ValueError("verify_emails takes either source, one file, or sources, several.")
    if isinstance(destination, str) and not destination.rstrip().endswith("/"):
        raise ValueError(
            f"verify_emails: destination {destination!r} is one file, and there may be many batches; end it in a slash."
        )
    connection: Any = {"conn_id": conn_id}
    kept: Any = {} if ledger is None else {"ledger": ledger}

    @task_group(group_id="batch")
    def batch(batch_id: Any) -> Any:
        ready = EmailVerifyBatchSensor(task_id="wait", batch_id=batch_id, **{**connection, **kept, **(wait or {})})
        place: Any = {"batch_id": ready.output, "destination": destination}
        return EmailVerifyDownloadOperator(task_id="download", **place, **connection, **(download or {})).output

    @task(task_id="batches")
    def join(lists: Any) -> list[str]:
        return [batch_id for batch_ids in lists for batch_id in batch_ids]

    # If submit was skipped by a branch, so is this; if there was no batch to map over, submit has succeeded.
    @task(task_id="paths", **{"trigger_rule": "none_failed_min_one_success", **(paths or {})})
    def collect(landed: Any, _batch_ids: Any) -> list[Any]:
        # Of a group that was mapped over a single batch, Airflow hands out the value instead of a list with it.
        return [landed] if isinstance(landed, str | dict) else list(landed or [])

    with TaskGroup(group_id) as group:
        if next(group.iter_mapped_task_groups(), None) is not None:
            # Airflow takes such a Dag, runs submit, and fails what comes after it.
            raise ValueError("verify_emails cannot stand in a mapped task group; give it sources=[…] instead.")
        options: Any = {"task_id": "submit", **connection, **kept, **(submit or {})}
        if sources is None:
            batch_ids: Any = EmailVerifySubmitOperator(source=cast("str", source), **options).output
        else:
            batch_ids = join(EmailVerifySubmitOperator.partial(**options).expand(source=sources).output)
        paths_of_batches: Any = collect(batch.expand(batch_id=batch_ids), batch_ids)
        return GroupResult(paths_of_batches.operator)


class _Derived:
    """
    Let what is made of a result set its dependencies: by ``map()``, ``zip()``, ``concat()``.

    Airflow's own classes would bind the task that returns the result, and leave the rest of its group out.
    """

    def map(self, f: Any) -> Any:
        """Apply a function to each item."""
        return _derived(super().map(f))  # type: ignore[misc]

    def zip(self, *others: Any, **options: Any) -> Any:
        """Join the items to those of others, one by one."""
        return _derived(super().zip(*others, **options))  # type: ignore[misc]

    def concat(self, *others: Any) -> Any:
        """Append the items of others."""
        return _derived(super().concat(*others))  # type: ignore[misc]

    @property
    def _parts(self) -> list[Any]:
        return [self.arg] if isinstance(self, MapXComArg) else list(self.args)  # type: ignore[attr-defined]

    @property
    def roots(self) -> list[Any]:
        """The tasks that come first."""
        return [task for part in self._parts for task in part.roots]

    @property
    def leaves(self) -> list[Any]:
        """The tasks that come last."""
        return [task for part in self._parts for task in part.leaves]

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Put tasks before it."""
        for part in self._parts:
            part.set_upstream(other, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Put tasks after it."""
        for part in self._parts:
            part.set_downstream(other, edge_modifier)

    def update_relative(self, other: Any, upstream: bool = True, edge_modifier: Any = None) -> None:
        """Be told that a task was put before it or after it."""
        for part in self._parts:
            part.update_relative(other, upstream, edge_modifier)


class GroupResult(_Derived, PlainXComArg):
    """Stand for a task's result where it is an argument, and for the task's whole group where it is a dependency."""

    @property
    def _parts(self) -> list[Any]:
        return [self.operator.task_group]

    def __getitem__(self, item: str) -> GroupResult:
        """Return another XCom of the same task."""
        other: Any = super().__getitem__(item)
        return GroupResult(self.operator, other.key)


class _Mapped(_Derived, MapXComArg):
    pass


class _Zipped(_Derived, ZipXComArg):
    pass


class _Concatenated(_Derived, ConcatXComArg):
    pass


def _derived(arg: Any) -> Any:
    if isinstance(arg, MapXComArg):
        return _Mapped(arg.arg, arg.callables)
    if isinstance(arg, ZipXComArg):
        return _Zipped(arg.args, fillvalue=arg.fillvalue)
    return _Concatenated(arg.args)
