"""The beginning of a CSV file: its separator, its header, and what stands above that."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from itertools import islice

from airflow_provider_emailverify.formats.text_file import MAX_LINE_CHARACTERS

#: Return the place of the column of addresses in a header; None if these names are no header.
PlaceOf = Callable[[Sequence[str]], int | None]

_SEPARATORS = ",;\t|"
_DECLARED = re.compile(r'\s*"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)
# A header stands within so many records of the beginning, and so many lines are looked at.
_MOST_NOTES, _MOST_LINES = 25, 64


@dataclass(frozen=True, slots=True)
class CsvHead:
    """
    The beginning of a CSV file.

    :param separator: what separates fields.
    :param names: the header, without white space around the names. Where nothing was found to be one, the first record.
    :param characters: how long all is up to the end of the header.
    :param lines: how many lines that is.
    :param sample: some records beneath.
    """

    separator: str = ","
    names: tuple[str, ...] = ()
    characters: int = 0
    lines: int = 0
    sample: tuple[list[str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    separator: str
    records: list[list[str]]
    #: For each record, the number of lines up to its end.
    ends: list[int]
    #: Which record is the header; None if none is.
    header: int | None
    #: Whether records beneath hold an address in its column.
    is_proved: bool = False

    def rank(self, declared: str) -> tuple[bool, bool, bool, int]:
        width = len(self.records[self.header or 0]) if self.records else 0
        return self.is_proved, self.header is not None, self.separator == declared, width


def read_head(text: str, place_of: PlaceOf | None = None) -> CsvHead:
    """
    Find the separator and the header.

    Blank lines and Excel's ``sep=;`` may stand above the header, and notes if they hold no address: then the header is
    the first record that has the column, and addresses in it beneath. Of several separators that would do, the one
    that makes the most columns is taken.

    :param text: the beginning of the file, in whole lines.
    :param place_of: tells a header; by default the first record is one.
    """
    lift_field_limit()
    lines = list(islice(StringIO(text, newline=""), _MOST_LINES))
    skipped = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    match = _DECLARED.fullmatch(lines[skipped]) if skipped < len(lines) else None
    declared = match[1] if match else ""
    skipped += match is not None
    candidates = [
        _candidate(lines[skipped:], separator, place_of) for separator in dict.fromkeys(declared + _SEPARATORS)
    ]
    best = max(candidates, key=lambda candidate: candidate.rank(declared))
    if not best.records:
        return CsvHead(best.separator, characters=len("".join(lines[:skipped])), lines=skipped)
    header = best.header or 0
    length = skipped + best.ends[header]
    return CsvHead(
        best.separator,
        tuple(name.strip() for name in best.records[header]),
        len("".join(lines[:length])),
        length,
        tuple(best.records[header + 1 :]),
    )


def fields_of(line: str, separator: str) -> list[str]:
    """
    Return the fields of one line.

    :param line: without line breaks in it.
    :param separator: what separates fields.
    """
    return next(csv.reader([line], delimiter=separator), [])


def lift_field_limit() -> None:
    """
    Let the csv module read fields of any length that a record may have here.

    The limit belongs to the whole process, and there is none for one reader. So it is only ever raised, and stays
    so: to put it back would break off whoever reads in another thread, and a higher limit takes nothing from others.
    """
    most = 2 * MAX_LINE_CHARACTERS  # a record may be longer by what is read at a time
    if csv.field_size_limit() < most:
        csv.field_size_limit(most)


def _candidate(lines: list[str], separator: str, place_of: PlaceOf | None) -> _Candidate:
    records: list[list[str]] = []
    ends: list[int] = []
    reader = csv.reader(lines, delimiter=separator)
    with suppress(csv.Error):
        for record in reader:
            if any(map(str.strip, record)):
                records.append(record)
                ends.append(reader.line_num)
    if place_of is None:
        return _Candidate(separator, records, ends, 0)
    header = None
    for number, record in enumerate(records[:_MOST_NOTES]):
        has_address = any("@" in field for field in record)
        if number and has_address:
            break  # what follows are rows
        place = place_of([name.strip() for name in record])
        if place is not None and any("@" in row[place] for row in records[number + 1 :] if place < len(row)):
            return _Candidate(separator, records, ends, number, is_proved=True)
        if place is not None and number == 0:
            header = 0
        if has_address:
            break
    return _Candidate(separator, records, ends, header)
