"""Files of results, read back: those that the download operator wrote, and lists that were merged with results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    InvalidRequestError,
    StorageError,
    UnreadableResultsError,
)
from airflow_provider_emailverify.formats.csv_file import CsvFile
from airflow_provider_emailverify.formats.text_file import FaultyTextError, TextFile, lines_of
from airflow_provider_emailverify.formats.watched_file import WatchedFile
from airflow_provider_emailverify.results.answers import NO_ANSWER, Answers
from airflow_provider_emailverify.results.findings import MOST_FINDINGS
from airflow_provider_emailverify.results.result_columns import NoResultsError, ResultColumns, find_result_columns
from airflow_provider_emailverify.results.schema import COLUMNS, Reason, Verdict
from airflow_provider_emailverify.storage.destination import open_source
from airflow_provider_emailverify.storage.refusals import said

#: Addresses, None where there is none, and the numbers of their answers.
Block = tuple[Sequence[str | None], Sequence[int]]

_ROWS_AT_A_TIME = 16_384  # of Parquet
_PAGE_BYTES = 64 * 1024
# What stands before and behind the address in our own JSON lines.
_JSON_BEFORE, _JSON_BEHIND = '{"email":"', '","verdict":'
_OURS = frozenset({Reason.MISSING, Reason.NO_ADDRESS})


def is_result_name(name: str) -> bool:
    """
    Tell by its name whether a file in a folder of results holds rows of the schema; vendors' own files do not.

    :param name: the name, without a folder.
    """
    stem, _, ending = name.rpartition(".")
    return ending in _READERS and stem != "vendor" and not stem.endswith(".vendor")


def count_files(paths: Iterable[str]) -> dict[str, Any]:
    """
    Count the rows of files that the download operator wrote.

    :param paths: URIs as ``ObjectStoragePath`` takes them, ending in ``.csv``, ``.jsonl`` or ``.parquet``.
    :return: ``received``, ``without_address`` and ``verdicts``, as in a summary.
    :raises StorageError: one cannot be opened.
    :raises UnreadableResultsError: one holds no rows of the schema.
    """
    answers = Answers(("verdict",))
    counts: Counter[int] = Counter()
    without_address = 0
    for path in paths:
        for addresses, numbers in read_answers(path, answers):
            counts.update(numbers)
            without_address += sum(not address for address in addresses)
    verdicts = {verdict.value: 0 for verdict in Verdict}
    for number, count in counts.items():
        verdicts[str(answers.values[number][0])] += count
    return {"received": counts.total(), "without_address": without_address, "verdicts": verdicts}


def read_answers(uri: str, answers: Answers, email_columns: Sequence[str] | None = None) -> Iterator[Block]:
    """
    Read a file of results, some thousand rows at a time, and of Parquet only the columns that are wanted.

    Columns that the file does not have are empty. Rows of a merged list that have no vendor's answer are left out.

    :param uri: a URI as ``ObjectStoragePath`` takes it, ending in ``.csv``, ``.jsonl`` or ``.parquet``.
    :param answers: numbers the answers; its columns are those that are wanted.
    :param email_columns: names that columns of addresses may have in a merged list; else their own names tell.
    :raises InvalidRequestError: the name ends in something else.
    :raises StorageError: the file cannot be read.
    :raises UnreadableResultsError: it is not a file of results.
    """
    read = _READERS.get(uri.rpartition(".")[2])
    if read is None:
        raise InvalidRequestError(f"{uri} is no file of results; its name ends in .csv, .jsonl or .parquet.")
    try:
        with open_source(uri) as file:
            yield from read(file, answers, email_columns)
    except (NoResultsError, FaultyTextError) as error:
        raise UnreadableResultsError(
            f"{uri} holds no rows of the schema: it {error}. If it holds a vendor's own format, download it again with "
            "output_format csv, jsonl or parquet."
        ) from None
    except EmailVerifyError:
        raise
    except Exception as error:
        raise StorageError(f"Cannot open {uri}: {said(error, uri)}") from error


class _Numbers(dict[Any, int]):
    """
    The numbers of what was read before, by whatever a reader finds quickest.

    :param answers: numbers the answers.
    :param read: returns the values of an answer, and its reason behind them.
    """

    def __init__(self, answers: Answers, read: Callable[[Any], Sequence[str | None]]) -> None:
        super().__init__()
        self._answers = answers
        self._read = read

    def __missing__(self, key: Any) -> int:
        if len(self) >= MOST_FINDINGS:
            self.clear()
        *values, reason = self._read(key)
        number = NO_ANSWER
        if reason not in _OURS:
            try:
                number = self._answers.number(values)
            except ValueError:
                raise NoResultsError("has a row whose verdict or time cannot be read") from None
        self[key] = number
        return number


def _block(addresses: Sequence[str | None], numbers: Sequence[int]) -> Block:
    if NO_ANSWER in numbers:
        return list(compress(addresses, numbers)), list(filter(None, numbers))
    return addresses, numbers


def _from_csv(file: BinaryIO, answers: Answers, email_columns: Sequence[str] | None) -> Iterator[Block]:
    table = CsvFile(TextFile(file), partial(_header_place, answers, email_columns))
    names, separator = table.head.names, table.head.separator
    columns = find_result_columns(names, answers.columns, email_columns)
    is_ours = names[0] == "email" and set(names) <= set(COLUMNS)

    def read(rest: str) -> Sequence[str | None]:
        record = ["", *rest.split(separator)]
        if len(record) != len(names):
            raise NoResultsError("has a row that does not fit its header")
        return columns[0].pick(record)

    by_rest, by_values = _Numbers(answers, read), _Numbers(answers, tuple)
    for block in table.blocks(with_quoted=False):
        if is_ours and block.fields is None:
            # Everything behind the address is the same in many rows.
            parts = [text.partition(separator) for text in block.texts if text]
            yield _block([address or None for address, _, _ in parts], [by_rest[rest] for _, _, rest in parts])
            continue
        records = [text.split(separator) for text in block.texts] if block.fields is None else block.fields
        # A row of a user's own list may have more fields than the header, and then its verdict is anywhere.
        records = [record for record in records if len(record) == len(names)]
        for each in columns:
            addresses = [record[each.email] or None for record in records]
            yield _block(addresses, [by_values[each.pick(record)] for record in records])


def _header_place(answers: Answers, email_columns: Sequence[str] | None, names: Sequence[str]) -> int | None:
    with suppress(NoResultsError):
        return find_result_columns(names, answers.columns, email_columns)[0].email
    return None


def _from_json_lines(file: BinaryIO, answers: Answers, email_columns: Sequence[str] | None) -> Iterator[Block]:
    names: list[str] = []
    columns: list[ResultColumns] = []

    def read(rest: str) -> Sequence[str | None]:
        row = _object("{" + rest)
        return [_text(row.get(name)) for name in (*answers.columns, "reason")]

    by_rest, by_values = _Numbers(answers, read), _Numbers(answers, tuple)
    for block in TextFile(file):
        lines = list(filter(str.strip, lines_of(block)))
        addresses: list[str | None] = []
        numbers: list[int] = []
        for line in lines:
            start, mark, rest = line.partition(_JSON_BEHIND)
            if mark and start.startswith(_JSON_BEFORE) and "\\" not in start and '"' not in start[len(_JSON_BEFORE) :]:
                addresses.append(start[len(_JSON_BEFORE) :])
                numbers.append(by_rest[mark[2:] + rest])
                continue
            row = _object(line)
            if not columns:
                names = list(row)
                columns = find_result_columns(names, answers.columns, email_columns)
            record = [_text(row.get(name)) for name in names]
            addresses += [record[each.email] or None for each in columns]
            numbers += [by_values[each.pick(record)] for each in columns]
        yield _block(addresses, numbers)


def _object(line: str) -> Mapping[str, Any]:
    row = None
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
    if not isinstance(row, dict):
        raise NoResultsError("has a line that is not a JSON object")
    return row


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, str) else str(value)


def _from_parquet(file: BinaryIO, answers: Answers, email_columns: Sequence[str] | None) -> Iterator[Block]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    watched: Any = WatchedFile(file)
    try:
        names = ParquetFile(watched).schema_arrow.names
        columns = find_result_columns(names, answers.columns, email_columns)
        words = {names[place] for each in columns for place in each.places if place is not None}
        # Few words as dictionaries, and a page at a time: a tenth of the time and of the memory.
        table = ParquetFile(watched, read_dictionary=list(words), buffer_size=_PAGE_BYTES)
        by_values = _Numbers(answers, tuple)
        read = [*dict.fromkeys([*(names[each.email] for each in columns), *words])]
        for batch in table.iter_batches(_ROWS_AT_A_TIME, columns=read):
            for each in columns:
                addresses = batch.column(names[each.email]).cast(pa.string()).to_pylist()
                found = [None if place is None else batch.column(names[place]) for place in each.places]
                yield _block(addresses, _numbers_of(found, batch.num_rows, by_values))
    except NoResultsError:
        raise
    except Exception:  # noqa: BLE001 - pyarrow's errors are of many classes, and their texts quote values
        if watched.error is not None:
            raise watched.error from None  # the storage's, not pyarrow's
        raise NoResultsError("is not a whole Parquet file") from None


def _numbers_of(columns: Sequence[Any], rows: int, by_values: _Numbers) -> list[int]:
    """
    Return the numbers of the answers in a batch of rows.

    Arrow finds the distinct combinations of the columns' words, so that each is looked up only once.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    combinations: list[tuple[str | None, ...]] = [()] if rows else []
    codes: Any = None
    for column in columns:
        if column is None:
            combinations = [(*before, None) for before in combinations]
            continue
        coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        words = [*map(_word, coded.dictionary.to_pylist()), None]
        if coded.null_count == rows or (not coded.null_count and len(words) == 2):  # the same in all rows
            word = None if coded.null_count else words[0]
            combinations = [(*before, word) for before in combinations]
            continue
        own = coded.indices.cast(pa.int64()).fill_null(len(words) - 1)
        distinct = (own if codes is None else pc.add(pc.multiply(codes, len(words)), own)).dictionary_encode()
        pairs = [divmod(code, len(words)) for code in distinct.dictionary.to_pylist()]
        combinations = [(*combinations[before], words[word]) for before, word in pairs]
        codes = distinct.indices.cast(pa.int64())
    numbers = [by_values[values] for values in combinations]
    return numbers * rows if codes is None else [numbers[code] for code in codes.to_pylist()]


def _word(value: Any) -> str | None:
    # As text, because a time that names no zone is in UTC wherever it stands.
    return value.isoformat() if isinstance(value, datetime) else _text(value)


_READERS = {"csv": _from_csv, "jsonl": _from_json_lines, "parquet": _from_parquet}
