"""What the faults came to, as a table for people and for the docs."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FILE = Path(__file__).parents[2] / "build" / "chaos.csv"


class Outcomes:
    """Collect a row for each fault: what happened, what came of it, and how long that took."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str]] = []

    @contextmanager
    def measure(self, fault: str, outcome: str) -> Iterator[None]:
        """Measure from the fault until the last list is back; nothing is noted if that fails."""
        started = time.monotonic()
        yield
        self._rows.append((fault, outcome, f"{time.monotonic() - started:.0f} s"))
        print(f"\n{fault}: {outcome}, {self._rows[-1][2]}", flush=True)

    def write(self) -> None:
        """Write the table to ``build/chaos.csv``."""
        _FILE.parent.mkdir(exist_ok=True)
        with _FILE.open("w", newline="") as file:
            csv.writer(file).writerows([("fault", "outcome", "until the last list is back"), *self._rows])
