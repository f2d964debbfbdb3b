"""Where the columns of a file of results are: of our own files, and of lists that were merged with results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_emailverify.formats.column_names import find_column
from airflow_provider_emailverify.formats.email_names import find_email_columns
from airflow_provider_emailverify.results.schema import COLUMNS

_VERDICT = "verdict"
_JOINTS = (" ", "_")


class NoResultsError(ValueError):
    """
    A file is not one of results.

    :param problem: what is wrong, in words that follow the file's name, and without any of its content.
    """


@dataclass(frozen=True, slots=True)
class ResultColumns:
    """
    Where an address and its answer are.

    :param email: the place of the address.
    :param places: the places of the wanted columns, and of the reason behind them; None for a column that is not there.
    """

    email: int
    places: Sequence[int | None]

    def pick(self, record: Sequence[Any]) -> tuple[Any, ...]:
        """
        Return the wanted values of a record, and its reason behind them.

        :param record: the record.
        """
        return tuple([None if place is None else record[place] for place in self.places])


def find_result_columns(
    names: Sequence[str], wanted: Sequence[str], email_columns: Sequence[str] | None = None
) -> list[ResultColumns]:
    """
    Find an address and its answer, or several.

    The columns of an answer are called after the schema. In a merged list a prefix may stand before that; and if the
    list has several columns of addresses, the name of the one that the answer is about.

    :param names: the names of a file's columns.
    :param wanted: the columns of the schema that are wanted.
    :param email_columns: names that columns of addresses may have; else their own names tell.
    :raises NoResultsError: there is no address or no verdict, or several that may be it.
    """
    places = {name: place for place, name in reversed([*enumerate(names)])}
    starts = [""] if _VERDICT in places else [name.removesuffix(_VERDICT) for name in places if name.endswith(_VERDICT)]
    if len(starts) > 1:  # a user's own column may end like that, and has no others beside it
        starts = [start for start in starts if any(start + other in places for other in COLUMNS if other != _VERDICT)]
    if not starts:
        raise NoResultsError("has no column verdict")
    found = []
    for start in starts:
        answer = [places.get(start + column) for column in (*wanted, "reason")]
        found.append(ResultColumns(_address_of(start, names, email_columns), answer))
    return found


def _address_of(start: str, names: Sequence[str], email_columns: Sequence[str] | None) -> int:
    """Return the place of the addresses that an answer is about."""
    about = [name for name in names if name and start.startswith(tuple(name + joint for joint in _JOINTS))]
    if about:
        return names.index(max(about, key=len))
    emails = [place for name in email_columns or [] for place in find_column(name, names)[:1]]
    emails = emails or find_email_columns(names)
    if len(emails) != 1:
        raise NoResultsError(f"has {'several columns that may hold the' if emails else 'no column of'} addresses")
    return emails[0]
