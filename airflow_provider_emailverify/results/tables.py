"""Tables whose columns a vendor does not document, in CSV or JSON: find the columns, then read the rows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    InvalidRequestError,
    UnknownColumnsError,
    UnreadableResultsError,
)
from airflow_provider_emailverify.formats.column_names import compact, find_column, shown_names
from airflow_provider_emailverify.formats.csv_file import CsvFile, QuotesFaultError
from airflow_provider_emailverify.formats.csv_scan import not_csv
from airflow_provider_emailverify.formats.text_file import FaultyTextError, TextFile, first_byte
from airflow_provider_emailverify.results.findings import MOST_FINDINGS, Findings, is_text
from airflow_provider_emailverify.results.schema import FLAGS, Finding, Row

#: The columns that a table may have.
TABLE_COLUMNS: tuple[str, ...] = ("email", "verdict", "reason", *FLAGS)

# Rows of JSON with more members than these are read one by one: what is kept of each kind of row would be large.
_MANY_MEMBERS = 256


def check_column_map(column_map: Mapping[str, str]) -> dict[str, str]:
    """
    Return a user's headers, checked.

    :param column_map: columns and their headers.
    :raises InvalidRequestError: one is no column, or a header is empty.
    """
    if unknown := sorted(map(str, set(column_map) - set(TABLE_COLUMNS))):
        raise InvalidRequestError(f"A column_map maps {', '.join(TABLE_COLUMNS)}, not {unknown[0]!r}.")
    headers = {column: str(header) for column, header in column_map.items()}
    if empty := [column for column, header in headers.items() if not header.strip()]:
        raise InvalidRequestError(f"A column_map maps columns to headers; that of {empty[0]!r} is empty.")
    return headers


class Table:
    """
    A table of results.

    :param what: whose it is, for messages.
    :param headers: likely headers of each of :data:`TABLE_COLUMNS`, as :func:`.column_names.compact` makes them, the
        likeliest first.
    :param findings: makes the findings.
    :param redact: makes headers fit for a message.
    :param column_map: the header of some columns, in place of the likely ones. A header that differs in case, spaces or
        punctuation will do if there is no other like it.
    :raises InvalidRequestError: ``column_map`` names no column.
    """

    def __init__(
        self,
        what: str,
        headers: Mapping[str, Sequence[str]],
        findings: Findings,
        redact: Callable[[str], str],
        column_map: Mapping[str, str] | None = None,
    ) -> None:
        self._what = what
        self._headers = headers
        self._given = check_column_map(column_map or {})
        self._findings = findings
        self._redact = redact

    def from_json(self, elements: Iterable[Any]) -> Iterator[Row]:
        """
        Read objects, each of which says its columns itself.

        :param elements: decoded JSON.
        :raises UnknownColumnsError: the first one has no address or no verdict.
        :raises UnreadableResultsError: one is no object.
        """
        reader = lru_cache(maxsize=256)(self._reader)
        for number, element in enumerate(elements, 1):
            if not isinstance(element, dict):
                raise UnreadableResultsError.advised(
                    f"{self._what}: row {number} is not an object, but {type(element).__name__}."
                )
            names = tuple(element)
            if number == 1:
                self._require(names, [list(element.values())])
            read = reader(names) if len(names) <= _MANY_MEMBERS else self._reader(names)
            yield read([*element.values(), None])

    def from_csv(self, file: BinaryIO, *, is_measured: bool) -> Iterator[Row]:
        """
        Read CSV with a header.

        A field that is missing at the end of a record is null. A record that has more fields than the header is an
        error: a separator stands in some field without quotes, and nobody knows in which.

        :param file: a seekable file.
        :param is_measured: False when only the content can tell whether the file was cut.
        :raises IncompleteResponseError: the file was cut.
        :raises UnexpectedResponseError: it is empty, is a page, or holds one line that is no header.
        :raises UnknownColumnsError: it has no address or no verdict.
        :raises UnreadableResultsError: it is not CSV in UTF-8, or a record does not fit the header.
        """
        if first_byte(file) in (b"", b"<"):
            raise not_csv(self._what)
        try:
            table = CsvFile(TextFile(file), self._address_place)
            ends_short = yield from self._records(table)
        except QuotesFaultError as fault:
            if not fault.at_end or is_measured:
                raise self._unreadable(fault.problem) from None
            raise self._cut() from None
        except FaultyTextError as fault:
            raise self._unreadable(fault.problem) from None
        if ends_short and not is_measured:
            raise self._cut()

    def _records(self, table: CsvFile) -> Generator[Row, None, bool]:
        """Yield the rows, and return whether the last one is short."""
        header = table.head.names
        if len(header) == 1 and not table.head.sample and self._missing(header):
            raise not_csv(self._what)
        self._require(header, table.head.sample)
        read, width = self._reader(header), len(header)
        missing = 0
        for fields in table.records():
            if len(fields) > width and any(fields[width:]):
                raise self._unreadable(f"has {len(fields)} fields in line {table.line:,} where its header has {width}")
            missing = width - len(fields)
            yield read([*fields[:width], *[None] * missing, None])
        return missing > 0 or table.lacks_last_break

    def _reader(self, header: tuple[str, ...]) -> Callable[[Sequence[Any]], Row]:
        """Return what makes a row of a record, whose last field must be None: it stands for a missing column."""
        self._check_given(header)
        positions = self._positions(header)
        address = itemgetter(positions.pop("email", -1))
        names = [name for name in TABLE_COLUMNS[1:] if name in positions]
        # Twice None, so that there are two at least: of one, itemgetter makes no tuple.
        rest = itemgetter(-1, -1, *(positions[name] for name in names))

        @lru_cache(maxsize=MOST_FINDINGS)
        def finding(said: tuple[Any, ...]) -> Finding:
            columns = dict(zip(names, said[2:], strict=True))
            return self._findings.make(columns.pop("verdict", None), columns.pop("reason", None), **columns)

        def read(record: Sequence[Any]) -> Row:
            email = address(record)
            email = email.strip() if is_text(email) else None
            said = rest(record)
            try:
                return email or None, finding(said)
            except TypeError:  # a list or an object where a word or a flag should be
                return email or None, finding.__wrapped__(said)

        return read

    def _positions(self, header: Sequence[str]) -> dict[str, int]:
        places: dict[str, int] = {}
        for number, name in enumerate(header):
            places.setdefault(compact(name), number)
        found = {
            column: next((places[name] for name in names if name in places), None)
            for column, names in self._headers.items()
        }
        for column, name in self._given.items():
            candidates = find_column(name, header)
            found[column] = candidates[0] if len(candidates) == 1 else None
        return {column: number for column, number in found.items() if number is not None}

    def _address_place(self, header: Sequence[str]) -> int | None:
        """Return where the address stands in a header; None if these names are no header of results."""
        positions = self._positions(header)
        return positions["email"] if {"email", "verdict"} <= positions.keys() else None

    def _missing(self, header: Sequence[str]) -> list[str]:
        return sorted({"email", "verdict"} - set(self._positions(header)))

    def _require(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self._check_given(header)
        if missing := self._missing(header):
            shown = shown_names(header, rows)
            columns = (
                f"the columns are {self._redact(shown)}"
                if shown
                else "the columns are not shown, as they may be a row of data"
            )
            raise UnknownColumnsError.advised(
                f"{self._what}: no column is known to hold {' or '.join(missing)}; {columns}."
            )

    def _check_given(self, header: Sequence[str]) -> None:
        for column, name in self._given.items():
            if (count := len(find_column(name, header))) > 1:
                raise UnknownColumnsError(
                    f"{self._what}: column_map names {name!r} for {column}, and {count} columns are called that, case "
                    "and punctuation apart. Write the name of the right one as it stands in the file."
                )

    def _unreadable(self, problem: str) -> UnreadableResultsError:
        return UnreadableResultsError.advised(f"{self._what}: the CSV file {problem}.")

    def _cut(self) -> IncompleteResponseError:
        return IncompleteResponseError(f"{self._what}: the CSV file ends in the middle of a row.")
