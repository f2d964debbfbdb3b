"""What writes rows of a list, with columns added, whatever the format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow_provider_emailverify.lists.added_columns import AddedColumns, Numbers

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool

#: Which rows of a block are written; None for all.
Keep = Sequence[bool] | None


class ListWriter(ABC):
    """
    Write rows of a list.

    After its ``with`` block it writes nothing more, whatever happened in it.

    :param added: the columns that are added.
    :param spool: where the bytes go, empty.
    """

    media_type: ClassVar[str]

    def __init__(self, added: AddedColumns, spool: Spool) -> None:
        #: Rows with more values than there are columns, which only CSV can have.
        self.too_long = 0
        self.added = added
        self.spool = spool
        spool.media_type = self.media_type

    @abstractmethod
    def write(self, block: Any, numbers: Numbers, keep: Keep = None) -> None:
        """
        Append rows.

        :param block: a block of the list.
        :param numbers: the numbers of their answers.
        :param keep: which of its rows are wanted.
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
