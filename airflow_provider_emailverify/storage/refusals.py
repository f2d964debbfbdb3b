"""
Say what a storage answered, and what a person can do about it.

Every storage's library raises errors of its own. They speak of buckets, paths and permissions in one line or in twenty,
some with the storage's whole answer in XML, some with an address that is signed.
"""

from __future__ import annotations

import re

from airflow_provider_emailverify.storage.uris import Uri

# What Azure's library writes below what it says; behind the last one stands its answer once more, as it came.
_ENVELOPE = ("RequestId:", "Time:", "ErrorCode:")
_BODY = "Content:"
# A query may hold a signature, which is as good as a key.
_QUERY = re.compile(r"(\w+://[^\s?'\"]*)\?[^\s'\"]+")
_STATUS = ("status_code", "code", "status")
# Parts of the names of errors that speak of credentials: botocore's, Azure's, google-auth's.
_NO_CREDENTIALS = ("Credential", "Authenti", "RefreshError", "TokenRetrieval")
_SHOWN_CHARACTERS = 500


def said(error: Exception, uri: str) -> str:
    """
    Return what a storage answered, in one line, and what to do about it.

    :param error: what its library raised.
    :param uri: the file or folder that it was asked about.
    """
    lines = [line.strip() for line in str(error).partition(_BODY)[0].splitlines()]
    words = " ".join(line for line in lines if line and not line.startswith(_ENVELOPE))
    words = _QUERY.sub(r"\1?…", words).rstrip(" .")[:_SHOWN_CHARACTERS]
    what = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return f"{what}. {_advice(error, Uri.parse(uri))}"


def _advice(error: Exception, place: Uri | None) -> str:
    if place is None or place.is_local:
        return "Check the path and its permissions."
    by = f"the Airflow connection {place.conn_id!r}" if place.conn_id else "the worker, for the URI names no connection"
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status == 404:
        return f"Check the path, and that {place.bucket!r} exists, which is not created here."
    if isinstance(error, PermissionError) or status in (401, 403) or _speaks_of_credentials(error):
        return f"Check the credentials of {by}, and that they may list, read, write and delete in {place.bucket!r}."
    return f"Check the path, and the endpoint and credentials of {by}; if they are right, try again later."


def _status(error: Exception) -> int:
    answer = getattr(error, "response", None)  # botocore's is a dict
    metadata = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
    found = [metadata.get("HTTPStatusCode"), *(getattr(error, name, None) for name in _STATUS)]
    return next((status for status in found if isinstance(status, int)), 0)


def _speaks_of_credentials(error: Exception) -> bool:
    # gcsfs says "Forbidden" in a plain OSError.
    return str(error).startswith("Forbidden") or any(part in type(error).__name__ for part in _NO_CREDENTIALS)
