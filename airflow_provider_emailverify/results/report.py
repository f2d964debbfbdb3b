"""A page that shows a summary: one file, no script, nothing from elsewhere, and no address."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_BAR_WIDTH = 420
_ROW_HEIGHT = 26
_COLOURS = {"deliverable": "#2e8b57", "undeliverable": "#c0392b", "risky": "#d68910", "unknown": "#7f8c8d"}
_REASON_COLOUR = "#4a6fa5"

# The policy lets the page load nothing, whatever a vendor's word manages to look like.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.35rem; margin-bottom: .2rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.05rem; margin: 1.8rem 0 .5rem; }}
svg {{ max-width: 100%; height: auto; display: block; }}
svg text {{ font: 13px system-ui, sans-serif; fill: currentColor; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: .15rem 1.5rem .15rem 0; text-align: left; font-weight: normal; overflow-wrap: anywhere; }}
td {{ font-variant-numeric: tabular-nums; text-align: right; padding-right: 0; }}
.warning {{ border-left: 4px solid #d68910; padding-left: .8rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


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
    body = [
        *(f'<p class="warning">{escape(warning)}</p>' for warning in _warnings(summary)),
        _table(figures),
        "<h2>Verdicts</h2>",
        _bars(summary["verdicts"], received, _COLOURS),
        "<h2>Reasons</h2>",
        _bars(summary["reasons"], received, {}),
    ]
    if summary["unmapped"]:
        body += [
            "<h2>Words that are not known</h2>",
            _table({word: f"{count:,}" for word, count in summary["unmapped"].items()}),
        ]
    title = f"{summary['vendor']}, {_batches(summary)}"
    return _PAGE.format(title=escape(title), body="\n".join(body))


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
        warnings.append(f"{unmapped:,} rows have a word that is not known; give its verdict in status_map.")
    return warnings


def _table(rows: Mapping[str, str]) -> str:
    lines = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()]
    return f"<table>\n{''.join(lines)}\n</table>"


def _bars(counts: Mapping[str, int], total: int, colours: Mapping[str, str]) -> str:
    if not counts:
        return "<p>None.</p>"
    height = len(counts) * _ROW_HEIGHT
    lines = [f'<svg viewBox="0 0 720 {height}" width="720" height="{height}" role="img">']
    for number, (name, count) in enumerate(counts.items()):
        share = count / total if total else 0.0
        width = max(share * _BAR_WIDTH, 1.0 if count else 0.0)
        top = number * _ROW_HEIGHT
        lines += [
            f'<text x="0" y="{top + 17}">{escape(name)}</text>',
            f'<rect x="130" y="{top + 4}" width="{width:.1f}" height="18" rx="2" '
            f'fill="{colours.get(name, _REASON_COLOUR)}"/>',
            f'<text x="{138 + width:.1f}" y="{top + 17}">{count:,} ({share:.1%})</text>',
        ]
    return "\n".join([*lines, "</svg>"])
