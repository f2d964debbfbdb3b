"""
Keep a task's records as small objects in a storage, where Airflow does not wipe them.

The objects of one task instance lie in a folder of their own, ``<ledger>/<dag>-<task>-<digest>/``: ``plan.json``, and
for the batches ``00001.json``, ``00002.json``, … What they hold is told in :mod:`.records`. Each beginning creates an
object: a batch that was not bought and is begun again has its second record in ``00001-2.json``, and the first one says
``{"superseded": true}`` from then on. None of them holds an address or a key.

An object is created exclusively (mode ``xb``): of two tries that run at once, one creates it. S3 (``If-None-Match``),
Google Cloud Storage, Azure and local file systems do that. Some stores that only speak S3's language ignore it; so each
try puts it to the test first.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow_provider_emailverify.exceptions import InvalidDestinationError, InvalidRequestError, StorageError
from airflow_provider_emailverify.steps.state import patiently
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.refusals import said

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from airflow_provider_emailverify.http.policy import Clock

T = TypeVar("T")

#: What is read of an object that is empty or cut: it is there, and it says nothing.
CUT = object()

_PROBE = "probe"


class Ledger:
    """
    Keep the records of one task instance in a storage.

    :param uri: the folder of all records, as ``ObjectStoragePath`` takes it.
    :param stem: the name of this task instance's own folder.
    :param clock: the time.
    :raises InvalidRequestError: the URI names no folder.
    """

    is_kept = True
    carried: ClassVar[dict[str, Any]] = {}
    how_to_write = "It is the whole content of that object."

    def __init__(self, uri: str, stem: str, *, clock: Clock = time) -> None:
        try:
            folder = Destination(uri)
        except InvalidDestinationError as error:
            raise InvalidRequestError(f"ledger: {error}") from None
        self._folder = Destination(f"{folder.uri.rstrip('/')}/{stem}/")
        self._clock = clock
        self._writer = uuid.uuid4().hex
        # How often each record was begun, as far as this process has read or written it.
        self._attempts: dict[str, int] = {}

    def check(self) -> None:
        """
        See that the storage creates an object once.

        :raises StorageError: it cannot be written to, or creates an object that is there already.
        """
        if not self._create(_PROBE, 1, {"probe": uuid.uuid4().hex}):
            return  # one that an earlier try has left was not replaced
        if self._create(_PROBE, 1, {"probe": uuid.uuid4().hex}):
            raise StorageError(
                f"The storage of the ledger {self._folder.uri} creates an object that is there already, so two tries "
                "could buy the same batch. It ignores If-None-Match. Choose another storage for the ledger."
            )

    def get(self, key: str) -> Any:
        """
        Return a record: its JSON, None if there is none, :data:`CUT` if it is empty or cut.

        :param key: the record.
        :raises StorageError: the storage cannot be read.
        """
        content, attempt = None, 1
        while (found := self._patiently("read", self._read, self._path(key, attempt))) is not None:
            content = found
            self._attempts[key] = attempt
            attempt += 1
        return None if content is None else _decode(content)

    def set(self, key: str, value: Any) -> None:
        """
        Write a record in place of what is there.

        :param key: the record.
        :param value: its JSON.
        :raises StorageError: the storage cannot be written to.
        """
        attempt = self._attempts.setdefault(key, 1)
        self._patiently("write to", self._replace, self._path(key, attempt), self._encode(value))

    def claim(self, key: str, value: dict[str, Any]) -> bool:
        """
        Create a record; return False if another process has done so since this one has read it.

        :param key: the record.
        :param value: its JSON.
        :raises StorageError: the storage cannot be written to.
        """
        before = self._attempts.get(key, 0)
        if not self._create(key, before + 1, value):
            return False
        if before:  # it tells of the new one, should that get lost
            self.set(key, {"superseded": True})
        self._attempts[key] = before + 1
        return True

    def where(self, key: str) -> str:
        """
        Return how a person finds a record.

        :param key: the record.
        """
        return f"the object {self._folder.uri}{_name(key, self._attempts.get(key, 1))}"

    @cached_property
    def _files(self) -> AbstractFileSystem:
        if not self._folder.is_local:
            return self._folder.file_system
        import fsspec  # Airflow imports every storage provider that is installed to find a file system

        return fsspec.filesystem("file")

    @cached_property
    def _base(self) -> str:
        return self._folder.path.path.rstrip("/")

    def _path(self, key: str, attempt: int) -> str:
        return f"{self._base}/{_name(key, attempt)}"

    def _read(self, path: str) -> bytes | None:
        try:
            content: bytes = self._files.cat_file(path)
        except FileNotFoundError:
            return None
        return content

    def _create(self, key: str, attempt: int, value: dict[str, Any]) -> bool:
        path, content = self._path(key, attempt), self._encode(value)

        def create() -> bool:
            # What is there afterwards tells who was first, also where an answer got lost or a library has tried twice.
            failure: Exception | None = None
            try:
                self._write(path, content, "xb")
            except Exception as error:  # noqa: BLE001 - each storage has an error of its own for an object that is there
                failure = error
            found = self._read(path)
            if found is None:
                raise failure or FileNotFoundError(path)
            return found == content

        return self._patiently("write to", create)

    def _replace(self, path: str, content: bytes) -> None:
        if not self._folder.is_local:
            self._write(path, content, "wb")  # an object store shows the old object until the new one is whole
            return
        part = f"{path}.{self._writer}.part"
        self._write(part, content, "wb")
        os.replace(part, path)  # noqa: PTH105 - the names are str, as fsspec's are

    def _write(self, path: str, content: bytes, mode: str) -> None:
        if self._folder.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        elif mode == "xb" and self._folder.path.protocol in ("gs", "gcs"):
            # Its open() sends two requests, and the condition with the first, which creates nothing.
            self._files.pipe_file(path, content, mode="create")
            return
        with self._files.open(path, mode) as file:
            file.write(content)
            if self._folder.is_local:
                file.flush()
                os.fsync(file.fileno())

    def _patiently(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        _ = self._files  # a wrong connection does not get better
        try:
            return patiently(call, *arguments, clock=self._clock)
        except Exception as error:
            raise StorageError(
                f"Cannot {what} the ledger {self._folder.uri}: {said(error, self._folder.uri)}"
            ) from error

    def _encode(self, value: Any) -> bytes:
        if isinstance(value, dict):
            value = {**value, "writer": self._writer}
        return json.dumps(value).encode()


def _decode(content: bytes) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        value = json.loads(content)
        if value is not None:
            return value
    return CUT


def _name(key: str, attempt: int) -> str:
    name = key.removeprefix("emailverify_").removeprefix("batch_")
    return f"{name}.json" if attempt == 1 else f"{name}-{attempt}.json"
