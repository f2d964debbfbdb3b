"""Link a task to the vendor's page, and to the report that it has made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

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


class EmailVerifyReportLink(BaseOperatorLink):
    """
    Link to the report page of a merge, where the user has said at which URL people see the files of the destination.

    The link is what the merge put into its summary: a URL and no more. It holds no key and no signature, and the page
    is read with whatever right the reader's browser has there.
    """

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """
        Return the URL; "" if there is none.

        Airflow 3 asks in the task's process when it has ended, Airflow 2 in the webserver whenever it shows the task.

        :param operator: the task's operator.
        :param ti_key: which run of the task.
        """
        if getattr(operator, "report_url", "mapped") is None:
            return ""
        # Whoever may write XComs may have written this one.
        summary = XCom.get_value(ti_key=ti_key, key="summary")
        url = summary.get("report_url") if isinstance(summary, Mapping) else None
        return url if isinstance(url, str) and not _problem(url) else ""


def check_public_url(url: Any) -> str:
    """
    Return a URL that may stand in XCom and be shown to everybody who may see the task.

    :param url: what the user gave.
    :raises InvalidRequestError: it is none, or it may hold a secret.
    """
    if problem := _problem(url):
        # The text itself may hold a secret.
        raise InvalidRequestError(f"report_url {problem}.")
    return str(url)


def page_url(url: str, uri: str) -> str:
    """
    Return where people see a page.

    :param url: where they see its folder, if it ends in a slash; else where they see the page itself.
    :param uri: where the page is.
    """
    return f"{url}{quote(uri.rpartition('/')[2])}" if url.endswith("/") else url


def _problem(url: Any) -> str:
    """Return what is wrong with a public URL; "" if nothing is."""
    if not isinstance(url, str) or not url.isprintable() or not url.isascii() or set(url) & set(' "<>\\^`{|}'):
        return "is no URL, percent-encoded"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "begins with https:// or http:// and a host"
    if "@" in parts.netloc:
        return "holds a user name or a password, which everybody would see"
    if "?" in url or "#" in url:
        return "holds a query or a fragment; a signature would stand in XCom for everybody to see"
    return ""
