"""
Check that a URI names one file or folder, and the same one to everybody who reads it.

Between a URI and a file stand urllib, universal_pathlib, fsspec and the storage's own library. One of them cuts a path
at ``::``, one reads a version after ``?``, one drops tabs and line ends. A URI that one of them would take for another
name is refused here, for sources and destinations alike. ``tests/integration/test_names.py`` tries the others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_emailverify.exceptions import EmailVerifyError, InvalidDestinationError, InvalidSourceError

#: The length of a file's name that nearly every file system takes, in bytes.
NAME_BYTES = 255
# The limits of S3 and Google Cloud Storage for a key, and of Linux for a path.
_KEY_BYTES = 1024
_PATH_BYTES = 4095

_SHOWN_CHARACTERS = 120

_LOCAL = ("file", "local")
_AZURE = ("abfs", "abfss", "adl", "az", "wasb", "wasbs")
# Storages that keep a "#" in the middle of a name. gcsfs can take what follows for a generation of the object.
_KEEP_HASH = (*_LOCAL, "memory", "s3", "s3a")
# Storages where no file is moved into place: fsspec's own way to move one takes "[" for a pattern.
_LITERAL = (*_LOCAL, *_AZURE, "memory", "s3", "s3a", "gs", "gcs")
# Control characters, separators of lines and paragraphs, halves of surrogate pairs.
_UNFIT_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class Uri:
    """
    The parts of a URI as ``ObjectStoragePath`` takes it.

    :param scheme: the scheme; ``file`` for a path.
    :param conn_id: the Airflow connection; "" if there is none.
    :param bucket: the bucket, container or host; "" on this machine.
    :param key: the rest, without the slash at its beginning; None if there is no such slash.
    """

    scheme: str
    conn_id: str
    bucket: str
    key: str | None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """
        Read a URI or an absolute path; return None if the text is neither.

        :param text: the text.
        """
        if text.startswith("/"):
            return cls("file", "", "", text[1:])
        match = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([^/]*)(?:/(.*))?", text, re.DOTALL)
        if match is None:
            return None  # a path below the working directory of whichever worker runs the task
        scheme, authority, key = match.groups()
        if scheme in _LOCAL:
            return cls(scheme, "", "", key) if key is not None and not authority else None
        conn_id, _, bucket = authority.rpartition("@")
        return cls(scheme, conn_id, bucket, key)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own file system."""
        return self.scheme in _LOCAL

    @property
    def is_azure(self) -> bool:
        """Whether it is in Azure's storage."""
        return self.scheme in _AZURE

    @property
    def is_folder(self) -> bool:
        """Whether it names a place for files rather than a file."""
        return not self.key or self.key.endswith("/")


def check_source(text: str) -> Uri:
    """
    Read the URI of a file to read.

    :param text: the URI, as ``ObjectStoragePath`` takes it.
    :raises InvalidSourceError: some library or storage would read another file.
    """
    uri = _read(text, "source", InvalidSourceError)
    if uri.is_folder:
        raise InvalidSourceError(f"The source {shown(text)} is a folder. Name a file in it.")
    return uri


def check_sources(text: str) -> Uri:
    """
    Read the URI of a file to read, of a folder, or a pattern, in which ``*`` stands for any part of a name.

    :param text: the URI, as ``ObjectStoragePath`` takes it.
    :raises InvalidSourceError: some library or storage would read another file.
    """
    uri = _read(text, "source", InvalidSourceError)
    if "*" in uri.bucket or "*" in uri.conn_id:
        raise InvalidSourceError(f"The source {shown(text)} holds '*' in its bucket. Name one bucket.")
    return uri


def check_destination(text: str) -> Uri:
    """
    Read the URI of a file to write, or of a folder for files.

    :param text: the URI, as ``ObjectStoragePath`` takes it.
    :raises InvalidDestinationError: some library or storage would write another file, or read it back as another.
    """
    uri = _read(text, "destination", InvalidDestinationError)
    if "*" in text:
        raise InvalidDestinationError(
            f"The destination {shown(text)} holds '*', a wildcard for those who read it. Rename it."
        )
    return uri


def shown(text: object) -> str:
    """
    Return a URI as messages show it: without a password, and without a query, which may hold a signature.

    :param text: the URI.
    """
    if not isinstance(text, str):
        return repr(text)
    text = re.sub(r"(?<=://)[^/]*:[^/]*@", "…@", re.sub(r"\?.*", "?…", text, flags=re.DOTALL), count=1)
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…")


