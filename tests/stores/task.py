"""
One file from a process of its own: ``python -m tests.stores.task URI BYTES``.

It publishes so many bytes of rows, reads them back as a list, and prints the most memory that the process had in use:
before, after publishing, and after reading, in MiB.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_provider_emailverify.lists.reader import read_column
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import publish
from airflow_provider_emailverify.storage.spool import spool_for

#: Rows of 100 bytes.
ROW = b"someone@example.com," + b"x" * 79 + b"\n"
BLOCK = ROW * 10_000


def high_water() -> int:
    """Return the most memory that this process had in use so far, in MiB."""
    # Not by getrusage, whose figure begins with that of the process that started this one.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) // 1024


def main(uri: str, size: int) -> None:
    """Publish, read and measure."""
    place = Destination(uri)
    place.check()
    if not place.is_local:
        place.file_system.exists(place.path.path)  # what the libraries take for a first request is not counted
    before = high_water()
    with spool_for(place, "x", "text/csv") as spool:
        spool.write(b"email,note\n")
        for _ in range(size // len(BLOCK)):
            spool.write(BLOCK)
        publish(spool, place)
    published = high_water()
    rows = sum(len(block) for block in read_column(uri, "email"))
    print(json.dumps({"before": before, "published": published, "read": high_water(), "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
