"""A list of addresses, clean and each once, on this worker's disk until it is submitted."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice
from typing import Self

from airflow_provider_emailverify.exceptions import InvalidRequestError, InvalidSourceError, StorageError
from airflow_provider_emailverify.limits import Limit
from airflow_provider_emailverify.lists.addresses import MAX_LENGTH, SeenAddresses, are_plain, is_address
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


class Cleaner:
    """Take the addresses out of values, and count what is dropped and what is changed."""

    def __init__(self) -> None:
        #: Values that were read.
        self.read = 0
        #: Values that are no addresses, by reason.
        self.dropped: Counter[Dropped] = Counter()
        #: Values out of which characters were taken that nobody sees.
        self.invisible = 0

    def addresses(self, values: Sequence[str]) -> list[str]:
        """
        Return the addresses among values, without white space around them and without invisible characters.

        :param values: anything, some thousand at a time.
        """
        return list(filter(None, self._judge(self._strip(values))))

    def cells(self, values: Sequence[str]) -> list[str | None]:
        """
        Return the address that each value holds; "" for a value that is no address, and None for an empty one.

        :param values: anything, some thousand at a time.
        """
        stripped = self._strip(values)
        judged = self._judge(stripped)
        if len(judged) == len(stripped):
            return judged  # type: ignore[return-value]  # none is empty
        rest = iter(judged)
        return [next(rest) if "@" in text else "" if text else None for text in stripped]

    def _strip(self, values: Sequence[str]) -> list[str]:
        self.read += len(values)
        if not "".join(values).isascii():
            values = [value if value.isascii() else self._visible(value) for value in values]
        return [value.strip() for value in values]

    def _judge(self, stripped: Sequence[str]) -> list[str]:
        """Return those that have an @, and "" for those among them that are no addresses."""
        texts = [text for text in stripped if "@" in text]
        if missing := len(stripped) - len(texts):
            empty = stripped.count("")
            self.dropped.update({Dropped.EMPTY: empty, Dropped.NO_AT_SIGN: missing - empty})
        if are_plain(texts):
            return texts
        addresses: list[str] = []
        for start in range(0, len(texts), _FEW):
            few = texts[start : start + _FEW]
            addresses += few if are_plain(few) else map(self._judged, few)
        return addresses

    def _visible(self, value: str) -> str:
        text = without_invisible(value)
        self.invisible += text != value and "@" in text
        return text

    def _judged(self, text: str) -> str:
        """Return an address, or "" for what is none."""
        if is_address(text):
            return text
        inner = without_control_ends(text)
        if is_address(inner):
            self.invisible += 1
            return inner
        self.dropped[_reason(text)] += 1
        return ""


def _reason(text: str) -> Dropped:
    if len(text) > MAX_LENGTH:
        return Dropped.TOO_LONG
    return Dropped.BLANK_INSIDE if _BLANK_INSIDE.search(text) else Dropped.MALFORMED


class AddressList:
    """
    Read values, keep those that are addresses, once each, and hand them out in batches as often as need be.

    They lie in a file without a name, so that not even a killed worker leaves addresses behind.

    :param blocks: values, some thousand at a time; they are read at once.
    :param max_emails: how many addresses there may be; None for any number.
    :raises InvalidRequestError: there are more.
    :raises InvalidSourceError: there are values, and not one is an address.
    :raises StorageError: they do not fit on the disk.
    """

    def __init__(self, blocks: Iterable[list[str]], max_emails: int | None = None) -> None:
        #: Addresses, each counted once.
        self.unique = 0
        self._cleaner = Cleaner()
        self._digest = hashlib.sha256()
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed on exit
        try:
            self._fill(blocks, max_emails)
        except BaseException:
            self._file.close()
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
        return {"invisible": self._cleaner.invisible} if self._cleaner.invisible else {}

    @property
    def sha256(self) -> str:
        """The SHA-256 of the addresses: equal for the same addresses in the same order."""
        return self._digest.hexdigest()

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

    def batches(self, size: int) -> Iterator[list[str]]:
        """
        Yield the addresses in lists.

        :param size: addresses in each, the last one apart.
        """
        self._file.seek(0)
        while batch := [line[:-1] for line in islice(self._file, size)]:
            yield batch

    def __enter__(self) -> Self:
        """Return the list."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget the addresses."""
        self._file.close()

    def _fill(self, blocks: Iterable[list[str]], max_emails: int | None) -> None:
        seen = SeenAddresses()
        for block in blocks:
            new = seen.add(self._cleaner.addresses(block))
            self.unique += len(new)
            if max_emails is not None and self.unique > max_emails:
                raise InvalidRequestError(
                    f"The source holds more than {max_emails:,} addresses, which is max_emails; nothing was submitted. "
                    "Check that it is the right list, or raise max_emails."
                )
            self._write("".join([f"{address}\n" for address in new]))
        self._write("", flush=True)
        if self.read and not self.unique:
            raise InvalidSourceError(
                f"The source has {self.read:,} value{'s' if self.read > 1 else ''}, and not one address: "
                f"{self._reasons()}. Nothing was submitted. Check that it is the right file, and that email_column and "
                "source_format are right."
            )

    def _reasons(self) -> str:
        counts = self._cleaner.dropped.most_common()
        return ", ".join(f"{count:,} {_WORDS[reason]}" for reason, count in counts if count)

    def _write(self, text: str, *, flush: bool = False) -> None:
        self._digest.update(text.encode())
        try:
            self._file.write(text)
            if flush:
                self._file.flush()
        except OSError as error:
            raise StorageError(
                f"Cannot spool to {tempfile.gettempdir()}: {error.strerror}. Free space there, or point TMPDIR "
                "elsewhere."
            ) from None
