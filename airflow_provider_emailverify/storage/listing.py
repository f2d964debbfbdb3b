"""List the files that somebody names: a file, a folder, a pattern, or several of those."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_emailverify.exceptions import InvalidSourceError, StorageError
from airflow_provider_emailverify.storage.destination import open_file_system
from airflow_provider_emailverify.storage.refusals import said
from airflow_provider_emailverify.storage.uris import check_sources, shown

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# What the file systems call what changes with a file's content; the first that there is tells most.
_VERSIONS = ("ETag", "etag", "generation", "mtime", "LastModified", "last_modified", "updated", "created")
_HIDDEN = (".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """
    A file in some storage.

    :param uri: its URI, with the connection of the URI by which it was found.
    :param size: its bytes; None if the storage does not say.
    :param version: what changes when its content does; "" if the storage does not say.
    """

    uri: str
    size: int | None
    version: str

    @property
    def name(self) -> str:
        """Its name, without the folder."""
        return self.uri.rpartition("/")[2]


def list_files(named: str | Sequence[str], is_wanted: Callable[[str], bool]) -> list[StoredFile]:
    """
    List files, each once.

    A URI that ends in a slash stands for the files in that folder and those below it. In a pattern, ``*`` stands for
    any part of a name, and for no slash. Folders and patterns find files in the order of their names, and leave out
    what is hidden: names that begin with a dot or an underscore.

    :param named: a URI, a pattern, or several of them.
    :param is_wanted: tells by its name whether a folder is meant for a file. It is asked about patterns too, unless
        they say how names end.
    :return: the files, in the order in which they are named; none for a folder or a pattern without files.
    :raises InvalidSourceError: a URI cannot be read as it is written, or names a folder without a slash at its end.
    :raises StorageError: the storage cannot be asked, or has no file of a name that is given.
    """
    uris = [named] if isinstance(named, str) else named
    if not isinstance(uris, Sequence) or not uris:
        raise InvalidSourceError(f"Give a URI, a pattern, or a list of them, not {uris!r}.")
    found: dict[str, StoredFile] = {}
    for uri in uris:
        for file in _files_of(uri, is_wanted):
            found.setdefault(file.uri, file)
    return list(found.values())


def fixed_folder(uri: str) -> str:
    """
    Return the folder in which a URI, a folder or a pattern finds all its files.

    :param uri: the URI; its slash at the end stays.
    """
    start = uri.partition("*")[0]
    return start[: start.rfind("/") + 1]


def names_file(named: str, uri: str, is_wanted: Callable[[str], bool]) -> bool:
    """
    Tell whether a URI, a folder or a pattern would find a file, were it there.

    :param named: the URI, folder or pattern.
    :param uri: the file's.
    :param is_wanted: as for :func:`list_files`.
    """
    place, file = location(named), location(uri)
    if not named.endswith("/") and "*" not in named:
        return place == file
    folder = location(fixed_folder(named))
    return file.startswith(folder) and _matcher(place.removeprefix(folder), is_wanted)(file.removeprefix(folder))


def location(uri: str) -> str:
    """
    Return a URI in the one spelling of its place, without the connection.

    :param uri: the URI.
    """
    parts = check_sources(uri)
    scheme, key = ("file", parts.key or "") if parts.is_local else (parts.scheme, parts.key or "")
    if parts.is_local:
        key = posixpath.normpath(f"/{key}").lstrip("/") + ("/" if key.endswith("/") and key.strip("/") else "")
    return f"{scheme}://{parts.bucket}/{key}"


def _files_of(uri: str, is_wanted: Callable[[str], bool]) -> list[StoredFile]:
    parts = check_sources(uri)
    pattern = parts.key or ""
    files = open_file_system(uri, parts, "Source")
    try:
        files.invalidate_cache()
        if not pattern.endswith("/") and "*" not in pattern:
            return [_one(files, uri)]
        folder = pattern[: pattern.find("*")] if "*" in pattern else pattern
        folder = folder[: folder.rfind("/") + 1]
        rest = pattern[len(folder) :]
        start = uri[: len(uri) - len(rest)]
        base = ObjectStoragePath(start).path.rstrip("/")
        depth = {"maxdepth": rest.count("/") + 1} if rest and not rest.endswith("/") else {}
        matches = _matcher(rest, is_wanted)
        details: Mapping[str, Mapping[str, Any]] = files.find(base, detail=True, **depth)
        if not details and not parts.is_local:
            _look_at_bucket(files, base.removesuffix(f"/{folder.rstrip('/')}"))
    except InvalidSourceError:
        raise
    except Exception as error:
        raise StorageError(f"Cannot list {uri}: {said(error, uri)}") from error
    below = {str(path).removeprefix(base).lstrip("/"): info for path, info in details.items()}
    return [_stored(start + path, info) for path, info in sorted(below.items()) if path and matches(path)]


def _look_at_bucket(files: AbstractFileSystem, bucket: str) -> None:
    """Raise what the storage says of a bucket that is not there, which to fsspec is an empty one."""
    with suppress(PermissionError):
        files.info(bucket)


def _one(files: AbstractFileSystem, uri: str) -> StoredFile:
    info = files.info(ObjectStoragePath(uri).path)
    if info.get("type") == "directory":
        raise InvalidSourceError(f"{shown(uri)} is a folder. End it with a slash if its files are meant.")
    return _stored(uri, info)


def _stored(uri: str, info: Mapping[str, Any]) -> StoredFile:
    version = next((value for field in _VERSIONS if (value := info.get(field)) is not None), "")
    text = version.isoformat() if isinstance(version, datetime) else str(version)
    return StoredFile(uri=uri, size=info.get("size"), version=text)


def _matcher(pattern: str, is_wanted: Callable[[str], bool]) -> Callable[[str], bool]:
    """
    Return what tells whether a path is meant by a pattern.

    :param pattern: the pattern; "" or a slash at its end for whatever is below.
    """
    is_folder = not pattern or pattern.endswith("/")
    form = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))) + (".*" if is_folder else ""), re.DOTALL)
    shows = [part.startswith(_HIDDEN) for part in pattern.split("/")]
    asks = is_folder or pattern.endswith("*")

    def matches(path: str) -> bool:
        parts = path.split("/")
        hidden = [part.startswith(_HIDDEN) for part in parts]
        for place, is_shown in enumerate(shows[: len(hidden)]):
            hidden[place] = hidden[place] and not is_shown
        return bool(form.fullmatch(path)) and not any(hidden) and (not asks or is_wanted(parts[-1]))

    return matches
