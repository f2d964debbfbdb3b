"""What is wanted of a batch's results, where they go, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from airflow_provider_emailverify.exceptions import InvalidDestinationError, InvalidRequestError
from airflow_provider_emailverify.results.layout import Maps
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.spool import Spool, spool_for

if TYPE_CHECKING:
    from airflow_provider_emailverify.results.writers import ResultFormat


#: Of so many batches or files each is told of in summaries and events; of more, only their number.
MOST_DETAILS = 20
#: What a download returns.
Paths = str | dict[str, str] | list[str] | list[dict[str, str]]


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

    :param paths: the URI of the results, or those of each verdict; a list of them for a list of batches.
    :param summary: the figures, as primitives.
    :param files: the files of results.
    :param vendor_url: the base URL of the vendor.
    :param batch_ids: the batches.
    :param folder: where the files are, if there may be many of them.
    """

    paths: Paths
    summary: dict[str, Any]
    files: list[ResultFile]
    vendor_url: str
    batch_ids: Sequence[str]
    folder: Destination | None = None

    @property
    def is_told_as_folder(self) -> bool:
        """Whether there are too many files to tell outsiders of each."""
        return self.folder is not None and len(self.files) > MOST_DETAILS

    @property
    def asset_uris(self) -> list[str]:
        """The URIs, without a connection, that outsiders are told of: of each file, or of the folder of many."""
        if self.folder is not None and self.is_told_as_folder:
            return [self.folder.asset_uri.rstrip("/")]
        return [file.destination.asset_uri for file in self.files]


class ResultPaths:
    """
    The names of the files of one batch: in a folder of their own if they are split, else beside each other.

    :param destination: a file or a folder; a folder for several files of results.
    :param name: the name of the batch.
    :param options: what is wanted.
    :raises InvalidDestinationError: one file for several results, or a name that is too long.
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
        if options.report or options.keep_vendor_file:  # a name that is too long is refused before the download
            self.beside("report.html", options.output_format)

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
        self.close()

    def close(self) -> None:
        """Close them, once or more."""
        self._stack.close()

    def open(self, label: str, media_type: str = "", text: str = "") -> Spool:
        """
        Open one more spool.

        :param label: what it holds, the same in every try.
        :param media_type: the media type of that.
        :param text: what to write into it at once.
        """
        spool = self._stack.enter_context(spool_for(self.paths.folder, f"{self.paths.name} {label}", media_type))
        spool.write(text.encode())
        return spool