def _read(text: str, what: str, error: type[EmailVerifyError]) -> Uri:
    if not isinstance(text, str) or not text.strip():
        raise error(f"The {what} is empty ({text!r}). Give a URI such as s3://bucket/folder/ or file:///folder/.")
    uri = Uri.parse(text)
    if problem := next(_problems(text, uri), ""):
        raise error(f"The {what} {shown(text)} {problem}")
    return cast("Uri", uri)


def _problems(text: str, uri: Uri | None) -> Iterator[str]:
    if text != text.strip():
        yield "begins or ends with white space. Remove that."
    for character in text:
        if unicodedata.category(character) in _UNFIT_CATEGORIES:
            yield f"holds the character U+{ord(character):04X}, which some storages drop or refuse. Rename it."
    if "::" in text:
        yield "holds '::', at which fsspec cuts it into several file systems. Rename it."
    if "?" in text:
        yield "holds '?', after which some storages read a version of the file. Rename it."
    if uri is None:
        yield "is no URI such as s3://bucket/folder/ or file:///folder/, and no absolute path."
    elif uri.is_azure and "." in uri.bucket:
        yield (
            "is written as Spark writes it, with the account's host in it. Airflow reads the name of a connection "
            f"before the '@', and the container behind. Write abfs://<connection>@{uri.conn_id or '<container>'}/…, "
            "with the account in that connection."
        )
    elif uri.key is None:
        yield "names a bucket only. End it with a slash for a folder, or name a file in it."
    else:
        yield from _problems_of_name(uri, uri.key)
        yield from _problems_here(text, uri, uri.key)


def _problems_of_name(uri: Uri, key: str) -> Iterator[str]:
    parts = key.split("/")
    if not uri.is_local and not uri.bucket:
        yield "has no bucket. Put one behind '://' or '@'."
    if uri.is_local and key.startswith("/"):
        yield "has a path that begins with two slashes, after which some libraries read a host. Write one."
    if "#" in uri.bucket or key.endswith("#") or ("#" in key and uri.scheme not in _KEEP_HASH):
        yield "holds '#', at which some libraries cut it. Rename it."
    if not uri.is_local and ("." in parts or ".." in parts):
        yield "holds a part '.' or '..', which a URL cannot keep. Write the path without it."
    if "[" in key and uri.scheme not in _LITERAL:
        yield "holds '[', which may stand for a pattern. Rename it."
    if uri.is_azure and ("\\" in key or any(part.endswith(".") for part in parts)):
        yield "holds a backslash, or a part that ends in a dot. Azure keeps neither. Rename it."
    if uri.is_local and any(len(part.encode()) > NAME_BYTES for part in parts):
        yield f"has a part of more than {NAME_BYTES} bytes. Shorten it."
    room = NAME_BYTES if uri.is_folder else 0  # for the names of files in it
    most = (_PATH_BYTES if uri.is_local else _KEY_BYTES) - room
    if len(key.encode()) > most:
        yield f"is longer than {most:,} bytes. Shorten it."


def _problems_here(text: str, uri: Uri, key: str) -> Iterator[str]:
    """Find out whether the libraries of this environment read another name, for a reason that is not listed above."""
    name = f"{key}x" if uri.is_folder else key
    whole = f"{uri.bucket}/{name}"
    try:
        urlsplit(text)
    except ValueError:
        yield "has a bucket with characters that a URL cannot have there. Correct the bucket."
    try:
        # Without the connection, which would be looked up.
        read = ObjectStoragePath(f"{uri.scheme}://{whole}").path
    except (ImportError, ValueError):  # there is no file system for it here; who opens it says so
        return
    if uri.is_local:
        is_same = _parts(read) == _parts(name)
    else:  # some file systems keep scheme and bucket in the path, some do not
        is_same = read in (whole, f"/{whole}", f"{uri.scheme}://{whole}", f"/{name}", name)
    if not is_same:
        yield "is read as another name by the libraries that are installed here. Rename it."


def _parts(path: str) -> list[str]:
    # Several slashes are as good as one on this machine, and so is a part ".".
    return [part for part in path.split("/") if part not in ("", ".")]
