"""
The addresses of a list and what is known of them, in a few bytes each, however many answers there are.

First the list says what its cells hold. Then answers of any number stream past: an answer is for the address that is
spelled like its own; if there is none, for those that differ in case and Unicode form only, because some vendors write
addresses in their own way. In the end each cell has its answer, in the order of the list.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Self, cast
from unicodedata import normalize

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.lists.addresses import same_address
from airflow_provider_emailverify.results.answers import Answers

_CELLS_AT_A_TIME = 1 << 14


class AnswerTable:
    """
    Keep one answer for each address of a list: the one that counts, see :func:`.answers.rank`.

    It is a hash table with open addressing. It takes 18 bytes for each cell of the list: one and a half times the hash
    of an address in its folded form (64 bits) and the number of its answer (32 bits). From the first address on that
    differs from its folded form it takes 24, for something of the hash of the address itself (32 bits); and 30 while
    the table is made. Which slot belongs to a cell lies in a file without a name.

    That two of n addresses are taken for the same has a probability of n²/2⁶⁵, and for two that differ in case only,
    of one to four billion.

    :param answers: the answers, by number.
    :param columns: how many columns of addresses the list has.
    """

    def __init__(self, answers: Answers, columns: int = 1) -> None:
        self._answers = answers
        self._cells = [_Cells() for _ in range(columns)]
        #: How many addresses there are, once the list is complete.
        self.addresses = 0
        # Indices below 0 need no care, nor those that run from there across 0: it is the same slots for Python.
        self._slots = array("q", [0])
        self._spellings: array[int] | None = None
        # For each slot the number of its answer, below 0 if that is for another spelling; 0 for none.
        self._found = array("i", [0])

    def __enter__(self) -> Self:
        """Return the table."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the list."""
        for cells in self._cells:
            cells.close()

    def expect(self, cells: Sequence[str | int], column: int = 0) -> None:
        """
        Take cells of the list, in order.

        :param cells: for each the address that it holds; or, if it holds none, the number of the answer that it gets.
        :param column: which column they are of.
        """
        self._cells[column].add(cells)

    def complete(self) -> None:
        """
        Make the table, of all cells that were taken.

        :raises StorageError: there is no room on the disk.
        """
        slots = self._slots = array("q", [0]) * (sum(len(cells.hashes) for cells in self._cells) * 3 // 2 + 1)
        if any(cells.spellings for cells in self._cells):
            self._spellings = array("I", [0]) * len(slots)
        for cells in self._cells:
            for start in range(0, len(cells.hashes), _CELLS_AT_A_TIME):
                end = start + _CELLS_AT_A_TIME
                hashes = cells.hashes[start:end]
                if self._spellings is None:
                    cells.keep(self._take(hashes))
                else:
                    of = cells.spellings[start:end] if cells.spellings else array("I", [0]) * len(hashes)
                    cells.keep(self._take_spelled(hashes, of, self._spellings))
            cells.taken()
        self._found = array("i", [0]) * len(slots)
        for number in set().union(*(cells.numbers for cells in self._cells)):
            self._found[next(at for at, _ in self._alike(number, 0))] = number
            self.addresses -= 1

    def learn(self, addresses: Sequence[str | None], numbers: Sequence[int]) -> int:
        """
        Take answers. Return how many of them are about addresses that are not in the list.

        :param addresses: whom they are about; None for nobody.
        :param numbers: their numbers.
        """
        if self._spellings is not None or not _are_folded(addresses):
            return self._learn_spelled(addresses, numbers)
        slots, found, ranks, size = self._slots, self._found, self._answers.ranks, -len(self._slots)
        strangers = 0
        for fingerprint, number in zip(map(hash, addresses), numbers, strict=True):
            at = fingerprint % size
            while (there := slots[at]) != fingerprint and there:
                at += 1
            if not there:
                strangers += 1
            elif (old := found[at]) <= 0 or ranks[number] >= ranks[old]:
                found[at] = number
        return strangers

    def read(self, count: int, column: int = 0) -> list[int]:
        """
        Return the numbers of the next cells' answers; 0 stands for an address without an answer.

        :param count: how many cells.
        :param column: which column they are of.
        """
        found = self._found
        return [abs(found[at]) for at in self._cells[column].slots(count)]

    def _learn_spelled(self, addresses: Sequence[str | None], numbers: Sequence[int]) -> int:
        found, ranks = self._found, self._answers.ranks
        strangers = 0
        for address, number in zip(addresses, numbers, strict=True):
            is_known = False
            for at, is_same in self._alike(*_fingerprint(address)) if address else ():
                is_known = True
                old = found[at]
                if (is_same and old <= 0) or ((is_same or old <= 0) and ranks[number] >= ranks[abs(old)]):
                    found[at] = number if is_same else -number
            strangers += not is_known
        return strangers

    def _alike(self, fingerprint: int, spelling: int) -> Iterator[tuple[int, bool]]:
        """Yield the slots of addresses that differ in spelling at most, and whether they do not even do that."""
        slots, spellings = self._slots, self._spellings
        at = fingerprint % -len(slots)
        while there := slots[at]:
            if there == fingerprint:
                yield at, (spellings[at] if spellings else 0) == spelling
            at += 1

    def _take(self, hashes: array[int]) -> array[int]:
        """Give each new hash a slot. Return the slots of all."""
        slots, size = self._slots, -len(self._slots)
        ats = array("i")
        for fingerprint in hashes:
            at = fingerprint % size
            while (there := slots[at]) != fingerprint and there:
                at += 1
            if not there:
                slots[at] = fingerprint
                self.addresses += 1
            ats.append(at)
        return ats

    def _take_spelled(self, hashes: array[int], of: array[int], spellings: array[int]) -> array[int]:
        slots, size = self._slots, -len(self._slots)
        ats = array("i")
        for fingerprint, spelling in zip(hashes, of, strict=True):
            at = fingerprint % size
            while (there := slots[at]) and (there != fingerprint or spellings[at] != spelling):
                at += 1
            if not there:
                slots[at], spellings[at] = fingerprint, spelling
                self.addresses += 1
            ats.append(at)
        return ats


class _Cells:
    """The cells of one column: first their hashes, in memory, then their slots, on the disk."""

    def __init__(self) -> None:
        self.hashes = array("q")
        self.spellings: array[int] | None = None
        #: Numbers that stand in place of addresses.
        self.numbers: set[int] = set()
        self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the table

    def add(self, cells: Sequence[str | int]) -> None:
        numbers = {cell for cell in cells if isinstance(cell, int)}
        self.numbers |= numbers
        if self.spellings is None and _are_folded(cells):
            self.hashes.extend(map(hash, cells))  # a number is its own hash
            return
        if self.spellings is None:
            self.spellings = array("I", [0]) * len(self.hashes)
        for cell in cells:
            fingerprint, spelling = (cell, 0) if isinstance(cell, int) else _fingerprint(cell)
            self.hashes.append(fingerprint)
            self.spellings.append(spelling)

    def keep(self, slots: array[int]) -> None:
        try:
            self._file.write(slots)
        except OSError as error:
            raise StorageError(
                f"Cannot spool to {tempfile.gettempdir()}: {error.strerror}. Free space there, or point TMPDIR "
                "elsewhere."
            ) from None

    def taken(self) -> None:
        self.hashes, self.spellings = array("q"), None
        self._file.seek(0)

    def slots(self, count: int) -> array[int]:
        slots = array("i")
        slots.frombytes(self._file.read(count * slots.itemsize))
        return slots

    def close(self) -> None:
        self._file.close()


def _are_folded(addresses: Sequence[str | int | None]) -> bool:
    """Tell whether all addresses are their own folded form, at a fraction of what it takes to fold each."""
    try:
        joined = "".join(addresses)  # type: ignore[arg-type]  # it says so if there are others
    except TypeError:
        joined = "".join([address for address in addresses if isinstance(address, str)])
    return joined.isascii() and joined == joined.lower() and "xn--" not in joined


def _fingerprint(address: str) -> tuple[int, int]:
    """Return the hash of the folded form, and something of the hash of the spelling if that is another one."""
    spelled = same_address(address)
    folded = _folded(spelled)
    return hash(folded), 0 if folded == spelled else (hash(spelled) & 0xFFFFFFFF) or 1


def _folded(address: str) -> str:
    """Return an address in lower case and in Unicode's composed form, without punycode."""
    text = address.lower()
    if "xn--" in text:
        local, _, domain = text.rpartition("@")
        text = f"{local}@{'.'.join(map(_from_punycode, domain.split('.')))}"
    return text if text.isascii() else normalize("NFC", normalize("NFC", text).lower())


def _from_punycode(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.removeprefix("xn--").encode("ascii").decode("punycode")
    except UnicodeError:
        return label
