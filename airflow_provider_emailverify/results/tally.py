"""Count rows as they stream through, and write them to as many files as are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emailverify.redaction import without_addresses
from airflow_provider_emailverify.results.schema import SCHEMA_VERSION, Finding, Row, Verdict

#: So many unmapped words are counted one by one; the rest together.
MAX_UNMAPPED_WORDS = 20
# To make a word fit to be shown takes a third of a millisecond. Of a vendor that writes a text of its own for each
# address, the rest are other words.
_MOST_SHOWN = 1000
OTHER_WORDS = "(other words)"
NO_WORD = "(no word)"


@dataclass(slots=True)
class Tally:
    """
    What a result holds, in numbers.

    :param expected: rows that the vendor announced; None when it does not say.
    :param received: rows that came.
    :param without_address: rows among them that have no address.
    """

    expected: int | None = None
    received: int = 0
    without_address: int = 0
    verdicts: Counter[str] = field(default_factory=lambda: Counter({verdict.value: 0 for verdict in Verdict}))
    reasons: Counter[str] = field(default_factory=Counter)
    unmapped: Counter[str] = field(default_factory=Counter)
    _shown: dict[str, str] = field(default_factory=dict)

    def add(self, rows: Sequence[Row]) -> None:
        """
        Count rows.

        :param rows: some of them.
        """
        self.received += len(rows)
        self.without_address += [email for email, _ in rows].count(None)
        for finding, count in Counter(finding for _, finding in rows).items():
            self.verdicts[finding.verdict.value] += count
            self.reasons[finding.reason.value] += count
            if not finding.known:
                self.unmapped[self._word(finding)] += count

    def include(self, other: Tally) -> None:
        """
        Count what another one has counted. What is expected of both is known if it is known of each.

        :param other: the other one.
        """
        known = self.expected is not None and other.expected is not None
        self.expected = (self.expected or 0) + (other.expected or 0) if known else None
        self.received += other.received
        self.without_address += other.without_address
        self.verdicts.update(other.verdicts)
        self.reasons.update(other.reasons)
        for word, count in other.unmapped.items():
            self.unmapped[self._room_for(word)] += count

    def _word(self, finding: Finding) -> str:
        # A vendor may write anything there, an address too, and this is shown to everybody.
        said = finding.vendor_status
        if not said:
            return self._room_for(NO_WORD)
        if said not in self._shown:
            if len(self._shown) >= _MOST_SHOWN:
                return self._room_for(OTHER_WORDS)
            self._shown[said] = without_addresses(said, 40)
        return self._room_for(self._shown[said])

    def _room_for(self, word: str) -> str:
        return word if word in self.unmapped or len(self.unmapped) < MAX_UNMAPPED_WORDS else OTHER_WORDS

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as primitives, fit for XCom."""
        return {
            "schema_version": SCHEMA_VERSION,
            "expected": self.expected,
            "received": self.received,
            "without_address": self.without_address,
            "verdicts": dict(self.verdicts),
            "reasons": dict(self.reasons.most_common()),
            "unmapped": dict(self.unmapped.most_common()),
        }
