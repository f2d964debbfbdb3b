"""Replace, keep and remove files on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from airflow_provider_emailverify.storage.spool import Spool, sweep
from airflow_provider_emailverify.storage.store import Store, Version


class LocalStore(Store):
    """The file system of this machine. A spool lies beside its destination and is renamed onto it."""

    def put(self, spool: Spool, path: str, mark: str) -> Version:
        """Rename the spool, and bring the new name to the disk."""
        os.replace(spool.path, path)  # noqa: PTH105 - same as Path.replace, beside fsync of the same module
        self._sync_folder(Path(path).parent)
        return self.version_of(spool, mark)

    def version_of(self, spool: Spool, mark: str) -> Version:
        """Return what the spool's own file has; nobody else gets its inode while it is open."""
        return self._version(spool.stat())

    def version(self, path: str) -> Version:
        """Look at a path, and not through it if it is a link."""
        try:
            return self._version(os.lstat(path))
        except FileNotFoundError:
            return None

    def keep(self, path: str, aside: str) -> None:
        """Link what is there under the other name; copy it where that cannot be done."""

        def link() -> None:
            try:
                os.link(path, aside, follow_symlinks=False)
            except FileNotFoundError:
                raise
            except OSError:
                shutil.copy2(path, aside, follow_symlinks=False)

        self._in_folder(aside, link)

    def put_back(self, aside: str, path: str) -> None:
        """Rename it."""
        os.replace(aside, path)  # noqa: PTH105 - as above
        self._sync_folder(Path(path).parent)

    def remove(self, path: str) -> None:
        """Remove a file, and bring that to the disk."""
        Path(path).unlink()
        self._sync_folder(Path(path).parent)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder if it is empty."""
        with contextlib.suppress(OSError):
            Path(folder).rmdir()

    def remove_spools(self, folder: str) -> None:
        """Remove those that nobody has open."""
        with contextlib.suppress(OSError):
            sweep(Path(folder))

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        try:
            return [entry.name for entry in Path(folder).iterdir() if not entry.is_dir()]
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        """Return the content of a small file."""
        return Path(path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Write a small file, and bring it to the disk."""

        def write() -> None:
            with Path(path).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

        self._in_folder(path, write)
        self._sync_folder(Path(path).parent)

    def sha256(self, path: str) -> str:
        """Digest a file."""
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @staticmethod
    def _in_folder(path: str, work: Callable[[], None]) -> None:
        """Do something in a folder that another task may remove while it is empty."""
        folder = Path(path).parent
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                return work()
            except FileNotFoundError:
                if folder.exists():  # then something else is not there
                    raise

    @staticmethod
    def _version(found: os.stat_result) -> Version:
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    @staticmethod
    def _sync_folder(folder: Path) -> None:
        with contextlib.suppress(OSError):  # some file systems cannot
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
