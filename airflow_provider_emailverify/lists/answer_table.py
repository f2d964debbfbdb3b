"""
The addresses of a list and what is known of them, in a few bytes each, however many answers there are.

First the list says what its cells hold. Then answers of any number stream past, each for the addresses that are the
same as its own. Where case is to be told apart, an answer is for the address that is spelled like its own; if there is
none, for those that differ in spelling only, because some vendors write addresses in their own way. In the end each
cell has its answer, in the order of the list.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, Self, cast

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError
from airflow_provider_emailverify.lists.addresses import are_folded, fold, spelled
from airflow_provider_emailverify.results.answers import Answers

_CELLS_AT_A_TIME = 1 << 14
# A slot holds 40 bits of a hash, the number of an answer (23 bits), and whether that is for another spelling (1 bit).
_CHECK = 24
_ANSWER = (1 << _CHECK) - 1
_MOST_ANSWERS = _ANSWER >> 1
# What stands in place of a hash for a cell without an address begins here, so that its check is its own.
_NUMBER = 40
# At least so many marks for a cell.
_MARKS = 8


class AnswerTable:
    """
    Keep one answer for each address of a list: the one that counts, see :func:`.answers.rank`.

    It is a hash table with open addressing, of 12 bytes for each cell of the list; where case is told apart, of 18 from
    the first address on that differs from its folded form, for something of the hash of the address itself (32 bits).
    The list lies in files without a name: first the hashes of its cells, then the slots that belong to them.

    The place of a slot and the 40 bits in it tell addresses apart. That any two are taken for the same has a
    probability of 2 in 100,000 for ten million addresses; and for two that differ in spelling only, of one to four
    billion.

    :param answers: the answers, by number.
    :param columns: how many columns of addresses the list has.
    :param distinguish_case: whether upper and lower case left of the "@" make two addresses.
    :param hears_strangers: most answers will be about addresses that are not in the list. For 8 to 16 bytes a cell
        more, those are told in a fraction of the time.
    """

    def __init__(
        self, answers: Answers, columns: int = 1, *, distinguish_case: bool = False, hears_strangers: bool = False
    ) -> None:
        self._answers = answers
        self._distinguish_case = distinguish_case
        self._hears_strangers = hears_strangers
        # Marks by the last bits of a hash: where there is none, no address of the list has it.
        self._marks = bytearray(b"\1")
        self._cells = [_Cells(distinguish_case=distinguish_case) for _ in range(columns)]
        #: How many addresses there are, once the list is complete.
        self.addresses = 0
        # Indices below 0 need no care, nor those that run from there across 0: it is the same slots for Python.
        self._slots = array("q", [0])
        self._spellings: array[int] | None = None

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
        slots = self._slots = array("q", [0]) * (sum(cells.count for cells in self._cells) * 3 // 2 + 1)
        if any(cells.have_spellings for cells in self._cells):
            self._spellings = array("I", [0]) * len(slots)
        if self._hears_strangers and self._spellings is None:
            self._marks = bytearray(1 << (_MARKS * sum(cells.count for cells in self._cells)).bit_length())
        last_bits, marks = len(self._marks) - 1, self._marks
        for cells in self._cells:
            for hashes, spellings in cells.taken():
                if len(marks) > 1:
                    for fingerprint in hashes:
                        marks[fingerprint & last_bits] = 1
                if self._spellings is None:
                    cells.keep(self._take(hashes))
                else:
                    cells.keep(self._take_spelled(hashes, spellings, self._spellings))
        for number in set().union(*(cells.numbers for cells in self._cells)):
            at = next(at for at, _ in self._alike(number << _NUMBER, 0))
            slots[at] += 2 * number
            self.addresses -= 1

    def learn(self, addresses: Sequence[str | None], numbers: Sequence[int]) -> int:
        """
        Take answers. Return how many of them are about addresses that are not in the list.

        :param addresses: whom they are about; None or "" for nobody.
        :param numbers: their numbers.
        :raises InvalidRequestError: there are too many different answers.
        """
        if len(self._answers.values) > _MOST_ANSWERS:
            raise InvalidRequestError(
                f"The results have more than {_MOST_ANSWERS:,} different answers. Choose columns with fewer values."
            )
        if not are_folded(filter(None, addresses)):
            if self._distinguish_case:
                return self._learn_spelled(addresses, numbers)
            addresses = [address and fold(address) for address in addresses]
        elif self._spellings is not None:
            return self._learn_spelled(addresses, numbers)
        slots, ranks, size = self._slots, self._answers.ranks, -len(self._slots)
        hashes: Iterable[tuple[int, int]] = zip(map(hash, addresses), numbers, strict=True)
        strangers = 0
        if len(self._marks) > 1:
            last_bits, marks = len(self._marks) - 1, self._marks
            hashes = [pair for pair in hashes if marks[pair[0] & last_bits]]
            strangers = len(addresses) - len(hashes)
        for fingerprint, number in hashes:
            at = fingerprint % size
            check = fingerprint >> _CHECK or 1
            while (there := slots[at]) >> _CHECK != check and there:
                at += 1
            if not there:
                strangers += 1
                continue
            old = there & _ANSWER
            if not old or old & 1 or ranks[number] >= ranks[old >> 1]:
                slots[at] = there - old + 2 * number
        return strangers

    def read(self, count: int, column: int = 0) -> list[int]:
        """
        Return the numbers of the next cells' answers; 0 stands for an address without an answer.

        :param count: how many cells.
        :param column: which column they are of.
        """
        slots = self._slots
        return [(slots[at] & _ANSWER) >> 1 for at in self._cells[column].slots(count)]

    def _learn_spelled(self, addresses: Sequence[str | None], numbers: Sequence[int]) -> int:
        slots, ranks = self._slots, self._answers.ranks
        strangers = 0
        for address, number in zip(addresses, numbers, strict=True):
            is_known = False
            for at, is_same in self._alike(*_fingerprint(address)) if address else ():
                is_known = True
                old = slots[at] & _ANSWER
                was_same = bool(old) and not old & 1
                if not old or (is_same, ranks[number]) >= (was_same, ranks[old >> 1]):
                    slots[at] += 2 * number + (not is_same) - old
            strangers += not is_known
        return strangers

    def _alike(self, fingerprint: int, spelling: int) -> Iterator[tuple[int, bool]]:
        """Yield the slots of addresses that differ in spelling at most, and whether they do not even do that."""
        slots, spellings = self._slots, self._spellings
        at = fingerprint % -len(slots)
        check = fingerprint >> _CHECK or 1
        while there := slots[at]:
            if there >> _CHECK == check:
                yield at, (spellings[at] if spellings else 0) == spelling
            at += 1

    def _take(self, hashes: array[int]) -> array[int]:
        """Give each new hash a slot. Return the slots of all."""
        slots, size = self._slots, -len(self._slots)
        ats = array("i")
        for fingerprint in hashes:
            at = fingerprint % size
            check = fingerprint >> _CHECK or 1
            while (there := slots[at]) >> _CHECK != check and there:
                at += 1
            if not there:
                slots[at] = check << _CHECK
                self.addresses += 1
            ats.append(at)
        return ats

    def _take_spelled(self, hashes: array[int], of: array[int], spellings: array[int]) -> array[int]:
        slots, size = self._slots, -len(self._slots)
        ats = array("i")
        for fingerprint, spelling in zip(hashes, of, strict=True):
            at = fingerprint % size
            check = fingerprint >> _CHECK or 1
            while (there := slots[at]) and (there >> _CHECK != check or spellings[at] != spelling):
                at += 1
            if not there:
                slots[at], spellings[at] = check << _CHECK, spelling
                self.addresses += 1
            ats.append(at)
        return ats


class _Cells:
    """The cells of one column, on the disk: first their hashes, then their slots."""

    def __init__(self, *, distinguish_case: bool) -> None:
        self._distinguish_case = distinguish_case
        #: How many there are, and whether some differ from their folded form and that counts.
        self.count = 0
        self.have_spellings = False
        #: Numbers that stand in place of addresses.
        self.numbers: set[int] = set()
        self._hashes = _File("q")
        self._spellings = _File("I")
        self._slots = _File("i")

    def add(self, cells: Sequence[str | int]) -> None:
        numbers = {cell for cell in cells if isinstance(cell, int)}
        self.numbers |= numbers
        is_folded = are_folded(_texts(cells))
        if not is_folded and not self._distinguish_case:
            cells = [fold(cell) if isinstance(cell, str) else cell for cell in cells]
            is_folded = True
        if is_folded and not self.have_spellings:
            if numbers:
                cells = [cell << _NUMBER if isinstance(cell, int) else cell for cell in cells]
            self._hashes.write(array("q", map(hash, cells)))  # a number is its own hash
        else:
            if not self.have_spellings:
                self._spellings.write(array("I", [0]) * self.count)
                self.have_spellings = True
            pairs = [(cell << _NUMBER, 0) if isinstance(cell, int) else _fingerprint(cell) for cell in cells]
            self._hashes.write(array("q", [fingerprint for fingerprint, _ in pairs]))
            self._spellings.write(array("I", [spelling for _, spelling in pairs]))
        self.count += len(cells)

    def taken(self) -> Iterator[tuple[array[int], array[int]]]:
        """Yield hashes and spellings, and forget them."""
        for file in (self._hashes, self._spellings):
            file.rewind()
        while hashes := self._hashes.read(_CELLS_AT_A_TIME):
            spellings = self._spellings.read(_CELLS_AT_A_TIME) if self.have_spellings else array("I", [0]) * len(hashes)
            yield hashes, spellings
        self._hashes.close()
        self._spellings.close()
        self._slots.rewind()

    def keep(self, slots: array[int]) -> None:
        self._slots.write(slots)

    def slots(self, count: int) -> array[int]:
        return self._slots.read(count)

    def close(self) -> None:
        for file in (self._hashes, self._spellings, self._slots):
            file.close()


class _File:
    """Numbers in a file without a name."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the table

    def write(self, numbers: array[int]) -> None:
        try:
            self._file.write(numbers)
        except OSError as error:
            raise _no_room(error) from None

    def rewind(self) -> None:
        try:
            self._file.seek(0)
        except OSError as error:  # what was still in memory did not fit
            raise _no_room(error) from None

    def read(self, count: int) -> array[int]:
        numbers: array[int] = array(self._kind)
        numbers.frombytes(self._file.read(count * numbers.itemsize))
        return numbers

    def close(self) -> None:
        with suppress(OSError):
            self._file.close()


def _no_room(error: OSError) -> StorageError:
    return StorageError(
        f"Cannot spool to {tempfile.gettempdir()}: {error.strerror}. Free space there, or point TMPDIR elsewhere."
    )


def _texts(cells: Sequence[str | int | None]) -> Iterator[str]:
    return (cell for cell in cells if isinstance(cell, str))


def _fingerprint(address: str) -> tuple[int, int]:
    """Return the hash of the folded form, and something of the hash of the spelling if that is another one."""
    own, folded = spelled(address), fold(address)
    return hash(folded), 0 if folded == own else (hash(own) & 0xFFFFFFFF) or 1
