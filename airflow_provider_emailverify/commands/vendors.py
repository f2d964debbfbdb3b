"""List the vendors and what each of them can do."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from airflow_provider_emailverify.commands.tables import markdown_table
from airflow_provider_emailverify.commands.vendor_page import limit, vendor_facts
from airflow_provider_emailverify.get_provider_info import VENDORS, get_provider_info

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook

_HEAD = (
    "vendor",
    "connection type",
    "addresses a batch",
    "batches at a time",
    "requests a minute",
    "find by name",
    "cancel",
    "balance",
    "test mode",
    "judged by",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the arguments.

    :param parser: the command's.
    """
    parser.add_argument("vendor", nargs="?", choices=list(VENDORS), metavar="VENDOR", help="tell all of this one")


def run(options: argparse.Namespace) -> tuple[bool, str]:
    """
    Return the table, or what is known of one vendor.

    :param options: the arguments.
    """
    if options.vendor is None:
        return True, vendor_table()
    return True, next(vendor_facts(hook) for hook in hooks() if hook.conn_type == options.vendor)


def vendor_table() -> str:
    """Return a table of the vendors in Markdown, made from their hooks."""
    return markdown_table([_HEAD, *(_row(hook) for hook in hooks())])


def hooks() -> list[type[EmailVerifyHook]]:
    """Return the hooks of all connection types of this package."""
    names = [entry["hook-class-name"].rpartition(".") for entry in get_provider_info()["connection-types"]]
    return [getattr(import_module(module), name) for module, _, name in names]


def _row(hook: type[EmailVerifyHook]) -> list[str]:
    return [
        hook.hook_name,
        hook.conn_type,
        limit(hook.max_batch_size),
        limit(hook.max_parallel_batches, "not limited"),
        limit(hook.site.requests_per_minute),
        *("yes" if hook.has_call(call) else "no" for call in ("find_batch", "cancel_batch", "get_credits")),
        hook.test_mode or "none known",
        hook.judged_by,
    ]
