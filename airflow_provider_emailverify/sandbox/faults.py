"""Faults: what can be made to go wrong, where, and how often."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emailverify.sandbox.vendors import NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATIONS = ("submit", "status", "download", "link", "find", "cancel", "credits", "single", "other")

KINDS: dict[str, dict[str, object]] = {
    # Answers in the vendor's own shape.
    "rate_limit": {"retry_after": None, "retry_after_as": "seconds"},
    "server_error": {"status": 500, "body": "json", "retry_after": None, "retry_after_as": "seconds"},
    "unauthorized": {},
    "forbidden": {},
    "no_credits": {},
    "not_found": {},
    "unprocessable": {},
    "error_envelope": {"message": "Something went wrong"},
    "echo_key": {"status": 400},
    # Answers that no page of the vendor shows.
    "redirect": {"status": 302, "location": "https://elsewhere.example/"},
    "wrong_shape": {"shape": "list"},
    # The batch looks like something else.
    "not_ready": {},
    "batch_failed": {},
    # The network misbehaves.
    "reset": {},
    "accept_then_reset": {},
    "hang": {"seconds": 30.0},
    "slow": {"size": 64, "interval": 0.05},
    "truncate": {"keep": 0.5, "encoding": "length", "ending": "close"},
}
"""Every kind with its parameters and their defaults; :mod:`.playing` says what they do."""


CHOICES: dict[str, tuple[str, ...]] = {
    "retry_after_as": ("seconds", "date"),
    "body": ("json", "html"),
    "shape": ("list", "null", "string", "number", "object", "html", "empty", "not_json"),
    "encoding": ("length", "chunked"),
    "ending": ("close", "reset"),
}
"""Values of the parameters that are words."""


@dataclass(frozen=True)
class Fault:
    """
    Describe one thing that goes wrong.

    :param vendor: one of :data:`.vendors.NAMES` or ``*``
    :param operation: one of :data:`OPERATIONS` or ``*``
    :param kind: one of :data:`KINDS`
    :param times: how many requests it hits; None: every one
    :param skip: how many matching requests pass before it begins
    :param batch_id: only requests about this batch
    :param params: the kind's parameters, complete
    """

    vendor: str
    operation: str
    kind: str
    times: int | None = None
    skip: int = 0
    batch_id: str | None = None
    params: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """
        Check the words and complete the parameters.

        :raises ValueError: naming what isn't known
        """
        _known("vendor", self.vendor, (*NAMES, "*"))
        _known("operation", self.operation, (*OPERATIONS, "*"))
        _known("fault kind", self.kind, tuple(KINDS))
        for name, value in self.params.items():
            _known(f"parameter of {self.kind}", name, tuple(KINDS[self.kind]))
            if name in CHOICES:
                _known(name, str(value), CHOICES[name])
        object.__setattr__(self, "params", {**KINDS[self.kind], **self.params})

    def matches(self, vendor: str, operation: str, batch_id: str | None) -> bool:
        """Say whether a request is meant."""
        return self.vendor in ("*", vendor) and self.operation in ("*", operation) and self.batch_id in (None, batch_id)

    @classmethod
    def parse(cls, text: str) -> Fault:
        """
        Read ``vendor:operation:kind[:times[:param=value,…]]``; ``*`` or nothing for ``times`` means every request.

        :raises ValueError: when it cannot be read
        """
        vendor, operation, kind, times, rest = (*text.split(":", 4), "", "", "", "")[:5]
        items = [item.partition("=") for item in rest.split(",") if item]
        try:
            count = None if times in ("", "*") else int(times)
        except ValueError:
            raise ValueError(f"{times!r} in the fault {text!r} is no number of times") from None
        return cls(vendor, operation, kind, count, params={name: _number(value) for name, _, value in items})


class FaultBook:
    """Hold the faults that are switched on; safe to change while the server runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._faults: dict[int, Fault] = {}
        self._seen: dict[int, int] = {}

    def add(
        self,
        *,
        kind: str,
        vendor: str = "*",
        operation: str = "*",
        times: int | None = None,
        skip: int = 0,
        batch_id: str | None = None,
        **params: object,
    ) -> int:
        """
        Switch a fault on; of several that match, the one that was added first goes first.

        :param params: the kind's parameters, see :data:`KINDS`
        :return: a number to remove it by
        :raises ValueError: naming what isn't known
        """
        return self.switch_on(Fault(vendor, operation, kind, times, skip, batch_id, params))

    def switch_on(self, fault: Fault) -> int:
        """Switch on a fault that was built already."""
        with self._lock:
            number = next(self._ids)
            self._faults[number] = fault
            self._seen[number] = 0
        return number

    def remove(self, number: int) -> bool:
        """Switch one off, and say whether it was on."""
        with self._lock:
            return self._faults.pop(number, None) is not None

    def clear(self) -> None:
        """Switch all off."""
        with self._lock:
            self._faults.clear()

    def take(self, vendor: str, operation: str, batch_id: str | None) -> Fault | None:
        """Return the fault that hits this request, if any, and count it."""
        with self._lock:
            for number, fault in self._faults.items():
                if not fault.matches(vendor, operation, batch_id) or self._left(number, fault) == 0:
                    continue
                self._seen[number] += 1
                if self._seen[number] > fault.skip:
                    return fault
        return None

    def _left(self, number: int, fault: Fault) -> int | None:
        if fault.times is None:
            return None
        return max(0, fault.times - max(0, self._seen[number] - fault.skip))

    def listed(self) -> list[dict[str, object]]:
        """Return the faults as JSON types, ``left`` being how often each will still hit; null: without end."""
        with self._lock:
            return [
                {
                    "id": number,
                    "vendor": fault.vendor,
                    "operation": fault.operation,
                    "kind": fault.kind,
                    "times": fault.times,
                    "left": self._left(number, fault),
                    "skip": fault.skip,
                    "batch_id": fault.batch_id,
                    **fault.params,
                }
                for number, fault in self._faults.items()
            ]


def _known(what: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise ValueError(f"{what} {word!r} isn't known: choose one of {', '.join(words) or 'none'}")


def _number(text: str) -> object:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
