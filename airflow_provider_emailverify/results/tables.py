"""Tables whose columns a vendor does not document, in CSV or JSON: find the columns, then read the rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from io import TextIOWrapper
from itertools import chain
from operator import itemgetter
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    InvalidRequestError,
    UnexpectedResponseError,
    UnknownColumnsError,
    UnreadableResultsError,
)
from airflow_provider_emailverify.formats.csv_file import first_byte
from airflow_provider_emailverify.redaction import ADDRESS
from airflow_provider_emailverify.results.findings import MOST_FINDINGS, Findings, compact, is_text
from airflow_provider_emailverify.results.schema import FLAGS, Finding, Row

#: The columns that a table may have.
TABLE_COLUMNS: tuple[str, ...] = ("email", "verdict", "reason", *FLAGS)

_DELIMITERS = ",;\t|"
_MAX_LINE_CHARACTERS = 32 * 1024 * 1024


def headers_of(column_map: Mapping[str, str]) -> dict[str, list[str]]:
    """
    Return a user's headers.

    :param column_map: columns and their headers.
    :raises InvalidRequestError: one is no column.
    """
    if unknown := sorted(set(column_map) - set(TABLE_COLUMNS)):
        raise InvalidRequestError(f"A column_map maps {', '.join(TABLE_COLUMNS)}, not {unknown[0]!r}.")
    return {column: [compact(header)] for column, header in column_map.items()}


class Table:
    """
    A table of results.

    :param what: whose it is, for messages.
    :param headers: likely headers of each of :data:`TABLE_COLUMNS`, :func:`.findings.compact`, the likeliest first.
    :param findings: makes the findings.
    :param redact: makes headers fit for a message; a table without headers shows rows instead.
    :param column_map: the header of some columns, in place of the likely ones.
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
        self._headers = {**headers, **headers_of(column_map or {})}
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
                raise UnreadableResultsError(
                    f"{self._what}: row {number} is no object, but {type(element).__name__}. "
                    f"{UnreadableResultsError.advice}"
                )
            if number == 1:
                self._require(list(element))
            yield reader(tuple(element))([*element.values(), None])

    def from_csv(self, file: BinaryIO, *, is_measured: bool) -> Iterator[Row]:
        """
        Read CSV with a header: UTF-8, and separated by what separates most of the header.

        A field that is missing at the end of a record is null. A record that has more fields than the header is an
        error: a delimiter stands in some field without quotes, and nobody knows in which.

        :param file: a seekable file.
        :param is_measured: False when only the content can tell whether the file was cut.
        :raises IncompleteResponseError: the file was cut.
        :raises UnexpectedResponseError: it is empty, is a page, or holds one line that is no header.
        :raises UnknownColumnsError: it has no address or no verdict.
        :raises UnreadableResultsError: it is not CSV in UTF-8, or a record does not fit the header.
        """
        if first_byte(file) in (b"", b"<"):
            raise UnexpectedResponseError(
                f"{self._what}: expected a CSV file, found none. {UnexpectedResponseError.advice}"
            )
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield from self._from_lines(text, is_measured=is_measured)
        except UnicodeDecodeError:
            raise self._unreadable("is not in UTF-8") from None  # its text quotes the file
        finally:
            with suppress(ValueError):  # it may have been closed meanwhile
                text.detach()

    def _from_lines(self, text: TextIOWrapper, *, is_measured: bool) -> Iterator[Row]:
        lines = self._lines(text)
        first = next((line for line in lines if line.strip()), "")
        delimiter = max(_DELIMITERS, key=lambda mark: len(next(csv.reader([first], delimiter=mark))))
        records = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
        is_short = False
        try:
            header = [name.strip() for name in next(records)]
            first_record = next(filter(None, records), [])
            if not first_record and len(header) == 1 and self._missing(header):
                raise UnexpectedResponseError(
                    f"{self._what}: expected a CSV file, found a line of text. {UnexpectedResponseError.advice}"
                )
            self._require(header)
            read, width = self._reader(tuple(header)), len(header)
            for fields in filter(None, chain([first_record], records)):
                if len(fields) > width and any(fields[width:]):
                    raise self._unreadable(
                        f"has {len(fields)} fields in line {records.line_num} where its header has {width}"
                    )
                missing = width - len(fields)
                is_short = missing > 0
                yield read([*fields[:width], *[None] * missing, None])
            is_short = is_short or first.endswith("\n") > self._ends_line
        except csv.Error:
            if not is_measured and not next(lines, ""):
                is_short = True
            else:
                raise self._unreadable(f"cannot be parsed at line {records.line_num}") from None
        if is_short and not is_measured:
            raise IncompleteResponseError(f"{self._what}: the CSV file ends in the middle of a row.")

    def _lines(self, text: TextIOWrapper) -> Iterator[str]:
        for line in iter(partial(text.readline, _MAX_LINE_CHARACTERS), ""):
            if len(line) == _MAX_LINE_CHARACTERS:
                raise self._unreadable(f"has a line of {_MAX_LINE_CHARACTERS:,} characters or more")
            self._ends_line = line.endswith("\n")
            yield line

    def _reader(self, header: tuple[str, ...]) -> Callable[[Sequence[Any]], Row]:
        """Return what makes a row of a record, whose last field must be None: it stands for a missing column."""
        positions = self._positions(header)
        address = itemgetter(positions.pop("email", -1))
        names = [name for name in TABLE_COLUMNS[1:] if name in positions]
        rest = itemgetter(-1, *(positions[name] for name in names))

        @lru_cache(maxsize=MOST_FINDINGS)
        def finding(said: tuple[Any, ...]) -> Finding:
            columns = dict(zip(names, said[1:], strict=True))
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
        return {column: number for column, number in found.items() if number is not None}

    def _missing(self, header: Sequence[str]) -> list[str]:
        return sorted({"email", "verdict"} - set(self._positions(header)))

    def _require(self, header: Sequence[str]) -> None:
        if missing := self._missing(header):
            found = self._redact(", ".join(header)) or "none"
            if ADDRESS in found:  # then it is no header but a row
                found = "not named: its first line is no header"
            raise UnknownColumnsError(
                f"{self._what}: no column is known to hold {' or '.join(missing)}; the columns are {found}. "
                f"{UnknownColumnsError.advice}"
            )

    def _unreadable(self, problem: str) -> UnreadableResultsError:
        return UnreadableResultsError(f"{self._what}: the CSV file {problem}. {UnreadableResultsError.advice}")
