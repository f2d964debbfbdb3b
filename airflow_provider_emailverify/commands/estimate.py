"""Tell what a list would cost, without buying anything."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_provider_emailverify.limits import plain_number

_NAMES = {
    "read": "values read",
    "dropped": "no addresses",
    "duplicates": "duplicates",
    "unique": "addresses",
    "known": "known",
    "prescreened": "get no mail",
    "to_buy": "to buy",
    "batches": "batches",
    "price": "price",
    "saved": "saved",
    "credits_left": "credits left",
    "least_minutes": "minutes at least",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the arguments; those of a list are the estimate operator's.

    :param parser: the command's.
    """
    parser.add_argument("file", metavar="FILE", help="a list: a path, a folder ending in a slash, a pattern, or a URI")
    parser.add_argument(
        "--conn-id", metavar="CONN_ID", help="the vendor's Airflow connection, for batches and the balance"
    )
    parser.add_argument("--email-column", metavar="NAME", help="the column of addresses (default: its name tells)")
    parser.add_argument(
        "--source-format", metavar="FORMAT", help="csv, jsonl, parquet, lines or excel (default: the file's name tells)"
    )
    parser.add_argument(
        "--encoding", metavar="NAME", default="utf-8", help="of a text file, such as cp1252 (default: %(default)s)"
    )
    parser.add_argument("--sheet", metavar="NAME", help="the sheet of an Excel file (default: the first)")
    parser.add_argument("--known", metavar="FILE", action="append", help="results of earlier times; may be repeated")
    parser.add_argument("--max-age", metavar="AGE", help='how long they count, such as "60d" (default: by verdict)')
    parser.add_argument("--prescreen", choices=["syntax", "dns"], help="what else costs nothing")
    parser.add_argument(
        "--price-per-address", metavar="PRICE", type=float, help="what the vendor takes for one, in any currency"
    )


def run(options: argparse.Namespace) -> tuple[bool, str]:
    """
    Return the figures.

    :param options: the arguments.
    :raises EmailVerifyError: the list cannot be read, or the connection cannot be used.
    """
    from airflow_provider_emailverify.operators.list_arguments import ListOperator
    from airflow_provider_emailverify.steps.connecting import open_hook
    from airflow_provider_emailverify.steps.estimating import estimate
    from airflow_provider_emailverify.steps.kill_switch import KillSwitch

    task = ListOperator(
        task_id="estimate",
        source=_uri(options.file),
        email_column=options.email_column,
        source_format=options.source_format,
        encoding=options.encoding,
        sheet=options.sheet,
        known=options.known and [_uri(each) for each in options.known],
        max_age=options.max_age,
        prescreen=options.prescreen,
        price_per_address=options.price_per_address,
    )
    hook = None if options.conn_id is None else open_hook(options.conn_id)
    found = estimate(task.buy_options("estimate"), hook, KillSwitch())
    return True, "\n".join(_lines(found.figures))


def _uri(text: str) -> str:
    """Return a URI as it is, and a path as a URI; it keeps the slash that makes a folder of it."""
    if "://" in text:
        return text
    return f"file://{Path(text).expanduser().absolute()}{'/' if text.endswith('/') else ''}"


def _lines(figures: Mapping[str, Any]) -> list[str]:
    shown = {text: _shown(name, figures[name]) for name, text in _NAMES.items() if figures.get(name) is not None}
    name_width, figure_width = max(map(len, shown)), max(map(len, shown.values()))
    lines = [f"{text:<{name_width}}  {figure:>{figure_width}}" for text, figure in shown.items()]
    reasons = [
        f"{count:,} {reason.replace('_', ' ')}" for reason, count in figures["dropped_by_reason"].items() if count
    ]
    return [*lines, *([f"\nNo addresses: {', '.join(reasons)}."] if reasons else [])]


def _shown(name: str, value: float) -> str:
    return f"{value:,.2f}" if name in ("price", "saved") else plain_number(value)
