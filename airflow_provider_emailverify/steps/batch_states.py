"""What is known of each batch of a list, in a few bytes a batch."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from airflow_provider_emailverify.batches import BatchState, BatchStatus

#: So many batches are named in a message, a log and an XCom, however many there are.
NAMED = 20
# What is known of a batch. The first is what a bytearray begins with.
_OPEN, _READY, _FAILED, _CANCELLED, _UNKNOWN = range(5)
_WORDS = ("open", "ready", "failed", "cancelled", "unknown")
_MARKS = {BatchState.READY: _READY, BatchState.FAILED: _FAILED, BatchState.CANCELLED: _CANCELLED}
_NOBODY = {"batches": 0, "ready": 0, "failed": 0, "addresses": 0, "done": 0}


class BatchStates:
    """
    Keep the state of each batch, and count.

    :param batch_ids: the vendor's identifiers of the batches, each once. A batch is called by its place among them.
    :param notes: the :attr:`notes` of an earlier process, about the same list.
    :param others: what :meth:`others` of the whole list said, where this is a part of it.
    :ivar vendor: the vendor's name; "" before its first useful answer.
    """

    # No object for each batch: there may be thousands, and the garbage collector looks at each object.
    __slots__ = ("_addresses", "_done", "_done_of", "_marks", "_others", "_totals", "_untold", "batch_ids", "vendor")

    def __init__(
        self, batch_ids: Sequence[str], notes: dict[str, Any] | None = None, others: dict[str, Any] | None = None
    ) -> None:
        notes = notes or {}
        count = len(batch_ids)
        self.batch_ids = list(batch_ids)
        self.vendor: str = notes.get("vendor", "")
        self._others = others or _NOBODY
        self._marks = bytearray(count)
        self._totals = array("q", [-1]) * count
        self._done_of = array("q", [0]) * count
        self._addresses, self._done = notes.get("addresses", (0, 0))
        if "batches" in notes:
            packed = zlib.decompress(base64.b64decode(notes["batches"]))
            self._marks[:] = packed[:count]
            self._totals = array("q", packed[count:])
        # Batches whose number of addresses is still to be told.
        self._untold = sum(map(self._is_untold, range(count)))

    @property
    def digest(self) -> str:
        """What tells this list from another."""
        return hashlib.blake2b(json.dumps(self.batch_ids).encode(), digest_size=16).hexdigest()

    @property
    def notes(self) -> dict[str, Any]:
        """What the next process has to know, as primitives: some hundred bytes for a thousand batches."""
        pairs = zip(self._marks, self._totals, strict=True)
        # Of a final batch the number is in the sum.
        totals = array("q", (total if mark == _OPEN else min(total, 0) for mark, total in pairs))
        packed = zlib.compress(bytes(self._marks) + totals.tobytes(), 9)
        done_of_open = sum(done for mark, done in zip(self._marks, self._done_of, strict=True) if mark == _OPEN)
        return {
            "batches": base64.b64encode(packed).decode(),
            "addresses": [self._addresses, self._done - done_of_open],
            "vendor": self.vendor,
        }

    @property
    def is_over(self) -> bool:
        """Whether all batches are final."""
        return _OPEN not in self._marks

    @property
    def final(self) -> int:
        """How many batches are final."""
        return len(self._marks) - self._marks.count(_OPEN)

    @property
    def failed(self) -> int:
        """How many batches will not be ready."""
        return sum(map(self._marks.count, (_FAILED, _CANCELLED, _UNKNOWN)))

    @property
    def are_failures_unknown(self) -> bool:
        """Whether the vendor knows none of the batches that will not be ready."""
        return self._marks.count(_UNKNOWN) == self.failed

    @property
    def ready_ids(self) -> list[str]:
        """The ids of the batches that are ready, in the order of the list."""
        return [batch_id for batch_id, mark in zip(self.batch_ids, self._marks, strict=True) if mark == _READY]

    def is_open(self, place: int) -> bool:
        """
        Tell whether a batch is not final.

        :param place: the batch.
        """
        return self._marks[place] == _OPEN

    def open_from(self, first: int) -> list[int]:
        """
        Return the places of the batches that are not final.

        :param first: the place to begin at; what stands before it comes last.
        """
        count = len(self.batch_ids)
        places = (place % count for place in range(first, first + count))
        return [place for place in places if self._marks[place] == _OPEN]

    def record(self, place: int, status: BatchStatus | None) -> str | None:
        """
        Note what the vendor says of a batch. Return why it will not be ready, in words; None if it may.

        :param place: the batch.
        :param status: what the vendor says; None if it does not know the batch.
        """
        was_untold = self._is_untold(place)
        mark = _UNKNOWN
        if status is not None:
            self.vendor = status.vendor
            mark = _MARKS.get(status.state, _OPEN)
            self._count_addresses(place, status)
        self._marks[place] = mark
        self._untold += self._is_untold(place) - was_untold
        return _in_words(mark) if mark > _READY else None

    def failures(self) -> list[str]:
        """Return the batches that will not be ready, with the reason, in words: so many as are named, no more."""
        return [f"{batch_id!r} ({_in_words(mark)})" for batch_id, mark in self._named()]

    @property
    def summary(self) -> dict[str, Any]:
        """What became of the batches, as primitives; small, however many there are."""
        addresses, done = self._all_addresses
        return {
            "vendor": self.vendor,
            "batches": len(self.batch_ids),
            "states": {word: self._marks.count(mark) for mark, word in enumerate(_WORDS) if mark != _OPEN},
            "addresses": addresses,
            "addresses_done": done,
            "not_ready": {batch_id: _WORDS[mark] for batch_id, mark in self._named()},
            "more_not_ready": max(0, self.failed - NAMED),
        }

    # --- a part of the list, in a trigger ---

    def others(self, part: Sequence[int]) -> dict[str, Any]:
        """
        Return what the list holds beside a part of it, for the progress that the wait for that part logs.

        :param part: the places of batches that are not final.
        """
        is_told = self._untold == sum(map(self._is_untold, part))
        addresses = self._addresses - sum(max(0, self._totals[place]) for place in part)
        return {
            "batches": len(self.batch_ids) - len(part),
            "ready": self._marks.count(_READY),
            "failed": self.failed,
            "addresses": addresses if is_told else None,
            "done": self._done - sum(self._done_of[place] for place in part) if is_told else None,
        }

    @property
    def event(self) -> dict[str, Any]:
        """What became of a part, as primitives: counts, and the ids of the batches that are not ready."""
        not_ready: dict[str, list[str]] = {}
        for batch_id, mark in zip(self.batch_ids, self._marks, strict=True):
            if mark > _READY:
                not_ready.setdefault(_WORDS[mark], []).append(batch_id)
        return {
            "batches": len(self.batch_ids),
            "not_ready": not_ready,
            "addresses": None if self._untold else self._addresses,
            "addresses_done": None if self._untold else self._done,
            "vendor": self.vendor,
        }

    def record_event(self, event: Any, open_places: Sequence[int]) -> None:
        """
        Note what became of a part.

        :param event: its :attr:`event`.
        :param open_places: the batches that are not final. The part has the first of them.
        :raises ValueError: it is not an event of a part of this list.
        """
        match event:
            case {"batches": int(size), "not_ready": dict(not_ready), "vendor": str(vendor)}:
                part = open_places[:size]
                marks = {self.batch_ids[place]: _READY for place in part}
                failed = {str(batch_id): _WORDS.index(word) for word, ids in not_ready.items() for batch_id in ids}
            case _:
                raise ValueError("It tells of no list of batches.")
        if len(part) != size or failed.keys() - marks.keys():
            raise ValueError("It tells of other batches.")
        marks |= failed
        addresses, done = event.get("addresses"), event.get("addresses_done")
        self.vendor = vendor or self.vendor
        self._addresses += (addresses or 0) - sum(max(0, self._totals[place]) for place in part)
        self._done += (done or 0) - sum(self._done_of[place] for place in part)
        for place in part:
            self._untold -= self._is_untold(place)
            self._marks[place] = marks[self.batch_ids[place]]
            self._totals[place] = -1 if addresses is None else 0  # it is in the sum
            self._untold += self._is_untold(place)

    # --- progress ---

    @property
    def progress(self) -> str:
        """How far the list is, in words."""
        ready, failed = self._marks.count(_READY) + self._others["ready"], self.failed + self._others["failed"]
        parts = [f"{ready:,} of {count_of(self._batches, 'batch')} ready"]
        if failed:
            parts.append(f"{failed:,} failed")
        addresses, done = self._all_addresses
        if addresses and done is not None:
            parts.append(_of_addresses(done, addresses))
        return ", ".join(parts)

    @property
    def tenths(self) -> list[int]:
        """How far the list is: the tenths of batches that are final, and of addresses that are done."""
        final = self.final + self._others["ready"] + self._others["failed"]
        addresses, done = self._all_addresses
        return [10 * final // (self._batches or 1), 10 * (done or 0) // (addresses or 1)]

    @property
    def _batches(self) -> int:
        return len(self.batch_ids) + int(self._others["batches"])

    @property
    def _all_addresses(self) -> tuple[int | None, int | None]:
        """How many addresses there are and how many are done; None where the vendor has not said it of each batch."""
        if self._untold or self._others["addresses"] is None or not self.vendor:
            return None, None
        return self._addresses + self._others["addresses"], self._done + self._others["done"]

    def _named(self) -> Iterator[tuple[str, int]]:
        pairs = zip(self.batch_ids, self._marks, strict=True)
        return islice(((batch_id, mark) for batch_id, mark in pairs if mark > _READY), NAMED)

    def _is_untold(self, place: int) -> bool:
        return self._totals[place] < 0 and self._marks[place] in (_OPEN, _READY)

    def _count_addresses(self, place: int, status: BatchStatus) -> None:
        total = self._totals[place] if status.total is None else status.total
        done = self._done_of[place] if status.processed is None else status.processed
        if status.state is BatchState.READY:
            done = max(total, 0)
        self._addresses += max(total, 0) - max(self._totals[place], 0)
        self._done += done - self._done_of[place]
        self._totals[place], self._done_of[place] = total, done


def count_of(number: int, noun: str) -> str:
    """
    Return a count and its noun, which agree.

    :param number: the count.
    :param noun: one of them; several end in "es".
    """
    return f"{number:,} {noun}{'' if number == 1 else 'es'}"


def _in_words(mark: int) -> str:
    return "unknown to the vendor" if mark == _UNKNOWN else _WORDS[mark]


def _of_addresses(done: int, addresses: int) -> str:
    if addresses < 1_000_000:
        return f"{done:,} of {count_of(addresses, 'address')}"
    millions = [f"{math.floor(number / 100_000) / 10:,}".removesuffix(".0") for number in (done, addresses)]
    return f"{millions[0]} of {millions[1]} million addresses"
