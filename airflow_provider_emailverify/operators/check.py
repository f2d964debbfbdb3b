"""Stop a DAG whose e-mail verification came back too poor to be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

from airflow_provider_emailverify.exceptions import InvalidRequestError, ResultCheckError
from airflow_provider_emailverify.limits import Limit, read_limit
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: A number of rows (int) or a share of them (float from 0 to 1); a str holds either, or a percentage.
RowLimit = int | float | str


class EmailVerifyCheckOperator(BaseOperator):
    """
    Fail, or skip, when results are not as good as they should be.

    Vendors call a batch complete also when they had to give up on much of it, for instance because the credits ran out;
    the rest of the rows is then ``unknown``, or missing.

    A limit is a number of rows (``int``) or a share of them (``float`` from 0 to 1, or ``"5%"``). Shares of
    ``max_undeliverable`` and ``max_unknown`` are of the rows with a verdict, those of ``max_missing`` and ``min_rows``
    of the rows expected; they are compared exactly. At least one limit must be set. No rows at all are not good enough
    either, unless none were expected. The return value is the figures that were looked at.

    Of a merged list, rows are expected where a cell holds something, and missing where no result tells of its address;
    those are among the unknown ones too.

    :param result: the summary of a download or a merge, such as ``merge.output["summary"]`` or
        ``verify_emails(…)["summary"]``; or what a download returned: a path in the schema (not the vendor's format), or
        the paths of each verdict, whose rows are then counted. (templated)
    :param max_undeliverable: undeliverable rows at most. (templated)
    :param max_unknown: unknown rows at most. (templated)
    :param max_missing: rows that were expected and did not come, at most. (templated)
    :param min_rows: rows received at least. (templated)
    :param expected_rows: how many rows should have come, if the summary does not know; for instance how many addresses
        were submitted. (templated)
    :param soft_fail: skip the task, and what depends on it, in place of failing.
    """

    template_fields: Sequence[str] = (
        "result",
        "max_undeliverable",
        "max_unknown",
        "max_missing",
        "min_rows",
        "expected_rows",
    )
    ui_color = "#dcefe2"

    def __init__(
        self,
        *,
        result: Any,
        max_undeliverable: RowLimit | None = None,
        max_unknown: RowLimit | None = None,
        max_missing: RowLimit | None = None,
        min_rows: RowLimit | None = None,
        expected_rows: int | str | None = None,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.result = result
        self.max_undeliverable = max_undeliverable
        self.max_unknown = max_unknown
        self.max_missing = max_missing
        self.min_rows = min_rows
        self.expected_rows = expected_rows
        self.soft_fail = soft_fail

    def execute(self, context: Context) -> dict[str, int | None]:
        """
        Check, and return the figures.

        :param context: the task's context.
        :raises AirflowFailException: the results are not good enough, or a limit makes no sense.
        :raises AirflowSkipException: the results are not good enough, with ``soft_fail``.
        """
        with fail_fast_when_permanent():
            figures = self._figures()
            problems = self._problems(figures)
            told = ", ".join(f"{name} {value:,}" for name, value in figures.items() if value is not None)
            if problems and self.soft_fail:
                raise AirflowSkipException(f"{'; '.join(problems)}. Figures: {told}.")
            if problems:
                raise ResultCheckError(f"{'; '.join(problems)}. Figures: {told}.")
        self.log.info("Good enough: %s", told)
        return figures

    def _figures(self) -> dict[str, int | None]:
        match self.result:
            case {"verdicts": Mapping() as verdicts, "missing": int(missing), "no_address": int(empty)}:
                rows = sum(verdicts.values())
                summary: Mapping[str, Any] = {
                    "received": rows - missing,
                    "expected": rows,
                    "without_address": empty,
                    "verdicts": verdicts,
                }
            case {"verdicts": Mapping(), "received": int()}:
                summary = self.result
            case str() | {"deliverable": str()} | {"undeliverable": str()} | {"risky": str()} | {"unknown": str()}:
                from airflow_provider_emailverify.results.read_back import count_files

                summary = count_files([self.result] if isinstance(self.result, str) else self.result.values())
            case _:
                raise InvalidRequestError(
                    "result is neither the summary of results in the schema nor their path. A summary of a download "
                    "with output_format='vendor' has no verdicts."
                )
        expected = summary.get("expected") if self.expected_rows in (None, "") else self.expected_rows
        received = summary["received"]
        return {
            "received": received,
            "expected": None if expected is None else _whole("expected_rows", expected),
            "missing": None if expected is None else max(_whole("expected_rows", expected) - received, 0),
            "without address": summary["without_address"],
            **{str(verdict): int(count) for verdict, count in summary["verdicts"].items()},
        }

    def _limits(self) -> dict[str, Limit]:
        """Return the limits that are set."""
        names = ("max_undeliverable", "max_unknown", "max_missing", "min_rows")
        limits = {name: read_limit(name, getattr(self, name)) for name in names}
        found = {name: limit for name, limit in limits.items() if limit is not None}
        if not found:
            raise InvalidRequestError(f"No limit is set, so that everything would pass. Set one of {', '.join(names)}.")
        return found

    def _problems(self, figures: Mapping[str, int | None]) -> list[str]:
        limits = self._limits()
        received, expected = figures["received"] or 0, figures["expected"]
        judged = sum(figures[verdict] or 0 for verdict in Verdict)
        problems = []
        for name, figure, whole in (
            ("max_undeliverable", "undeliverable", judged),
            ("max_unknown", "unknown", judged),
            ("max_missing", "missing", expected),
        ):
            if name in limits and (count := _known(name, figures[figure])) > _rows(name, limits[name], whole):
                problems.append(f"{count:,}{_share(count, whole)} rows are {figure}, more than {name}={limits[name]}")
        if "min_rows" in limits and received < (least := _rows("min_rows", limits["min_rows"], expected)):
            problems.append(f"{received:,} rows came, fewer than min_rows={limits['min_rows']} ({ceil(least):,})")
        if not received and not problems and expected != 0:
            # Shares of nothing are kept by nothing.
            problems.append(
                f"no rows came, where {expected:,} were expected"
                if expected
                else "no rows came, and nothing tells how many were expected (set expected_rows, 0 for an empty list)"
            )
        return problems


def _rows(name: str, limit: Limit, whole: int | None) -> Fraction:
    """Return a limit as a number of rows, a fraction of one where it is a share."""
    return limit.count(_known(name, whole) if limit.is_share else 0)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not (
        isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal())
    ):
        raise InvalidRequestError(f"{name} is a number of rows, not {value!r}.")
    if int(value) < 0:
        raise InvalidRequestError(f"{name} is a number of rows, 0 at least, not {value!r}.")
    return int(value)


def _known(name: str, figure: int | None) -> int:
    if figure is None:
        raise InvalidRequestError(
            f"{name} needs to know how many rows were expected, and the vendor does not say: set expected_rows, for "
            "instance to the number of addresses that were submitted."
        )
    return figure


def _share(count: int, whole: int | None) -> str:
    return f" ({count / whole:.1%})" if whole else ""
