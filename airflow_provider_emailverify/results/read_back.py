"""Files of results, read back to be counted."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError, UnreadableResultsError
from airflow_provider_emailverify.results.schema import Verdict

_COLUMNS = ("email", "verdict")


def count_files(paths: Iterable[str]) -> dict[str, Any]:
    """
    Count the rows of files that the download operator wrote, one row at a time.

    :param paths: URIs as ``ObjectStoragePath`` takes them, ending in ``.csv``, ``.jsonl`` or ``.parquet``.
    :return: ``received``, ``without_address`` and ``verdicts``, as in a summary.
    :raises StorageError: one cannot be opened.
    :raises UnreadableResultsError: one holds no rows of the schema.
    """
    verdicts: Counter[str] = Counter({verdict.value: 0 for verdict in Verdict})
    without_address = 0
    for path in paths:
        for email, verdict in _rows_of(path):
            if verdict not in verdicts:
                raise _no_results(path)
            verdicts[verdict] += 1
            without_address += not email
    return {"received": verdicts.total(), "without_address": without_address, "verdicts": dict(verdicts)}


def _rows_of(path: str) -> Iterator[tuple[Any, Any]]:
    read = _READERS.get(path.rpartition(".")[2])
    if read is None:
        raise InvalidRequestError(f"{path} is no file of results; its name ends in .csv, .jsonl or .parquet.")
    try:
        file = ObjectStoragePath(path).open("rb")
    except Exception as error:
        # Every storage raises errors of its own; they speak of buckets, paths and permissions.
        raise StorageError(f"Cannot open {path}: {type(error).__name__}: {error}.") from error
    with file:
        try:
            yield from read(file)
        except (ValueError, KeyError, TypeError, csv.Error):  # pyarrow's errors are ValueErrors
            raise _no_results(path) from None


def _no_results(path: str) -> UnreadableResultsError:
    return UnreadableResultsError(
        f"{path} holds no rows of the schema; was output_format='vendor' when it was written?"
    )


def _from_csv(file: BinaryIO) -> Iterator[tuple[Any, Any]]:
    for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8", newline="")):
        yield row["email"], row["verdict"]


def _from_json_lines(file: BinaryIO) -> Iterator[tuple[Any, Any]]:
    for line in io.TextIOWrapper(file, encoding="utf-8", newline="\n"):
        row: Mapping[str, Any] = json.loads(line)
        yield row["email"], row["verdict"]


def _from_parquet(file: BinaryIO) -> Iterator[tuple[Any, Any]]:
    from pyarrow.parquet import ParquetFile

    for batch in ParquetFile(file).iter_batches(columns=list(_COLUMNS)):
        yield from zip(*(batch.column(name).to_pylist() for name in _COLUMNS), strict=True)


_READERS = {"csv": _from_csv, "jsonl": _from_json_lines, "parquet": _from_parquet}
