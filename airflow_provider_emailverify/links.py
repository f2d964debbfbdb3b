"""Link a task to the vendor's page."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import BaseOperatorLink

from airflow_provider_emailverify.batches import quote_batch_id, read_batch_ids
from airflow_provider_emailverify.exceptions import ConnectionConfigError, InvalidRequestError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook


class EmailVerifyBatchLink(BaseOperatorLink):
    """Link to the batch at the vendor if the vendor has a page for it. Several batches have no page in common."""

    name = "Batch at the vendor"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """
        Return the URL; "" if none is known. It holds no key.

        Airflow 3 asks in the task's process, with rendered fields. Airflow 2 asks in the webserver, with fields as
        they stand in the DAG file, so that there a templated connection has no link.

        :param operator: the task's operator or sensor.
        :param ti_key: which run of the task.
        """
        try:
            page = EmailVerifyHook.get_hook(operator.conn_id).batch_page or ""
            if not page:
                return ""
            ids = read_batch_ids(operator.batch_id)
            if isinstance(ids, str):
                ids = [ids]
            return page.replace("{id}", quote_batch_id(ids[0])) if len(ids) == 1 else ""
        except (ConnectionConfigError, InvalidRequestError):
            return ""
