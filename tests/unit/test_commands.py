"""What ``make`` runs, and the one clear line that each mishap gets."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(tmp_path: Path) -> ModuleType:
    """The demo's module, with a home of its own."""
    spec = importlib.util.spec_from_file_location("demo", PROJECT / "dags_examples" / "demo.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    module.HOME = tmp_path / ".demo"
    return module


def fake_python(folder: Path, name: str, version: str) -> None:
    """Put something on a PATH that answers as a Python of this version would."""
    major, minor, _ = version.split(".")
    is_old = (int(major), int(minor)) < (3, 11)
    script = folder / name
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo Python {version} && exit 0\nexit {int(is_old)}\n')
    script.chmod(0o755)


def find_python(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the script that chooses a Python where there is nothing else on PATH."""
    shell = shutil.which("sh")
    assert shell
    return subprocess.run(
        [shell, str(PROJECT / ".ci" / "find-python")],
        env={"PATH": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python3_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.12.1")
    fake_python(tmp_path, "python3.13", "3.13.0")

    assert find_python(tmp_path).stdout.strip() == str(tmp_path / "python3")


def test_a_python_with_its_version_in_its_name_stands_in_for_an_old_python3(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.9.18")
    fake_python(tmp_path, "python3.11", "3.11.7")

    assert find_python(tmp_path).stdout.strip() == str(tmp_path / "python3.11")


@pytest.mark.parametrize(("version", "found"), [("3.9.18", "Python 3.9.18"), ("", "no python3")])
def test_too_old_a_python_is_one_clear_line(tmp_path: Path, version: str, found: str) -> None:
    if version:
        fake_python(tmp_path, "python3", version)

    done = find_python(tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"This project needs Python 3.11 or newer, and here is {found}. Install one, or name it: "
        "make PYTHON=/path/to/python3.11"
    ]


def test_a_python_that_is_named_is_the_only_one_that_counts(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "3.12.1")
    fake_python(tmp_path, "mine", "3.8.1")

    done = find_python(tmp_path, PYTHON="mine")

    assert done.returncode == 1
    assert "Python 3.8.1" in done.stderr


def test_uv_gets_what_pip_is_set_up_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(PROJECT / ".ci"))
    from environment import Environment

    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://index.example/simple\nfind-links = /a /b\n[install]\ntimeout = 7\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example/ https://two.example/")
    monkeypatch.setenv("PIP_TIMEOUT", "9")

    settings = Environment(tmp_path)._uv_settings()

    assert settings["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    assert settings["UV_FIND_LINKS"] == "/a,/b"
    assert settings["UV_HTTP_TIMEOUT"] == "9"
    assert settings["UV_INDEX"] == "https://one.example/ https://two.example/"
    assert settings["UV_INDEX_STRATEGY"] == "unsafe-best-match"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b"id,name\n1,Ada\n2,Bob\n", "no column's name says that it holds addresses"),
        (b"email,name\n,Ada\n", "not one address"),
        (b"email\nj\xf6@example.com\n", "set encoding to what it is in"),
    ],
)
def test_the_demo_says_in_one_line_what_is_wrong_with_a_list(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "emails.csv"
    if content is not None:
        path.write_bytes(content)

    done = subprocess.run(
        [sys.executable, PROJECT / "dags_examples" / "demo.py", "--emails", path],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_demo_says_in_one_line_that_its_port_is_taken(demo: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(demo.DemoError) as caught, demo.sandbox(port, ["proofy"]):
            pass

    (line,) = str(caught.value).splitlines()
    assert f"Cannot listen on 127.0.0.1 port {port}" in line


def test_the_demo_shows_the_users_columns_with_the_verdicts_beside_them(demo: ModuleType) -> None:
    names = ["Name", "Email", "verdict", "reason", "vendor", "verified_at"]
    rows = [["Ada", f"{'a' * 40}@example.com", "risky", "role", "proofy", "2026-11-26T09:30:00Z"]]
    found = demo.Verified("file:///p.csv", names, rows, {"rows": 1234, "duplicates": 7, "no address": 0})

    lines = demo.report({"proofy": found}).splitlines()

    assert lines[2] == "Name  Email                             verdict  reason"
    assert lines[3] == f"Ada   {'a' * 31}…  risky    role"
    assert "... and 1,233 more" in lines
    assert "rows        1,234" in lines


def test_the_demo_is_no_dag(demo: ModuleType) -> None:
    ignored = (PROJECT / "dags_examples" / ".airflowignore").read_text().split()

    assert Path(demo.__file__).name in ignored


def test_an_audit_that_asked_nobody_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit calls an environment clean of which the index knew no package."""
    monkeypatch.syspath_prepend(str(PROJECT / ".ci"))
    from audit import judge

    own = {"name": "airflow-provider-emailverify", "skip_reason": "distribution marked as editable"}
    skipped = {"name": "a", "skip_reason": "Dependency not found on PyPI and could not be audited: a (1.0)"}
    clean = {"name": "b", "version": "2.0", "vulns": []}
    hit = {"name": "c", "version": "3.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1"]}]}

    assert judge([own, skipped])[0] == 2
    assert "1 of 1 packages have no advisories here" in judge([own, skipped])[1]
    assert judge([own, clean, clean]) == (0, "0 known vulnerabilities in 2 packages.")
    assert judge([own, clean, clean, skipped])[0] == 0
    assert judge([own, clean, hit]) == (
        1,
        "c 3.0: PYSEC-1, corrected in 3.1\n1 known vulnerability in 2 packages.",
    )
