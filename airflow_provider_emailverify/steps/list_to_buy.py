"""Read a list, take out of it what costs nothing, and keep that for the next try."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.exceptions import InvalidRequestError, SourceChangedError
from airflow_provider_emailverify.limits import Limit
from airflow_provider_emailverify.lists.address_file import AddressFile
from airflow_provider_emailverify.lists.cleaning import AddressList, Cleaning
from airflow_provider_emailverify.lists.columns import wanted_columns
from airflow_provider_emailverify.lists.history import MaxAge
from airflow_provider_emailverify.lists.prescreen import Prescreen, check_prescreen
from airflow_provider_emailverify.lists.reader import ListFormat
from airflow_provider_emailverify.lists.screening import Screened, Screening, screen
from airflow_provider_emailverify.results.read_back import is_result_name
from airflow_provider_emailverify.results.schema import Origin, Verdict
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import RowFiles, check_format, open_writer
from airflow_provider_emailverify.steps.kill_switch import KillSwitch
from airflow_provider_emailverify.steps.sources import SourceFiles
from airflow_provider_emailverify.storage.destination import Destination, open_source
from airflow_provider_emailverify.storage.listing import list_files
from airflow_provider_emailverify.storage.publishing import publish
from airflow_provider_emailverify.storage.spool import spool_for

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.policy import Clock
    from airflow_provider_emailverify.steps.records import PurchaseRecords

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyOptions:
    """
    What is read, and what of it costs nothing.

    :param source: the list.
    :param how: how it is read.
    :param cleaning: how addresses are taken out of it.
    :param max_emails: addresses to buy at most; None for any number.
    :param max_dropped: values that may be no addresses; None for any number.
    :param known: files, folders or patterns of results of earlier times.
    :param max_age: how long their answers count.
    :param known_vendors: whose answers count; None for everybody's.
    :param prescreen: ``syntax``, ``dns`` or None.
    :param prescreen_resolver: name servers; None for those of this machine.
    :param price_per_address: what an address costs; None if nobody says.
    :param answers: where the answers go that cost nothing. Without ``known`` and ``prescreen``, where they are.
    """

    source: Any
    how: ListFormat
    cleaning: Cleaning = field(default_factory=Cleaning)
    max_emails: int | None = None
    max_dropped: Limit | None = None
    known: Sequence[str] = ()
    max_age: MaxAge = field(default_factory=lambda: MaxAge.parse(None))
    known_vendors: frozenset[str] | None = None
    prescreen: Any = None
    prescreen_resolver: Any = None
    answers: Destination | None = None
    price_per_address: float | None = None

    @property
    def screens(self) -> bool:
        """Whether anything is looked for that costs nothing."""
        return bool(self.known) or self.prescreen is not None


@dataclass(frozen=True, slots=True)
class ListToBuy:
    """
    A list, and what of it must be bought.

    :param sources: its files.
    :param emails: all its addresses.
    :param rest: those to buy.
    :param screened: how many answers cost nothing.
    :param answers: where those are; None if there was nothing to look for, or nowhere to write it.
    :param price_per_address: what an address costs; None if nobody says.
    """

    sources: SourceFiles
    emails: AddressList
    rest: AddressFile
    screened: Screened
    answers: str | None
    price_per_address: float | None

    @property
    def summary(self) -> dict[str, Any]:
        """The figures, as primitives."""
        emails, price = self.emails, self.price_per_address
        spared = emails.found - self.rest.unique
        return {
            "sources": self.sources.plan,
            "read": emails.read,
            "dropped": emails.dropped,
            "dropped_by_reason": emails.dropped_by_reason,
            "cleaned": emails.cleaned,
            "unique": emails.unique,
            "duplicates": emails.found - emails.unique,
            "known": self.screened.known,
            "prescreened": self.screened.prescreened,
            "to_buy": self.rest.unique,
            **({} if price is None else {"price": _money(price, self.rest.unique), "saved": _money(price, spared)}),
        }


@contextmanager
def open_list_to_buy(
    options: BuyOptions, kill_switch: KillSwitch, records: PurchaseRecords | None = None, *, clock: Clock = time
) -> Iterator[ListToBuy]:
    """
    Read a list, and take out what costs nothing. The answers are published before anything is bought.

    :param options: what is read.
    :param kill_switch: tells when to stop.
    :param records: what earlier tries have written down: which answers they took out. None if nothing is bought.
    :param clock: the time.
    :raises InvalidRequestError: the list is longer than it may be, or an argument makes no sense.
    :raises InvalidSourceError: the list is not what it should be.
    :raises SourceChangedError: the answers of an earlier try are not what they were.
    :raises StorageError: a storage refused something.
    """
    check_prescreen(options.prescreen)
    if options.screens and options.answers is None and records is not None:
        raise InvalidRequestError(
            "known and prescreen need answers: the URI of the file for the answers that cost nothing, such as "
            "'s3://bucket/answers/{{ run_id }}.csv'. A retry and the merge read them there."
        )
    sources = SourceFiles.find(options.source, options.how)
    with ExitStack() as stack:
        emails = stack.enter_context(AddressList(kill_switch.watch(sources.unchanged_values()), options.cleaning))
        emails.check_dropped(options.max_dropped)
        rest: AddressFile = emails
        screened, answers = Screened(), None
        if options.answers is not None or options.screens:
            rest = stack.enter_context(AddressFile())
            screened, answers = _screened(options, emails, rest, records, clock)
        if options.max_emails is not None and rest.unique > options.max_emails:
            raise InvalidRequestError(
                f"{rest.unique:,} addresses would be bought, and max_emails is {options.max_emails:,}. Nothing was "
                "submitted. Check that it is the right list, or raise max_emails."
            )
        yield ListToBuy(sources, emails, rest, screened, answers, options.price_per_address)


def _screened(
    options: BuyOptions, emails: AddressList, rest: AddressFile, records: PurchaseRecords | None, clock: Clock
) -> tuple[Screened, str | None]:
    destination = options.answers
    recorded = records.answers if records else None
    if isinstance(recorded, Mapping):
        _check_recorded(recorded)
        return screen(emails, rest, _nothing, _again(options, str(recorded["uri"])), clock.time()), recorded["uri"]
    if destination is not None and not options.screens:
        return screen(emails, rest, _nothing, _again(options, destination.uri), clock.time()), destination.uri
    how = Screening(
        known=[file.uri for file in list_files(options.known, is_result_name)] if options.known else (),
        max_age=options.max_age,
        vendors=options.known_vendors,
        prescreen=Prescreen(options.prescreen, options.prescreen_resolver) if options.prescreen else None,
        distinguish_case=options.cleaning.distinguish_case,
        email_columns=wanted_columns(options.how.email_column),
    )
    if destination is None:
        return screen(emails, rest, _nothing, how, clock.time()), None
    with spool_for(destination, "answers") as spool:
        writer = open_writer(_format_of(destination), spool, Origin(vendor="", batch_id=""))
        tally = Tally()
        with RowFiles([(writer, frozenset(Verdict))]) as files:
            found = screen(emails, rest, lambda rows: files.write(rows, tally), how, clock.time())
            files.close()
        publish(spool, destination)
        if records:
            records.note_answers({"uri": destination.uri, "sha256": spool.sha256})
    log.info(
        "Addresses: %d, known: %d, without mail: %d; these answers cost nothing, and are at %s",
        emails.unique,
        found.known,
        found.prescreened,
        destination.uri,
    )
    return found, destination.uri


def _money(price: float, count: int) -> float:
    return float(Fraction(str(price)) * count)


def _again(options: BuyOptions, uri: str) -> Screening:
    """Return how the answers are taken that were found before: as they are, whatever their age by now."""
    return Screening(known=[uri], distinguish_case=options.cleaning.distinguish_case)


def _nothing(_: object) -> None:
    """Write nothing: the rows are there already."""


def _check_recorded(recorded: Mapping[str, Any]) -> None:
    digest = hashlib.sha256()
    with open_source(str(recorded.get("uri"))) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != recorded.get("sha256"):
        what = f"The answers at {recorded.get('uri')} are not what an earlier try of this task has written."
        raise SourceChangedError(what).with_steps(
            what,
            "What was bought belongs to those. Going on would pay for some addresses twice and for others never.",
            "1. Put the file back as it was, for instance its earlier version, and clear the task.",
            "2. Or trigger a new run.",
        )


def _format_of(destination: Destination) -> str:
    result_format = destination.uri.rpartition(".")[2]
    if not is_result_name(destination.uri.rpartition("/")[2]):
        raise InvalidRequestError(f"answers ends in .csv, .jsonl or .parquet, not {destination.uri!r}.")
    check_format(result_format)
    return result_format
