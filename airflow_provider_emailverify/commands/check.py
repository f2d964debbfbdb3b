"""Try an Airflow connection without spending credits, and say what that proves."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the arguments.

    :param parser: the command's.
    """
    parser.add_argument("conn_id", metavar="CONN_ID", help="an Airflow connection of a vendor's type")


def run(options: argparse.Namespace) -> tuple[bool, str]:
    """
    Return whether the connection works, and what that proves or what to do.

    :param options: the arguments.
    :raises ConnectionConfigError: there is no such connection, or it is of another type.
    """
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook

    hook = EmailVerifyHook.get_hook(options.conn_id)
    is_good, text = hook.test_connection()
    return is_good, f"{options.conn_id} ({hook.hook_name}): {'good' if is_good else 'not good'}. {text}"
