"""Land a batch: from the hook's download to files at a destination."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from airflow_provider_emailverify.batches import quote_batch_id
from airflow_provider_emailverify.exceptions import InvalidDestinationError, InvalidRequestError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.results.report import render_report
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.results.tally import Tally, write_rows
from airflow_provider_emailverify.results.writers import check_format, open_writer
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish, publish_together
from airflow_provider_emailverify.storage.spool import Spool, spool_for

if TYPE_CHECKING:
    from airflow_provider_emailverify.results.schema import Row
    from airflow_provider_emailverify.results.writers import ResultFormat

_EXTENSIONS = {"application/json": "json", "text/csv": "csv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """
    What is wanted of a batch's rows.

    :param output_format: the format of the results.
    :param verdicts: the verdicts to keep; None for all.
    :param split_by_verdict: a file for each verdict.
    :param keep_vendor_file: publish the vendor's bytes too.
    :param report: publish a page with the figures too.
    :param maps: the user's words and columns, ``status_map`` and ``column_map``.
    """

    output_format: ResultFormat | Literal["vendor"]
    verdicts: Sequence[str] | None = None
    split_by_verdict: bool = False
    keep_vendor_file: bool = False
    report: bool = False
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class ResultFile:
    """
    One file of results.

    :param name: the verdict that it holds; "" if it holds those of several.
    :param destination: where it goes.
    :param spool: where it is until then.
    :param rows: its rows.
    """

    name: str
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
    """

    paths: str | dict[str, str]
    summary: dict[str, Any]
    files: list[ResultFile]


def land_vendor_file(
    hook: EmailVerifyHook, batch_id: str, destination: Destination, options: Mapping[str, Any]
) -> Landed:
    """
    Publish the vendor's bytes as they are, once they are known to be whole results.

    :param hook: the vendor.
    :param batch_id: the vendor's identifier of the batch.
    :param destination: a file or a folder.
    :param options: keyword arguments of the vendor's ``download_results``.
    """
    name = f"{hook.conn_type}-{quote_batch_id(batch_id)}"
    with spool_for(destination, name) as spool:
        rows = hook.save_results(batch_id, spool, **options)
        file = ResultFile("", destination.file(f"{name}.{_extension(spool)}"), spool, rows)
        publish(spool, file.destination)
    return Landed(file.destination.uri, _summary(hook, batch_id, [file]), [file])


def land_rows(
    hook: EmailVerifyHook, batch_id: str, destination: Destination, options: Mapping[str, Any], wishes: Wishes
) -> Landed:
    """
    Publish a batch as rows of the schema, all files or none.

    :param hook: the vendor.
    :param batch_id: the vendor's identifier of the batch.
    :param destination: a file or a folder; a folder for several files of results.
    :param options: keyword arguments of the vendor's ``download_results``.
    :param wishes: what is wanted.
    :raises InvalidDestinationError: one file for several results.
    :raises InvalidRequestError: there is no such verdict or format.
    """
    check_format(wishes.output_format)
    hook.check_maps(wishes.maps)
    verdicts = _verdicts(wishes.verdicts)
    place = _Place(destination, f"{hook.conn_type}-{quote_batch_id(batch_id)}", wishes)
    with ExitStack() as stack:

        def spool(label: str) -> Spool:
            return stack.enter_context(spool_for(place.destination, f"{place.name} {label}"))

        names = [verdict.value for verdict in Verdict if verdict in verdicts] if wishes.split_by_verdict else [""]
        results = [ResultFile(name, place.results(name), spool(f"results {name}")) for name in names]

        def convert(file: BinaryIO, download: Download) -> Tally:
            tally = Tally(expected=download.expected_rows)
            rows = _read(hook, batch_id, file, download, wishes)
            writers = [
                (
                    open_writer(wishes.output_format, result.spool, hook.conn_type, batch_id),
                    frozenset({Verdict(result.name)}) if result.name else verdicts,
                )
                for result in results
            ]
            for result, count in zip(results, write_rows(rows, writers, tally), strict=True):
                result.rows = count
            return tally

        vendor_file = spool("vendor")
        tally = hook.receive_results(batch_id, vendor_file, convert, options)
        summary = _summary(hook, batch_id, results) | tally.as_dict()
        extras: list[tuple[Spool, Destination]] = []
        if wishes.keep_vendor_file:
            extras.append((vendor_file, place.beside(f"vendor.{_extension(vendor_file)}")))
            summary["vendor_file"] = extras[-1][1].uri
        if wishes.report:
            extras.append((spool("report"), place.beside("report.html")))
            _fill(extras[-1][0], "text/html", render_report(summary))
            summary["report"] = extras[-1][1].uri
        marker = None
        if wishes.split_by_verdict:
            summary["files"] = {result.name: result.as_dict() for result in results}
            marker = spool("marker"), place.destination.file(MARKER)
            _fill(marker[0], "application/json", json.dumps(summary, indent=1))
        publish_together([*extras, *((result.spool, result.destination) for result in results)], marker)
    paths = {result.name: result.destination.uri for result in results}
    return Landed(paths if wishes.split_by_verdict else paths[""], summary, results)


def _read(hook: EmailVerifyHook, batch_id: str, file: BinaryIO, download: Download, wishes: Wishes) -> Iterator[Row]:
    maps: dict[str, Any] = dict(wishes.maps)
    return hook.read_results(batch_id, file, download.media_type, is_measured=download.body.is_measured, **maps)


class _Place:
    """The names of the files of one batch: a folder of their own if they are split, else names of their own."""

    def __init__(self, destination: Destination, name: str, wishes: Wishes) -> None:
        self.name = name
        self._extension = wishes.output_format
        self._is_split = wishes.split_by_verdict
        if self._is_split and not destination.is_folder:
            raise InvalidDestinationError(
                f"split_by_verdict writes several files, but the destination {destination.uri} is one; end it with a "
                "slash."
            )
        self.destination = Destination(f"{destination.uri}{name}/") if self._is_split else destination

    def results(self, verdict: str) -> Destination:
        return self.destination.file(f"{verdict or self.name}.{self._extension}")

    def beside(self, name: str) -> Destination:
        """Return the destination of a file that goes with the results."""
        if self._is_split:
            return self.destination.file(name)
        stem = self.results("").uri.removesuffix(f".{self._extension}")
        return Destination(f"{stem}.{name}")


def _summary(hook: EmailVerifyHook, batch_id: str, files: Sequence[ResultFile]) -> dict[str, Any]:
    hashes = {"sha256": files[0].spool.sha256} if len(files) == 1 else {}
    return {
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.spool.size for file in files),
        **hashes,
        "media_type": files[0].spool.media_type,
        "vendor": hook.conn_type,
        "batch_id": batch_id,
    }


def _extension(spool: Spool) -> str:
    return _EXTENSIONS.get(spool.media_type, "bin")


def _fill(spool: Spool, media_type: str, text: str) -> None:
    spool.reset(media_type)
    spool.write(text.encode())


def _verdicts(words: Sequence[str] | None) -> frozenset[Verdict]:
    if words is None:
        return frozenset(Verdict)
    try:
        verdicts = frozenset(map(Verdict, [words] if isinstance(words, str) else words))
    except ValueError:
        verdicts = frozenset()
    if not verdicts:
        raise InvalidRequestError(f"verdicts is a list of {', '.join(Verdict)}, not {words!r}.")
    return verdicts
