"""Give the user's own list back, with the verdicts beside its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.links import EmailVerifyReportLink, check_public_url, page_url
from airflow_provider_emailverify.operators.list_arguments import ReadingOperator
from airflow_provider_emailverify.steps.arguments import read_word
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent
from airflow_provider_emailverify.version_compat import ASSETS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.steps.lineage import ListLineage
    from airflow_provider_emailverify.steps.merging import Merged

#: What a merge adds to a list unless it is told otherwise.
DEFAULT_COLUMNS = ("verdict", "reason", "vendor", "verified_at")


class EmailVerifyMergeOperator(ReadingOperator):
    """
    Write every row of a list, as it was, with what is known of its address behind it.

    The rows stay in their order with all their columns. CSV keeps its separator, encoding, quotes and line breaks, JSON
    lines their text, Parquet its types and metadata. One address a line and Excel come back as CSV, and gzip comes back
    plain. The list is read by the same code as the submit operator's, so it is the same rows.

    Each row says why it is as it is. A duplicate has the verdict of its first. What is no address is ``undeliverable``
    with the reason ``invalid_syntax``. An address without a result is ``unknown`` with the reason ``missing``. An empty
    cell has no verdict, and the reason ``no_address``.

    Results may be of several vendors and times. Of several answers about an address the newest that is not ``unknown``
    counts, then the newest; of equally old ones, that of the later file in ``results``. An answer is for all spellings
    of its address: in upper and lower case, in Unicode's forms, in punycode. With ``distinguish_case`` it is for the
    address that is spelled like its own; if there is none, for those that differ in spelling only.

    All files appear or none does. Memory follows the addresses of the list (30 bytes each at most), not the results.

    The return value is the URI of the list; with ``split_by_verdict``, a dict of URIs; and if ``source`` is a list, a
    folder or a pattern, a list of that, one for each of its files. The XCom key ``summary`` holds ``rows``,
    ``addresses``, ``duplicates``, ``dropped`` by reason, ``no_address``, ``missing``, and the counts of ``verdicts``,
    ``reasons``, ``vendors`` and ``vendor_verdicts``; ``rows_written``, ``sources`` with their rows and verdicts,
    ``paths``; with ``submitted`` also ``bought``, ``known`` and ``prescreened`` addresses, ``batches``, ``price`` and
    ``saved``; and with ``report`` its URI.

    How the list is read: see :class:`~.operators.list_arguments.ReadingOperator`.

    :param results: files of results in the same way, ending in ``.csv``, ``.jsonl`` or ``.parquet``, for instance what
        downloads returned; lists that were merged are results too. (templated)
    :param destination: a URI. If it ends in a slash it is a folder, and ``list.csv`` becomes ``list.verified.csv`` in
        it; otherwise it is the file. Several sources need a folder, in which they keep their own folders. (templated)
    :param columns: the columns of the schema that are added. (templated)
    :param prefix: what stands before their names, such as ``ev_``. (templated)
    :param verdicts: write only rows of these verdicts; the summary still counts all. (templated)
    :param split_by_verdict: write a file for each verdict, into a folder ``list.verified/`` at the destination; and one
        called ``no_address``, if there are such rows. A file ``_SUCCESS`` is there exactly while all the others are.
    :param output_format: ``csv``, ``jsonl`` or ``parquet``, to convert the list.
    :param email_column: of several names, each gets columns, which are called after it, such as ``Second Email
        verdict``, and the first one's verdict is the row's. (templated)
    :param several: whose verdict a cell of several addresses gets: that of the ``first``, or the ``worst``:
        undeliverable before risky, unknown, and deliverable.
    :param replace_columns: a list that has such columns already, from an earlier merge, gets the new ones in their
        place. By default that is an error.
    :param submitted: the submit operator's summary, such as ``submit.output["summary"]``. Then a source that is not
        what was submitted is an error, and summary and report say what was bought. Of several submissions a list, in
        which the first is that which read the list. (templated)
    :param report: publish a page with the figures too, as ``list.verified.report.html``; of several sources one page,
        ``verified.report.html``.
    :param history: a folder that keeps the figures of each run, as ``<time>-<digest>.summary.json``: numbers, and no
        address. With ``report`` the page then shows those of up to 52 earlier runs beside this one's. Give each list a
        folder of its own. (templated)
    :param report_url: where people see the report in a browser, such as ``https://reports.example.com/verified/`` for
        the folder of ``destination``; without a slash at its end, the page itself. Then the task has a link to it in
        Airflow's UI. ``https`` or ``http``, with neither password nor query nor signature in it. (templated)
    """

    template_fields: Sequence[str] = (
        *ReadingOperator.template_fields,
        "results",
        "destination",
        "columns",
        "prefix",
        "verdicts",
        "submitted",
        "history",
        "report_url",
    )
    operator_extra_links = (EmailVerifyReportLink(),)
    ui_color = "#dcefe2"

    def __init__(
        self,
        *,
        results: str | Sequence[Any] | Mapping[str, str],
        destination: str,
        columns: Sequence[str] = DEFAULT_COLUMNS,
        prefix: str = "",
        verdicts: Sequence[str] | None = None,
        split_by_verdict: bool = False,
        output_format: Literal["csv", "jsonl", "parquet"] | None = None,
        several: Literal["first", "worst"] = "first",
        replace_columns: bool = False,
        submitted: Mapping[str, Any] | Sequence[Any] | None = None,
        report: bool = False,
        history: str | None = None,
        report_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.results = results
        self.destination = destination
        self.columns = columns
        self.prefix = prefix
        self.verdicts = verdicts
        self.split_by_verdict = split_by_verdict
        self.output_format = output_format
        self.several = several
        self.replace_columns = replace_columns
        self.submitted = submitted
        self.report = report
        self.history = history
        self.report_url = report_url
        self._lineage: ListLineage | None = None  # for OpenLineage, which asks after the task has ended

    def execute(self, context: Context) -> Any:
        """
        Merge and publish. Return the URI of the list, or several.

        :param context: the task's context.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        with fail_fast_when_permanent():
            public = self._public()
            merged = self._merge(context)
        summary = merged.summary
        if public:
            summary["report_url"] = page_url(public, summary["report"])
        self.log.info(
            "Rows: %d; addresses: %d; rows without an answer: %d, without an address: %d. Published at %s",
            summary["rows"],
            summary["addresses"],
            summary["missing"],
            summary["no_address"],
            merged.paths,
        )
        if summary["too_long"]:
            self.log.warning(
                "%d rows have more fields than the header. Their verdicts stand behind all their fields, and so in no "
                "column of the header.",
                summary["too_long"],
            )
        context["ti"].xcom_push(key="summary", value=summary)
        self._describe_outlets(context, merged)
        self._lineage = self._tell_lineage(merged)
        return merged.paths

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage what was read and written, as an ``OperatorLineage``.

        :param task_instance: of no use here.
        """
        return self._lineage.facets if self._lineage else None

    def _tell_lineage(self, merged: Merged) -> ListLineage | None:
        from airflow_provider_emailverify.steps.lineage import tell_lineage

        return tell_lineage(self, read=merged.read, written={file.destination.uri: file.rows for file in merged.files})

    def _merge(self, context: Context) -> Merged:
        from airflow_provider_emailverify.steps.earlier import Earlier
        from airflow_provider_emailverify.steps.merging import MergeOptions, merge
        from airflow_provider_emailverify.storage.destination import Destination

        history = read_word(self.history)
        options = MergeOptions(
            how=self.list_format(),
            columns=self.columns,
            prefix=self.prefix,
            verdicts=_verdicts(self.verdicts),
            split_by_verdict=self.split_by_verdict,
            output_format=self.output_format,
            replace_columns=self.replace_columns,
            cleaning=self.cleaning(),
            several=self._several(),
            submitted=read_word(self.submitted),
            report=self.report,
            earlier=Earlier.of(history, context) if history else None,
        )
        return merge(self.source, self.results, Destination(self.destination), options)

    def _public(self) -> str:
        """Return where people see the report; "" if nobody has said so."""
        if read_word(self.report_url) is None:
            return ""
        if not self.report:
            raise InvalidRequestError("report_url is where the report is seen, and there is none: set report=True.")
        return check_public_url(self.report_url)

    def _several(self) -> str:
        if self.several not in ("first", "worst"):
            raise InvalidRequestError(f"several is 'first' or 'worst', not {self.several!r}.")
        return self.several

    def _describe_outlets(self, context: Context, merged: Merged) -> None:
        for outlet in self.outlets or []:
            if isinstance(outlet, AssetAlias):
                for file in merged.files:
                    context["outlet_events"][outlet].add(Asset(file.destination.asset_uri), extra=merged.summary)
            elif isinstance(outlet, ASSETS):
                context["outlet_events"][outlet].extra.update(merged.summary)


def _verdicts(given: Any) -> Any:
    from airflow_provider_emailverify.results.schema import Verdict

    if read_word(given) is None:
        return None
    words = [given] if isinstance(given, str) else given
    try:
        verdicts = frozenset(map(Verdict, words))
    except (TypeError, ValueError):
        verdicts = frozenset()
    if not verdicts:
        raise InvalidRequestError(f"verdicts is a list of {', '.join(Verdict)}, not {given!r}.")
    return verdicts
