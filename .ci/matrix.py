"""
Run the unit and integration tests on every Airflow that this project supports, each in an environment of its own.

``python matrix.py`` runs all cells; ``python matrix.py 2.11 3.3/3.13`` those of Airflow 2.11, and that of 3.3 on 3.13.
Each cell that ran has its row in the table of the docs.
"""

from __future__ import annotations

import csv
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environment import PROJECT, Environment, SetupError, requirements

FOLDER = PROJECT / ".matrix"
TABLE = PROJECT / "docs" / "versions.csv"
# The Pythons to run each Airflow on, of those that it supports.
CELLS = {"2.11": ("3.11", "3.12"), "3.0": ("3.12",), "3.1": ("3.12",), "3.2": ("3.13",), "3.3": ("3.11", "3.13")}
# Releases of Airflow that say too little about what they run on, and what is too new for them. Deployments get the same
# from the constraint files that Airflow publishes.
PINS = {
    "3.0": ("cadwyn<6", "fastapi<0.117", "universal-pathlib<0.3"),
    "3.2": ("cadwyn<8", "fastapi<0.137", "svcs<26"),
}
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::.*?)(?: - .*)?$", re.MULTILINE)
# More tests than this do not fail by chance.
SECOND_TRIES = 5
SUMMARY = re.compile(r"^=*\s*((?:\d+ \w+,? ?)+) in [\d.]+s", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One Airflow on one Python."""

    airflow: str
    python: str

    @property
    def name(self) -> str:
        """How the command line and the table call it."""
        return f"{self.airflow}/{self.python}"

    @property
    def folder(self) -> Path:
        """Where its environment, its Airflow home and its logs are."""
        return FOLDER / f"airflow{self.airflow}-python{self.python}"


@dataclass(frozen=True)
class Outcome:
    """What a cell came to; ``failed`` is None if it could not be run for want of its Python."""

    cell: Cell
    failed: bool | None
    text: str
    versions: str = ""
    seconds: float = 0.0


@functools.cache
def find_python(version: str) -> str | None:
    """Return the path of a Python of this version, from PATH or from pyenv."""
    candidates = [shutil.which(f"python{version}"), sys.executable]
    if shutil.which("pyenv"):
        listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False).stdout
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
        names = [name.strip() for name in listed.splitlines() if name.strip().startswith(f"{version}.")]
        candidates += [str(Path(root, "versions", name, "bin", "python")) for name in names]
    for path in filter(None, candidates):
        test = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
        if Path(path).exists() and not subprocess.run([path, "-c", test], capture_output=True, check=False).returncode:
            return path
    return None


def run(cell: Cell) -> Outcome:
    """Set the cell's environment up, and run the tests in it."""
    started = time.monotonic()
    python = find_python(cell.python)
    if not python:
        return Outcome(cell, None, f"skipped: there is no Python {cell.python} here")
    environment = Environment(cell.folder)
    try:
        environment.install(*requirements(cell.airflow), *PINS.get(cell.airflow, ()), base=python)
    except SetupError as error:
        return Outcome(cell, True, str(error), seconds=time.monotonic() - started)
    code, log = _test(environment, "tests.log", "-n", "2", "--dist", "loadscope", "tests/integration", "tests/unit")
    counts = SUMMARY.findall(log.read_text())
    text = counts[-1] if counts else "no summary"
    failed = FAILED.findall(log.read_text())
    if code:
        print("\n".join(f"  {line}" for line in failed))
    if code and 0 < len(failed) <= SECOND_TRIES:
        # Airflow's own dag.test() fails at times. What fails alone too is a failure; the table tells both.
        code, again = _test(environment, "again.log", *failed)
        text += f"; tried again alone: {(SUMMARY.findall(again.read_text()) or ['no summary'])[-1]}"
    if code:
        text += f"; see {log.relative_to(PROJECT)}"
    return Outcome(cell, code != 0, text, _versions(environment), time.monotonic() - started)


def _test(environment: Environment, log: str, *arguments: str) -> tuple[int, Path]:
    """Run pytest in an environment, and return its exit code and the path of what it printed."""
    path = environment.folder / log
    with path.open("w") as file:
        code = subprocess.run(
            [environment.python, "-m", "pytest", *arguments],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "COLUMNS": "120"},
            check=False,
        ).returncode
    return code, path


def _versions(environment: Environment) -> str:
    code = "import platform, importlib.metadata as m; print(m.version('apache-airflow'), platform.python_version())"
    return subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Return the lines of the table of results."""
    yield f"{'cell':<10} {'Airflow Python':<16} {'result':<8} {'time':>6}  tests"
    for each in outcomes:
        result = "-" if each.failed is None else "failed" if each.failed else "passed"
        yield f"{each.cell.name:<10} {each.versions:<16} {result:<8} {each.seconds:>5.0f}s  {each.text}"


def write_table(outcomes: list[Outcome]) -> None:
    """Write what the cells came to into the table that the docs show, in place of what they came to before."""
    with TABLE.open(newline="") as file:
        head, *rows = csv.reader(file)
    found = {row[0]: row for row in rows}
    for each in outcomes:
        found[each.cell.name] = [each.cell.name, *each.versions.split(), each.text]
    order = [f"{airflow}/{python}" for airflow, pythons in CELLS.items() for python in pythons]
    with TABLE.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *(found[name] for name in order if name in found)])


def chosen(words: list[str]) -> list[Cell]:
    """
    Return the cells that the command line asks for; all if it names none.

    :raises SetupError: a word names no cell
    """
    cells = [Cell(airflow, python) for airflow, pythons in CELLS.items() for python in pythons]
    unknown = [word for word in words if not any(word in (cell.airflow, cell.name) for cell in cells)]
    if unknown:
        raise SetupError(f"No cell is called {unknown[0]}; there are {', '.join(cell.name for cell in cells)}.")
    return [cell for cell in cells if not words or cell.airflow in words or cell.name in words]


def main() -> int:
    """Run the cells one after the other, and print the table."""
    try:
        cells = chosen(sys.argv[1:])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    outcomes = []
    for cell in cells:
        print(f"Airflow {cell.airflow} on Python {cell.python} ...", flush=True)
        outcomes.append(run(cell))
        print(f"  {outcomes[-1].text}", flush=True)
    print()
    print("\n".join(table(outcomes)))
    ran = [each for each in outcomes if each.failed is not None]
    write_table(ran)
    return 0 if ran and not any(each.failed for each in ran) else 1


if __name__ == "__main__":
    sys.exit(main())
