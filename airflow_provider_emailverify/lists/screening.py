"""Part a list into addresses whose answers cost nothing, and those that must be bought."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from airflow_provider_emailverify.lists.address_file import AddressFile
from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.lists.history import KnownAnswers, MaxAge
from airflow_provider_emailverify.lists.prescreen import VENDOR, Prescreen, free_finding
from airflow_provider_emailverify.results.answers import NO_ANSWER, Answers
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, Finding, Origin, Reason, Row, Verdict, utc_text

_AT_A_TIME = 8192
_ANSWER = tuple(name for name in COLUMNS if name != "email")
_FLAG_VALUES = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """
    What costs nothing.

    :param known: files of results of earlier times.
    :param max_age: how long their answers count; None for any answer.
    :param vendors: whose answers count; None for everybody's.
    :param prescreen: looks at what is not known; None for nothing.
    :param distinguish_case: upper and lower case left of the "@" make two addresses.
    :param email_columns: names that columns of addresses may have in lists that were merged.
    """

    known: Sequence[str] = ()
    max_age: MaxAge | None = None
    vendors: frozenset[str] | None = None
    prescreen: Prescreen | None = None
    distinguish_case: bool = False
    email_columns: Sequence[str] | None = None


@dataclass(slots=True)
class Screened:
    """
    What a screening found.

    :param known: addresses whose answer is known.
    :param prescreened: addresses that were looked at and get no mail.
    """

    known: int = 0
    prescreened: int = 0


def screen(
    emails: AddressFile, rest: AddressFile, take: Callable[[Iterable[Row]], None], how: Screening, now: float
) -> Screened:
    """
    Part addresses. Memory follows them, not what is known.

    :param emails: the addresses.
    :param rest: takes those that must be bought.
    :param take: takes the answers that cost nothing, some thousand at a time.
    :param how: what costs nothing.
    :param now: the time, in seconds since 1970.
    :raises UnreadableResultsError: a file is not one of results.
    :raises StorageError: a file cannot be read.
    """
    parting = _Parting(take, how, now)
    if how.prescreen is None:
        parting.known(emails, rest)
    else:
        with AddressFile() as unknown:
            parting.known(emails, unknown)
            unknown.finish()
            parting.impossible(how.prescreen, unknown, rest)
    rest.finish()
    return parting.screened


class _Parting:
    def __init__(self, take: Callable[[Iterable[Row]], None], how: Screening, now: float) -> None:
        self.screened = Screened()
        self._take = take
        self._how = how
        self._now = now

    def known(self, emails: AddressFile, unknown: AddressFile) -> None:
        """Take the addresses of which something is known."""
        answers = Answers(_ANSWER)
        # A history is longer than the list that is parted by it.
        with AnswerTable(answers, distinguish_case=self._how.distinguish_case, hears_strangers=True) as table:
            for batch in emails.batches(_AT_A_TIME):
                table.expect(batch)
            table.complete()
            known = KnownAnswers(table, answers, self._how.vendors, None if self._how.max_age is None else self._now)
            for uri in self._how.known:
                known.learn(uri, self._how.email_columns)
            finding = cache(lambda number: self._finding(answers, number))
            for batch in emails.batches(_AT_A_TIME):
                found = [finding(number) for number in table.read(len(batch))]
                free = [(address, each) for address, each in zip(batch, found, strict=True) if each]
                self._take(free)
                prescreened = sum(each.origin is not None and each.origin.vendor == VENDOR for _, each in free)
                self.screened.prescreened += prescreened
                self.screened.known += len(free) - prescreened
                unknown.append([address for address, each in zip(batch, found, strict=True) if not each])

    def impossible(self, prescreen: Prescreen, unknown: AddressFile, rest: AddressFile) -> None:
        """Take the addresses that get no mail."""
        if prescreen.looks_up:
            prescreen.look_up(unknown.batches(_AT_A_TIME))
        verified_at = utc_text(self._now)
        finding = cache(lambda found: free_finding(found, verified_at))
        for batch in unknown.batches(_AT_A_TIME):
            found = list(map(prescreen.judge, batch))
            free = [(address, finding(each)) for address, each in zip(batch, found, strict=True) if each]
            self._take(free)
            self.screened.prescreened += len(free)
            rest.append([address for address, each in zip(batch, found, strict=True) if not each])

    def _finding(self, answers: Answers, number: int) -> Finding | None:
        """Return an answer; None if it does not count."""
        said = dict(zip(answers.columns, answers.values[number], strict=True))
        max_age = self._how.max_age
        if number == NO_ANSWER or (
            max_age is not None and not max_age.covers(said["verdict"], said["verified_at"], self._now)
        ):
            return None
        return _finding(said)


def _finding(said: dict[str, str | None]) -> Finding:
    reason = said["reason"]
    flags: dict[str, Any] = {name: _FLAG_VALUES.get(str(said[name]).lower()) for name in FLAGS}
    return Finding(
        verdict=Verdict(str(said["verdict"])),
        reason=Reason(reason) if reason in set(Reason) else Reason.OTHER,
        vendor_status=said["vendor_status"],
        origin=Origin(
            vendor=said["vendor"] or "", batch_id=said["batch_id"] or "", verified_at=said["verified_at"] or None
        ),
        **flags,
    )
