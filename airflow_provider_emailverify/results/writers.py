"""Rows to files: CSV, JSON lines and Parquet, written as the rows come, with memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Literal, Self, get_args

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError
from airflow_provider_emailverify.results.parquet_writer import ParquetWriter
from airflow_provider_emailverify.results.row_writer import ResultWriter
from airflow_provider_emailverify.results.schema import Origin, Row, Verdict
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.text_writers import CsvWriter, JsonLinesWriter

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool


ResultFormat = Literal["csv", "jsonl", "parquet"]

# Fewer than the allocations after which Python's garbage collector looks around (700): it finds nothing then, and does
# not walk again and again through the heap of an Airflow worker.
_BATCH_ROWS = 512
_WRITERS: dict[str, type[ResultWriter]] = {"csv": CsvWriter, "jsonl": JsonLinesWriter, "parquet": ParquetWriter}


def check_format(result_format: str) -> None:
    """
    Refuse a format that cannot be written.

    :param result_format: ``csv``, ``jsonl`` or ``parquet``.
    :raises InvalidRequestError: no such format, or what it needs is not installed.
    """
    if result_format not in _WRITERS:
        raise InvalidRequestError(
            f"output_format is one of vendor, {', '.join(get_args(ResultFormat))}, not {result_format!r}."
        )
    if result_format == "parquet" and find_spec("pyarrow") is None:
        raise InvalidRequestError("Parquet needs pyarrow: pip install 'airflow-provider-emailverify[parquet]'.")


def open_writer(result_format: str, spool: Spool, origin: Origin) -> ResultWriter:
    """
    Return a writer.

    :param result_format: ``csv``, ``jsonl`` or ``parquet``.
    :param spool: where the bytes go, empty.
    :param origin: where the rows come from that do not say so themselves.
    """
    return _WRITERS[result_format](spool, origin)


def in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """
    Yield rows in lists of some hundreds.

    :param rows: the rows.
    """
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH_ROWS)):
        yield batch


class RowFiles:
    """
    Files that take rows of some verdicts each. After the block nothing more is written to them.

    :param files: the files, each with the verdicts that it takes.
    :ivar written: the rows of each file.
    """

    def __init__(self, files: Sequence[tuple[ResultWriter, frozenset[Verdict]]]) -> None:
        self._files = files
        self.written = [0] * len(files)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Return the files."""
        for writer, _ in self._files:
            self._stack.enter_context(writer)
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon those that are not closed."""
        self._stack.close()

    def write(self, rows: Iterable[Row], tally: Tally) -> None:
        """
        Write each row to the files that want its verdict, and count it.

        :param rows: the rows; errors that they raise are let through.
        :param tally: where they are counted.
        """
        every = frozenset(Verdict)
        for batch in in_batches(rows):
            tally.add(batch)
            for number, (writer, verdicts) in enumerate(self._files):
                wanted = batch if verdicts == every else [row for row in batch if row[1].verdict in verdicts]
                writer.write(wanted)
                self.written[number] += len(wanted)

    def close(self) -> list[int]:
        """
        Write what is still held back, and look whether all of it is there. Return the rows of each file.

        :raises StorageError: a file does not hold what was written to it.
        """
        for (writer, _), count in zip(self._files, self.written, strict=True):
            writer.close()
            if writer.count() != count:
                raise StorageError(
                    f"The spool in {writer.spool.path.parent} does not hold what was written to it, {count} rows."
                )
        return self.written


def write_rows(
    rows: Iterable[Row], writers: Sequence[tuple[ResultWriter, frozenset[Verdict]]], tally: Tally
) -> list[int]:
    """
    Write each row to the files that want its verdict, and count it. Return the rows of each file.

    :param rows: the rows; errors that they raise are let through.
    :param writers: the files, each with the verdicts that it takes.
    :param tally: where they are counted.
    :raises StorageError: a file does not hold what was written to it.
    """
    with RowFiles(writers) as files:
        files.write(rows, tally)
        return files.close()
