"""What writes rows to a file, whatever the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow_provider_emailverify.results.findings import MOST_FINDINGS
from airflow_provider_emailverify.results.schema import Finding, Origin, Row

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool


class ResultWriter(ABC):
    """
    Write rows in one format.

    After its ``with`` block it writes nothing more, whatever happened in it.

    :param spool: where the bytes go, empty.
    :param origin: where the rows come from that do not say so themselves.
    """

    media_type: ClassVar[str]

    def __init__(self, spool: Spool, origin: Origin) -> None:
        self.spool = spool
        spool.media_type = self.media_type
        self.origin = origin
        self.rendered = lru_cache(maxsize=MOST_FINDINGS)(self.render)

    @abstractmethod
    def render(self, finding: Finding) -> Any:
        """
        Prepare all columns but the address, once for all rows that share them.

        :param finding: what they share.
        """

    @abstractmethod
    def count(self) -> int:
        """Count the rows of the closed file, by its own structure."""

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """
        Append rows.

        :param rows: some of them, in order.
        """

    def close(self) -> None:  # noqa: B027 - most formats hold nothing back
        """Write what is still held back; the file is whole after that."""

    def abandon(self) -> None:  # noqa: B027 - most formats hold nothing back
        """Give the file up: what is held back is never written, not even by the garbage collector."""

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Abandon the file, which does nothing to one that is closed."""
        self.abandon()
