"""The contract that each vendor fulfils, and what all of them share."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_emailverify.batches import BatchState, BatchStatus, require_ready
from airflow_provider_emailverify.connections import EXTRAS, ConnectionSettings
from airflow_provider_emailverify.exceptions import (
    EmailVerifyError,
    UnsupportedOperationError,
)
from airflow_provider_emailverify.hooks.account import IN_A_FORM, Account, OldConnectionForm, find_hook, fit_for_form
from airflow_provider_emailverify.hooks.answers import AnswerHelpers
from airflow_provider_emailverify.http.auth import Site
from airflow_provider_emailverify.http.errors import ErrorRules
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.limits import plain_number
from airflow_provider_emailverify.results.layout import Layout, Maps, ResultReader, VendorFile, parse_options

if TYPE_CHECKING:
    from airflow_provider_emailverify.formats.json_file import JsonDocument
    from airflow_provider_emailverify.http.client import VendorClient
    from airflow_provider_emailverify.http.transport import ResponseBody
    from airflow_provider_emailverify.results.schema import Row


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


class EmailVerifyHook(AnswerHelpers, OldConnectionForm, BaseHook):
    """
    Talk to one vendor through one Airflow connection.

    A vendor is a subclass: the attributes below, :meth:`submit_batch`, :meth:`get_batch_status` and
    :meth:`download_results`, and of the other calls those that the vendor has. Nothing is read and nothing is sent
    before the first call.

    A ``batch_id`` is the vendor's identifier of a batch, whatever the vendor calls it.

    :param conn_id: the Airflow connection; Password holds the key, Host may replace the base URL.
    """

    conn_name_attr: str = "conn_id"
    #: How Airflow calls the vendor: in connections, in the UI, and by default.
    conn_type: str
    hook_name: str
    default_conn_name: str
    #: Where the vendor's API is, where it takes the key, and how many requests a minute it allows.
    site: ClassVar[Site]
    #: The names that a connection's Extra may hold.
    extras: ClassVar[frozenset[str]] = EXTRAS
    #: How the vendor says that something went wrong.
    errors: ClassVar[ErrorRules] = ErrorRules()
    #: The page where a person sees a batch, with ``{id}`` for its id; None where the vendor documents none.
    batch_page: ClassVar[str | None] = None
    #: The name under which a person finds a batch at the vendor, with ``{name}`` for the one that
    #: :meth:`submit_batch` was told; None where the vendor's batches have no names.
    batch_name: ClassVar[str | None] = "{name}"
    #: What tells that the code speaks the vendor's language: its own client, or the documentation only.
    judged_by: ClassVar[str] = "its documentation only"
    #: How to try the vendor without paying, as the vendor documents it; "" if it documents nothing.
    test_mode: ClassVar[str] = ""
    #: Addresses in one batch at most; None when the vendor documents no limit.
    max_batch_size: ClassVar[int | None] = None
    #: Batches of an account that the vendor works on at the same time, where it refuses what is more; else None.
    max_parallel_batches: ClassVar[int | None] = None
    #: The vendor's words for the state of a batch, in lower case with single spaces.
    states: ClassVar[dict[str, BatchState]]
    #: The format of the vendor's results; None if they cannot be read as rows of the schema.
    layout: ClassVar[Layout | None] = None
    #: The frozen dataclass of what a user can choose of a download; None if there is nothing to choose.
    download_options: ClassVar[type[Any] | None] = None

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Self:
        """
        Return the hook of the vendor that the connection's type names.

        :param conn_id: the Airflow connection.
        :param hook_params: keyword arguments for the hook's constructor.
        :raises ConnectionConfigError: no such connection, or one of a type that is no e-mail verification vendor.
        """
        return find_hook(cls, conn_id, hook_params)

    def get_conn(self) -> VendorClient:
        """
        Return the client of this connection, made on first use.

        :raises ConnectionConfigError: the connection is missing or cannot be used.
        """
        return self.client

    @cached_property
    def account(self) -> Account:
        """The account that the connection describes."""
        return Account(self.conn_id, self)

    @property
    def settings(self) -> ConnectionSettings:
        """What the connection says, read on first use."""
        return self.account.settings

    @cached_property
    def client(self) -> VendorClient:
        """The client of the account, made on first use."""
        return self.account.client

    def at(self, site: Site) -> VendorClient:
        """
        Return the client for another address of the vendor's, which sends requests by the same policy.

        :param site: the address; a Host on the connection replaces it.
        """
        return self.account.client_at(site).with_policy(self.client.policy)

    def with_policy(self, policy: CallPolicy) -> Self:
        """
        Return a copy whose client sends requests by another policy. It shares the connections and the rate limit.

        :param policy: how often a request is sent, and whether it waits for the rate limit.
        """
        other = copy.copy(self)
        other.client = self.client.with_policy(policy)
        return other

    @classmethod
    def has_call(cls, call: str) -> bool:
        """
        Tell whether the vendor has a call that some vendors lack.

        :param call: the name of its method, such as ``find_batch``.
        """
        return getattr(cls, call) is not getattr(EmailVerifyHook, call)

    def test_connection(self) -> tuple[bool, str]:
        """
        Try the connection without spending credits.

        :return: whether it works, and what that proves or what to do. It never raises.
        """
        try:
            return True, self.with_policy(IN_A_FORM).probe()
        except EmailVerifyError as error:
            return False, fit_for_form(error, self.conn_id)
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

        :raises BatchNotFoundError: the vendor does not know it.
        :raises TransientError: no useful answer this time.
        """

    @abstractmethod
    def download_results(self, batch_id: str, options: Any = None) -> AbstractContextManager[Download]:
        """
        Open the results of a ready batch.

        :param options: an instance of :attr:`download_options`; None for its defaults.
        :raises BatchNotReadyError: they are not there yet.
        """

    @contextmanager
    def open_when_ready(
        self, path: str, batch_id: str, media_type: str, *others: str, **request: Any
    ) -> Iterator[Download]:
        """
        Ask for the status, and open the results at a path if the batch is ready: most vendors' ``download_results``.

        :param path: the path, each segment quoted already.
        :param media_type: the media type of the vendor's format.
        :param others: those of other formats that it may answer in, and then says so.
        :param request: ``params`` and ``headers`` of the request.
        :raises BatchNotReadyError: they are not there yet.
        """
        require_ready(self.get_batch_status(batch_id), self.about(batch_id))
        with self.client.stream(path, batch_id=batch_id, **request) as body:
            yield Download(body, body.media_type if body.media_type in others else media_type)

    def count_rows(self, file: VendorFile) -> int:
        """
        Check that a file holds whole results, and return how many rows.

        :param file: what was downloaded.
        :raises EmailVerifyError: the file holds something else, such as an error or half an answer.
        """
        return self._reader(file).count()

    def read_results(self, file: VendorFile, maps: Maps | None = None) -> Iterator[Row]:
        """
        Read a file as rows of the one schema, and check it like :meth:`count_rows` on the way.

        The rows count only if the iteration ends by itself.

        :param file: what was downloaded.
        :param maps: what the task says of the vendor's words and columns; it goes before what the connection says.
        :raises UnsupportedOperationError: the vendor's class has no :attr:`layout`.
        :raises EmailVerifyError: the file holds something else, such as an error or half an answer.
        """
        return self._reader(file).rows((maps or Maps()).over(self.maps))

    def check_document(self, file: VendorFile, document: JsonDocument) -> None:
        """
        Raise what the vendor says of itself in a JSON document that was read to its end, beside its rows.

        :raises EmailVerifyError: the document is an error.
        """
        self.client.check(200, document.values, file.about, file.batch_id)

    def probe(self) -> str:
        """Ask the vendor something that costs nothing, by default the balance; return what the answer proves."""
        return f"The key is valid; the account has {plain_number(self.get_credits())} credits."

    def cancel_batch(self, batch_id: str) -> None:
        """
        Stop a batch.

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

    # --- what the tasks ask beside the calls ---

    @property
    def maps(self) -> Maps:
        """What the connection says of the vendor's words and columns."""
        return Maps(**self.settings.maps)

    def check_maps(self, maps: Maps) -> None:
        """
        Refuse maps that make no sense for this vendor.

        :param maps: what the task says of the vendor's words and columns.
        :raises UnsupportedOperationError: this vendor's columns are fixed.
        :raises InvalidRequestError: a word maps to no verdict, or a header to no column.
        """
        self._layout().check(maps.over(self.maps), self.hook_name)

    def parse_options(self, given: Mapping[str, Any]) -> Any:
        """
        Return this vendor's download options, checked; None if it has none.

        :param given: names and values, as a user wrote them or a template rendered them.
        :raises UnsupportedOperationError: the vendor has no option of that name.
        :raises InvalidRequestError: an option has a value that makes no sense.
        """
        return parse_options(self.download_options, given, self.hook_name)

    def _layout(self) -> Layout:
        if self.layout is None:
            raise UnsupportedOperationError(
                f"{self.hook_name}'s results cannot be read as rows of the schema; use output_format='vendor'."
            )
        return self.layout

    def _reader(self, file: VendorFile) -> ResultReader:
        return ResultReader(self._layout(), file, self.client.redact, self.check_document)

    def _unsupported(self, what: str) -> UnsupportedOperationError:
        return UnsupportedOperationError(f"{self.hook_name} documents no call {what}.")
