"""
Cliova's result columns. The vendor documents none, so these are guesses in four styles, one table each.

What the guesses have in common is only that a row holds an address and a word for it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_emailverify.sandbox.ledger import Batch
from airflow_provider_emailverify.sandbox.verdicts import Finding, Verdict

Column = Callable[[Finding], object]


@dataclass(frozen=True)
class Layout:
    """
    Describe one style of result.

    :param columns: header and content of each column, in order
    :param delimiter: between the fields of the CSV form
    """

    columns: Mapping[str, Column]
    delimiter: str = ","


_SAFE_TO_SEND = {
    Verdict.VALID: "Deliverable",
    Verdict.INVALID: "Undeliverable",
    Verdict.RISKY: "Risky",
    Verdict.UNKNOWN: "Unknown",
}

CSV_LAYOUTS: dict[str, Layout] = {
    "status": Layout(
        {
            "email": lambda found: found.address,
            "status": lambda found: found.verdict.value,
            "reason": lambda found: found.reason,
            "disposable": lambda found: found.disposable,
            "role": lambda found: found.role,
            "free": lambda found: found.free,
            "catch_all": lambda found: found.catch_all,
        }
    ),
    "title_case": Layout(
        {
            "Email": lambda found: found.address,
            "Result": lambda found: _SAFE_TO_SEND[found.verdict],
            "Sub Status": lambda found: found.reason.replace("_", " ").title(),
        }
    ),
    "flags": Layout(
        {
            "email": lambda found: found.address,
            "isValid": lambda found: found.verdict is Verdict.VALID,
            "validationStatus": lambda found: found.verdict.value.upper(),
            "isSyntaxValid": lambda found: found.syntax_valid,
            "hasMxRecords": lambda found: found.has_mx,
            "isCatchAll": lambda found: found.catch_all,
            "isDisposable": lambda found: found.disposable,
            "isRoleBased": lambda found: found.role,
        }
    ),
    "semicolon": Layout(
        {
            "email_address": lambda found: found.address,
            "validation_result": lambda found: found.verdict.value,
        },
        delimiter=";",
    ),
}


PLAIN_WORDS = {
    Verdict.VALID: "deliverable",
    Verdict.INVALID: "undeliverable",
    Verdict.RISKY: "risky",
    Verdict.UNKNOWN: "unknown",
}
"""The words of several vendors for what they conclude."""

_PLAIN_REASONS = {
    "accepted": "accepted_email",
    "rejected": "rejected_email",
    "disabled": "rejected_email",
    "no_mx": "invalid_domain",
    "syntax": "invalid_email",
    "timeout": "timeout",
    "role": "accepted_email",
}


def plain_reason(found: Finding) -> str:
    """Return the reason that the same vendors give; risky addresses are of low deliverability."""
    return _PLAIN_REASONS.get(found.reason, "low_deliverability")


def rows_of(batch: Batch, layout: Layout) -> list[Mapping[str, object]]:
    """Return a batch's rows: those that it was given, or what its addresses are examined to be."""
    return list(batch.rows or as_rows(batch.findings, layout))


def table_of(batch: Batch, layout: Layout) -> bytes:
    """Return a batch's results as CSV: the bytes that it was given, or its rows."""
    rows = rows_of(batch, layout)
    return batch.content or as_csv(rows, list(rows[0]) if rows else list(layout.columns), layout.delimiter)


def as_rows(findings: Iterable[Finding], layout: Layout) -> list[dict[str, object]]:
    """Return one row for each finding, values as JSON types."""
    return [{name: column(found) for name, column in layout.columns.items()} for found in findings]


def as_csv(rows: Sequence[Mapping[str, object]], header: Sequence[str], delimiter: str) -> bytes:
    """Return rows as UTF-8 CSV with a header; booleans are spelled ``true`` and ``false``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([_spelled(row.get(name, "")) for name in header] for row in rows)
    return text.getvalue().encode()


def _spelled(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
