"""Land many batches: fetch them a few at a time, write their rows in order, publish all of it or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import InvalidDestinationError
from airflow_provider_emailverify.results.findings import MOST_FINDINGS
from airflow_provider_emailverify.results.report import render_report
from airflow_provider_emailverify.results.schema import Origin, Row
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import RowFiles, open_writer
from airflow_provider_emailverify.steps.fetching import extension_of, require_all_rows
from airflow_provider_emailverify.steps.fetching_many import BatchFetcher, Fetched
from airflow_provider_emailverify.steps.landing import check_options, convert, land, name_of, summary_of
from airflow_provider_emailverify.steps.result_options import (
    MOST_DETAILS,
    Landed,
    ResultFile,
    ResultOptions,
    ResultPaths,
    Spools,
)
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import publish_together

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.steps.kept import KeptFiles
    from airflow_provider_emailverify.storage.spool import Spool


def land_many(
    hook: EmailVerifyHook,
    batch_ids: Sequence[str],
    destination: Destination,
    options: ResultOptions,
    kept: KeptFiles | None = None,
) -> Landed:
    """
    Publish the results of many batches: a file for each in a folder, or one file with the rows of all, in order.

    Nothing is published before all of them are fetched, checked and converted. Memory does not grow with them. The disk
    holds what was converted, and a few of the vendor's files.

    :param hook: the vendor.
    :param batch_ids: the vendor's identifiers of the batches; one that stands twice is landed once.
    :param destination: a file or a folder; a folder for files of several batches or verdicts.
    :param options: what is wanted.
    :param kept: what earlier tries have fetched; None if nothing is kept.
    :raises InvalidDestinationError: one file for several files of results.
    :raises InvalidRequestError: an option makes no sense; nothing was asked for.
    :raises BatchNotReadyError: a batch is not ready yet; a later try can succeed.
    :raises EmailVerifyError: there are no whole results of a batch, for the reason that the class names.
    """
    unique = list(dict.fromkeys(batch_ids))
    if options.output_format == "vendor" and not destination.is_folder:
        if len(unique) == 1:
            landed = land(hook, unique[0], destination, options)
            return replace(landed, summary=landed.summary | {"batches": 1})
        raise InvalidDestinationError(
            f"The vendor's bytes of {len(unique):,} batches make several files, but the destination {destination.uri} "
            "is one file. End it with a slash, or set output_format to csv, jsonl or parquet."
        )
    download_options = check_options(hook, options)
    ResultPaths(destination, "", options)  # refuses one file for several
    # Beside one file with the rows of all, the vendor's files have their batches' names.
    folder = destination if destination.is_folder else Destination(f"{destination.uri.rpartition('/')[0]}/")
    paths = {batch_id: ResultPaths(folder, name_of(hook, batch_id), options) for batch_id in unique}
    for each in paths.values():
        each.results("", "parquet")  # an id that makes no name is refused before anything is asked for
    if kept:
        kept.open()
    with ExitStack() as stack:
        made = _Made(hook, destination, options, stack)
        fetcher = BatchFetcher(hook, download_options, options, paths, kept)
        with fetcher.fetch_all(unique) as batches:
            if options.output_format == "vendor":
                made.take_as_they_are(batches, paths)
            elif destination.is_folder:
                made.convert_each(batches, paths)
            else:
                made.convert_into_one(batches, paths)
        landed = made.publish(batch_ids)
    if kept:
        kept.clear()
    return landed


class _Made:
    """
    What is made of the batches, until all of it is published.

    :param hook: the vendor.
    :param destination: where it goes.
    :param options: what is wanted.
    :param stack: holds the spools.
    """

    def __init__(
        self, hook: EmailVerifyHook, destination: Destination, options: ResultOptions, stack: ExitStack
    ) -> None:
        self._hook = hook
        self._destination = destination
        self._options = options
        self._stack = stack
        self._tally = Tally(expected=0)
        self._uris: dict[str, Any] = {}
        self._results: list[ResultFile] = []
        self._extras: list[tuple[Spool, Destination]] = []
        self._sets: list[tuple[list[tuple[Spool, Destination]], Destination, dict[str, Any]]] = []
        self._batches = 0
        self._details: list[dict[str, Any]] = []

    def take_as_they_are(self, batches: Iterable[Fetched], paths: Mapping[str, ResultPaths]) -> None:
        """Take the vendor's files for the results."""
        for fetched in batches:
            self._stack.callback(fetched.close)
            batch_id, spool = fetched.file.batch_id, fetched.spool
            spool.rest()
            result = ResultFile("", paths[batch_id].results("", extension_of(spool)), spool, fetched.rows)
            self._results.append(result)
            self._uris[batch_id] = result.destination.uri
            self._describe(batch_id, result.as_dict())

    def convert_each(self, batches: Iterable[Fetched], paths: Mapping[str, ResultPaths]) -> None:
        """Write the rows of each batch to files of its own."""
        is_split = self._options.split_by_verdict
        for fetched in batches:
            batch_id, tally = fetched.file.batch_id, Tally(expected=fetched.file.expected_rows)
            spools = self._stack.enter_context(Spools(paths[batch_id]))
            with self._taken(fetched):
                results = convert(self._hook, fetched.file, spools, self._options, tally)
            for result in results:
                result.spool.rest()
            self._tally.include(tally)
            self._results += results
            extras = self._vendor_file(fetched, paths[batch_id])
            uris = {result.verdict: result.destination.uri for result in results}
            files = {result.verdict: result.as_dict() for result in results}
            if is_split:
                summary = summary_of(self._hook, batch_id, results) | tally.as_dict() | {"files": files}
                files_of_set = [*extras, *((result.spool, result.destination) for result in results)]
                self._sets.append((files_of_set, paths[batch_id].folder, summary))
            else:
                self._extras += extras
            self._uris[batch_id] = uris if is_split else uris[""]
            told = {"rows": sum(result.rows for result in results), "files": files} if is_split else files[""]
            self._describe(batch_id, told, extras)

    def convert_into_one(self, batches: Iterable[Fetched], paths: Mapping[str, ResultPaths]) -> None:
        """Write the rows of all batches to one file, in order."""
        options = self._options
        spools = self._stack.enter_context(Spools(ResultPaths(self._destination, "", options)))
        result = ResultFile("", self._destination, spools.open("results"))
        # Each row says itself where it comes from; a file without rows comes from no batch.
        nowhere = Origin(vendor=self._hook.conn_type, batch_id="")
        with RowFiles([(open_writer(options.output_format, result.spool, nowhere), options.kept_verdicts())]) as rows:
            for fetched in batches:
                file, tally, before = fetched.file, Tally(expected=fetched.file.expected_rows), rows.written[0]
                origin = Origin(vendor=self._hook.conn_type, batch_id=file.batch_id, verified_at=file.fetched_at)
                with self._taken(fetched):
                    rows.write(_stamped(self._hook.read_results(file, options.maps), origin), tally)
                    require_all_rows(file, tally.received, allow_missing=options.allow_missing_rows)
                self._tally.include(tally)
                extras = self._vendor_file(fetched, paths[file.batch_id])
                self._extras += extras
                self._describe(file.batch_id, {"rows": rows.written[0] - before}, extras)
            (result.rows,) = rows.close()
        self._results.append(result)

    def publish(self, batch_ids: Sequence[str]) -> Landed:
        """
        Publish all of it.

        :param batch_ids: the batches, as they were asked for.
        """
        is_folder = self._destination.is_folder
        summary = self._summary()
        if self._options.report:
            name = f"{self._hook.conn_type}-{_digest(batch_ids)}"
            paths = ResultPaths(self._destination, name, replace(self._options, split_by_verdict=False))
            spools = self._stack.enter_context(Spools(paths))
            page = spools.open("report", "text/html", render_report(summary))
            self._extras.append((page, paths.beside("report.html", self._options.output_format)))
            summary["report"] = self._extras[-1][1].uri
        for each in self._sets:
            publish_together(*each)
        files = [] if self._sets else [(result.spool, result.destination) for result in self._results]
        if self._extras or files:
            publish_together([*self._extras, *files])
        return Landed(
            [self._uris[batch_id] for batch_id in batch_ids] if is_folder else self._destination.uri,
            summary,
            self._results,
            self._hook.client.site.base_url,
            tuple(self._uris) if is_folder else tuple(dict.fromkeys(batch_ids)),
            self._destination if is_folder else None,
        )

    @contextmanager
    def _taken(self, fetched: Fetched) -> Iterator[None]:
        """Let a file be read in the block. It is gone afterwards, unless it is to be published."""
        fetched.spool.rewound()
        if self._options.keep_vendor_file:
            self._stack.callback(fetched.close)
            yield
            fetched.spool.rest()
        else:
            with closing(fetched):
                yield

    def _vendor_file(self, fetched: Fetched, paths: ResultPaths) -> list[tuple[Spool, Destination]]:
        if not self._options.keep_vendor_file:
            return []
        name = f"vendor.{extension_of(fetched.spool)}"
        return [(fetched.spool, paths.beside(name, self._options.output_format))]

    def _describe(
        self, batch_id: str, told: Mapping[str, Any], extras: Sequence[tuple[Spool, Destination]] = ()
    ) -> None:
        self._batches += 1
        if len(self._details) <= MOST_DETAILS:
            vendor_file = {"vendor_file": extras[0][1].uri} if extras else {}
            self._details.append({"batch_id": batch_id, **told, **vendor_file})

    def _summary(self) -> dict[str, Any]:
        results = self._results
        one = {} if self._destination.is_folder else {"sha256": results[0].spool.sha256}
        return {
            "rows": sum(result.rows for result in results),
            "bytes": sum(result.spool.size for result in results),
            **one,
            "media_type": results[0].spool.media_type if results else None,
            "vendor": self._hook.conn_type,
            "batches": self._batches,
            **({} if self._options.output_format == "vendor" else self._tally.as_dict()),
            **({"by_batch": self._details} if len(self._details) <= MOST_DETAILS else {}),
        }


def _stamped(rows: Iterable[Row], origin: Origin) -> Iterator[Row]:
    """Let each row say where it comes from."""
    stamp = lru_cache(MOST_FINDINGS)(lambda finding: replace(finding, origin=origin))
    for email, finding in rows:
        yield email, stamp(finding)


def _digest(batch_ids: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(batch_ids).encode()).hexdigest()[:16]
