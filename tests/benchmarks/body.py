"""The CSV body that the benchmarks download: rows of results, made once and repeated up to the size asked for."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Variant = Literal["plain", "quoted"]

BLOCK_BYTES = 16 * 1024 * 1024
# Cliova does not publish its columns; these are as wide as other vendors' are.
HEADER = b"email,status,reason,free,role,disposable,catch_all,mx_found,mailbox_full,checked_at\n"
_PEOPLE = ("maria", "j.smith", "office", "olena.k", "sales", "tom_b", "noreply", "anne-lise", "support", "x")
_DOMAINS = ("example.com", "mail.example.org", "example.co.uk", "gmail.example", "shop.example.net")
_PLAIN = ("valid,accepted", "invalid,mailbox_not_found", "unknown,timeout", "risky,catch_all")
_QUOTED = (
    'valid,"accepted, by the mailbox itself"',
    'invalid,"550 5.1.1 <{email}>: ""no such user"", says the server"',
    'unknown,"greylisted, try again later"',
    'risky,"accepts everything, so nothing is proved"',
)
_TWO_LINES = 'invalid,"554 rejected,\nsee the policy"'


@dataclass(frozen=True)
class Body:
    """
    A body: the header, the block as often as it fits, and the whole records that still fit after that.

    :param block: records of about ``BLOCK_BYTES``, the last one ended.
    :param repeats: how often the block comes whole.
    :param rest: bytes of the block that come once more at the end.
    :param rows: records after the header.
    """

    block: bytes
    repeats: int
    rest: int
    rows: int

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(HEADER) + self.repeats * len(self.block) + self.rest

    def sha256(self) -> str:
        """Return the SHA-256 of the whole, in hexadecimal."""
        digest = hashlib.sha256(HEADER)
        for _ in range(self.repeats):
            digest.update(self.block)
        digest.update(memoryview(self.block)[: self.rest])
        return digest.hexdigest()


def make_body(variant: Variant, size: int) -> Body:
    """
    Make a body of the size asked for, or less than a record below it.

    :param variant: ``plain`` has no quotes; ``quoted`` has a quoted field with commas in every record, doubled
        quotes in some, and a line break in one of a thousand.
    :param size: bytes.
    """
    records = []
    ends = [0]
    for record in _records(variant):
        records.append(record)
        ends.append(ends[-1] + len(record))
        if ends[-1] >= BLOCK_BYTES:
            break
    repeats, room = divmod(size - len(HEADER), ends[-1])
    more = sum(1 for end in ends[1:] if end <= room)
    return Body(b"".join(records), repeats, ends[more], repeats * len(records) + more)


def _records(variant: Variant) -> Iterator[bytes]:
    chance = random.Random(2026)
    number = 0
    while True:
        number += 1
        email = f"{chance.choice(_PEOPLE)}{number}@{chance.choice(_DOMAINS)}"
        if variant == "plain":
            said = chance.choice(_PLAIN)
        else:
            said = _TWO_LINES if number % 1000 == 0 else chance.choice(_QUOTED).format(email=email)
        flags = ",".join(chance.choices(("true", "false"), k=6))
        yield f"{email},{said},{flags},2026-03-{number % 28 + 1:02}T08:{number % 60:02}:00Z\n".encode()
