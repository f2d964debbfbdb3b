"""What the sandbox remembers: batches, requests, and which address was paid for."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_emailverify.sandbox.vendors import NAMES
from airflow_provider_emailverify.sandbox.verdicts import Finding, examine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


class Phase(StrEnum):
    """How far a batch is; each vendor has its own words for it."""

    ACCEPTED = "accepted"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass
class Batch:
    """
    Hold one list of addresses at one vendor.

    A test may set ``state`` to a :class:`Phase`, to one of the vendor's words, or to a word that nobody knows
    (the vendor then says exactly that, and the results are not ready); None lets time decide again.

    :param addresses: as sent, in their order, duplicates included
    :param ready_after: seconds from ``accepted_at`` to the results
    :param rows: results to serve as they are, in place of examined addresses
    :param content: the whole body of a finished download, byte for byte, in place of rows
    """

    batch_id: str
    vendor: str
    addresses: tuple[str, ...]
    accepted_at: float
    ready_after: float
    clock: Callable[[], float]
    created: datetime
    name: str = ""
    state: str | None = None
    rows: Sequence[Mapping[str, object]] | None = None
    content: bytes | None = None

    @property
    def phase(self) -> Phase:
        """Return how far time alone has brought the batch."""
        age = self.clock() - self.accepted_at
        if age >= self.ready_after:
            return Phase.DONE
        return Phase.ACCEPTED if age < self.ready_after / 2 else Phase.WORKING

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Examine the addresses, once."""
        return tuple(examine(address) for address in self.addresses)

    def spoken(self, words: Mapping[Phase, str], forced: str | None = None) -> tuple[Phase, str]:
        """
        Return the phase and the vendor's word for it.

        :param words: the vendor's word for each phase
        :param forced: a state that goes before the batch's own, as a fault may ask for
        """
        state = forced or self.state or self.phase
        for phase, word in words.items():
            if state in (phase.value, word):
                return phase, word
        return Phase.WORKING, state


@dataclass(frozen=True)
class RequestRecord:
    """
    Note one request when it came in.

    :param at: seconds on the sandbox's clock
    :param fault: kind of the fault that answered it, if one did
    """

    vendor: str
    operation: str
    at: float
    key: str = field(repr=False)
    batch_id: str | None = None
    fault: str | None = None


class Ledger:
    """
    Keep the books; safe to read and to change from the test's thread while the server runs.

    :param credits_per_vendor: what each vendor's account holds at the start
    :param ready_after: seconds a batch takes unless it says otherwise
    :param clock: a monotonic clock in seconds
    """

    def __init__(
        self, *, credits_per_vendor: int, ready_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._credits = credits_per_vendor
        self._ready_after = ready_after
        self._lock = threading.RLock()
        self._batches: dict[tuple[str, str], Batch] = {}
        self._requests: list[RequestRecord] = []
        self._charges: dict[tuple[str, str], list[str]] = defaultdict(list)

    def create_batch(
        self,
        vendor: str,
        addresses: Iterable[str] = (),
        *,
        batch_id: str | None = None,
        name: str = "",
        state: str | None = None,
        ready_after: float | None = None,
        rows: Sequence[Mapping[str, object]] | None = None,
        content: bytes | None = None,
    ) -> Batch:
        """
        Put a batch into the books without charging anything.

        :param vendor: one of :data:`.vendors.NAMES`
        :param batch_id: any text, ``/`` and spaces included; a UUID by default
        :param ready_after: seconds; the sandbox's setting by default
        """
        batch = Batch(
            batch_id or str(uuid.uuid4()),
            vendor,
            tuple(addresses),
            accepted_at=self.clock(),
            ready_after=self._ready_after if ready_after is None else ready_after,
            clock=self.clock,
            created=datetime.now(UTC),
            name=name,
            state=state,
            rows=rows,
            content=content,
        )
        with self._lock:
            self._batches[vendor, batch.batch_id] = batch
        return batch

    def batch(self, batch_id: str) -> Batch:
        """
        Return a batch of any vendor.

        :raises KeyError: when there is none with this id
        """
        for each in self.batches():
            if each.batch_id == batch_id:
                return each
        raise KeyError(batch_id)

    def find(self, vendor: str, batch_id: str) -> Batch | None:
        """Return the vendor's batch, or None."""
        with self._lock:
            return self._batches.get((vendor, batch_id))

    def batches(self, vendor: str | None = None) -> list[Batch]:
        """Return the batches in the order of their creation."""
        with self._lock:
            return [each for each in self._batches.values() if vendor in (None, each.vendor)]

    def charge(self, vendor: str, addresses: Iterable[str], charged_for: str) -> None:
        """
        Take one credit for each address.

        :param charged_for: id of the batch, or another name for what was bought
        """
        with self._lock:
            for address in addresses:
                self._charges[vendor, address].append(charged_for)

    def credits(self, vendor: str) -> int:
        """Return the credits that are left."""
        return self._credits - sum(self.charged(vendor).values())

    def charged(self, vendor: str | None = None) -> Counter[str]:
        """Return how many credits each address cost."""
        total: Counter[str] = Counter()
        with self._lock:
            for (whose, address), charges in self._charges.items():
                if vendor in (None, whose):
                    total[address] += len(charges)
        return total

    def charged_more_than_once(self, vendor: str | None = None) -> list[str]:
        """
        Return the addresses that were paid for in more than one purchase.

        An address that stands twice in one list costs two credits and is no double purchase.
        """
        with self._lock:
            return [
                address
                for (whose, address), charges in self._charges.items()
                if vendor in (None, whose) and len(set(charges)) > 1
            ]

    def record(self, request: RequestRecord) -> None:
        """Note a request."""
        with self._lock:
            self._requests.append(request)

    def requests(self, vendor: str | None = None, operation: str | None = None) -> list[RequestRecord]:
        """
        Return the requests in the order of their arrival.

        :param operation: one of :data:`.faults.OPERATIONS`
        """
        with self._lock:
            return [
                each for each in self._requests if vendor in (None, each.vendor) and operation in (None, each.operation)
            ]

    def count(self, vendor: str | None = None, operation: str | None = None) -> int:
        """Return the number of requests."""
        return len(self.requests(vendor, operation))

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._batches.clear()
            self._requests.clear()
            self._charges.clear()

    def summary(self) -> dict[str, object]:
        """Return the books as JSON types; addresses stay out of it."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for each in self.requests():
            counts[each.vendor][each.operation] += 1
        vendors = sorted({*counts, *(each.vendor for each in self.batches()), *NAMES})
        return {
            vendor: {
                "requests": dict(counts[vendor]),
                "credits_left": self.credits(vendor),
                "credits_charged": sum(self.charged(vendor).values()),
                "addresses_charged": len(self.charged(vendor)),
                "addresses_charged_more_than_once": len(self.charged_more_than_once(vendor)),
                "batches": [
                    {
                        "id": each.batch_id,
                        "name": each.name,
                        "addresses": len(each.addresses),
                        "state": each.state or each.phase.value,
                    }
                    for each in self.batches(vendor)
                ],
            }
            for vendor in vendors
        }
