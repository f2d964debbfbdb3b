"""
``python -m airflow_provider_emailverify``, as a person in a shell sees it.

A start of Airflow takes seconds: what a fresh process is like is tested in some, and what it is told in this one.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.__main__ import main
from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.conftest import AWKWARD_KEY

Ask = Callable[..., subprocess.CompletedProcess[str]]
LIST = "Name,Email\nAda,ada@example.com\nBob,bob@example.com\nAda,ADA@example.com\nEve,nobody\n,\n"


def ask(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(
        [sys.executable, "-m", "airflow_provider_emailverify", *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ask]:
    """Run a command in this process, which is afterwards as it was."""
    for name in ("AIRFLOW__LOGGING__LOGGING_LEVEL", "_AIRFLOW_PROCESS_CONTEXT"):
        monkeypatch.setenv(name, "")

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = main([*map(str, words)])
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    yield run
    logging.disable(logging.NOTSET)


def figures(text: str) -> dict[str, str]:
    """Return the figures of an estimate by their names."""
    return {name.strip(): figure for line in text.splitlines() if line for name, _, figure in [line.rpartition("  ")]}


@pytest.fixture
def emails(tmp_path: Path) -> Path:
    """Two addresses, one of them twice."""
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


def test_help_names_every_command() -> None:
    done = ask("--help")

    assert done.returncode == 0
    for name in ("version", "vendors", "sandbox", "check", "estimate"):
        assert f"\n    {name}" in done.stdout


def test_without_a_command_it_shows_its_help_and_fails() -> None:
    done = ask()

    assert (done.returncode, done.stdout) == (2, ask("--help").stdout)


def test_it_says_its_version() -> None:
    done = ask("version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


def test_the_sandbox_keeps_its_own_command_line() -> None:
    through = ask("sandbox", "--help")
    itself = subprocess.run(
        [sys.executable, "-m", "airflow_provider_emailverify.sandbox", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert (through.returncode, through.stdout) == (0, itself.stdout)
    assert ask("sandbox", "--host", "192.0.2.1").returncode == 2


def test_the_table_of_vendors_has_a_row_for_each_connection_type(tell: Ask) -> None:
    done = tell("vendors")

    _, _, *rows = done.stdout.splitlines()
    names = [row.split("|")[1].strip() for row in rows]
    assert names == [entry["hook-name"] for entry in get_provider_info()["connection-types"]]
    assert [cell.strip() for cell in rows[0].split("|")[2:9]] == [
        "proofy",
        "10,000",
        "not limited",
        "25",
        "no",
        "yes",
        "yes",
    ]
    assert (done.returncode, done.stderr) == (0, "")


def test_a_good_connection_says_what_that_proves(sandbox: SandboxServer, connect: Callable[..., str]) -> None:
    connect("proofy", sandbox.proofy_url)

    done = ask("check", "proofy_default")

    assert done.returncode == 0
    assert done.stdout == "proofy_default (Proofy): good. The key is valid; the account has 1,000,000 credits.\n"
    assert done.stderr == ""


def test_a_connection_from_airflows_database_is_found(airflow_db: Path, sandbox: SandboxServer) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add(Connection(conn_id="kept", conn_type="cliova", host=sandbox.cliova_url, password="x"))

    done = ask("check", "kept")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("kept (Cliova): good. ")


def test_a_bad_connection_is_one_line_without_the_key(connect: Callable[..., str], tell: Ask) -> None:
    connect("proofy", "http://127.0.0.1:9")

    done = tell("check", "proofy_default")

    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert "not good. Proofy: GET /credits was not sent" in done.stdout
    assert AWKWARD_KEY not in done.stdout + done.stderr


def test_a_connection_that_there_is_not_is_one_line() -> None:
    done = ask("check", "nowhere")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Connection 'nowhere': there is none")
    assert len(done.stderr.splitlines()) == 1


def test_a_list_is_estimated_without_a_connection(emails: Path) -> None:
    done = ask("estimate", emails, "--price-per-address", "0.008")

    assert (done.returncode, done.stderr) == (0, "")
    found = figures(done.stdout)
    assert found["to buy"].strip() == "2"
    assert found["duplicates"].strip() == "1"
    assert found["price"].strip() == "0.02"
    assert done.stdout.endswith("No addresses: 1 empty, 1 no at sign.\n")
    assert "@" not in done.stdout
    assert "batches" not in found


@pytest.mark.parametrize("path", ["list.csv", "./", "*.csv"])
def test_a_path_is_taken_from_the_folder_where_one_stands(
    emails: Path, monkeypatch: pytest.MonkeyPatch, tell: Ask, path: str
) -> None:
    monkeypatch.chdir(emails.parent)

    assert figures(tell("estimate", path).stdout)["to buy"].strip() == "2"


def test_a_connection_adds_what_the_vendor_says(
    emails: Path, sandbox: SandboxServer, connect: Callable[..., str], tell: Ask
) -> None:
    connect("proofy", sandbox.proofy_url)

    found = figures(tell("estimate", emails, "--conn-id", "proofy_default").stdout)

    assert found["batches"].strip() == "1"
    assert found["credits left"].strip() == "1,000,000"
    assert found["minutes at least"].strip() == "1"
    assert sandbox.ledger.charged().total() == 0


def test_what_is_known_and_young_enough_is_not_bought(emails: Path, tmp_path: Path, tell: Ask) -> None:
    known = tmp_path / "known.csv"
    known.write_text("email,verdict,verified_at\nada@example.com,deliverable,2020-01-01T00:00:00Z\n")

    old = figures(tell("estimate", emails, "--known", known).stdout)
    anyhow = figures(tell("estimate", emails, "--known", known, "--max-age", "any").stdout)

    assert (old["known"].strip(), old["to buy"].strip()) == ("0", "2")
    assert (anyhow["known"].strip(), anyhow["to buy"].strip()) == ("1", "1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.csv"], "missing.csv"),
        (["list.csv", "--email-column", "Mail"], "Mail"),
        (["list.csv", "--max-age", "soon"], "max_age"),
        (["list.csv", "--conn-id", "nowhere"], "Connection 'nowhere': there is none"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    emails: Path, monkeypatch: pytest.MonkeyPatch, tell: Ask, words: list[str], said: str
) -> None:
    monkeypatch.chdir(emails.parent)

    done = tell("estimate", *words)

    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_error_of_others_is_one_line_without_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "airflow.py").write_text("raise RuntimeError('somebody@example.com')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    done = ask("check", "proofy_default")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Unexpected RuntimeError at airflow.py:1.\n"
