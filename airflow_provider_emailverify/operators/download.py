"""Land the results of a batch in object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import Asset, AssetAlias, BaseOperator

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook, quote_batch_id
from airflow_provider_emailverify.task_errors import no_pointless_retries

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_emailverify.storage import Destination

_EXTENSIONS = {"application/json": "json", "text/csv": "csv"}


class EmailVerifyDownloadOperator(BaseOperator):
    """
    Download the results of a batch that is ready, and publish them under a URI.

    The results are spooled to the worker's disk, checked there (whole, no error in disguise, ready, rows counted) and
    then published in one step. Whatever fails, and whenever, the destination shows what it showed before. A retry
    writes the same path again.

    The return value is the URI, as ``ObjectStoragePath`` takes it. The XCom key ``summary`` holds ``rows``, ``bytes``,
    ``sha256``, ``media_type``, ``vendor`` and ``batch_id``; events of the task's outlets carry the same.

    :param batch_id: the vendor's identifier of the batch, for instance the sensor's XCom. (templated)
    :param conn_id: the Airflow connection; its type names the vendor. (templated)
    :param destination: a URI such as ``s3://my_conn@bucket/verified/{{ ds }}/``. If it ends in a slash it is a folder,
        and the file is called ``<vendor>-<batch id>.<ext>``; otherwise it is the file. (templated)
    :param output_format: ``vendor`` keeps the vendor's bytes as they are.
    :param download_options: keyword arguments of the vendor's ``download_results``; Cliova has ``output`` ("csv" or
        "json") and ``verified_only``. (templated)
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id", "destination", "download_options")
    ui_color = "#dcefe2"

    def __init__(
        self,
        *,
        batch_id: str,
        conn_id: str,
        destination: str,
        output_format: Literal["vendor"] = "vendor",
        download_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.destination = destination
        self.output_format = output_format
        self.download_options = download_options

    def execute(self, context: Context) -> str:
        """
        Download, check and publish. Return the URI.

        :param context: the task's context.
        :raises AirflowFailException: for a reason that a retry cannot cure.
        :raises EmailVerifyError: for a reason that it can.
        """
        from airflow_provider_emailverify.storage import Destination, publish, spool_for

        with no_pointless_retries():
            if self.output_format != "vendor":
                raise InvalidRequestError(f"output_format is 'vendor', not {self.output_format!r}.")
            hook = EmailVerifyHook.get_hook(self.conn_id)
            options = dict(self.download_options or {})
            hook.check_download_options(options)
            name = f"{hook.conn_type}-{quote_batch_id(self.batch_id)}"
            destination = Destination(self.destination)
            destination.check()
            with spool_for(destination, name) as spool:
                rows = hook.save_results(self.batch_id, spool, **options)
                target = destination.file(f"{name}.{_EXTENSIONS.get(spool.media_type, 'bin')}")
                uri = publish(spool, target)
                summary = {
                    "rows": rows,
                    "bytes": spool.size,
                    "sha256": spool.sha256,
                    "media_type": spool.media_type,
                    "vendor": hook.conn_type,
                    "batch_id": self.batch_id,
                }
        self.log.info("Published %d rows, %d bytes, at %s", rows, summary["bytes"], uri)
        context["ti"].xcom_push(key="summary", value=summary)
        self._describe_outlets(context, target, summary)
        return uri

    def _describe_outlets(self, context: Context, target: Destination, summary: dict[str, Any]) -> None:
        for outlet in self.outlets or []:
            if isinstance(outlet, AssetAlias):
                context["outlet_events"][outlet].add(Asset(target.asset_uri), extra=summary)
            elif isinstance(outlet, Asset):
                context["outlet_events"][outlet].extra.update(summary)
