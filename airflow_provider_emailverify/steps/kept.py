"""
Keep what was fetched of many batches where the next try finds it, on whatever worker that runs.

Kept are the vendor's bytes, because they are right whatever the task makes of them: another format, other verdicts or
maps change nothing about them. What does change them, the vendor, the batch and the vendor's own options, is in the
name. Beside each file lies its record, which is written when the file is whole and tells its size and digest. A file
counts only if it has both, so that half a file is never used, whoever was killed and when.

The files hold addresses, as the results do. All of them are removed when the task has succeeded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import InvalidDestinationError, InvalidRequestError
from airflow_provider_emailverify.results.layout import VendorFile
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.together import store_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fsspec import AbstractFileSystem

    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.steps.names import BatchNames
    from airflow_provider_emailverify.storage.spool import Spool

log = logging.getLogger(__name__)

#: The folder beside the results; readers of tables pass over names that begin so.
INCOMPLETE = "_incomplete"
_READ_BYTES = 4 * 1024 * 1024
_REMOVING_THREADS = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """
    What is known of a file that is kept.

    :param size: its bytes.
    :param sha256: its digest.
    :param rows: its rows.
    :param media_type: the media type of the vendor's format.
    :param length_known: see :class:`.VendorFile`.
    :param expected_rows: see :class:`.VendorFile`.
    :param fetched_at: when it was fetched.
    """

    size: int
    sha256: str
    rows: int
    media_type: str
    length_known: bool
    expected_rows: int | None
    fetched_at: str | None


def kept_folder(destination: Destination, names: BatchNames, ledger: str | None) -> Destination:
    """
    Return the folder for what a task instance keeps: the same in every try, and in no other run.

    :param destination: where the results go.
    :param names: the names of the task instance.
    :param ledger: the folder of all records, if there is one.
    :raises InvalidRequestError: the ledger names no folder.
    """
    if ledger is not None:
        try:
            return Destination(f"{Destination(ledger).uri.rstrip('/')}/{names.stem}/fetched/")
        except InvalidDestinationError as error:
            raise InvalidRequestError(f"ledger: {error}") from None
    return Destination(f"{destination.uri.rpartition('/')[0]}/{INCOMPLETE}/{names.digest}/")


class KeptFiles:
    """
    The files that a task instance keeps from one try to the next. Threads share it.

    A storage that refuses costs a warning and no result: the next try then fetches again.

    :param folder: where they are.
    :param hook: the vendor.
    :param options: the vendor's own options, parsed.
    """

    def __init__(self, folder: Destination, hook: EmailVerifyHook, options: Any) -> None:
        self._folder = folder
        self._about = hook.about
        # A file that was fetched of another vendor, or with other options, is another file.
        self._identity = [hook.conn_type, hook.client.site.base_url, None if options is None else asdict(options)]
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._has_warned = False

    def open(self) -> None:
        """Look what is there. Nothing else may come before it, and it runs in the task's own thread."""
        _ = self._files  # which may read an Airflow connection
        self._names = self._list()

    def find(self, batch_id: str) -> Kept | None:
        """Return what is known of the file of a batch; None if none is kept, or its record cannot be read."""
        if self._record(batch_id) not in self._names:
            return None
        try:
            return Kept(**json.loads(self._files.cat_file(self._path(self._record(batch_id)))))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the vendor has the file too
            return None

    def load(self, kept: Kept, batch_id: str, spool: Spool) -> VendorFile | None:
        """
        Read a file that is kept into a spool; return None if it is not what its record says.

        :param kept: its record.
        :param batch_id: the batch.
        :param spool: an empty spool.
        """
        try:
            with self._files.open(self._path(self._name(batch_id, kept)), "rb", block_size=_READ_BYTES) as file:
                while chunk := file.read(_READ_BYTES):
                    spool.write(chunk)
        except Exception:  # noqa: BLE001 - as above
            return None
        if (spool.size, spool.sha256) != (kept.size, kept.sha256):
            return None
        return VendorFile(
            batch_id=batch_id,
            about=self._about(batch_id),
            content=spool.rewound(),
            media_type=kept.media_type,
            length_known=kept.length_known,
            expected_rows=kept.expected_rows,
            fetched_at=kept.fetched_at,
        )

    def add(self, file: VendorFile, spool: Spool, rows: int) -> None:
        """
        Keep a file that is whole.

        :param file: what is known of it.
        :param spool: its bytes.
        :param rows: its rows.
        """
        kept = Kept(
            size=spool.size,
            sha256=spool.sha256,
            rows=rows,
            media_type=file.media_type,
            length_known=file.length_known,
            expected_rows=file.expected_rows,
            fetched_at=file.fetched_at,
        )
        name, record = self._name(file.batch_id, kept), self._record(file.batch_id)
        with self._lock:
            self._names.update((name, record))
        try:
            if self._folder.is_local:
                self._files.makedirs(self._folder.path.path, exist_ok=True)
                self._files.put_file(str(spool.path), self._path(name))
            else:
                store_of(self._folder).put(spool, self._path(name), "")
            self._files.pipe_file(self._path(record), json.dumps(asdict(kept)).encode())
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            self._warn("keep what was fetched", error)

    def clear(self) -> None:
        """Remove all that is kept."""
        names = sorted(self._names | self._list())
        with ThreadPoolExecutor(_REMOVING_THREADS) as pool:
            list(pool.map(self._remove, names))
        if self._folder.is_local:
            with suppress(OSError):
                self._files.rmdir(self._folder.path.path)
                self._files.rmdir(self._folder.path.path.rstrip("/").rpartition("/")[0])

    @cached_property
    def _files(self) -> AbstractFileSystem:
        if not self._folder.is_local:
            return self._folder.file_system
        import fsspec  # Airflow imports every storage provider that is installed to find a file system

        return fsspec.filesystem("file")

    def _record(self, batch_id: str) -> str:
        identity = json.dumps([*self._identity, batch_id], sort_keys=True, default=str)
        return f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"

    def _name(self, batch_id: str, kept: Kept) -> str:
        # Two tries that run at once have a file each, and a record for one of them.
        return f"{self._record(batch_id).removesuffix('.json')}-{kept.sha256[:16]}.bytes"

    def _path(self, name: str) -> str:
        return f"{self._folder.path.path.rstrip('/')}/{name}"

    def _list(self) -> set[str]:
        def names() -> set[str]:
            self._files.invalidate_cache()
            with suppress(FileNotFoundError):
                paths = self._files.ls(self._folder.path.path.rstrip("/"), detail=False)
                return {name for path in paths if (name := str(path).rpartition("/")[2])}
            return set()

        return self._quietly("look for what earlier tries fetched", names) or set()

    def _remove(self, name: str) -> None:
        def remove() -> None:
            with suppress(FileNotFoundError):
                self._files.rm_file(self._path(name))

        self._quietly("remove what was fetched", remove)

    def _quietly(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - each storage has errors of its own
            self._warn(what, error)
            return None

    def _warn(self, what: str, error: Exception) -> None:
        with self._lock:
            if not self._has_warned:
                log.warning(
                    "Cannot %s in %s: %s A retry may fetch all batches again.",
                    what,
                    self._folder.uri,
                    said(error, self._folder.uri),
                )
            self._has_warned = True
