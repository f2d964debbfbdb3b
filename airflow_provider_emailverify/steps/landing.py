"""Land a batch: fetch, check, read, write, publish; and all of that again when the vendor's answer was cut."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow_provider_emailverify.batches import quote_batch_id
from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    BatchNotReadyError,
    IncompleteResponseError,
    InvalidDestinationError,
    InvalidRequestError,
)
from airflow_provider_emailverify.http.client import WORTH_REPEATING
from airflow_provider_emailverify.results.layout import Maps, VendorFile
from airflow_provider_emailverify.results.report import render_report
from airflow_provider_emailverify.results.schema import Origin, Verdict, utc_text
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import check_format, open_writer, write_rows
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import publish_together
from airflow_provider_emailverify.storage.spool import Spool, spool_for

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.results.writers import ResultFormat

_EXTENSIONS = {"application/json": "json", "text/csv": "csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOptions:
    """
    What is wanted of a batch.

    :param output_format: the format of the results; ``vendor`` for the vendor's bytes as they are.
    :param download: the vendor's own options, as :meth:`~.hooks.base.EmailVerifyHook.parse_options` takes them.
    :param verdicts: the verdicts to keep; None for all.
    :param split_by_verdict: write a file for each verdict.
    :param keep_vendor_file: publish the vendor's bytes too.
    :param report: publish a page with the figures too.
    :param maps: the user's words and columns.
    :param allow_missing_rows: take fewer rows than the vendor announced, where nothing else tells that all came.
    """

    output_format: ResultFormat | Literal["vendor"] = "vendor"
    download: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Sequence[str] | None = None
    split_by_verdict: bool = False
    keep_vendor_file: bool = False
    report: bool = False
    maps: Maps = field(default_factory=Maps)
    allow_missing_rows: bool = False

    def kept_verdicts(self) -> frozenset[Verdict]:
        """
        Return the verdicts to keep.

        :raises InvalidRequestError: one of them is unknown, or there are none.
        """
        if self.verdicts is None:
            return frozenset(Verdict)
        words = [self.verdicts] if isinstance(self.verdicts, str) else self.verdicts
        try:
            verdicts = frozenset(map(Verdict, words))
        except ValueError:
            verdicts = frozenset()
        if not verdicts:
            raise InvalidRequestError(f"verdicts is a list of {', '.join(Verdict)}, not {self.verdicts!r}.")
        return verdicts


@dataclass(slots=True)
class ResultFile:
    """
    One file of results.

    :param verdict: the verdict that it holds; "" for all.
    :param destination: where it will be.
    :param spool: where it is until then.
    :param rows: its rows.
    """

    verdict: str
    destination: Destination
    spool: Spool
    rows: int = 0

    def as_dict(self) -> dict[str, str | int]:
        """Return where and what it is, as primitives."""
        return {
            "path": self.destination.uri,
            "rows": self.rows,
            "bytes": self.spool.size,
            "sha256": self.spool.sha256,
        }


@dataclass(frozen=True, slots=True)
class Landed:
    """
    What was published.

    :param paths: the URI of the results, or those of each verdict.
    :param summary: the figures, as primitives.
    :param files: the files of results.
    :param vendor_url: the base URL of the vendor.
    """

    paths: str | dict[str, str]
    summary: dict[str, Any]
    files: list[ResultFile]
    vendor_url: str


class ResultPaths:
    """
    The names of the files of one batch: in a folder of their own if they are split, else beside each other.

    :param destination: a file or a folder; a folder for several files of results.
    :param name: the name of the batch.
    :param options: what is wanted.
    :raises InvalidDestinationError: one file for several results.
    """

    def __init__(self, destination: Destination, name: str, options: ResultOptions) -> None:
        self.name = name
        self._is_split = options.split_by_verdict
        if self._is_split and not destination.is_folder:
            raise InvalidDestinationError(
                f"split_by_verdict writes several files, but the destination {destination.uri} is one file. End it "
                "with a slash."
            )
        self.folder = Destination(f"{destination.uri}{name}/") if self._is_split else destination

    def results(self, verdict: str, extension: str) -> Destination:
        """Return the destination of a file of results."""
        return self.folder.file(f"{verdict or self.name}.{extension}")

    def beside(self, name: str, extension: str) -> Destination:
        """Return the destination of a file that goes with the results, whose extension is given."""
        if self._is_split:
            return self.folder.file(name)
        return Destination(f"{self.results('', extension).uri.removesuffix(f'.{extension}')}.{name}")


class Spools:
    """
    The spools of one attempt; they are gone after the block.

    :param paths: where what they hold will go.
    """

    def __init__(self, paths: ResultPaths) -> None:
        self.paths = paths
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the spools."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._stack.close()

    def open(self, label: str, media_type: str, text: str = "") -> Spool:
        """
        Open one more spool.

        :param label: what it holds, the same in every try.
        :param media_type: the media type of that.
        :param text: what to write into it at once.
        """
        spool = self._stack.enter_context(spool_for(self.paths.folder, f"{self.paths.name} {label}"))
        spool.media_type = media_type
        spool.write(text.encode())
        return spool


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
    download_options = hook.parse_options(options.download)
    land_once = _land_vendor_file if options.output_format == "vendor" else _land_rows
    if options.output_format != "vendor":
        check_format(options.output_format)
        hook.check_maps(options.maps)
        options.kept_verdicts()
    paths = ResultPaths(destination, f"{hook.conn_type}-{quote_batch_id(batch_id)}", options)
    # An attempt asks for everything again, so that single requests are not repeated by themselves.
    once = hook.with_policy(replace(hook.client.policy, attempts=1))

    def attempt() -> Landed:
        with Spools(paths) as spools:  # each attempt has spools of its own, and leaves none behind
            file, spool = _fetch(once, batch_id, download_options, spools)
            return land_once(hook, file, spool, spools, options)

    try:
        return hook.client.retrying(*WORTH_REPEATING)(attempt)
    except (BatchNotFoundError, InvalidRequestError) as error:
        # What a vendor answers to an early download is not documented; 404 and 422 are plausible.
        if error.http_status is None or hook.get_batch_status(batch_id).state.is_final:
            raise
        raise BatchNotReadyError(f"{hook.about(batch_id)}: not ready yet. {BatchNotReadyError.advice}") from None


def _fetch(hook: EmailVerifyHook, batch_id: str, download_options: Any, spools: Spools) -> tuple[VendorFile, Spool]:
    """Download the vendor's bytes into a spool."""
    fetched_at = utc_text(time.time())
    with hook.download_results(batch_id, download_options) as download:
        spool = spools.open("vendor", download.media_type)
        for chunk in download.body:
            spool.write(chunk)
    file = VendorFile(
        batch_id=batch_id,
        about=hook.about(batch_id),
        content=spool.rewound(),
        media_type=download.media_type,
        length_known=download.body.is_measured,
        expected_rows=download.expected_rows,
        fetched_at=fetched_at,
    )
    return file, spool


