"""Rows of JSON that are objects of objects, with an address in two parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Any

from airflow_provider_emailverify.results.findings import MOST_FINDINGS, Findings, is_text
from airflow_provider_emailverify.results.schema import Finding, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRows:
    """
    Where such a row has what. It is the ``row_reader`` of a :class:`.layout.Layout`.

    A row whose address lacks a part has no address.

    :param word: the member that holds the verdict.
    :param address: the part that holds the address, and its members for what is left and right of the "@".
    :param flags: flags of the row itself: the vendor's names and the schema's.
    :param parts: the same for each part of the row.
    :param lists: for each part, lists whose being filled says what a flag says: their names, and the flag's.
    """

    word: str
    address: tuple[str, str, str]
    flags: Mapping[str, str]
    parts: Mapping[str, Mapping[str, str]]
    lists: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __call__(self, findings: Findings) -> Callable[[dict[str, Any]], Row]:
        """
        Return what translates a row.

        :param findings: makes the findings.
        """
        part, left, right = self.address
        names = [name for flags in (self.flags, *self.parts.values()) for name in flags.values()]
        get_own = _getter(self.flags)
        get_parts = [(name, _getter(flags)) for name, flags in self.parts.items()]
        get_address = itemgetter(left, right)

        @lru_cache(maxsize=MOST_FINDINGS)
        def finding(said: Any, values: tuple[tuple[Any, ...], ...]) -> Finding:
            flat = [value for some in values for value in some]
            return findings.make(said, **dict(zip(names, flat, strict=True)))

        def read(row: dict[str, Any]) -> Row:
            username, domain = get_address(row[part])
            found = finding(row[self.word], (get_own(row), *[get(row[name]) for name, get in get_parts]))
            if not (username and domain and type(username) is type(domain) is str):
                return None, found
            email = f"{username}@{domain}"
            return email if email.isascii() or is_text(email) else None, found

        def read_any(row: dict[str, Any]) -> Row:
            try:
                return read(row)
            except (KeyError, TypeError):  # something is missing, or is a list or an object where it should not be
                return read(self._completed(row))

        return read_any

    def _completed(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row that has everything that the vendor's page shows, null where it had none."""
        part, *names = self.address
        complete: dict[str, Any] = {}
        for name, flags in self.parts.items():
            complete[name] = _scalars(row.get(name), *flags)
            for member, flag in self.lists.get(name, {}).items():
                if isinstance(row.get(name), dict) and isinstance(filled := row[name].get(member), list):
                    complete[name][flag] = bool(filled)
        complete[part] = {**complete.get(part, {}), **_scalars(row.get(part), *names)}
        return {**_scalars(row, self.word, *self.flags), **complete}


def _getter(flags: Mapping[str, str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what gets members as a tuple, however many there are."""
    if len(flags) > 1:
        return itemgetter(*flags)
    if flags:
        only = itemgetter(*flags)
        return lambda row: (only(row),)
    return lambda row: ()


def _scalars(part: Any, *names: str) -> dict[str, Any]:
    values = {name: part.get(name) if isinstance(part, dict) else None for name in names}
    return {name: None if isinstance(value, dict | list) else value for name, value in values.items()}
