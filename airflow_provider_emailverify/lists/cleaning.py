"""A list of addresses, clean and each once, on this worker's disk until it is submitted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_emailverify.exceptions import InvalidRequestError, InvalidSourceError
from airflow_provider_emailverify.limits import Limit
from airflow_provider_emailverify.lists.address_file import AddressFile
from airflow_provider_emailverify.lists.addresses import MAX_LENGTH, SeenAddresses, are_plain, is_address
from airflow_provider_emailverify.lists.extraction import Change, ends_in_quote, extract, from_full_width
from airflow_provider_emailverify.lists.invisible import without_control_ends, without_invisible

_FEW = 32
_BLANK_INSIDE = re.compile(r"[\s\x00-\x1f\x7f]")


class Dropped(StrEnum):
    """Why a value is not bought."""

    EMPTY = "empty"
    NO_AT_SIGN = "no_at_sign"
    TOO_LONG = "too_long"
    BLANK_INSIDE = "blank_inside"
    MALFORMED = "malformed"


_WORDS = {
    Dropped.EMPTY: "empty",
    Dropped.NO_AT_SIGN: "without an @",
    Dropped.TOO_LONG: f"longer than {MAX_LENGTH} characters",
    Dropped.BLANK_INSIDE: "with a blank or a control character inside",
    Dropped.MALFORMED: "not an address by RFC 5322 or 6531",
}


@dataclass(frozen=True, slots=True)
class Cleaning:
    """
    What is done to values before they count as addresses.

    :param clean: take addresses out of what stands around them, see :mod:`.extraction`; else only white space is cut
        off.
    :param distinguish_case: upper and lower case left of the "@" make two addresses.
    """

    clean: bool = True
    distinguish_case: bool = False


@dataclass(frozen=True, slots=True)
class Cells:
    """
    What some values hold.

    :param first: for each value its address, or the first of several; "" if it holds none, and None if it is empty.
    :param more: further addresses: the number of the value in this block, and the address.
    """

    first: list[str | None]
    more: list[tuple[int, str]]


class Cleaner:
    """
    Take the addresses out of values, and count what is dropped and what is changed.

    :param clean: take them out of what stands around them; else only white space is cut off.
    """

    def __init__(self, *, clean: bool = True) -> None:
        self._clean = clean
        self._has_several = False  # of the values that were judged last
        #: Values that were read.
        self.read = 0
        #: Values that are no addresses, by reason.
        self.dropped: Counter[Dropped] = Counter()
        #: Values that were changed, by what was.
        self.changed: Counter[Change] = Counter()

    def addresses(self, values: Sequence[str]) -> list[str]:
        """
        Return the addresses that values hold.

        :param values: anything, some thousand at a time.
        """
        found = self._judge(self._strip(values))
        if self._has_several:
            return [address for text in found for address in text.split("\n") if address]
        return list(filter(None, found))

    def cells(self, values: Sequence[str]) -> Cells:
        """
        Return for each value the address that it holds.

        :param values: anything, some thousand at a time.
        """
        stripped = self._strip(values)
        judged = self._judge(stripped)
        more: list[tuple[int, str]] = []
        if len(judged) == len(stripped):
            cells: list[str | None] = judged  # type: ignore[assignment]  # none is empty
        else:
            rest = iter(judged)
            cells = [next(rest) if "@" in text else "" if text else None for text in stripped]
        if self._has_several:
            for number, cell in enumerate(cells):
                if cell and "\n" in cell:
                    cells[number], *others = cell.split("\n")
                    more += [(number, other) for other in others]
        return Cells(cells, more)

    def _strip(self, values: Sequence[str]) -> list[str]:
        self.read += len(values)
        if self._clean and not "".join(values).isascii():
            values = [value if value.isascii() else self._visible(value) for value in values]
        return [value.strip() for value in values]

    def _judge(self, stripped: Sequence[str]) -> list[str]:
        """Return what those hold that have an @: an address, several with line breaks between them, or ""."""
        texts = [text for text in stripped if "@" in text]
        if missing := len(stripped) - len(texts):
            empty = stripped.count("")
            self.dropped.update({Dropped.EMPTY: empty, Dropped.NO_AT_SIGN: missing - empty})
        self._has_several = False
        if are_plain(texts):
            return texts
        found: list[str] = []
        for start in range(0, len(texts), _FEW):
            few = texts[start : start + _FEW]
            found += few if are_plain(few) else map(self._judged, few)
        return found

    def _visible(self, value: str) -> str:
        """Return a value without invisible characters and full-width signs."""
        text = without_invisible(value)
        plain = from_full_width(text)
        if "@" in plain:
            self.changed[Change.INVISIBLE] += text != value
            self.changed[Change.FULL_WIDTH] += text != plain
        return plain

    def _judged(self, text: str) -> str:
        if is_address(text) and not (self._clean and ends_in_quote(text)):
            return text
        if self._clean:
            inner = without_control_ends(text)
            if is_address(inner) and not ends_in_quote(inner):
                self.changed[Change.INVISIBLE] += 1
                return inner
            addresses, changes = extract(inner)
            if addresses:
                self.changed.update(changes)
                self._has_several = self._has_several or len(addresses) > 1
                return "\n".join(addresses)
        self.dropped[_reason(text)] += 1
        return ""


def _reason(text: str) -> Dropped:
    if len(text) > MAX_LENGTH:
        return Dropped.TOO_LONG
    return Dropped.BLANK_INSIDE if _BLANK_INSIDE.search(text) else Dropped.MALFORMED


class AddressList(AddressFile):
    """
    Read values, keep those that are addresses, once each, and hand them out in batches as often as need be.

    They lie in a file without a name, so that not even a killed worker leaves addresses behind.

    :param blocks: values, some thousand at a time; they are read at once.
    :param cleaning: what is done to values.
    :raises InvalidSourceError: there are values, and not one is an address.
    :raises StorageError: they do not fit on the disk.
    """

    def __init__(
        self,
        blocks: Iterable[list[str]],
        cleaning: Cleaning = Cleaning(),
    ) -> None:
        super().__init__()
        #: Addresses, as often as they stand there.
        self.found = 0
        self._cleaner = Cleaner(clean=cleaning.clean)
        try:
            self._fill(blocks, SeenAddresses(distinguish_case=cleaning.distinguish_case))
        except BaseException:
            self.close()
            raise

    @property
    def read(self) -> int:
        """Values that were read."""
        return self._cleaner.read

    @property
    def dropped(self) -> int:
        """Values that are no addresses, empty ones among them."""
        return self._cleaner.dropped.total()

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        """Values that are no addresses, by reason, the most frequent first."""
        return {reason.value: count for reason, count in self._cleaner.dropped.most_common() if count}

    @property
    def cleaned(self) -> dict[str, int]:
        """Values that were changed before they became addresses, by what was changed; white space does not count."""
        return {change.value: count for change, count in self._cleaner.changed.most_common() if count}

    def check_dropped(self, limit: Limit | None) -> None:
        """
        Refuse a list of which too much is no address.

        An empty cell is a row without an address, and no fault of the list: only values that hold something count.

        :param limit: how many of them may be dropped, or which share; None for any number.
        :raises InvalidRequestError: there are more.
        """
        empty = self._cleaner.dropped[Dropped.EMPTY]
        full, wrong = self.read - empty, self.dropped - empty
        if limit is not None and wrong > limit.count(full):
            raise InvalidRequestError(
                f"Not an address: {wrong:,} of {full:,} values in the source, more than max_dropped={limit}. "
                f"Dropped are {self._reasons()}. Nothing was submitted. Check the list, or raise max_dropped."
            )

    def _fill(self, blocks: Iterable[list[str]], seen: SeenAddresses) -> None:
        for block in blocks:
            addresses = self._cleaner.addresses(block)
            self.found += len(addresses)
            self.append(seen.add(addresses))
        self.finish()
        if self.read and not self.unique:
            raise InvalidSourceError(
                f"The source has {self.read:,} value{'s' if self.read > 1 else ''}, and not one address: "
                f"{self._reasons()}. Nothing was submitted. Check that it is the right file, and that email_column and "
                "source_format are right."
            )

    def _reasons(self) -> str:
        counts = self._cleaner.dropped.most_common()
        return ", ".join(f"{count:,} {_WORDS[reason]}" for reason, count in counts if count)
