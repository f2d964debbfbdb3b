"""A PostgreSQL server with an empty database, for as long as a ``with`` block lasts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

_NOBODY = 65534


class PostgreSQL:
    """A PostgreSQL server with an empty database, on loopback."""

    def __init__(self) -> None:
        found = shutil.which("pg_ctl") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")), None)
        if found is None:
            raise LookupError("there is no PostgreSQL server here")
        self._bin = Path(found).resolve().parent
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"postgresql+psycopg2://airflow@127.0.0.1:{self._port}/postgres"

    def __enter__(self) -> PostgreSQL:
        # Not in pytest's folder: root's is closed to others, and the server refuses to run as root.
        self._folder = Path(tempfile.mkdtemp(prefix="emailverify-postgresql-"))
        if os.getuid() == 0:
            os.chown(self._folder, _NOBODY, _NOBODY)
        self._run("initdb", "-D", "data", "-U", "airflow", "-A", "trust", "-N")
        options = f"-p {self._port} -h 127.0.0.1 -k {self._folder} -c fsync=off -c max_connections=400"
        self._options = options
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start it, and return when it answers."""
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", self._options, "start")

    def stop(self) -> None:
        """Stop it as a restart does: connections are cut, what was committed stays."""
        self._run("pg_ctl", "-D", "data", "-m", "fast", "stop")

    def dump(self) -> str:
        """Return everything that the database holds, as SQL."""
        self._run("pg_dump", "-h", "127.0.0.1", "-p", str(self._port), "-U", "airflow", "-f", "dump", "postgres")
        return (self._folder / "dump").read_text()

    def _run(self, program: str, *arguments: str) -> None:
        user = {"user": _NOBODY, "group": _NOBODY} if os.getuid() == 0 else {}
        errors = self._folder / "errors"
        with errors.open("w") as file:  # a pipe would be inherited by the server, and never end
            done = subprocess.run(
                [self._bin / program, *arguments], cwd=self._folder, stdout=file, stderr=file, check=False, **user
            )
        assert done.returncode == 0, errors.read_text()
