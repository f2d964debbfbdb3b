"""The wheel, installed where there is nothing else of ours, as a deployment would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_emailverify import __version__

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The ``airflow`` command of an environment into which only the wheel was installed."""
    sys.path.insert(0, str(PROJECT / ".ci"))
    try:
        from environment import Environment
    finally:
        sys.path.remove(str(PROJECT / ".ci"))
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    environment = Environment(folder / "environment")
    environment.install(str(wheel))
    return [environment.python, "-m", "airflow"]


def ask(airflow: list[str], tmp_path: Path, *words: str) -> list[dict[str, str]]:
    """Run an ``airflow`` command in a home and a folder of its own, and return what it lists."""
    done = subprocess.run(
        [*airflow, *words, "--output", "json"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout[done.stdout.index("[{") :])


def test_airflow_lists_the_provider(airflow: list[str], tmp_path: Path) -> None:
    found = {each["package_name"]: each["version"] for each in ask(airflow, tmp_path, "providers", "list")}

    assert found["airflow-provider-emailverify"] == __version__


def test_airflow_lists_a_hook_for_each_connection_type(airflow: list[str], tmp_path: Path) -> None:
    found = {each["connection_type"]: each["class"] for each in ask(airflow, tmp_path, "providers", "hooks")}

    assert found["proofy"] == "airflow_provider_emailverify.hooks.proofy.ProofyHook"
    assert found["cliova"] == "airflow_provider_emailverify.hooks.cliova.CliovaHook"