def _land_vendor_file(
    hook: EmailVerifyHook, file: VendorFile, spool: Spool, spools: Spools, options: ResultOptions
) -> Landed:
    """Publish the vendor's bytes as they are, once they are known to be whole results."""
    spool.seal()  # beside the count
    rows = hook.count_rows(file)
    _require_all_rows(file, rows, options)
    result = ResultFile("", spools.paths.results("", _extension(spool)), spool, rows)
    publish_together([(spool, result.destination)])
    return Landed(result.destination.uri, _summary(hook, file, [result]), [result], hook.client.site.base_url)


def _land_rows(hook: EmailVerifyHook, file: VendorFile, spool: Spool, spools: Spools, options: ResultOptions) -> Landed:
    """Publish rows of the schema, and what goes with them."""
    paths = spools.paths
    verdicts = options.kept_verdicts()
    names = [verdict.value for verdict in Verdict if verdict in verdicts] if options.split_by_verdict else [""]
    extension = options.output_format
    origin = Origin(vendor=hook.conn_type, batch_id=file.batch_id, verified_at=file.fetched_at)
    writers, results = [], []
    for name in names:
        writer = open_writer(extension, spools.open(f"results {name}", ""), origin)
        writers.append((writer, frozenset({Verdict(name)}) if name else verdicts))
        results.append(ResultFile(name, paths.results(name, extension), writer.spool))

    tally = Tally(expected=file.expected_rows)
    counts = write_rows(hook.read_results(file, options.maps), writers, tally)
    _require_all_rows(file, tally.received, options)
    for result, count in zip(results, counts, strict=True):
        result.rows = count

    summary = _summary(hook, file, results) | tally.as_dict()
    extras: list[tuple[Spool, Destination]] = []
    if options.keep_vendor_file:
        extras.append((spool, paths.beside(f"vendor.{_extension(spool)}", extension)))
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
    return Landed(uris if options.split_by_verdict else uris[""], summary, results, hook.client.site.base_url)


def _require_all_rows(file: VendorFile, rows: int, options: ResultOptions) -> None:
    """Refuse fewer rows than the vendor announced where neither the answer nor its content tells that it is whole."""
    if options.allow_missing_rows or file.length_known or file.expected_rows is None or rows >= file.expected_rows:
        return
    raise IncompleteResponseError(
        f"{file.about}: {rows:,} of {file.expected_rows:,} rows came, in an answer that does not say how long it is. "
        "It was probably cut. If the vendor leaves rows out, set allow_missing_rows=True."
    )


def _summary(hook: EmailVerifyHook, file: VendorFile, results: Sequence[ResultFile]) -> dict[str, Any]:
    hashes = {"sha256": results[0].spool.sha256} if len(results) == 1 else {}
    return {
        "rows": sum(result.rows for result in results),
        "bytes": sum(result.spool.size for result in results),
        **hashes,
        "media_type": results[0].spool.media_type,
        "vendor": hook.conn_type,
        "batch_id": file.batch_id,
    }


def _extension(spool: Spool) -> str:
    return _EXTENSIONS.get(spool.media_type, "bin")
