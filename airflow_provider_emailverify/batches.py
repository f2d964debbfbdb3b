"""A batch: its identifier, and its state in words that all vendors share."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from airflow_provider_emailverify.exceptions import BatchFailedError, BatchNotReadyError, InvalidRequestError

# Of the 255 bytes that a file's name may have, the rest is for what follows, such as ".vendor.json".
_STEM_CHARACTERS = 200


class BatchState(StrEnum):
    """Where a batch stands. Each vendor's own words map to these in that vendor's file."""

    PENDING = "pending"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the batch will not change any more."""
        return self in (BatchState.READY, BatchState.FAILED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """
    One answer to "how far is this batch?".

    :param batch_id: the vendor's identifier of the batch.
    :param vendor: the vendor's name, as in the connection type.
    :param state: where the batch stands.
    :param vendor_status: the vendor's own word for it.
    :param known: False when the word is none that we know; ``state`` is then ``RUNNING``, which means "not yet".
    :param total: addresses in the batch; None when the vendor does not say.
    :param processed: addresses verified so far; None when the vendor does not say.
    :param credits_used: credits charged for the batch; None when the vendor does not say.
    """

    batch_id: str
    vendor: str
    state: BatchState
    vendor_status: str
    known: bool = True
    total: int | None = None
    processed: int | None = None
    credits_used: int | None = None

    def as_dict(self) -> dict[str, str | int | bool | None]:
        """Return the status as primitives, fit for XCom and trigger events."""
        return asdict(self) | {"state": self.state.value}


def parse_state(word: str, states: Mapping[str, BatchState]) -> BatchState | None:
    """
    Translate the vendor's word for the state of a batch; None if the word is unknown.

    :param word: the vendor's word, in any case, with spaces, underscores or hyphens.
    :param states: the vendor's words, in lower case with single spaces.
    """
    return states.get(" ".join(re.split(r"[\s_-]+", word.strip().lower())))


def parse_id(value: Any) -> str:
    """
    Return a vendor's identifier as text; "" if it is neither text nor a whole number, or if there is nothing to see.

    :param value: what the vendor's answer has in its place.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        return ""
    text = str(value)
    is_visible = any(character.isprintable() and not character.isspace() for character in text)
    is_whole = not any("\ud800" <= character <= "\udfff" for character in text)  # half a character fits into no URL
    return text if is_visible and is_whole else ""


def read_batch_id(value: Any) -> str:
    """
    Return a batch id that a user gives, as text. Airflow's native rendering makes numbers of some.

    :param value: a str or an int.
    :raises InvalidRequestError: it is something else, empty, or cannot be written as UTF-8.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidRequestError(f"batch_id must be a str, got {value!r}. Check the task that returns it.")
    text = str(value)
    if not text.strip():
        raise InvalidRequestError("batch_id is empty. Check the task that returns it.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(
            f"batch_id {value!r} is no valid Unicode text. Check the task that returns it."
        ) from None
    return text


def read_batch_ids(value: Any) -> str | list[str]:
    """
    Return what a user gives as one batch id or as a list of them: one id as text, a list as a list.

    A list holds each id once, in the order given. The text of a list, as JSON or as Python writes it, is that list: a
    template makes it of an XCom where Airflow does not render native objects.

    :param value: a str or an int; a list of them, a tuple, or what Airflow hands over for the XComs of mapped tasks.
    :raises InvalidRequestError: it is something else, or an item is no id: see :func:`read_batch_id`.
    """
    if isinstance(value, str) and value.strip().startswith("[") and value.strip().endswith("]"):
        value = parse_list("batch_id", value.strip())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray):
        return read_batch_id(value)
    ids: dict[str, None] = {}
    for number, item in enumerate(value, start=1):
        if isinstance(item, list | tuple):
            raise InvalidRequestError(
                f"batch_id must be one list of ids, and item {number} is a list itself. Join the lists first."
            )
        try:
            ids[read_batch_id(item)] = None
        except InvalidRequestError as error:
            raise InvalidRequestError(f"Item {number} of the list: {error}") from None
    return list(ids)


def parse_list(name: str, text: str) -> list[Any]:
    """
    Return a list of which a template has made a text.

    :param name: the argument, for the message.
    :param text: the list as JSON or as Python writes it.
    :raises InvalidRequestError: it cannot be read as one.
    """
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list):
            return found
    raise InvalidRequestError(
        f"{name} looks like the text of a list, and cannot be read as one: {text[:60]!r}. Hand over the output of "
        f"the task itself ({name}=task.output), or set render_template_as_native_obj=True on the Dag."
    )


def quote_batch_id(batch_id: str | int) -> str:
    """
    Quote a batch id for one segment of a URL or one file name.

    :param batch_id: the vendor's identifier of the batch.
    :raises InvalidRequestError: it is no id: see :func:`read_batch_id`.
    """
    quoted = quote(read_batch_id(batch_id), safe="")
    # "." and ".." would be resolved away on the road, and their dots are never quoted by the library.
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def file_stem(vendor: str, batch_id: str | int) -> str:
    """
    Return what the files of a batch are called, without an extension: the vendor and the quoted id.

    An id may be longer than the name of a file. A long one is cut, and gets a digest of the whole.

    :param vendor: the vendor's connection type.
    :param batch_id: the vendor's identifier of the batch.
    :raises InvalidRequestError: it is no id: see :func:`read_batch_id`.
    """
    stem = f"{vendor}-{quote_batch_id(batch_id)}"
    if len(stem) <= _STEM_CHARACTERS:
        return stem
    digest = hashlib.sha256(stem.encode()).hexdigest()[:16]
    cut = stem[: _STEM_CHARACTERS - len(digest) - 1]
    return f"{re.sub('%[0-9A-F]?$', '', cut)}-{digest}"


def require_ready(status: BatchStatus, about: str) -> None:
    """
    Refuse results of a batch that is not ready.

    :param status: what the vendor says of the batch.
    :param about: how messages call the batch.
    :raises BatchFailedError: it failed or was cancelled.
    :raises BatchNotReadyError: it is not ready yet.
    """
    error = BatchFailedError if status.state.is_final else BatchNotReadyError
    if status.state is not BatchState.READY:
        raise error.advised(f"{about}: its status is {status.vendor_status!r}.")


def emails_as_csv(emails: Sequence[str], header: str = "email") -> str:
    """
    Return a batch as a CSV file with one column.

    :param emails: the addresses.
    :param header: the name of the column.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow([header])
    writer.writerows([email] for email in emails)
    return table.getvalue()


def check_emails(emails: Sequence[str], most: int | None, vendor: str) -> None:
    """
    Refuse a list that cannot be one batch.

    :param emails: the addresses.
    :param most: how many a batch of the vendor takes; None for any number.
    :param vendor: how messages call the vendor.
    :raises InvalidRequestError: no list of addresses, an empty one, or more than ``most``.
    """
    if isinstance(emails, str) or not all(isinstance(email, str) and email for email in emails):
        raise InvalidRequestError("A batch is a list of addresses, each a non-empty str.")
    if not emails:
        raise InvalidRequestError("A batch needs at least one address.")
    if most and len(emails) > most:
        raise InvalidRequestError(f"{vendor} takes {most:,} addresses a batch, not {len(emails):,}; split them.")
