"""Verify a list by one call: submit it, wait for its batches, land their results, give the list back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import TaskGroup, conf

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.version_compat import ConcatXComArg, MapXComArg, PlainXComArg, ZipXComArg

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

#: What the tasks have unless the Dag's or a group's ``default_args``, or a task's own arguments, say otherwise. A
#: worker, a broker or a vendor that is away for some minutes is no reason to wake anybody.
DEFAULT_ARGS: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
}
#: How long a list may take at the vendor.
WAIT_TIMEOUT = timedelta(days=2)

# What a template may hold that is another in each run.
_CHANGES = re.compile(
    r"\{[{%].*?\b(?:ds|ts|run|dag_run|logical|execution|data_interval|ti|task_instance|map|macros|next|prev|triggering)"
    r"(?:_\w+)?\b",
    re.DOTALL,
)
_SAID_ONCE = frozenset(
    {
        *("source", "email_column", "source_format", "encoding", "sheet", "clean", "distinguish_case"),
        *("conn_id", "ledger", "known", "max_age", "prescreen", "answers"),
    }
)
_RETIRED = {
    "sources": "give source a list of URIs, a folder or a pattern",
    "paths": "the group returns the path of the verified list, and has no task 'paths' any more",
}


def verify_emails(
    group_id: str = "verify_emails",
    *,
    source: str | Sequence[str] | XComArg | None = None,
    conn_id: str | XComArg,
    destination: str | XComArg,
    results: str | XComArg | None = None,
    ledger: str | XComArg | None = None,
    email_column: str | Sequence[str] | XComArg | None = None,
    source_format: str | XComArg | None = None,
    encoding: str = "utf-8",
    sheet: str | XComArg | None = None,
    clean: bool = True,
    distinguish_case: bool = False,
    known: bool | str | Sequence[str] | XComArg | None = None,
    max_age: Any = None,
    prescreen: str | None = None,
    answers: str | XComArg | None = None,
    then: Sequence[str] = (),
    then_verdicts: Sequence[str] = ("unknown",),
    submit: Mapping[str, Any] | None = None,
    wait: Mapping[str, Any] | None = None,
    download: Mapping[str, Any] | None = None,
    merge: Mapping[str, Any] | None = None,
    **retired: Any,
) -> XComArg:
    """
    Verify a list, and give it back: every row as it was, with verdict, reason, vendor and time behind it.

    Adds a task group of four tasks to the Dag, however many batches the list makes: ``submit``, ``wait``, ``download``
    and ``merge``; and three for each further vendor. It may stand in a mapped task group, once for each of many lists.
    A list without addresses, or without rows, comes back like any other.

    The result is an ``XComArg``: the path of the verified list, or the list of paths if ``source`` is a list, a folder
    or a pattern. Hand it to a task, or expand over it. Dependencies on the result are dependencies on the group: in
    ``x >> verify_emails(…) >> y`` the list is submitted after ``x``, and ``y`` comes when it is back.

    The tasks are tried five times (:data:`DEFAULT_ARGS`), and the wait ends after two days (:data:`WAIT_TIMEOUT`); the
    ``default_args`` of the Dag or of a group around it, and the mappings below, go before that. The wait is deferred to
    the triggerer if Airflow's ``[operators] default_deferrable`` says so; else it is rescheduled, so that it never
    holds a worker slot between two questions.

    What is marked as templated may be a template or the output of another task. The mappings at the end hold further
    arguments for one task each, ``BaseOperator``'s included, such as ``wait={"deferrable": True}``; which of those are
    templated, the operators say.

    :param group_id: the name of the task group.
    :param source: the list: a URI, a folder, a pattern, or several of them, see
        :class:`~.operators.submit.EmailVerifySubmitOperator`. (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param destination: where the verified list goes. If it ends in a slash it is a folder, and ``list.csv`` becomes
        ``list.verified.csv`` in it; otherwise it is the file. Several sources need a folder. (templated)
    :param results: the folder for the results of the batches; by default ``_results/`` beside the verified list.
        (templated)
    :param ledger: the folder for the records of what was submitted. With it a second try goes on where the first one
        ended on every supported Airflow, whatever Airflow keeps. (templated)
    :param email_column: the column of addresses, or several; by default its own name tells. (templated)
    :param source_format: the format of the list; by default what the file's name ends in. (templated)
    :param encoding: of a text file.
    :param sheet: of an Excel file; by default the first. (templated)
    :param clean: take addresses out of what exports hold beside them, such as ``Name <a@x.com>``.
    :param distinguish_case: upper and lower case left of the "@" make two addresses.
    :param known: results of earlier times, whose answers are not bought again as long as they are young enough: files,
        folders or patterns; or True for the folder of this group's own results, which then must be the same in each
        run. (templated)
    :param max_age: how long such an answer counts; by default 60 days for deliverable and undeliverable, 30 for risky,
        none for unknown. (templated)
    :param prescreen: ``syntax`` or ``dns``: do not buy answers about what gets no mail. (templated)
    :param answers: the answers that an estimate has found to cost nothing, such as ``estimate.output["answers"]``, in
        place of ``known`` and ``prescreen``. (templated)
    :param then: connections of further vendors, as a literal list. Each is asked about what those before it call
        unknown; each adds a ``submit``, a ``wait`` and a ``download``.
    :param then_verdicts: the verdicts about which the next vendor is asked.
    :param submit: arguments for :class:`~.operators.submit.EmailVerifySubmitOperator`, such as ``max_emails``.
    :param wait: arguments for :class:`~.sensors.batch.EmailVerifyBatchSensor`, such as ``failed_batches``.
    :param download: arguments for :class:`~.operators.download.EmailVerifyDownloadOperator`, such as ``report``. Its
        ``output_format`` is ``csv`` unless it is ``jsonl`` or ``parquet``.
    :param merge: arguments for :class:`~.operators.merge.EmailVerifyMergeOperator`, such as ``columns``.
    :raises TypeError: there is no ``source``, or an argument that was retired.
    :raises ValueError: a mapping says again what is an argument of the group, or asks for results that cannot be
        merged.
    """
    _check_retired(retired)
    if source is None:
        raise TypeError("verify_emails: give source, the list to verify.")
    _check_mappings({"submit": submit, "wait": wait, "download": download, "merge": merge})
    reading: Any = {
        "source": source,
        "email_column": email_column,
        "source_format": source_format,
        "encoding": encoding,
        "sheet": sheet,
        "clean": clean,
        "distinguish_case": distinguish_case,
    }
    _check_then(then, then_verdicts)
    folder: Any = {"destination": destination, "beside_list": True} if results is None else {"destination": results}
    if known is True:
        _check_own_results(destination if results is None else results)
    free: Any = {"known": known or None, "max_age": max_age, "prescreen": prescreen}
    if answers is not None:
        if known or prescreen:
            raise ValueError("verify_emails: answers are what known and prescreen have found before; give one of them.")
        free |= {"answers": answers}
    elif known or prescreen:
        free |= _free_answers(folder)
    found: list[Any] = []

    with TaskGroup(group_id) as group:
        around = group.parent_group.default_args if group.parent_group else {}
        group.default_args = {**DEFAULT_ARGS, **group.dag.default_args, **around}
        parts = _Parts(
            reading=reading,
            folder=folder,
            kept={} if ledger is None else {"ledger": ledger},
            submit=submit or {},
            wait={**_waiting({**group.default_args, **(wait or {})}), **(wait or {})},
            download=download or {},
        )
        purchases = []
        for number, vendor in enumerate([conn_id, *then], 1):
            name = f"_{number}" if number > 1 else ""
            purchase, landed = parts.add(name, vendor, free)
            purchases.append(purchase["summary"])
            found += [purchase["answers"], landed]
            # What the next vendor is not asked about: whatever the ones before it have an answer to.
            free = {
                "known": list(found),
                "max_age": {verdict.value: 0 if verdict in then_verdicts else "any" for verdict in Verdict},
                **_free_answers(folder),
            }
        verified = EmailVerifyMergeOperator(
            **{
                "task_id": "merge",
                "results": found,
                "destination": destination,
                "submitted": purchases[0] if len(purchases) == 1 else purchases,
                **reading,
                **(merge or {}),
            }
        )
    return GroupResult(verified)


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Add the tasks that ask one vendor."""

    reading: Mapping[str, Any]
    folder: Mapping[str, Any]
    kept: Mapping[str, Any]
    submit: Mapping[str, Any]
    wait: Mapping[str, Any]
    download: Mapping[str, Any]

    def add(self, name: str, conn_id: Any, free: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the output of the submission, and that of the download."""
        common: Any = {"conn_id": conn_id, **self.kept}
        submit: Any = {"task_id": f"submit{name}", **self.reading, **free, **common, **self.submit}
        bought = EmailVerifySubmitOperator(**submit)
        wait: Any = {"task_id": f"wait{name}", "batch_id": bought.output, **common, **self.wait}
        ready = EmailVerifyBatchSensor(**wait)
        download: Any = {"task_id": f"download{name}", "batch_id": ready.output, "output_format": "csv"}
        landed = EmailVerifyDownloadOperator(**{**download, **self.folder, **common, **self.download})
        return bought.output, landed.output


def _free_answers(folder: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a submission writes the answers that cost nothing: among the results of the batches."""
    return {"answers": folder["destination"], "beside_list": "beside_list" in folder}


def _check_own_results(place: Any) -> None:
    if not isinstance(place, str) or _CHANGES.search(place):
        raise ValueError(
            "verify_emails: known=True reads the results of earlier runs, so their folder must be the same in each "
            "run, and written out. Give results='s3://…/results/', or known itself."
        )


def _check_then(then: Any, verdicts: Any) -> None:
    if isinstance(then, str) or not isinstance(then, Sequence) or not all(isinstance(each, str) for each in then):
        raise ValueError("verify_emails: then is a literal list of connection ids, because each of them adds tasks.")
    if isinstance(verdicts, str) or not set(verdicts) <= set(Verdict):
        raise ValueError(f"verify_emails: then_verdicts is a list of {', '.join(Verdict)}, not {verdicts!r}.")


def _waiting(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the wait that nobody has given."""
    ours: dict[str, Any] = {"timeout": WAIT_TIMEOUT.total_seconds()}
    if not given.get("deferrable", conf.getboolean("operators", "default_deferrable", fallback=False)):
        ours["mode"] = "reschedule"
    return {name: value for name, value in ours.items() if name not in given}


def _check_retired(given: Mapping[str, Any]) -> None:
    for name in given:
        advice = f" any more: {_RETIRED[name]}." if name in _RETIRED else "."
        raise TypeError(f"verify_emails has no argument {name!r}{advice}")


def _check_mappings(given: Mapping[str, Mapping[str, Any] | None]) -> None:
    for task, arguments in given.items():
        if again := sorted(_SAID_ONCE & set(arguments or {})):
            raise ValueError(
                f"verify_emails: {', '.join(again)} is said once, as an argument of the group, not in {task}."
            )
    wanted = given["download"] or {}
    if wanted.get("output_format", "csv") == "vendor" or wanted.get("split_by_verdict"):
        raise ValueError(
            "verify_emails: merge reads the results of download, so they cannot be in the vendor's format or split by "
            "verdict. Use merge={'split_by_verdict': True} for a list of each verdict, and "
            "download={'keep_vendor_file': True} for the vendor's bytes beside the results."
        )


class _Derived:
    """
    Let what is made of a result set its dependencies: by ``map()``, ``zip()``, ``concat()``.

    Airflow's own classes would bind the task that returns the result, and leave the rest of its group out.
    """

    def map(self, f: Any) -> Any:
        """Apply a function to each item."""
        return _derived(super().map(f))  # type: ignore[misc] # mixed in before an XComArg

    def zip(self, *others: Any, **options: Any) -> Any:
        """Join the items to those of others, one by one."""
        return _derived(super().zip(*others, **options))  # type: ignore[misc] # mixed in before an XComArg

    def concat(self, *others: Any) -> Any:
        """Append the items of others."""
        return _derived(super().concat(*others))  # type: ignore[misc] # mixed in before an XComArg

    @property
    def _parts(self) -> list[Any]:
        return [self.arg] if isinstance(self, MapXComArg) else list(self.args)  # type: ignore[attr-defined] # as above

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
