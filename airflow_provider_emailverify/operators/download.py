"""Land the results of a batch in object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import Asset, AssetAlias, BaseOperator

from airflow_provider_emailverify.batches import read_batch_ids
from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.links import EmailVerifyBatchLink
from airflow_provider_emailverify.results.layout import Maps
from airflow_provider_emailverify.task_errors import fail_fast_when_permanent
from airflow_provider_emailverify.version_compat import ASSETS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.steps.result_options import Landed, Paths, ResultOptions


class EmailVerifyDownloadOperator(BaseOperator):
    """
    Download the results of batches that are ready, and publish them under a URI.

    The results are spooled to the worker's disk, checked there (whole, no error in disguise, ready, rows counted) and
    then published. Whatever fails, and whenever, the destination shows what it showed before. A retry writes the same
    paths again.

    With an ``output_format`` other than ``vendor``, the rows of every vendor have the same columns and the same words,
    see :mod:`airflow_provider_emailverify.results.schema`.

    ``batch_id`` is one id or a list. A list and a folder make a file for each batch, and return the list of URIs in the
    order of the ids. A list and one file make one file with the rows of all, in that order, in a format of the schema.
    A few batches are downloaded at a time, within the account's limit; memory does not grow with their number, and the
    disk holds what is to be published. Nothing is published before all of it is there. An error of one batch fails the
    task and names the batch. An empty list makes no file in a folder, and one file without rows otherwise.

    A retry does not ask the vendor again for batches that an earlier try has fetched. They are kept in the ledger's
    folder, else in ``_incomplete/<run>/`` beside the results, with their size and digest, and removed on success. They
    hold addresses, as the results do. Such a folder stays if its task never succeeds; it can be deleted at any time.

    The return value is the URI, as ``ObjectStoragePath`` takes it; with ``split_by_verdict``, a dict of URIs; for a
    list and a folder, a list of either. The XCom key ``summary`` holds ``rows``, ``bytes``, ``sha256``, ``media_type``,
    ``vendor`` and ``batch_id``, and, unless the vendor's bytes are kept as they are, ``received`` and ``expected``
    rows, ``verdicts`` and ``reasons`` with their counts, vendor's words that are not known (``unmapped``), and rows
    ``without_address``. Of a list it holds the sums; in place of ``batch_id``, their number ``batches``, and each of up
    to 20 in ``by_batch``; ``sha256`` only of one file. Events of the task's outlets carry the same; for an alias, an
    asset for each file, or for the folder if there are more than 20.

    :param batch_id: the vendor's identifier of the batch, or a list of them, for instance the sensor's XCom.
        (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param destination: a URI such as ``s3://my_conn@bucket/verified/{{ ds }}/``. If it ends in a slash it is a folder,
        and each file is called ``<vendor>-<batch id>.<ext>``; otherwise it is the file. (templated)
    :param output_format: ``vendor`` keeps the vendor's bytes as they are; ``csv``, ``jsonl`` and ``parquet`` (which
        needs the extra ``parquet``) write rows of the one schema.
    :param download_options: the vendor's own options; Cliova has ``output`` ("csv" or "json") and ``verified_only``.
        (templated)
    :param verdicts: keep only rows of these verdicts; the summary still counts all. (templated)
    :param split_by_verdict: write a file for each verdict, into a folder ``<vendor>-<batch id>/`` at the destination.
        All of them appear or none does: on an error what was there is put back, and a file ``_SUCCESS`` is there
        exactly while all the others are. The folders of a list appear one after the other.
    :param keep_vendor_file: publish the vendor's bytes beside the results, as ``….vendor.<ext>``; beside one file of
        many batches, as ``<vendor>-<batch id>.vendor.<ext>``.
    :param report: publish a page with the figures beside the results, as ``….report.html``; one for the whole list.
    :param column_map: which of the vendor's columns hold ours, where its own are not known, such as
        ``{"email": "E-Mail", "verdict": "Outcome"}``; in addition to the connection's. (templated)
    :param status_map: verdicts of vendor's words that are not known, such as ``{"greylisted": "unknown"}``; in addition
        to the connection's. (templated)
    :param allow_missing_rows: take fewer rows than the vendor announced also where the answer does not say how long it
        is. By default such an answer counts as cut.
    :param ledger: a folder such as ``s3://my_conn@bucket/ledger/``, where a list's batches are kept for a retry.
        (templated)
    :param beside_list: ``destination`` is where a merge writes the verified list, a file or a folder; the results go
        into a folder ``_results/`` beside the list.
    """

    template_fields: Sequence[str] = (
        "batch_id",
        "conn_id",
        "destination",
        "download_options",
        "verdicts",
        "column_map",
        "status_map",
        "ledger",
    )
    operator_extra_links = (EmailVerifyBatchLink(),)
    ui_color = "#dcefe2"

    def __init__(
        self,
        *,
        batch_id: str | Sequence[str],
        conn_id: str,
        destination: str,
        output_format: Literal["vendor", "csv", "jsonl", "parquet"] = "vendor",
        download_options: Mapping[str, Any] | None = None,
        verdicts: Sequence[str] | None = None,
        split_by_verdict: bool = False,
        keep_vendor_file: bool = False,
        report: bool = False,
        column_map: Mapping[str, str] | None = None,
        status_map: Mapping[str, str] | None = None,
        allow_missing_rows: bool = False,
        ledger: str | None = None,
        beside_list: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.destination = destination
        self.output_format = output_format
        self.download_options = download_options
        self.verdicts = verdicts
        self.split_by_verdict = split_by_verdict
        self.keep_vendor_file = keep_vendor_file
        self.report = report
        self.column_map = column_map
        self.status_map = status_map
        self.allow_missing_rows = allow_missing_rows
        self.ledger = ledger
        self.beside_list = beside_list
        self._landed: Landed | None = None  # for OpenLineage, which asks after the task has ended

    def execute(self, context: Context) -> Paths:
        """
        Download, check and publish. Return the URI, those of each verdict, or a list of either for a list of batches.

        :param context: the task's context.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        with fail_fast_when_permanent():
            landed = self._land(context, EmailVerifyHook.get_hook(self.conn_id))
        self._landed = landed
        self.log.info(
            "Rows: %d; bytes: %d. Published at %s",
            landed.summary["rows"],
            landed.summary["bytes"],
            landed.folder.uri if landed.folder else landed.paths,
        )
        context["ti"].xcom_push(key="summary", value=landed.summary)
        self._describe_outlets(context, landed)
        return landed.paths

    def _land(self, context: Context, hook: EmailVerifyHook) -> Landed:
        from airflow_provider_emailverify.steps.kept import KeptFiles, kept_folder
        from airflow_provider_emailverify.steps.landing import land
        from airflow_provider_emailverify.steps.landing_many import land_many
        from airflow_provider_emailverify.steps.names import BatchNames
        from airflow_provider_emailverify.storage.destination import RESULTS_FOLDER, Destination

        destination = Destination(self.destination)
        if self.beside_list:
            destination = destination.beside(RESULTS_FOLDER)
        destination.check()
        options = self._options()
        batch_ids = read_batch_ids(self.batch_id)
        if isinstance(batch_ids, str):
            return land(hook, batch_ids, destination, options)
        kept = None
        if len(batch_ids) > 1:  # of one, there is nothing that a retry could spare
            folder = kept_folder(destination, BatchNames.of(context), self.ledger)
            kept = KeptFiles(folder, hook, hook.parse_options(options.download))
        return land_many(hook, batch_ids, destination, options, kept)

    def _options(self) -> ResultOptions:
        from airflow_provider_emailverify.steps.result_options import ResultOptions

        options = ResultOptions(
            output_format=self.output_format,
            download=self.download_options or {},
            verdicts=self.verdicts,
            split_by_verdict=self.split_by_verdict,
            keep_vendor_file=self.keep_vendor_file,
            report=self.report,
            maps=Maps(column_map=self.column_map or {}, status_map=self.status_map or {}),
            allow_missing_rows=self.allow_missing_rows,
        )
        as_it_is = ResultOptions(download=options.download, allow_missing_rows=options.allow_missing_rows)
        if self.output_format == "vendor" and options != as_it_is:
            raise InvalidRequestError(
                "verdicts, split_by_verdict, keep_vendor_file, report, column_map and status_map are about rows of the "
                "schema: set output_format to csv, jsonl or parquet."
            )
        return options

    def _describe_outlets(self, context: Context, landed: Landed) -> None:
        for outlet in self.outlets or []:
            if isinstance(outlet, AssetAlias):
                for uri in landed.asset_uris:
                    context["outlet_events"][outlet].add(Asset(uri), extra=landed.summary)
            elif isinstance(outlet, ASSETS):
                context["outlet_events"][outlet].extra.update(landed.summary)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """
        Tell OpenLineage what was read and written, as an ``OperatorLineage``.

        :param task_instance: of no use here.
        """
        if self._landed is None:
            return None
        from airflow_provider_emailverify.steps.lineage import lineage

        return lineage(self._landed)
