"""Rows to CSV and to JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.formats.csv_scan import scan_csv
from airflow_provider_emailverify.results.row_writer import ResultWriter
from airflow_provider_emailverify.results.schema import COLUMNS, Finding, Origin, Row

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool


class CsvWriter(ResultWriter):
    """
    Write RFC 4180 CSV in UTF-8 with a header. Flags are ``true`` and ``false``, null is an empty field.

    A value is written as it is, also one that a spreadsheet would take for a formula: the file is made for
    programs, and an address may begin with ``=``, ``+`` or ``-``.
    """

    media_type = "text/csv"
    _odd = re.compile(r'[",\r\n]').search

    def __init__(self, spool: Spool, origin: Origin) -> None:
        super().__init__(spool, origin)
        spool.write(_csv_line(COLUMNS).encode())

    def render(self, finding: Finding) -> str:
        """
        Return the end of a line, from the comma after the address.

        :param finding: what it says.
        """
        values = finding.as_dict(self.origin).values()
        return _csv_line(["", *(str(value).lower() if isinstance(value, bool) else value for value in values)])

    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """
        odd, rendered = self._odd, self.rendered
        lines = [
            (_csv_line([email])[:-2] if odd(email) else email) + rendered(finding) if email else rendered(finding)
            for email, finding in rows
        ]
        self.spool.write("".join(lines).encode())

    def count(self) -> int:
        """Count the records of the file."""
        return scan_csv(self.spool.rewound(), "the written file").rows


def _csv_line(values: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue()


class JsonLinesWriter(ResultWriter):
    """Write one JSON object a line, in UTF-8, every column in every object."""

    media_type = "application/x-ndjson"

    def __init__(self, spool: Spool, origin: Origin) -> None:
        super().__init__(spool, origin)
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def render(self, finding: Finding) -> str:
        """
        Return the end of a line, from the comma after the address.

        :param finding: what it says.
        """
        return f",{self._encode(finding.as_dict(self.origin))[1:]}\n"

    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """
        encode, rendered = self._encode, self.rendered
        lines = [f'{{"email":{encode(email)}{rendered(finding)}' for email, finding in rows]
        self.spool.write("".join(lines).encode())

    def count(self) -> int:
        """Count the lines of the file."""
        return sum(chunk.count(b"\n") for chunk in iter(partial(self.spool.rewound().read, 1024 * 1024), b""))
