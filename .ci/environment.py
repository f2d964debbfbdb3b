"""
Make a virtual environment that holds this project and one Airflow: ``python environment.py FOLDER``.

Standard library only, because it is what runs first. It installs with uv where that can be had, else with pip, and
from the package index that pip is set up for.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
NEWEST_AIRFLOW = "3.3"
# Extras that no test needs. Beside an older Airflow, they make uv choose its first patch.
TOOLS = "docs,release"

# pip's settings by their names in uv, which does not read them.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
# What pip has to choose first, or it tries release after release of Airflow's Amazon provider instead.
PIP_CHOOSES_FIRST = ("aiobotocore[boto3]",)
NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ConnectionResetError|ProxyError|SSLError|CERTIFICATE_VERIFY_FAILED"
    r"|name resolution|Network is unreachable|Connection (refused|reset)"
    r"|dns error|error sending request|tcp connect error|operation timed out|invalid peer certificate",
    re.IGNORECASE,
)


class SetupError(Exception):
    """The environment cannot be made; the text says why, in one line."""


class Environment:
    """
    One virtual environment.

    :param folder: where it is, or will be; what setting it up printed is in ``setup.log`` there
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.python = str(self.folder / "bin" / "python")
        self.log = self.folder / "setup.log"
        self._failure = ""

    def install(self, *requirements: str, base: str = sys.executable) -> None:
        """
        Make the environment if there is none yet, and install into it.

        :param requirements: as pip takes them
        :param base: the interpreter that the environment is made of
        :raises SetupError: the environment cannot be made
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        uv = self._make(base)
        if uv and self._run(uv, "pip", "install", "--python", self.python, *requirements, **self._uv_settings()):
            return
        if (uv and self._has_no_network) or not self._install_with_pip(*requirements):
            raise SetupError(self._reason("what the project needs"))

    def _install_with_pip(self, *requirements: str) -> bool:
        """Install without uv; older versions of pip take hours to choose releases of all that Airflow needs."""
        pip = (self.python, "-m", "pip", "install")
        return self._run(*pip, "--upgrade", "pip") and self._run(*pip, *PIP_CHOOSES_FIRST, *requirements)

    def _make(self, base: str) -> str | None:
        """Make the environment, with pip in it, and return the path of uv; None if it cannot be had."""
        on_path = shutil.which("uv")
        if on_path:
            options = ("--seed", "--allow-existing", "--python", base)
            if self._exists() or self._run(on_path, "venv", *options, str(self.folder), **self._uv_settings()):
                return on_path
            if self._has_no_network:
                raise SetupError(self._reason("pip"))
        if not self._exists():
            self._make_without_uv(base)
        own = self.folder / "bin" / "uv"
        if own.exists() or self._run(self.python, "-m", "pip", "install", "--retries", "1", "uv"):
            return str(own)
        if self._has_no_network:
            raise SetupError(self._reason("uv"))
        return None

    def _make_without_uv(self, base: str) -> None:
        if self._run(base, "-m", "venv", str(self.folder)):
            return
        # Debian ships venv's pip apart; the system's own pip can install one into the environment.
        if self._run(base, "-m", "venv", "--without-pip", str(self.folder)) and self._run(
            base, "-m", "pip", "--python", self.python, "install", "--retries", "1", "pip"
        ):
            return
        if self._has_no_network:
            raise SetupError(self._reason("pip"))
        raise SetupError(f"{base} cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv")

    def _exists(self) -> bool:
        return Path(self.python).exists() and self._run(self.python, "-m", "pip", "--version")

    def _uv_settings(self) -> dict[str, str]:
        """Return the environment variables by which uv does what pip is set up to do."""
        pip: dict[str, str] = {}
        for name, value in sorted(_pip_settings(self.python) or _pip_settings(sys.executable)):
            # Sorted, the environment (":env:") comes before the files, and goes before them.
            section, _, option = name.rpartition(".")
            if section in (":env:", "install", "global"):
                pip.setdefault(option, value)
        settings = {UV_NAMES[option]: value for option, value in pip.items() if option in UV_NAMES}
        if "UV_FIND_LINKS" in settings:
            settings["UV_FIND_LINKS"] = settings["UV_FIND_LINKS"].replace(" ", ",")
        if "UV_INDEX" in settings:  # pip looks for the best version in every index, uv in the first that has any
            settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
        return {name: value for name, value in settings.items() if name not in os.environ}

    def _run(self, *command: str, **settings: str) -> bool:
        inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**inherited, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **settings},
        )
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}")
        if done.returncode:
            self._failure = done.stdout
        return done.returncode == 0

    @property
    def _has_no_network(self) -> bool:
        return bool(NO_NETWORK.search(self._failure))

    def _reason(self, what: str) -> str:
        cause = ": the package index cannot be reached" if self._has_no_network else ""
        return f"Cannot install {what}{cause}. Details: {self.log}"


def _pip_settings(python: str) -> list[tuple[str, str]]:
    """Return pip's settings, as ``section.option`` and value."""
    if not Path(python).exists():
        return []
    command = [python, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return [(name, " ".join(str(ast.literal_eval(value)).split())) for name, _, value in pairs]


def requirements(airflow: str, extras: str = "dev") -> tuple[str, str]:
    """
    Return what to install for this project.

    :param airflow: ``3.3`` for the newest patch of that version
    :param extras: of this project, separated by commas
    """
    return f"--editable={PROJECT}[{extras}]", f"apache-airflow=={airflow}.*"


def main() -> int:
    """Make the environment that the command line names, and say so."""
    parser = argparse.ArgumentParser(description="Make a virtual environment that holds this project and Airflow.")
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--airflow", default=NEWEST_AIRFLOW, help="the version without its patch (default: %(default)s)"
    )
    parser.add_argument("--extras", default="", help="more extras of this project, separated by commas")
    options = parser.parse_args()
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Setting up {options.folder} with Python {version} and Airflow {options.airflow} ...", flush=True)
    started = time.monotonic()
    try:
        extras = ",".join(filter(None, ("dev", TOOLS, options.extras)))
        Environment(options.folder).install(*requirements(options.airflow, extras))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Set up in {time.monotonic() - started:.0f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
