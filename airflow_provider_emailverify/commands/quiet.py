"""Run a command without Airflow's log, and say in one line what went wrong."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from airflow_provider_emailverify.exceptions import EmailVerifyError


def run_quietly(command: Callable[[], tuple[bool, str]]) -> int:
    """
    Run a command, and print what it returns.

    :param command: returns whether all is well, and what to print.
    :return: the exit code.
    """
    _silence_airflow()
    try:
        # Some releases of Airflow print warnings, whatever the filters say.
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            is_good, text = command()
    except EmailVerifyError as error:
        return _complain(" ".join(str(error).split()))
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the text of somebody else's error may hold a key or an address
        *_, place = traceback.extract_tb(error.__traceback__)
        return _complain(f"Unexpected {type(error).__name__} at {Path(place.filename).name}:{place.lineno}.")
    print(text)  # noqa: T201 - a command line prints
    return 0 if is_good else 1


def _silence_airflow() -> None:
    """Keep Airflow, which is not imported yet, from logging; let it read connections from its database."""
    logging.disable(logging.CRITICAL)
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    # As Airflow's own command line does: other processes ask its API for connections.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"


def _complain(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1
