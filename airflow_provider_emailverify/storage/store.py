"""The contract of a storage: replace, keep and remove single files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.spool import Spool

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.destination import Destination

#: What tells one content of a path from the next; None where there is no file.
Version = tuple[Any, ...] | None


class Store(ABC):
    """One storage, as publishing uses it. But for :meth:`publish`, its methods raise whatever the storage does."""

    def publish(self, spool: Spool, destination: Destination, mark: str = "") -> Version:
        """
        Make a spooled file visible at its destination, whole, in place of what was there. Return its version.

        :param spool: the file.
        :param destination: one file, no folder.
        :param mark: tells this file from others of the same content, where a storage can note it.
        :raises StorageError: the destination refused it, and shows what it showed; or took it and could not say so.
        """
        try:
            spool.seal().result()
            return self.put(spool, destination.path.path, mark)
        except Exception as error:
            raise StorageError(
                f"Cannot publish to {destination.uri}: {said(error, destination.uri)} What is there is whole: what "
                "was there before or, if only the storage's answer got lost, the new file."
            ) from error

    @abstractmethod
    def put(self, spool: Spool, path: str, mark: str) -> Version:
        """
        Show a sealed spool's content at a path, whole, in place of what was there. Return its version.

        :param spool: the content.
        :param path: the path.
        :param mark: tells this file from others of the same content, where a storage can note it.
        """

    @abstractmethod
    def version_of(self, spool: Spool, mark: str) -> Version:
        """Return the version that a path will have when the spool is put there; None if only a look will tell."""

    @abstractmethod
    def version(self, path: str) -> Version:
        """Return the version of the file at a path."""

    @abstractmethod
    def keep(self, path: str, aside: str) -> None:
        """Keep what is at a path under another one too. The folder of that one is made if need be."""

    @abstractmethod
    def put_back(self, aside: str, path: str) -> None:
        """Show at a path again what was kept under another one."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file."""

    @abstractmethod
    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty and the storage has such a thing; raise nothing."""

    def remove_spools(self, folder: str) -> None:  # noqa: B027 - most storages hold none
        """Remove spools that killed processes left in a folder; raise nothing."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder; none if there is no such folder."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """Return the content of a small file."""

    @abstractmethod
    def write(self, path: str, content: bytes) -> None:
        """Write a small file that nobody reads meanwhile. Its folder is made if need be."""

    @abstractmethod
    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file, in hexadecimal."""
