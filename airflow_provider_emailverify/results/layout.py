"""Where a vendor's file has its rows, and what its columns and words mean; written once for all vendors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    UnexpectedResponseError,
    UnreadableResultsError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.formats.csv_scan import CsvScan, scan_csv
from airflow_provider_emailverify.formats.json_file import JsonDocument
from airflow_provider_emailverify.formats.packed import unpacked
from airflow_provider_emailverify.formats.text_file import first_byte
from airflow_provider_emailverify.results.findings import Findings, Words, check_status_map
from airflow_provider_emailverify.results.schema import Reason, Row
from airflow_provider_emailverify.results.tables import Table, check_column_map

JSON_TYPE = "application/json"
CSV_TYPE = "text/csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFile:
    """
    A vendor's results, downloaded.

    :param batch_id: the vendor's identifier of the batch.
    :param about: how messages call the batch.
    :param content: the bytes, seekable.
    :param media_type: the media type of the vendor's format.
    :param length_known: the answer said where it ends; if not, only its content can tell whether it was cut.
    :param expected_rows: how many rows the vendor announced; None when it does not say.
    :param fetched_at: when that began, as :func:`.schema.utc_text` writes it.
    :param scan: returns what was counted while the file arrived, None where that takes a parser; None if nothing was.
    """

    batch_id: str
    about: str
    content: BinaryIO
    media_type: str
    length_known: bool = True
    expected_rows: int | None = None
    fetched_at: str | None = None
    scan: Callable[[], CsvScan | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maps:
    """
    What a user says of a vendor's words and columns.

    :param status_map: words of the vendor and their verdicts.
    :param column_map: columns of the schema and the vendor's headers for them.
    """

    status_map: Mapping[str, str] = field(default_factory=dict)
    column_map: Mapping[str, str] = field(default_factory=dict)

    def over(self, other: Maps) -> Maps:
        """
        Return both, of which this one decides where they meet.

        :param other: what was said elsewhere, for instance on the connection.
        """
        return Maps(
            status_map={**other.status_map, **self.status_map}, column_map={**other.column_map, **self.column_map}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """
    A vendor's format of results, CSV or JSON.

    :param columns: likely headers of columns of the schema, as :func:`.column_names.compact` makes them, the likeliest
        first.
    :param words: the vendor's words for verdicts.
    :param reasons: the vendor's words for reasons, :func:`.findings.loosen`.
    :param rows: the member of a JSON document that lists the rows; the document may also be the list itself.
    :param row_reader: makes the reader of a JSON row from the findings, for rows that are no flat objects.
    :param must_have: a member that every row of JSON has; what begins with another row is no results.
    :param is_nested: whether a JSON row holds objects, whose members count as columns called ``object.member``.
    """

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    words: Words = field(default_factory=dict)
    reasons: Mapping[str, Reason] = field(default_factory=dict)
    rows: str | None = None
    row_reader: Callable[[Findings], Callable[[dict[str, Any]], Row]] | None = None
    must_have: str = ""
    is_nested: bool = False

    def check(self, maps: Maps, vendor: str) -> None:
        """
        Refuse maps that make no sense.

        :param maps: what the user says.
        :param vendor: how messages call the vendor.
        :raises UnsupportedOperationError: this vendor's columns are fixed.
        :raises InvalidRequestError: a word maps to no verdict, or a header to no column.
        """
        if maps.column_map and not self.columns:
            raise UnsupportedOperationError(f"{vendor} has no map 'column_map'; it has status_map.")
        check_status_map(maps.status_map)
        check_column_map(maps.column_map)


#: Raises what the vendor says of itself in a JSON document, beside its rows.
CheckDocument = Callable[[VendorFile, JsonDocument], None]


class ResultReader:
    """
    Count and read the rows of one file.

    :param layout: the vendor's format.
    :param file: the file.
    :param redact: makes texts of the file fit for a message.
    :param check: raises what the vendor says of itself, which goes before anything that is wrong with the rows.
    """

    def __init__(self, layout: Layout, file: VendorFile, redact: Callable[[str], str], check: CheckDocument) -> None:
        self._layout = layout
        self._file = file
        self._redact = redact
        self._check = check

    def count(self) -> int:
        """
        Check that the file holds whole results, and return how many rows; a CSV file's header is none.

        :raises EmailVerifyError: the file holds something else, such as an error or half an answer.
        """
        with self._unpacked() as inner:
            return inner.count_unpacked()

    def count_unpacked(self) -> int:
        """Do what :meth:`count` does with a file that is not packed."""
        if self._is_json():
            document = self._document()
            elements = document.rows(self._layout.rows)
            first = next(elements, None)
            deque(elements, maxlen=0)
            rows = self._rows_of(document)
            if rows and self._layout.must_have and not (isinstance(first, dict) and self._layout.must_have in first):
                raise UnexpectedResponseError.advised(
                    f"{self._file.about}: expected rows with {self._layout.must_have!r}, found others."
                )
            return rows
        counted = self._file.scan() if self._file.scan else None
        table = counted or scan_csv(self._file.content, self._file.about)
        if table.ends_short and not self._file.length_known:
            raise IncompleteResponseError(f"{self._file.about}: the CSV file ends in the middle of a row.")
        return table.rows

    def rows(self, maps: Maps) -> Iterator[Row]:
        """
        Read the file as rows of the schema, with the checks of :meth:`count`.

        The rows count only if the iteration ends by itself.

        :param maps: what the user says of words and columns.
        :raises EmailVerifyError: the file holds something else, or its rows cannot be read.
        """
        with self._unpacked() as inner:
            yield from inner.rows_unpacked(maps)

    def rows_unpacked(self, maps: Maps) -> Iterator[Row]:
        """Do what :meth:`rows` does with a file that is not packed."""
        findings = Findings(self._layout.words, maps.status_map, self._layout.reasons)
        table = Table(self._file.about, self._layout.columns, findings, self._redact, maps.column_map)
        if not self._is_json():
            yield from table.from_csv(self._file.content, is_measured=self._file.length_known)
            return
        document = self._document()
        elements = document.rows(self._layout.rows)
        try:
            if self._layout.row_reader:
                yield from map(self._layout.row_reader(findings), self._objects(elements))
            else:
                yield from table.from_json(map(_flat, elements) if self._layout.is_nested else elements)
        except UnreadableResultsError:
            deque(elements, maxlen=0)
            self._rows_of(document)
            raise
        self._rows_of(document)

    @contextmanager
    def _unpacked(self) -> Iterator[ResultReader]:
        with unpacked(self._file.content, self._file.about) as content:
            if content is self._file.content:
                yield self
                return
            media_type = JSON_TYPE if first_byte(content) in (b"{", b"[") else CSV_TYPE
            # What is packed says by itself where it ends; what was counted on the way was the packed bytes.
            file = replace(self._file, content=content, media_type=media_type, length_known=True, scan=None)
            yield ResultReader(self._layout, file, self._redact, self._check)

    def _is_json(self) -> bool:
        starts_like_json = first_byte(self._file.content) in (b"{", b"[")
        return self._file.media_type == JSON_TYPE or starts_like_json

    def _document(self) -> JsonDocument:
        return JsonDocument(self._file.content, self._file.about)

    def _objects(self, elements: Iterator[Any]) -> Iterator[dict[str, Any]]:
        for element in elements:
            if not isinstance(element, dict):
                raise UnreadableResultsError.advised(
                    f"{self._file.about}: a row is not an object, but {type(element).__name__}."
                )
            yield element

    def _rows_of(self, document: JsonDocument) -> int:
        """Return how many rows a document holds that was read to its end."""
        self._check(self._file, document)
        rows = document.lists.get(None, document.lists.get(self._layout.rows))
        if rows is None or self._file.media_type != JSON_TYPE:
            raise UnexpectedResponseError.advised(
                f"{self._file.about}: expected {self._file.media_type} with results, found other JSON."
            )
        return rows


def _flat(row: Any) -> Any:
    """Return a row whose members that are objects are taken apart."""
    if not isinstance(row, dict):
        return row
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat.update({f"{name}.{inner}": said for inner, said in value.items()})
        else:
            flat[name] = value
    return flat


def parse_options(kind: type[Any] | None, given: Mapping[str, Any], vendor: str) -> Any:
    """
    Return a vendor's download options, checked.

    :param kind: the vendor's dataclass of options; None if it has none.
    :param given: names and values, as a user wrote them or a template rendered them.
    :param vendor: how messages call the vendor.
    :raises UnsupportedOperationError: the vendor has no option of that name.
    :raises InvalidRequestError: the dataclass refuses a value.
    """
    known = list(kind.__dataclass_fields__) if kind else []
    if unknown := sorted(set(given) - set(known)):
        raise UnsupportedOperationError(
            f"{vendor} has no download option {unknown[0]!r}; it has {', '.join(known) or 'none'}."
        )
    return kind(**given) if kind else None
