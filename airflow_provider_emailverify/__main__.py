"""Command line of the package: what helps without a DAG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.commands import check, estimate, vendors
from airflow_provider_emailverify.commands.quiet import run_quietly

COMMANDS = (vendors, check, estimate)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    :param argv: arguments in place of those of the process.
    :return: exit code; 1 when the command says no or cannot do its work. Wrong arguments exit with 2.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["sandbox"]:  # it has a command line of its own
        from airflow_provider_emailverify.sandbox.__main__ import main as sandbox

        return sandbox(words[1:])
    parser = _parser()
    options = parser.parse_args(words)
    if options.command is None:
        parser.print_help()
        return 2
    if options.command == "version":
        print(__version__)  # noqa: T201 - a command line prints
        return 0
    return run_quietly(lambda: options.run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_emailverify",
        description="Verify lists of e-mail addresses with bulk vendors, in Apache Airflow: what helps without a DAG.",
    )
    parsers = parser.add_subparsers(dest="command", title="commands", metavar="COMMAND")
    parsers.add_parser("version", help="the version of this package")
    parsers.add_parser("sandbox", help="serve the vendors' published contracts on this machine, without an account")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        text = (command.__doc__ or "").partition(".")[0]
        child = parsers.add_parser(name, help=text[0].lower() + text[1:], description=f"{text}.")
        command.add_arguments(child)
        child.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
