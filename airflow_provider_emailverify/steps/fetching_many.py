"""Fetch the results of many batches, a few at a time; what an earlier try has fetched is not asked for again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.steps.fetching import fetch, has_all_rows, require_all_rows, until_whole
from airflow_provider_emailverify.steps.in_order import Stop, in_order
from airflow_provider_emailverify.steps.result_options import ResultOptions, ResultPaths, Spools

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.results.layout import VendorFile
    from airflow_provider_emailverify.steps.kept import KeptFiles
    from airflow_provider_emailverify.storage.spool import Spool

log = logging.getLogger(__name__)

# Enough to have the next batch here when one is converted; how often the vendor is asked is the client's concern.
_THREADS = 4


@dataclass(slots=True)
class Fetched:
    """
    The vendor's results of a batch, whole, on this machine.

    :param file: what is known of them.
    :param spool: where they are.
    :param rows: their rows.
    :param spools: holds the spool open.
    """

    file: VendorFile
    spool: Spool
    rows: int
    spools: Spools

    def close(self) -> None:
        """Remove the spool, if nobody has published it."""
        self.spools.close()


class BatchFetcher:
    """
    Fetch batches: those that an earlier try has kept from there, the others from the vendor.

    :param hook: the vendor.
    :param download_options: the vendor's own options, parsed.
    :param options: what is wanted.
    :param paths: for each batch, where its files will go.
    :param kept: what earlier tries have fetched; None if nothing is kept.
    """

    def __init__(
        self,
        hook: EmailVerifyHook,
        download_options: Any,
        options: ResultOptions,
        paths: Mapping[str, ResultPaths],
        kept: KeptFiles | None,
    ) -> None:
        self._stop = Stop(hook.client.limit.clock)
        self._hook = hook.with_policy(replace(hook.client.policy, sleep=self._stop.sleep))
        self._download_options = download_options
        self._allow_missing = options.allow_missing_rows
        self._paths = paths
        self._kept = kept

    @contextmanager
    def fetch_all(self, batch_ids: Sequence[str]) -> Iterator[Iterator[Fetched]]:
        """
        Hand out whole results of the batches, in order. Who takes one closes it. The first error ends all downloads.

        :param batch_ids: the batches.
        """
        with closing(in_order(self._fetch, batch_ids, self._stop, threads=_THREADS)) as batches:
            yield _logged(batches, len(batch_ids))

    def _fetch(self, batch_id: str) -> Fetched:
        self._stop.check()
        return self._load(batch_id) or until_whole(self._hook, batch_id, partial(self._download, batch_id))

    def _download(self, batch_id: str, hook: EmailVerifyHook) -> Fetched:
        spools = Spools(self._paths[batch_id])
        try:
            open_spool = partial(spools.open, "vendor")
            file, spool = fetch(hook, batch_id, self._download_options, open_spool, self._stop.check, counts=True)
            rows = hook.count_rows(file)
            require_all_rows(file, rows, allow_missing=self._allow_missing)
            if self._kept:
                self._kept.add(file, spool, rows)
        except BaseException:
            spools.close()
            raise
        return Fetched(file, spool, rows, spools)

    def _load(self, batch_id: str) -> Fetched | None:
        record = self._kept.find(batch_id) if self._kept else None
        if not self._kept or not record:
            return None
        spools = Spools(self._paths[batch_id])
        try:
            spool = spools.open("vendor", record.media_type)
            file = self._kept.load(record, batch_id, spool)
        except BaseException:
            spools.close()
            raise
        # It may have been kept when fewer rows were allowed.
        if file and has_all_rows(file, record.rows, allow_missing=self._allow_missing):
            return Fetched(file, spool, record.rows, spools)
        spools.close()
        return None


def _logged(batches: Iterator[Fetched], total: int) -> Iterator[Fetched]:
    """Say for each tenth of many batches that they are there."""
    for number, fetched in enumerate(batches, 1):
        yield fetched
        if total >= 10 and number * 10 // total > (number - 1) * 10 // total:
            log.info("%s of %s batches are fetched and checked.", f"{number:,}", f"{total:,}")
