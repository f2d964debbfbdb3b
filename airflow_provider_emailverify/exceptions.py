"""
Everything that this package raises.

::

    EmailVerifyError
    ├── ConnectionConfigError            the Airflow connection cannot be used
    │   └── ConnectionMissingError       there is none, or Airflow could not read it
    ├── InvalidSourceError            *  the list is not what the task was told it is
    ├── SourceChangedError            *  the list changed between two tries
    ├── InvalidDestinationError       *  the destination cannot be a place for results
    ├── StorageError                     a storage or the disk refused a read or a write
    ├── InvalidRequestError           *  the request makes no sense
    │   └── UnsupportedOperationError *  the vendor has no such call or option
    ├── AuthenticationError           *  the vendor refused the key
    ├── InsufficientCreditsError      *  the account has too few credits
    ├── BatchNotFoundError            *  the vendor does not know the batch
    ├── BatchFailedError              *  the batch failed or was cancelled
    ├── TransientError                   no useful answer this time
    │   ├── RateLimitedError             asked too often
    │   ├── VendorUnavailableError       no connection, a reset, a time-out, or HTTP 5xx
    │   │   └── VendorUnreachableError   not one byte of the request was sent
    │   ├── IncompleteResponseError      the body ended before it was whole
    │   ├── UnexpectedResponseError      not what the vendor documents
    │   └── BatchNotReadyError           the results were asked for too early
    ├── VendorOutageError                no useful answer for longer than max_outage
    ├── UnreadableResultsError        *  the results cannot be read as rows of the schema
    │   └── UnknownColumnsError       *  the address or the verdict is in no known column
    ├── ResultCheckError              *  the results are not good enough
    ├── SubmissionUnknownError        *  a batch may or may not have been accepted and charged for
    └── SubmissionStoppedError           the task was killed between two batches

``*``: ``permanent``. Trying again cannot help, so a task fails at once, without retries.

They derive from :class:`Exception` rather than from ``AirflowException``: a deferred sensor with ``soft_fail`` skips on
any ``AirflowException``, while the same sensor in poke mode skips on a few only. Every class can be built from its
message alone, so that it survives the way from a trigger to a task, and can be named in a retry policy.
"""

from __future__ import annotations

import re
import textwrap
from typing import ClassVar, Self

# What Airflow's log page shows of a line on a small screen, beside its number and time.
_LINE = 88


class EmailVerifyError(Exception):
    """
    Base of everything that this package raises.

    :ivar http_status: the status of the vendor's answer; None if it was not an answer that went wrong.
    :ivar steps: what a person has to know and to do, as short lines; a task logs them before it fails.
    """

    http_status: int | None = None
    steps: tuple[str, ...] = ()
    permanent: ClassVar[bool] = False
    #: What the person on call can do about it.
    advice: ClassVar[str] = ""

    @classmethod
    def advised(cls, what: str) -> Self:
        """
        Return the error with what the person on call can do about it.

        :param what: what happened, in a sentence.
        """
        return cls(f"{what} {cls.advice}")

    def with_message(self, message: str) -> Self:
        """
        Return the same error with another message.

        :param message: the message.
        """
        other = type(self)(message)
        other.__dict__.update(self.__dict__)
        return other

    @property
    def lines(self) -> tuple[str, ...]:
        """The error in short lines, for Airflow's log page cuts long ones: its steps, else a sentence each."""
        parts = self.steps or _sentences(str(self))
        return tuple(line for part in parts for line in _broken(part))

    def with_steps(self, *steps: str) -> Self:
        """
        Say what a person has to know and to do. Return the error.

        :param steps: short lines.
        """
        self.steps = steps
        return self


def _sentences(message: str) -> list[str]:
    """Return the sentences of a message. Where the first is long, its reason stands before what it is about."""
    first, *others = message.replace(". ", ".\n").splitlines() or [""]
    about, colon, reason = first.partition(": ")
    if len(first) <= _LINE or not colon:
        return [first, *others]
    if about.endswith(("'", ")")):  # a thing and its name
        return [reason[:1].upper() + reason[1:], f"({about})", *others]
    return [f"{about}:", reason, *others]


