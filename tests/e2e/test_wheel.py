"""The wheel, installed where there is nothing else of ours, as a deployment would, on the oldest and newest Airflow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_emailverify import __version__
from tests.e2e.installed import PROJECT, build_wheel, install

OLDEST_AND_NEWEST = ("2.11", "3.3")


@dataclass
class Installed:
    """An environment into which only the wheel was installed, and a home for its Airflow."""

    airflow: str
    python: str
    home: Path

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Python there, in a folder where nothing of the project lies."""
        return subprocess.run(
            [self.python, *map(str, words)],
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "AIRFLOW_HOME": str(self.home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def list(self, *words: str) -> list[dict[str, str]]:
        """Run an ``airflow`` command, and return what it lists."""
        done = self.run("-m", "airflow", *words, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout[done.stdout.index("[{") :])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=OLDEST_AND_NEWEST)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with its sandbox, on one Airflow."""
    folder = tmp_path_factory.mktemp("installed")
    python = install(wheel, folder / "environment", request.param, "sandbox")
    home = folder / "home"
    home.mkdir()
    return Installed(request.param, python, home)


def test_it_runs_from_where_it_was_installed(installed: Installed) -> None:
    code = "import airflow, airflow_provider_emailverify as ours; print(airflow.__version__, ours.__file__)"
    version, path = installed.run("-c", code).stdout.split()[-2:]

    assert version.startswith(f"{installed.airflow}.")
    assert Path(path).is_relative_to(Path(installed.python).parents[1])


def test_airflow_lists_the_provider(installed: Installed) -> None:
    found = {each["package_name"]: each["version"] for each in installed.list("providers", "list")}

    assert found["airflow-provider-emailverify"] == __version__


def test_airflow_lists_a_hook_for_each_connection_type(installed: Installed) -> None:
    found = {each["connection_type"]: each["class"] for each in installed.list("providers", "hooks")}

    assert found["proofy"] == "airflow_provider_emailverify.hooks.proofy.ProofyHook"
    assert found["cliova"] == "airflow_provider_emailverify.hooks.cliova.CliovaHook"


def test_its_command_line_is_quiet_there_too(installed: Installed) -> None:
    version = installed.run("-m", "airflow_provider_emailverify", "version")
    vendors = installed.run("-m", "airflow_provider_emailverify", "vendors")
    check = installed.run("-m", "airflow_provider_emailverify", "check", "nowhere")

    assert (version.returncode, version.stdout, version.stderr) == (0, f"{__version__}\n", "")
    assert (vendors.returncode, vendors.stderr) == (0, "")
    assert vendors.stdout.startswith("| vendor")
    assert check.returncode == 1
    assert len(check.stderr.splitlines()) == 1


def test_the_whole_walk_runs_there(installed: Installed) -> None:
    shutil.copytree(PROJECT / "dags_examples", installed.home / "dags_examples")

    done = installed.run("dags_examples/demo.py")

    assert done.returncode == 0, done.stdout + done.stderr
    for vendor in ("proofy", "cliova"):
        assert (installed.home / ".demo" / vendor / "emails.verified.csv").is_file()
