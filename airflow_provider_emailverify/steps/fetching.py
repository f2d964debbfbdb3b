"""Fetch the results of a batch into a spool: whole, or again from the beginning."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    BatchNotReadyError,
    IncompleteResponseError,
    InvalidRequestError,
)
from airflow_provider_emailverify.formats.csv_scan import CsvScanner
from airflow_provider_emailverify.formats.packed import GZIP_TYPE, ZIP_TYPE, packed_type
from airflow_provider_emailverify.http.client import WORTH_REPEATING
from airflow_provider_emailverify.results.layout import CSV_TYPE, JSON_TYPE, VendorFile
from airflow_provider_emailverify.results.schema import utc_text

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.storage.spool import Spool

T = TypeVar("T")

_EXTENSIONS = {JSON_TYPE: "json", CSV_TYPE: "csv", ZIP_TYPE: "zip", GZIP_TYPE: "gz"}


def fetch(
    hook: EmailVerifyHook,
    batch_id: str,
    options: Any,
    open_spool: Callable[[str], Spool],
    check: Callable[[], None] = lambda: None,
    *,
    counts: bool = False,
) -> tuple[VendorFile, Spool]:
    """
    Download the vendor's bytes into a spool.

    :param hook: the vendor.
    :param batch_id: the batch.
    :param options: the vendor's own options, as :meth:`~.hooks.base.EmailVerifyHook.parse_options` returns them.
    :param open_spool: returns an empty spool for a media type.
    :param check: called for each chunk; it may raise to end the download early.
    :param counts: count the rows of a CSV file while it arrives, so that little is left to do at its end.
    """
    fetched_at = utc_text(time.time())
    with hook.download_results(batch_id, options) as download:
        chunks = iter(download.body)
        first = next(chunks, b"")
        # Whether results are packed is the vendor's choice, and says itself by the first bytes.
        media_type = packed_type(first) or download.media_type
        spool = open_spool(media_type)
        scanner = CsvScanner(hook.about(batch_id)) if counts and media_type == CSV_TYPE else None
        for chunk in itertools.chain([first], chunks):
            spool.write(chunk)
            if scanner:
                scanner.feed(chunk)
            check()
    file = VendorFile(
        batch_id=batch_id,
        about=hook.about(batch_id),
        content=spool.rewound(),
        media_type=media_type,
        length_known=download.body.is_measured,
        expected_rows=download.expected_rows,
        fetched_at=fetched_at,
        scan=scanner.finish if scanner else None,
    )
    return file, spool


def until_whole(hook: EmailVerifyHook, batch_id: str, attempt: Callable[[EmailVerifyHook], T]) -> T:
    """
    Attempt a fetch until what it brings is whole, as often as the connection says. Return what it returns.

    :param hook: the vendor.
    :param batch_id: the batch.
    :param attempt: fetches and checks everything; the hook that it is given repeats no single request by itself.
    :raises BatchNotReadyError: the batch is not ready yet; a later try can succeed.
    :raises EmailVerifyError: there are no whole results, for the reason that the class names.
    """
    once = hook.with_policy(replace(hook.client.policy, attempts=1))
    try:
        return hook.client.retrying(*WORTH_REPEATING)(attempt, once)
    except (BatchNotFoundError, InvalidRequestError) as error:
        # What a vendor answers to an early download is not documented; 404 and 422 are plausible.
        if error.http_status is None or hook.get_batch_status(batch_id).state.is_final:
            raise
        raise BatchNotReadyError.advised(f"{hook.about(batch_id)}: not ready yet.") from None


def has_all_rows(file: VendorFile, rows: int, *, allow_missing: bool) -> bool:
    """
    Tell whether all rows came, as far as anybody can tell.

    :param file: what was downloaded.
    :param rows: its rows.
    :param allow_missing: the user takes fewer.
    """
    return allow_missing or file.length_known or file.expected_rows is None or rows >= file.expected_rows


def require_all_rows(file: VendorFile, rows: int, *, allow_missing: bool) -> None:
    """
    Refuse fewer rows than the vendor announced where neither the answer nor its content tells that it is whole.

    :param file: what was downloaded.
    :param rows: its rows.
    :param allow_missing: the user takes fewer.
    :raises IncompleteResponseError: there are fewer.
    """
    if not has_all_rows(file, rows, allow_missing=allow_missing):
        raise IncompleteResponseError(
            f"{file.about}: {rows:,} of {file.expected_rows:,} rows came, in an answer that does not say how long it "
            "is. It was probably cut. If the vendor leaves rows out, set allow_missing_rows=True."
        )


def extension_of(spool: Spool) -> str:
    """Return what the name of a file with the vendor's bytes ends in."""
    return _EXTENSIONS.get(spool.media_type, "bin")
