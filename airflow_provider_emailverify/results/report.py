"""A page that shows a summary: one file, no script, nothing from elsewhere, and no address."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_emailverify.limits import plain_number
from airflow_provider_emailverify.results.page import (
    bars,
    heading,
    page,
    paragraph,
    stacks,
    table,
    tiles,
    whole,
)

# A folder may hold thousands of lists.
_MOST_SOURCES = 100
_DROPPED = {
    "no_at_sign": "No address: without an @",
    "too_long": "No address: too long",
    "blank_inside": "No address: a blank inside",
    "malformed": "No address: malformed",
}


def render_report(summary: Mapping[str, Any]) -> str:
    """
    Return the page.

    :param summary: the figures of a batch, or of many, see :meth:`.tally.Tally.as_dict`.
    """
    received, expected = summary["received"], summary["expected"]
    figures = {
        "Rows received": f"{received:,}",
        "Rows expected": "not known" if expected is None else f"{expected:,}",
        "Rows written": f"{summary['rows']:,}",
        "Rows without an address": f"{summary['without_address']:,}",
        "Schema version": str(summary["schema_version"]),
    }
    parts = [
        *(paragraph(warning, "warning") for warning in _warnings(summary)),
        *_verdicts(summary, received),
    ]
    if summary["unmapped"]:
        parts += [heading("Words that are not known"), bars(summary["unmapped"], received)]
    return page(f"{summary['vendor']}, {_batches(summary)}", [*parts, heading("In numbers"), table(figures)])


def render_list_report(summary: Mapping[str, Any], runs: Sequence[Mapping[str, Any]] = ()) -> str:
    """
    Return the page of a verified list.

    :param summary: the figures of a merge.
    :param runs: those of earlier runs, oldest first, and this one's.
    """
    missing, names = summary["missing"], [each["source"].rpartition("/")[2] for each in summary["sources"]]
    warning = f"{missing:,} {'row has' if missing == 1 else 'rows have'} an address of which no results tell."
    first = {
        "rows": summary["rows"],
        "addresses": summary["addresses"],
        "bought": summary.get("bought"),
        "paid": summary.get("price"),
        "saved": summary.get("saved"),
    }
    parts = [
        tiles({name: _figure(name, value) for name, value in first.items() if value is not None}),
        *([paragraph(warning, "warning")] if missing else []),
        *_verdicts(summary, sum(summary["verdicts"].values())),
        *_purchase(summary),
        *_over_time(runs),
        *_vendors(summary),
        *_sources(summary),
        heading("In numbers"),
        table(_numbers(summary)),
    ]
    return page(names[0] if len(names) == 1 else f"{len(names):,} lists", parts)


def _verdicts(summary: Mapping[str, Any], total: int) -> Iterator[str]:
    yield heading("Verdicts")
    yield whole(summary["verdicts"])
    yield heading("Reasons")
    yield bars(summary["reasons"], sum(summary["reasons"].values()) if total else 0)


def _purchase(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was bought, and what was not because it was known or could be told for nothing."""
    if "bought" not in summary:
        return
    yield heading("Bought and saved")
    yield whole(_bought(summary))


def _bought(summary: Mapping[str, Any]) -> dict[str, int]:
    return {
        "bought": summary.get("bought", 0),
        "known from earlier": summary.get("known", 0),
        "screened for free": summary.get("prescreened", 0),
    }


def _over_time(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the verdicts of earlier runs beside this one's, and what they bought."""
    if len(runs) < 2:
        return
    names = [_day(run["moment"]) for run in runs]
    if len(set(names)) < len(names):
        names = [run["moment"].replace("T", " ").removesuffix("Z") for run in runs]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    yield heading("Over time")
    before, now = (_share_of_deliverable(run["verdicts"]) for run in runs[-2:])
    if before is not None and now is not None:
        yield paragraph(f"{now:.1%} deliverable, after {before:.1%} on {names[-2]}.", "soft")
    names[-1] += ", this run"
    yield stacks(dict(zip(names, (run["verdicts"] for run in runs), strict=True)), "deliverable")
    if any("bought" in run for run in runs):
        yield heading("Bought over time")
        yield stacks(dict(zip(names, map(_bought, runs), strict=True)), "bought", to_scale=True)


def _day(moment: str) -> str:
    return moment.partition("T")[0]


def _share_of_deliverable(verdicts: Mapping[str, int]) -> float | None:
    total = sum(verdicts.values())
    return verdicts["deliverable"] / total if total else None


def _vendors(summary: Mapping[str, Any]) -> Iterator[str]:
    yield heading("Vendors")
    yield stacks(summary["vendor_verdicts"], "deliverable")


def _sources(summary: Mapping[str, Any]) -> Iterator[str]:
    sources = summary["sources"]
    if len(sources) < 2:
        return
    names = _names_in_common_folder([each["source"] for each in sources])
    shown = dict(itertools.islice(zip(names, (each["verdicts"] for each in sources), strict=True), _MOST_SOURCES))
    yield heading("Lists")
    yield stacks(shown, "deliverable")
    if (more := len(sources) - len(shown)) > 0:
        yield paragraph(f"… and {more:,} more", "soft")


def _numbers(summary: Mapping[str, Any]) -> dict[str, str]:
    figures = {
        "Rows": summary["rows"],
        "Addresses": summary["addresses"],
        "Duplicates": summary["duplicates"],
        **{_DROPPED.get(reason, reason): count for reason, count in summary["dropped"].items()},
        "Without an address": summary["no_address"],
        "Without an answer": summary["missing"],
        "Bought": summary.get("bought"),
        "Batches": summary.get("batches"),
        "Known from earlier": summary.get("known"),
        "Screened for free": summary.get("prescreened"),
        "Price": summary.get("price"),
        "Saved": summary.get("saved"),
    }
    return {name: _figure(name.lower(), count) for name, count in figures.items() if count is not None}


def _figure(name: str, value: float) -> str:
    return f"{value:,.2f}" if name in ("paid", "price", "saved") else plain_number(value)


def _names_in_common_folder(uris: list[str]) -> list[str]:
    """Return what tells URIs apart: what stands behind their common folder."""
    folders = [uri.split("/")[:-1] for uri in uris]
    common = sum(1 for _ in itertools.takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False)))
    return ["/".join(uri.split("/")[common:]) for uri in uris]


def _batches(summary: Mapping[str, Any]) -> str:
    if "batch_id" in summary:
        return f"batch {summary['batch_id']}"
    return "1 batch" if summary["batches"] == 1 else f"{summary['batches']:,} batches"


def _warnings(summary: Mapping[str, Any]) -> list[str]:
    expected, received, unmapped = summary["expected"], summary["received"], sum(summary["unmapped"].values())
    warnings = []
    if expected is not None and expected > received:
        warnings.append(f"{expected - received:,} of {expected:,} expected rows did not come.")
    if unmapped:
        have = "1 row has" if unmapped == 1 else f"{unmapped:,} rows have"
        warnings.append(f"{have} a word that is not known; give its verdict in status_map.")
    return warnings
