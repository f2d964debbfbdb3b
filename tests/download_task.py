"""A download of many batches in a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer

_ROOT = Path(__file__).parents[1]
_CHILD = """
import json, sys
from tests.download_task import finish
finish(**json.loads(sys.argv[1]))
"""


def start(**arguments: Any) -> subprocess.Popen[bytes]:
    """
    Start the operator in a process of its own, where it finds the same connections.

    :param arguments: the operator's.
    """
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "TMPDIR": tempfile.gettempdir()}
    return subprocess.Popen([sys.executable, "-c", _CHILD, json.dumps(arguments)], env=environment)


def finish(**arguments: Any) -> Any:
    """
    Run the operator to its end in this process. Return what it returns.

    :param arguments: the operator's.
    """
    ti = SimpleNamespace(
        dag_id="d", run_id="r", task_id="download", map_index=-1, xcom_push=lambda key, value: (key, value)
    )
    operator = EmailVerifyDownloadOperator(task_id="download", **arguments)
    return operator.execute({"ti": ti, "outlet_events": {}})


def kill_when(moment: Callable[[], bool], **arguments: Any) -> None:
    """
    Start the operator, and kill it as the kernel does.

    :param moment: tells when.
    :param arguments: the operator's.
    """
    with start(**arguments) as child:
        deadline = time.monotonic() + 300
        while not moment():
            assert child.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)


def fetched(sandbox: SandboxServer) -> int:
    """Return how many downloads the vendors were asked for."""
    return sandbox.ledger.count(operation="download")
