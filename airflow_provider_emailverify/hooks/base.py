"""The contract that each vendor fulfils, and what all of them share."""

from __future__ import annotations

import inspect
import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, TypeVar

from airflow_provider_emailverify.batches import BatchState, BatchStatus, quote_batch_id
from airflow_provider_emailverify.exceptions import (
    BatchFailedError,
    BatchNotFoundError,
    BatchNotReadyError,
    EmailVerifyError,
    InvalidRequestError,
    UnexpectedResponseError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.hooks.connected import ConnectedHook
from airflow_provider_emailverify.results.findings import words_of
from airflow_provider_emailverify.results.tables import headers_of

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.transport import ResponseBody
    from airflow_provider_emailverify.results.schema import Row
    from airflow_provider_emailverify.storage.spool import Spool

T = TypeVar("T")

_NOT_OPTIONS = frozenset({"batch_id", "file", "media_type", "is_measured"})


@dataclass(frozen=True, slots=True)
class Download:
    """
    A vendor's results as they arrive.

    :param body: the bytes; iterate once.
    :param media_type: the media type of the vendor's format, whatever the answer's header says.
    :param expected_rows: how many rows there should be; None when the vendor does not say.
    """

    body: ResponseBody
    media_type: str
    expected_rows: int | None = None


class EmailVerifyHook(ConnectedHook):
    """
    Talk to one vendor through one Airflow connection.

    A vendor is a subclass: the attributes below, :meth:`submit_batch`, :meth:`get_batch_status`,
    :meth:`download_results`, :meth:`count_rows` and :meth:`read_results`, and of the other calls those that the
    vendor has. Nothing is read and nothing is sent before the first call.

    :param conn_id: the Airflow connection; Password holds the key, Host may replace the base URL.
    """

    #: The page where a person reads on about a batch: the batch itself, with ``{id}``, or the vendor's documentation.
    batch_page: ClassVar[str | None] = None
    #: Addresses in one batch at most; None when the vendor documents no limit.
    max_batch_size: ClassVar[int | None] = None
    #: Batches that the vendor works on at the same time; None when it documents no limit.
    max_parallel_batches: ClassVar[int | None] = None
    #: The vendor's words for the state of a batch, in lower case with single spaces.
    states: ClassVar[dict[str, BatchState]]

    def test_connection(self) -> tuple[bool, str]:
        """
        Try the connection without spending credits.

        :return: whether it works, and what that proves or what to do. It never raises.
        """
        try:
            return True, self.probe()
        except EmailVerifyError as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - Airflow shows what is returned, and a text of others may hold the key
            return False, f"Unexpected {type(error).__name__}; see the log of the API server."

    # --- the vendor's calls ---

    @abstractmethod
    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        """
        Submit addresses as one batch, and spend credits. Return the batch id.

        :param emails: the addresses, ``max_batch_size`` at most.
        :param name: what the vendor shall call the batch, if it lets one choose.
        :raises InvalidRequestError: no addresses, or too many; nothing was sent.
        :raises SubmissionUnknownError: it may or may not have reached the vendor. It is never sent again by itself.
        """

    @abstractmethod
    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """
        Ask how far a batch is.

        :param batch_id: the vendor's identifier of the batch.
        :raises BatchNotFoundError: the vendor does not know it.
        :raises TransientError: no useful answer this time.
        """

    @abstractmethod
    def download_results(self, batch_id: str) -> AbstractContextManager[Download]:
        """
        Open the results of a ready batch.

        A vendor's options are keyword arguments of its own method.

        :param batch_id: the vendor's identifier of the batch.
        :raises BatchNotReadyError: they are not there yet.
        """

    @abstractmethod
    def count_rows(self, batch_id: str, file: BinaryIO, media_type: str, *, is_measured: bool) -> int:
        """
        Check that a file holds whole results, and return how many rows.

        :param batch_id: the vendor's identifier of the batch.
        :param file: the vendor's bytes, seekable.
        :param media_type: what :class:`Download` said.
        :param is_measured: False when only the content can tell whether the file was cut.
        :raises EmailVerifyError: the file holds something else, such as an error or half an answer.
        """

    def read_results(self, batch_id: str, file: BinaryIO, media_type: str, *, is_measured: bool) -> Iterator[Row]:
        """
        Read a file as rows of the one schema, and check it like :meth:`count_rows` on the way.

        The rows count only if the iteration ends by itself. What a vendor lets the user map is keyword arguments of
        its own method, ``status_map`` and ``column_map``; :meth:`user_map` adds what the connection says of them.

        :param batch_id: the vendor's identifier of the batch.
        :param file: the vendor's bytes, seekable.
        :param media_type: what :class:`Download` said.
        :param is_measured: False when only the content can tell whether the file was cut.
        :raises UnsupportedOperationError: nobody has written down yet how this vendor's bytes become rows.
        :raises EmailVerifyError: the file holds something else, such as an error or half an answer.
        """
        raise UnsupportedOperationError(
            f"{self.hook_name}'s results cannot be read as rows of the schema; use output_format='vendor'."
        )

    @abstractmethod
    def probe(self) -> str:
        """Ask the vendor something that costs nothing; return in words what the answer proves."""

    def cancel_batch(self, batch_id: str) -> None:
        """
        Stop a batch.

        :param batch_id: the vendor's identifier of the batch.
        :raises UnsupportedOperationError: the vendor has no such call.
        """
        raise self._unsupported("to cancel a batch")

    def find_batch(self, name: str) -> str | None:
        """
        Return the id of the batch that was submitted under a name; None if the vendor is sure that there is none.

        :param name: what :meth:`submit_batch` was told to call the batch.
        :raises UnsupportedOperationError: the vendor has no such call.
        """
        raise self._unsupported("to find a batch by its name")

    def get_credits(self) -> float:
        """
        Return the account's balance, in the vendor's credits.

        :raises UnsupportedOperationError: the vendor has no such call.
        """
        raise self._unsupported("to read the balance")

    def verify_email(self, email: str) -> dict[str, Any]:
        """
        Verify one address now, and spend a credit. Return the vendor's answer as it is.

        :param email: the address.
        :raises UnsupportedOperationError: the vendor has no such call.
        """
        raise self._unsupported("to verify a single address")

    # --- helpers for the vendors ---

    def save_results(self, batch_id: str, spool: Spool, **options: Any) -> int:
        """
        Download the results of a batch into a spool file, check them, and return the number of rows.

        :param batch_id: the vendor's identifier of the batch.
        :param spool: where the bytes go; what it held is thrown away.
        :param options: what this vendor's :meth:`download_results` takes beside the batch id.
        :raises EmailVerifyError: as :meth:`receive_results`.
        """

        def count(file: BinaryIO, download: Download) -> int:
            spool.seal()  # beside the count
            return self.count_rows(batch_id, file, download.media_type, is_measured=download.body.is_measured)

        return self.receive_results(batch_id, spool, count, options)

    def receive_results(
        self, batch_id: str, spool: Spool, take: Callable[[BinaryIO, Download], T], options: Mapping[str, Any]
    ) -> T:
        """
        Download the results of a batch into a spool file, and return what is made of them.

        A body that is cut is downloaded again from its beginning, and taken again.

        :param batch_id: the vendor's identifier of the batch.
        :param spool: where the bytes go; what it held is thrown away.
        :param take: checks the file, and makes something of it. It may be called several times.
        :param options: what this vendor's :meth:`download_results` takes beside the batch id.
        :raises BatchNotReadyError: the batch is not ready yet; a later try can succeed.
        :raises EmailVerifyError: there are no whole results, for the reason that the class names.
        """
        from airflow_provider_emailverify.http.client import WORTH_REPEATING
        from airflow_provider_emailverify.http.retries import retrying

        # Each attempt asks for everything again, so single requests are not repeated by themselves.
        hook = self.with_policy(replace(self.client.policy, attempts=1))

        def once() -> T:
            with hook.download_results(batch_id, **options) as download:
                spool.reset(download.media_type)
                for chunk in download.body:
                    spool.write(chunk)
            return take(spool.rewound(), download)

        try:
            return retrying(self.client.policy.attempts, *WORTH_REPEATING)(once)
        except (BatchNotFoundError, InvalidRequestError) as error:
            # What a vendor answers to an early download is not documented; 404 and 422 are plausible.
            if error.http_status is None or self.get_batch_status(batch_id).state.is_final:
                raise
            raise BatchNotReadyError(f"{self.about(batch_id)}: not ready yet. {BatchNotReadyError.advice}") from None

    def check_download_options(self, options: Mapping[str, Any]) -> None:
        """
        Refuse options that this vendor's :meth:`download_results` does not have.

        :param options: keyword arguments.
        :raises UnsupportedOperationError: naming the options that there are.
        """
        self._check_arguments("download option", self.download_results, options)

    def check_maps(self, maps: Mapping[str, Any]) -> None:
        """
        Refuse maps that this vendor's :meth:`read_results` does not have, or that make no sense.

        :param maps: keyword arguments.
        :raises UnsupportedOperationError: naming the maps that there are.
        :raises InvalidRequestError: naming what there is to map.
        """
        self._check_arguments("map", self.read_results, maps)
        words_of(self.user_map("status_map", maps.get("status_map")))
        headers_of(self.user_map("column_map", maps.get("column_map")))

    def user_map(self, name: str, given: Mapping[str, str] | None) -> dict[str, str]:
        """
        Return a map that the user may give in two places; the task goes before the connection.

        :param name: ``status_map`` or ``column_map``.
        :param given: what the task says.
        """
        return {**self.settings.maps.get(name, {}), **(given or {})}

    def batch_path(self, template: str, batch_id: str) -> str:
        """
        Put a batch id into a path, so quoted that it stays one segment whatever it holds.

        :param template: a path with ``{id}``.
        :param batch_id: the vendor's identifier of the batch.
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

        :param batch_id: the vendor's identifier of the batch.
        :param word: the vendor's word, in any case, with spaces, underscores or hyphens.
        :param counts: the numbers of :class:`BatchStatus`.
        :raises UnexpectedResponseError: there is no word.
        """
        if not isinstance(word, str) or not word.strip():
            raise UnexpectedResponseError(
                f"{self.about(batch_id)}: expected a status in words, found {type(word).__name__}. "
                f"{UnexpectedResponseError.advice}"
            )
        state = self.states.get(" ".join(re.split(r"[\s_-]+", word.strip().lower())))
        return BatchStatus(
            batch_id=batch_id,
            vendor=self.conn_type,
            state=state or BatchState.RUNNING,
            vendor_status=self.client.redact(word, 60),
            known=state is not None,
            **counts,
        )

    def require_ready(self, status: BatchStatus) -> None:
        """
        Refuse results of a batch that is not ready.

        :param status: what the vendor says of the batch.
        :raises BatchFailedError: it failed or was cancelled.
        :raises BatchNotReadyError: it is not ready yet.
        """
        error = BatchFailedError if status.state.is_final else BatchNotReadyError
        if status.state is not BatchState.READY:
            raise error(f"{self.about(status.batch_id)}: its status is {status.vendor_status!r}. {error.advice}")

    def check_emails(self, emails: Sequence[str]) -> None:
        """
        Refuse a list that cannot be one batch, before it is sent.

        :param emails: the addresses.
        :raises InvalidRequestError: no list of addresses, an empty one, or more than ``max_batch_size``.
        """
        if isinstance(emails, str) or not all(isinstance(email, str) and email for email in emails):
            raise InvalidRequestError("A batch is a list of addresses, each a non-empty str.")
        if not emails:
            raise InvalidRequestError("A batch needs at least one address.")
        if self.max_batch_size and len(emails) > self.max_batch_size:
            raise InvalidRequestError(
                f"{self.hook_name} takes {self.max_batch_size:,} addresses a batch, not {len(emails):,}; split them."
            )

    def _check_arguments(self, kind: str, method: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        known = [name for name in inspect.signature(method).parameters if name not in _NOT_OPTIONS]
        unknown = sorted(set(arguments) - set(known))
        if unknown:
            raise UnsupportedOperationError(
                f"{self.hook_name} has no {kind} {unknown[0]!r}; it has {', '.join(known) or 'none'}."
            )

    def _unsupported(self, what: str) -> UnsupportedOperationError:
        return UnsupportedOperationError(f"{self.hook_name} documents no call {what}.")
