"""Which columns of a list hold the addresses, and what is said if nobody can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidSourceError
from airflow_provider_emailverify.formats.column_names import compact, find_column, shown_names
from airflow_provider_emailverify.formats.email_names import find_email_columns

#: The names of the columns of addresses as a user gives them; None if their own names are to tell.
Wanted = Sequence[str] | None


def wanted_columns(given: str | Sequence[str] | None) -> Wanted:
    """
    Return the columns that a user wants.

    :param given: a name, several, or none; a template may have made a text of ``None``.
    :raises InvalidSourceError: it is something else.
    """
    if given is None or given in ("", "None"):
        return None
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) and name for name in names):
        raise InvalidSourceError(f"email_column is the name of a column, or a list of names, not {given!r}.")
    if len(set(names)) < len(names):
        raise InvalidSourceError(f"email_column names a column twice: {', '.join(names)}.")
    return list(names)


def header_place(wanted: Wanted, names: Sequence[str]) -> int | None:
    """
    Return the place of the first column of addresses; None if these names are no header of the list.

    :param wanted: the columns that are wanted.
    :param names: what may be a header.
    """
    found = [find_email_columns(names)] if wanted is None else [find_column(name, names) for name in wanted]
    return found[0][0] if all(found) else None


def places_of(
    wanted: Wanted, names: Sequence[str], rows: Iterable[Sequence[Any]], lacks: str = "it has no column"
) -> list[int]:
    """
    Return the places of the columns of addresses.

    :param wanted: the columns that are wanted.
    :param names: the names of all columns.
    :param rows: some rows beneath, which show whether the names may be told.
    :param lacks: how messages say that a column is missing.
    :raises InvalidSourceError: one is not there, or there are several that may be meant.
    """
    rows = list(rows)
    if wanted is not None:
        return [_place_of(name, names, rows, lacks) for name in wanted]
    places = find_email_columns(names)
    if len(places) == 1:
        return places
    if places:
        # Names that are known are no row of data.
        known = ", ".join(name if name.isprintable() else compact(name) for name in [names[at] for at in places])
        raise InvalidSourceError(
            f"it has several columns that may hold the addresses: {known}. Set email_column to one, or to a list of "
            "names."
        )
    raise InvalidSourceError(f"no column's name says that it holds addresses; {_told(names, rows)}")


def _place_of(column: str, names: Sequence[str], rows: Sequence[Sequence[Any]], lacks: str) -> int:
    places = find_column(column, names)
    if len(places) == 1:
        return places[0]
    if places:
        raise InvalidSourceError(
            f"it has {len(places)} columns {column!r}, case and punctuation apart; rename all but one, or set "
            "email_column to just the name of the right one."
        )
    raise InvalidSourceError(f"{lacks} {column!r}; {_told(names, rows)}")


def _told(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return what there is instead of the column, and what to do."""
    if not names:
        return "it is empty."
    if any("@" in name for name in names):
        return (
            "the names of its columns are a row of data, with an address. Add a header, or set source_format='lines' "
            "if it is a text of one address a line."
        )
    shown = shown_names(names, rows)
    columns = f"its columns are {shown}" if shown else "its columns are not shown, as they may be a row of data"
    return f"{columns}. Set email_column to the name of the one with the addresses."
