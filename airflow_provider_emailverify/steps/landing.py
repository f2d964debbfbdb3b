"""Land a batch: fetch, check, read, write, publish; and all of that again when the vendor's answer was cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.batches import file_stem
from airflow_provider_emailverify.results.report import render_report
from airflow_provider_emailverify.results.schema import Origin, Verdict
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import check_format, open_writer, write_rows
from airflow_provider_emailverify.steps.fetching import extension_of, fetch, require_all_rows, until_whole
from airflow_provider_emailverify.steps.result_options import Landed, ResultFile, ResultOptions, ResultPaths, Spools
from airflow_provider_emailverify.storage.publishing import publish_together

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.results.layout import VendorFile
    from airflow_provider_emailverify.storage.destination import Destination
    from airflow_provider_emailverify.storage.spool import Spool


def land(hook: EmailVerifyHook, batch_id: str, destination: Destination, options: ResultOptions) -> Landed:
    """
    Publish the results of a batch, all files or none. What was cut on the way is fetched again from the beginning.

    :param hook: the vendor.
    :param batch_id: the vendor's identifier of the batch.
    :param destination: a file or a folder; a folder for several files of results.
    :param options: what is wanted.
    :raises InvalidDestinationError: one file for several results.
    :raises InvalidRequestError: an option makes no sense.
    :raises BatchNotReadyError: the batch is not ready yet; a later try can succeed.
    :raises EmailVerifyError: there are no whole results, for the reason that the class names.
    """
    download_options = check_options(hook, options)
    land_once = _land_vendor_file if options.output_format == "vendor" else _land_rows
    paths = ResultPaths(destination, name_of(hook, batch_id), options)

    def attempt(once: EmailVerifyHook) -> Landed:
        with Spools(paths) as spools:  # each attempt has spools of its own, and leaves none behind
            file, spool = fetch(
                once, batch_id, download_options, partial(spools.open, "vendor"), counts=land_once is _land_vendor_file
            )
            return land_once(hook, file, spool, spools, options)

    return until_whole(hook, batch_id, attempt)


def check_options(hook: EmailVerifyHook, options: ResultOptions) -> Any:
    """
    Refuse options that make no sense for a vendor, before anything is asked for. Return the vendor's own, parsed.

    :param hook: the vendor.
    :param options: what is wanted.
    :raises InvalidRequestError: an option makes no sense.
    """
    download_options = hook.parse_options(options.download)
    if options.output_format != "vendor":
        check_format(options.output_format)
        hook.check_maps(options.maps)
        options.kept_verdicts()
    return download_options


def name_of(hook: EmailVerifyHook, batch_id: str) -> str:
    """Return what the files of a batch are called, without their extension."""
    return file_stem(hook.conn_type, batch_id)


def convert(
    hook: EmailVerifyHook, file: VendorFile, spools: Spools, options: ResultOptions, tally: Tally
) -> list[ResultFile]:
    """
    Write the rows of a batch to files of its own. Return the files.

    :param hook: the vendor.
    :param file: what was downloaded.
    :param spools: where the files are until they are published.
    :param options: what is wanted.
    :param tally: where the rows are counted.
    """
    verdicts = options.kept_verdicts()
    names = [verdict.value for verdict in Verdict if verdict in verdicts] if options.split_by_verdict else [""]
    extension = options.output_format
    origin = Origin(vendor=hook.conn_type, batch_id=file.batch_id, verified_at=file.fetched_at)
    writers, results = [], []
    for name in names:
        writer = open_writer(extension, spools.open(f"results {name}"), origin)
        writers.append((writer, frozenset({Verdict(name)}) if name else verdicts))
        results.append(ResultFile(name, spools.paths.results(name, extension), writer.spool))
    counts = write_rows(hook.read_results(file, options.maps), writers, tally)
    require_all_rows(file, tally.received, allow_missing=options.allow_missing_rows)
    for result, count in zip(results, counts, strict=True):
        result.rows = count
    return results


def summary_of(hook: EmailVerifyHook, batch_id: str, results: Sequence[ResultFile]) -> dict[str, Any]:
    """
    Return what there is to say of the files of a batch, as primitives.

    :param hook: the vendor.
    :param batch_id: the batch.
    :param results: its files.
    """
    hashes = {"sha256": results[0].spool.sha256} if len(results) == 1 else {}
    return {
        "rows": sum(result.rows for result in results),
        "bytes": sum(result.spool.size for result in results),
        **hashes,
        "media_type": results[0].spool.media_type,
        "vendor": hook.conn_type,
        "batch_id": batch_id,
    }


def _land_vendor_file(
    hook: EmailVerifyHook, file: VendorFile, spool: Spool, spools: Spools, options: ResultOptions
) -> Landed:
    """Publish the vendor's bytes as they are, once they are known to be whole results."""
    spool.seal()  # beside the count
    rows = hook.count_rows(file)
    require_all_rows(file, rows, allow_missing=options.allow_missing_rows)
    result = ResultFile("", spools.paths.results("", extension_of(spool)), spool, rows)
    publish_together([(spool, result.destination)])
    summary = summary_of(hook, file.batch_id, [result])
    return Landed(result.destination.uri, summary, [result], hook.client.site.base_url, (file.batch_id,))


def _land_rows(hook: EmailVerifyHook, file: VendorFile, spool: Spool, spools: Spools, options: ResultOptions) -> Landed:
    """Publish rows of the schema, and what goes with them."""
    paths, extension = spools.paths, options.output_format
    tally = Tally(expected=file.expected_rows)
    results = convert(hook, file, spools, options, tally)
    summary = summary_of(hook, file.batch_id, results) | tally.as_dict()
    extras: list[tuple[Spool, Destination]] = []
    if options.keep_vendor_file:
        extras.append((spool, paths.beside(f"vendor.{extension_of(spool)}", extension)))
        summary["vendor_file"] = extras[-1][1].uri
    if options.report:
        page = spools.open("report", "text/html", render_report(summary))
        extras.append((page, paths.beside("report.html", extension)))
        summary["report"] = extras[-1][1].uri
    if options.split_by_verdict:
        summary["files"] = {result.verdict: result.as_dict() for result in results}
    files = [*extras, *((result.spool, result.destination) for result in results)]
    publish_together(files, paths.folder if options.split_by_verdict else None, summary)
    uris = {result.verdict: result.destination.uri for result in results}
    return Landed(
        uris if options.split_by_verdict else uris[""],
        summary,
        results,
        hook.client.site.base_url,
        (file.batch_id,),
    )
