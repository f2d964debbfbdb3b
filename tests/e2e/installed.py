"""The wheel of this checkout, and environments into which only that is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def build_wheel(folder: Path) -> Path:
    """Build the wheel into an empty folder, and return its path."""
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=PROJECT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def install(wheel: Path, folder: Path, airflow: str, extras: str, *others: str) -> str:
    """
    Make an environment with the wheel and an Airflow.

    :param airflow: its version without the patch.
    :param extras: of the wheel, separated by commas.
    :param others: what else to install, as pip takes it.
    :return: the path of the environment's Python.
    """
    sys.path.insert(0, str(PROJECT / ".ci"))
    try:
        from environment import Environment
        from matrix import PINS
    finally:
        sys.path.remove(str(PROJECT / ".ci"))
    environment = Environment(folder)
    environment.install(f"{wheel}[{extras}]", f"apache-airflow=={airflow}.*", *PINS.get(airflow, ()), *others)
    return str(environment.python)
