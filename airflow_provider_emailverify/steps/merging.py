"""Give the user's own lists back: every row as it was, and behind it what is known of its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidSourceError, StorageError
from airflow_provider_emailverify.lists.added_columns import AddedColumns, check_columns
from airflow_provider_emailverify.lists.addresses import are_plain
from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.lists.cleaning import Cleaner, Cleaning
from airflow_provider_emailverify.lists.columns import wanted_columns
from airflow_provider_emailverify.lists.list_writer import ListWriter
from airflow_provider_emailverify.lists.reader import ListFormat, open_list
from airflow_provider_emailverify.lists.writers import open_writer
from airflow_provider_emailverify.results.answers import Answers
from airflow_provider_emailverify.results.read_back import is_result_name, read_answers
from airflow_provider_emailverify.results.report import render_list_report
from airflow_provider_emailverify.results.schema import Reason, Verdict
from airflow_provider_emailverify.results.writers import check_format
from airflow_provider_emailverify.steps.arguments import read_texts
from airflow_provider_emailverify.steps.earlier import Earlier
from airflow_provider_emailverify.steps.merge_figures import FIGURES, MergeFigures, bought
from airflow_provider_emailverify.steps.merged_paths import MergedPaths
from airflow_provider_emailverify.steps.several import OtherAddresses
from airflow_provider_emailverify.steps.sources import SourceFiles
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.listing import StoredFile, list_files
from airflow_provider_emailverify.storage.publishing import publish, publish_together
from airflow_provider_emailverify.storage.spool import Spool, spool_for


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOptions:
    """
    What is wanted of a merge.

    :param how: how the lists are read.
    :param columns: the columns of the schema that are added.
    :param prefix: what stands before their names.
    :param verdicts: the verdicts whose rows are kept; None for all rows.
    :param split_by_verdict: write a file for each verdict.
    :param output_format: the format; None for that of each list.
    :param replace_columns: put columns that a list has already from an earlier merge in their own place.
    :param cleaning: how addresses are taken out of cells.
    :param several: which verdict a cell of several addresses gets: ``first`` or ``worst``.
    :param submitted: the summary of the submission; None if there is none.
    :param report: publish a page with the figures too.
    :param earlier: the folder that keeps the figures of each run; None for none.
    """

    how: ListFormat = field(default_factory=ListFormat)
    columns: Sequence[str] = FIGURES
    prefix: str = ""
    verdicts: frozenset[Verdict] | None = None
    split_by_verdict: bool = False
    output_format: str | None = None
    replace_columns: bool = False
    cleaning: Cleaning = field(default_factory=Cleaning)
    several: str = "first"
    submitted: Any = None
    report: bool = False
    earlier: Earlier | None = None


@dataclass(slots=True)
class MergedFile:
    """
    One file that was written.

    :param source: the list of whose rows it is.
    :param verdict: the verdict that it holds; "" for all.
    :param destination: where it will be.
    :param spool: where it is until then.
    :param rows: its rows.
    """

    source: str
    verdict: str
    destination: Destination
    spool: Spool
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Merged:
    """
    What was published.

    :param paths: the URI of the list, or a dict with those of each verdict; a list of that for several lists.
    :param summary: the figures, as primitives.
    :param files: the files.
    :param read: the URIs of lists and results.
    """

    paths: Any
    summary: dict[str, Any]
    files: list[MergedFile]
    read: list[str]


@dataclass(slots=True)
class _Source:
    """One list: which version it is, and what was found in it."""

    file: StoredFile
    rows: int = 0
    names: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    types: dict[str, set[type]] | None = None
    verdicts: dict[str, int] = field(default_factory=dict)


def merge(source: str | Sequence[str], results: Any, destination: Destination, options: MergeOptions) -> Merged:
    """
    Write lists with what is known of their addresses, all files or none.

    Each list is read twice, so that memory follows its addresses and not the results, of which there may be any number.

    :param source: a URI, a folder, a pattern, or several of them.
    :param results: files of results in the same way; also the paths of each verdict, as downloads return them.
    :param destination: a file, or a folder.
    :param options: what is wanted.
    :raises InvalidSourceError: a list is not what it should be, or has the columns already.
    :raises SourceChangedError: they are not the files that were submitted.
    :raises InvalidDestinationError: the destination is a source, or one file for several.
    :raises UnreadableResultsError: a file is not one of results.
    :raises StorageError: a storage refused something, or a list changed meanwhile.
    """
    columns = check_columns(options.columns)
    if options.output_format:
        check_format(options.output_format)
    found = SourceFiles.find(source, options.how)
    if options.submitted is not None:
        found.check_plan(options.submitted)
    sources = [_Source(file) for file in found.files]
    paths = MergedPaths(
        named=found.named,
        are_several=found.may_be_several,
        destination=destination,
        how=options.how,
        output_format=options.output_format,
        is_split=options.split_by_verdict,
    )
    paths.check()
    if options.earlier:
        options.earlier.folder.check()
    flat = _flat(read_texts("results", results))
    paths.refuse_overlaps([each.file.uri for each in sources], flat)
    result_files = list_files(flat, is_result_name) if flat else []
    answers = Answers(list(dict.fromkeys([*columns, *FIGURES])), {"verdict": Verdict.UNKNOWN, "reason": Reason.MISSING})
    width = len(wanted_columns(options.how.email_column) or [""])
    # For each column of addresses there is one for further addresses in its cells.
    with (
        AnswerTable(answers, 2 * width, distinguish_case=options.cleaning.distinguish_case) as table,
        ExitStack() as spools,
    ):
        work = _Merge(table, answers, paths, options, spools)
        work.read = [each.uri for each in (*found.files, *result_files)]
        for each in sources:
            work.expect(each)
        table.complete()
        for result in result_files:
            work.learn(result.uri)
        for each in sources:
            work.write(each)
        found.check_unchanged()
        return work.publish(sources)


def _flat(paths: Any) -> list[str]:
    """Return paths, or the paths of each verdict, or lists of those, as one list."""
    if isinstance(paths, str):
        return [paths] if paths else []
    return [uri for each in (paths.values() if isinstance(paths, Mapping) else paths or []) for uri in _flat(each)]


def _changed(what: str) -> StorageError:
    return StorageError(f"{what} changed while it was read. Nothing was published; run the task again.")


class _Merge:
    def __init__(
        self,
        table: AnswerTable,
        answers: Answers,
        paths: MergedPaths,
        options: MergeOptions,
        spools: ExitStack,
    ) -> None:
        self._table = table
        self._answers = answers
        self._added = AddedColumns(answers, check_columns(options.columns), options.prefix)
        self._paths = paths
        self._options = options
        self._spools = spools
        self._wanted = wanted_columns(options.how.email_column) or [""]
        self._files: list[MergedFile] = []
        self._figures = MergeFigures(answers, Cleaner(clean=options.cleaning.clean))
        self._others = [OtherAddresses(table, len(self._wanted) + column) for column in range(len(self._wanted))]
        self._expected = 0
        self._written = 0
        self.read: list[str] = []

    def expect(self, source: _Source) -> None:
        """Read a list for the first time: which addresses it has."""
        with open_list(source.file.uri, self._options.how) as file:
            if self._paths.format_of(source.file.uri) == "parquet":
                file.note_types()
            for cells in file.cells():
                for column, values in enumerate(cells):
                    addresses, more = self._figures.numbered(values)
                    self._table.expect(addresses, column)
                    if more:
                        self._others[column].expect(self._expected, more)
                source.rows += len(cells[0])
                self._expected += len(cells[0])
            source.names, source.places, source.types = file.names, file.places, file.types
        self._name_columns(source)
        there = [name for name in self._added.names if name in source.names]
        if there and not self._options.replace_columns:
            raise InvalidSourceError(
                f"Source {source.file.uri}: it has columns already that would be added: {', '.join(there)}. "
                "Set replace_columns=True to put the new ones in their place, or prefix to call them otherwise."
            )

    def learn(self, uri: str) -> None:
        """Read a file of results."""
        cleaner = Cleaner(clean=self._options.cleaning.clean)
        self._figures.result_files += 1
        for addresses, numbers in read_answers(uri, self._answers, wanted_columns(self._options.how.email_column)):
            # In a merged list they stand as the user wrote them.
            clean: Sequence[str | None] = addresses
            if not are_plain([address for address in addresses if address]):
                cells = cleaner.cells([address or "" for address in addresses])
                clean = cells.first
                for number, _ in cells.more:  # of which of them it tells is not known
                    cells.first[number] = None
            self._figures.results += len(numbers)
            self._figures.strangers += self._table.learn(clean, numbers)

    def write(self, source: _Source) -> None:
        """Read a list again, and write its rows with what is known."""
        uri = source.file.uri
        self._name_columns(source)
        replaced = {name: source.names.index(name) for name in self._added.names if name in source.names}
        rows, before = 0, self._figures.verdicts()
        with open_list(uri, self._options.how) as file, ExitStack() as stack:
            file.names, file.places, file.types = source.names, source.places, source.types
            writers: list[tuple[MergedFile, ListWriter, frozenset[str] | None]] = []
            for name, verdicts in self._parts():
                destination = self._paths.file(uri, name)
                spool = self._spools.enter_context(spool_for(destination, f"{uri} {name}"))
                self._files.append(MergedFile(uri, name, destination, spool))
                writer = open_writer(self._paths.format_of(uri), file, self._added, spool, replaced)
                writers.append((self._files[-1], stack.enter_context(writer), verdicts))
            for block in file.blocks():
                count = file.count(block)
                numbers = [self._table.read(count, column) for column in range(len(self._wanted))]
                if count != len(numbers[0]):
                    raise _changed(f"Source {uri}")
                if self._options.several == "worst":
                    numbers = [
                        others.worst(self._written, found, self._answers)
                        for others, found in zip(self._others, numbers, strict=True)
                    ]
                rows += count
                self._written += count
                self._write_block(block, numbers, writers)
            for _, writer, _ in writers:
                writer.close()
                self._figures.too_long += writer.too_long
        if rows != source.rows:
            raise _changed(f"Source {uri}")
        after = self._figures.verdicts()
        source.verdicts = {verdict.value: after[verdict] - before[verdict] for verdict in Verdict}

    def publish(self, sources: Sequence[_Source]) -> Merged:
        """Publish what was written, and return where and what it is."""
        files = [file for file in self._files if file.rows or file.verdict != Reason.NO_ADDRESS]
        by_source = {each.file.uri: [file for file in files if file.source == each.file.uri] for each in sources}
        paths = [
            {file.verdict: file.destination.uri for file in some}
            if self._options.split_by_verdict
            else some[0].destination.uri
            for some in by_source.values()
        ]
        summary = self._figures.summary(self._table.addresses) | {
            "rows_written": sum(file.rows for file in files),
            "sources": [{"source": each.file.uri, "rows": each.rows, "verdicts": each.verdicts} for each in sources],
            "paths": paths if self._paths.are_several else paths[0],
            **bought(self._options.submitted),
        }
        pages = [self._report(summary)] if self._options.report else []
        if self._options.split_by_verdict:
            # A folder for each list, which is filled as a whole.
            for uri, some in by_source.items():
                publish_together([(file.spool, file.destination) for file in some], self._paths.of(uri), summary)
            for page in pages:
                publish(*page)
        else:
            publish_together([*((file.spool, file.destination) for file in files), *pages])
        if self._options.earlier:
            self._options.earlier.write(summary)
        return Merged(summary["paths"], summary, files, self.read)

    def _report(self, summary: dict[str, Any]) -> tuple[Spool, Destination]:
        destination = self._paths.report(summary["sources"][0]["source"])
        summary["report"] = destination.uri
        page = self._spools.enter_context(spool_for(destination, "report", "text/html"))
        earlier = self._options.earlier
        runs = [*earlier.read(), earlier.figures(summary)] if earlier else []
        page.write(render_list_report(summary, runs).encode())
        return page, destination

    def _name_columns(self, source: _Source) -> None:
        # An empty list of JSON lines has no names.
        self._added.name_for([source.names[place] for place in source.places] or self._wanted)

    def _parts(self) -> list[tuple[str, frozenset[str] | None]]:
        """Return the files that a list becomes: for each its verdict, and the verdicts of its rows; None for all."""
        verdicts = [verdict.value for verdict in Verdict if verdict in (self._options.verdicts or Verdict)]
        if not self._options.split_by_verdict:
            return [("", None if self._options.verdicts is None else frozenset(verdicts))]
        names = verdicts if self._options.verdicts is not None else [*verdicts, Reason.NO_ADDRESS.value]
        return [(name, frozenset({name})) for name in names]

    def _write_block(
        self,
        block: Any,
        numbers: list[list[int]],
        writers: Sequence[tuple[MergedFile, ListWriter, frozenset[str] | None]],
    ) -> None:
        self._figures.add(numbers)
        words = None
        for file, writer, verdicts in writers:
            if verdicts is None:
                writer.write(block, numbers)
                file.rows += len(numbers[0])
                continue
            # With several columns of addresses, the first one's verdict is the row's.
            words = words or self._figures.verdicts_of(numbers[0])
            keep = [word in verdicts for word in words]
            writer.write(block, numbers, keep)
            file.rows += sum(keep)
