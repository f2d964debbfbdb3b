"""What a sandbox can be told before it starts: pace, credits, and a reading of the vendors' silences."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_type_hints


@dataclass(frozen=True)
class Readings:
    """
    Choose one plausible reading for every fact that a vendor's documentation leaves open.

    None of these was seen on a vendor's server. The first value of each is the default, and the type is the
    table: the command line and the checks below are derived from it.

    :param proofy_not_ready_download: an early download is a 200 with another ``status``, or this error
    :param proofy_status_shape: ``{"id", "status"}``, the same with counts, or the same under ``result``
    :param proofy_working_word: the state between the two attested words, ``parsing`` and ``ready``
    :param proofy_failed_word: the state of a batch that failed
    :param proofy_cancelled_word: the state of a batch that was cancelled
    :param proofy_cancel_answer: what a successful DELETE answers
    :param proofy_no_credits: HTTP status when the credits do not suffice
    :param proofy_over_limit: HTTP status for more than 10,000 addresses
    :param proofy_single_shape: the row itself, or the row under ``result``
    :param proofy_mx: ``mx.hasRecords`` (download page) or ``mx.records`` (terminology page)
    :param proofy_bad_syntax: what ``syntax`` holds for an address that cannot be parsed
    :param proofy_duplicates: whether an address that was sent twice gets two rows
    :param proofy_case: whether rows repeat the address as it was sent or in lower case
    :param cliova_early_download: a download before completion is a 200 with an error envelope, this error, or
        half of the rows
    :param cliova_status_payload: ``payload`` of a status answer: a list (documented) or an object (as uploads
        answer)
    :param cliova_unknown_id: an unknown list id is a 404, or a success with an empty payload
    :param cliova_duplicate_name: a name that was used before is accepted, or refused with this HTTP status
    :param cliova_no_credits: HTTP status when the credits do not suffice
    :param cliova_csv: columns and words of the result, see :mod:`.layouts`
    :param cliova_json: results as a bare list, or in the envelope ``{code, message, payload}``
    :param cliova_booleans: flags of JSON rows as booleans or as strings
    :param cliova_error: keys of an error body: ``code`` and ``message``, ``error.message``, or both
    """

    proofy_not_ready_download: Literal["200", "404", "422", "409", "400"] = "200"
    proofy_status_shape: Literal["id_status", "counts", "result"] = "id_status"
    proofy_working_word: Literal["processing", "verifying", "in_progress", "queued"] = "processing"
    proofy_failed_word: Literal["failed", "error", "rejected"] = "failed"
    proofy_cancelled_word: Literal["canceled", "cancelled"] = "canceled"
    proofy_cancel_answer: Literal["status", "message", "no_content"] = "status"
    proofy_no_credits: Literal["400", "402"] = "400"
    proofy_over_limit: Literal["422", "400"] = "422"
    proofy_single_shape: Literal["flat", "result"] = "flat"
    proofy_mx: Literal["has_records", "records"] = "has_records"
    proofy_bad_syntax: Literal["empty", "as_given", "null"] = "empty"
    proofy_duplicates: Literal["keep", "drop"] = "keep"
    proofy_case: Literal["as_given", "lower"] = "as_given"
    cliova_early_download: Literal["envelope", "400", "404", "409", "partial"] = "envelope"
    cliova_status_payload: Literal["list", "object"] = "list"
    cliova_unknown_id: Literal["404", "empty_list"] = "404"
    cliova_duplicate_name: Literal["accept", "409", "400"] = "accept"
    cliova_no_credits: Literal["402", "400"] = "402"
    cliova_csv: Literal["status", "title_case", "flags", "semicolon"] = "status"
    cliova_json: Literal["list", "envelope"] = "list"
    cliova_booleans: Literal["bool", "string"] = "bool"
    cliova_error: Literal["both", "code", "error"] = "both"

    def __post_init__(self) -> None:
        """
        Refuse a value that is not in the table.

        :raises ValueError: naming the reading and its values
        """
        for name, values in self.table().items():
            if getattr(self, name) not in values:
                raise ValueError(f"reading {name}={getattr(self, name)!r}: choose one of {', '.join(values)}")

    @classmethod
    def table(cls) -> dict[str, tuple[str, ...]]:
        """Return every reading with its values, the default first."""
        hints = get_type_hints(cls)
        return {each.name: get_args(hints[each.name]) for each in fields(cls)}

    @classmethod
    def parse(cls, items: list[str]) -> Readings:
        """
        Build readings from ``name=value`` items.

        :param items: as given to ``--reading``
        :raises ValueError: for an unknown name or value
        """
        chosen: dict[str, Any] = {}
        for item in items:
            name, _, value = item.partition("=")
            if name not in cls.table():
                raise ValueError(f"no reading is called {name!r}: choose one of {', '.join(cls.table())}")
            chosen[name] = value
        return cls(**chosen)


@dataclass(frozen=True)
class Settings:
    """
    Set the sandbox's pace and means.

    :param ready_after: seconds from the acceptance of a batch to its results
    :param credits: credits of each vendor's account when the sandbox starts
    :param proofy_batch_limit: addresses in one batch (docs.proofy.io, verify-batch-create: 10,000)
    :param requests_per_minute: calls that a vendor takes from one key in 60 seconds before it answers 429
    :param readings: how undocumented facts are read
    """

    ready_after: float = 5.0
    credits: int = 1_000_000
    proofy_batch_limit: int = 10_000
    requests_per_minute: int | None = None
    readings: Readings = field(default_factory=Readings)