def _broken(text: str) -> list[str]:
    """Return a text in lines; what belongs to a numbered step is indented."""
    before = re.match(r" *(?:\d+\. )?", text)
    indent = " " * (before.end() if before else 0)
    return textwrap.wrap(text, _LINE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


class ConnectionConfigError(EmailVerifyError):
    """The Airflow connection is missing, of another type, or has a field that cannot be used."""


class ConnectionMissingError(ConnectionConfigError):
    """There is no such connection; Airflow says the same where its secrets backend or its API does not answer."""


class InvalidDestinationError(EmailVerifyError):
    """The destination cannot be a place for results, whoever tries it and when."""

    permanent = True


class InvalidSourceError(EmailVerifyError):
    """The source is not the list that the task was told it is: another format, encoding or column."""

    permanent = True


class SourceChangedError(EmailVerifyError):
    """The list, or how it is cut into batches, is not what an earlier try of the task began to submit."""

    permanent = True


class StorageError(EmailVerifyError):
    """The source, the spool or the destination refused a read or a write: no space, no bucket, no permission."""


class InvalidRequestError(EmailVerifyError):
    """The request makes no sense to the vendor (HTTP 400, 422 …), or to us before it is sent."""

    permanent = True
    advice = "Check the task's arguments and the base URL in the connection's Host."


class UnsupportedOperationError(InvalidRequestError):
    """The vendor has no such call or option."""


class AuthenticationError(EmailVerifyError):
    """The vendor refused the key (HTTP 401, 403)."""

    permanent = True
    advice = "Check that the connection's Password is this account's API key, then clear the task."


class InsufficientCreditsError(EmailVerifyError):
    """The account has too few credits (HTTP 402, or a 400 that says so)."""

    permanent = True
    advice = "Buy credits at the vendor, then clear the task."


class BatchNotFoundError(EmailVerifyError):
    """The vendor does not know the batch (HTTP 404, 410, or an empty answer)."""

    permanent = True
    advice = (
        "Check the batch id, and that the connection is of the account that submitted the batch; "
        "vendors delete old batches."
    )


class BatchFailedError(EmailVerifyError):
    """The vendor gave the batch up, or somebody cancelled it."""

    permanent = True
    advice = "Look at the batch in the vendor's dashboard, and submit the list again if need be."


class TransientError(EmailVerifyError):
    """
    The vendor did not answer usefully this time; the same question can succeed later.

    :param message: what happened.
    :param retry_after: how long the vendor asks to be left alone, in seconds; None when it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitedError(TransientError):
    """The vendor was asked too often (HTTP 429)."""

    advice = "Lower requests_per_minute on the connection, or put the tasks of this account into an Airflow pool."


class VendorUnavailableError(TransientError):
    """No connection, a reset, a timeout, or HTTP 5xx."""

    advice = "It is the vendor's side; try again later."


class VendorUnreachableError(VendorUnavailableError):
    """No connection could be made, so the request was certainly not sent."""


class IncompleteResponseError(TransientError):
    """The body ended before it was whole."""


class UnexpectedResponseError(TransientError):
    """The answer is not what the vendor documents: another shape, a redirect, an error in a success."""

    advice = "If it persists, check the base URL in the connection's Host, and whether the vendor has changed its API."


class BatchNotReadyError(TransientError):
    """The results were asked for before the batch was ready."""

    advice = "Wait for it with EmailVerifyBatchSensor, or let the task retry."


class UnreadableResultsError(EmailVerifyError):
    """The results are whole, but they cannot be read as rows of the schema."""

    permanent = True
    advice = "Download them with output_format='vendor', which keeps the vendor's bytes as they are."


class UnknownColumnsError(UnreadableResultsError):
    """The results have no column that is known to hold the address, or the verdict."""

    advice = "Say which columns hold them with column_map, for instance {'email': 'E-Mail', 'verdict': 'Outcome'}."


class ResultCheckError(EmailVerifyError):
    """A batch's results are not as good as the check wants them."""

    permanent = True


class VendorOutageError(EmailVerifyError):
    """The vendor answered nothing useful for longer than ``max_outage``."""


class SubmissionUnknownError(EmailVerifyError):
    """
    A submission may or may not have reached the vendor, which may or may not have charged for it.

    Permanent, because sending it again could pay twice.
    """

    permanent = True
    advice = "It may have been accepted and charged for; look into the vendor's dashboard before sending it again."


class SubmissionStoppedError(EmailVerifyError):
    """The task was told to stop between two batches; the next try goes on with the next batch."""
