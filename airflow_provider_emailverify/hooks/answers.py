"""What vendors' hooks share when they read an answer: ids, members, numbers, and the words for a batch's state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_emailverify.batches import (
    BatchState,
    BatchStatus,
    check_emails,
    parse_id,
    parse_state,
    quote_batch_id,
)
from airflow_provider_emailverify.exceptions import UnexpectedResponseError
from airflow_provider_emailverify.http.errors import JSON

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.client import VendorClient


def id_in(name: str) -> Callable[[JSON], str]:
    """
    Return what finds the id of a new batch in an answer of success; "" if it is not there.

    :param name: the member that holds it.
    """
    return lambda answer: parse_id(answer.get(name)) if isinstance(answer, dict) else ""


def verdict_with(name: str) -> Callable[[JSON], dict[str, Any] | None]:
    """
    Return what finds the verdict of a single address in an answer; None if the answer is none.

    :param name: the member that every verdict has.
    """
    return lambda answer: answer if isinstance(answer, dict) and answer.get(name) else None


def whole(value: Any) -> int | None:
    """
    Return a whole number out of an answer; None if it is none.

    :param value: what the answer has in its place.
    """
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class AnswerHelpers:
    """Help a vendor's hook to ask and to read answers. It is a part of :class:`.base.EmailVerifyHook`."""

    conn_type: str
    hook_name: str
    max_batch_size: ClassVar[int | None]
    states: ClassVar[dict[str, BatchState]]

    @property
    def client(self) -> VendorClient:
        """The client of the account."""
        raise NotImplementedError

    def batch_path(self, template: str, batch_id: str) -> str:
        """
        Put a batch id into a path, so quoted that it stays one segment whatever it holds.

        :param template: a path with ``{id}``.
        :raises InvalidRequestError: the id is empty.
        """
        return template.replace("{id}", quote_batch_id(batch_id))

    def about(self, batch_id: str) -> str:
        """Return how messages call a batch: the vendor, the connection and the batch id."""
        return f"{self.client.name}, batch {batch_id!r}"

    def batch_status(self, batch_id: str, word: Any, **counts: int | None) -> BatchStatus:
        """
        Translate the vendor's word for the state of a batch.

        A word that is not in ``states`` means "not yet": vendors do not publish all of theirs.

        :param word: the vendor's word, in any case, with spaces, underscores or hyphens.
        :param counts: the numbers of :class:`BatchStatus`.
        :raises UnexpectedResponseError: there is no word.
        """
        if not isinstance(word, str) or not word.strip():
            raise UnexpectedResponseError.advised(
                f"{self.about(batch_id)}: expected a status in words, found {type(word).__name__}."
            )
        state = parse_state(word, self.states)
        return BatchStatus(
            batch_id=batch_id,
            vendor=self.conn_type,
            state=state or BatchState.RUNNING,
            vendor_status=self.client.redact(word, 60),
            known=state is not None,
            **counts,
        )

    def check_emails(self, emails: Sequence[str]) -> None:
        """
        Refuse a list that cannot be one batch, before it is sent.

        :raises InvalidRequestError: no list of addresses, an empty one, or more than :attr:`max_batch_size`.
        """
        check_emails(emails, self.max_batch_size, self.hook_name)

    def member(self, answer: JSON, name: str, batch_id: str | None = None) -> Any:
        """
        Return a member of an answer; None if the answer does not have it.

        :raises UnexpectedResponseError: the answer is no object.
        """
        if isinstance(answer, dict):
            return answer.get(name)
        about = self.about(batch_id) if batch_id else self.client.name
        raise UnexpectedResponseError.advised(f"{about}: expected an object, found {type(answer).__name__}.")

    def listed(self, answer: JSON, name: str) -> list[Any]:
        """
        Return the list that a member of an answer is.

        :raises UnexpectedResponseError: it is none.
        """
        found = self.member(answer, name)
        if isinstance(found, list):
            return found
        raise UnexpectedResponseError.advised(
            f"{self.client.name}: expected a list of {name}, found {type(found).__name__}."
        )

    def number(self, value: Any, what: str) -> float:
        """
        Return a number out of an answer.

        :raises UnexpectedResponseError: it is none.
        """
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            raise UnexpectedResponseError.advised(
                f"{self.client.name}: expected a number of {what}, found none."
            ) from None
