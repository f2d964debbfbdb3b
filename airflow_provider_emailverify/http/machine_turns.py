"""
Turns of an account that all processes of one user on one machine share, by a file among the temporary ones.

The file is SQLite's, beside a lock that is waited for no longer than a second: a process that is killed loses it, one
that is stopped keeps it. It lies on a disk of this machine, where locks work.
"""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pyrate_limiter import Rate, RateItem, SQLiteBucket

from airflow_provider_emailverify.http.policy import Clock
from airflow_provider_emailverify.http.rates import distance_of, rates_of, spread_rates_of
from airflow_provider_emailverify.http.shared_turns import Turn, UnavailableError

_LOCK_SECONDS = 1.0
_LOCK_POLL_SECONDS = 0.002
# Who waits for the same turn comes at slightly different times, or the same one would be first again and again.
_JITTER = 0.05
_HOLDS = "CREATE TABLE IF NOT EXISTS holds (since INTEGER, until INTEGER)"


@dataclass(frozen=True)
class _File:
    """The file as one process has opened it."""

    process: int
    inode: int
    lock: FileLock
    bucket: SQLiteBucket


# What the parent had opened must not be closed by the child: that would let go of the parent's locks.
_of_parents: list[_File] = []


class MachineTurns:
    """
    The turns of one account on this machine.

    :param account: a name for the account that holds no secret and is good for a file.
    :param clock: the time. What :meth:`monotonic` returns must mean the same in all processes, as Linux's does.
    """

    name = "a file of this machine"

    def __init__(self, account: str, *, clock: Clock = time) -> None:
        self._path = folder() / f"{account}.sqlite"
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._file: _File | None = None

    def take(self, requests_per_minute: float | None) -> Turn:
        """
        Take a turn if there is one.

        :param requests_per_minute: the limit; None for none.
        :raises UnavailableError: the file cannot be used.
        """
        with self._opened() as (bucket, now):
            if held := _held(bucket, now):
                return Turn(held, is_held=True)
            return Turn(self._take(bucket, now, requests_per_minute) if requests_per_minute else 0.0)

    def look(self, requests_per_minute: float | None) -> Turn:
        """
        Tell whether there is a turn, and take none.

        :param requests_per_minute: the limit; None for none.
        :raises UnavailableError: the file cannot be used.
        """
        with self._opened() as (bucket, now):
            if held := _held(bucket, now):
                return Turn(held, is_held=True)
            pause = self._take(bucket, now, requests_per_minute) if requests_per_minute else 0.0
            if requests_per_minute and not pause:
                bucket.conn.execute("DELETE FROM turns WHERE rowid = last_insert_rowid()")
                bucket.conn.commit()
            return Turn(pause)

    def hold(self, seconds: float) -> None:
        """
        Let nobody have a turn for a while.

        :param seconds: how long.
        :raises UnavailableError: the file cannot be used.
        """
        with self._opened() as (bucket, now):
            bucket.conn.execute("DELETE FROM holds WHERE until <= ?", (now,))
            bucket.conn.execute("INSERT INTO holds VALUES (?, ?)", (now, now + int(seconds * 1000)))
            bucket.conn.commit()

    def _take(self, bucket: SQLiteBucket, now: int, limit: float) -> float:
        """Take a turn and return 0, or return the seconds after which to try again."""
        process = f"{os.getpid()} {self._id}"
        others = bucket.conn.execute("SELECT 1 FROM turns WHERE name <> ? LIMIT 1", (process,)).fetchone()
        bucket.rates = spread_rates_of(limit) if others else rates_of(limit)
        bucket.leak(now)
        turn = RateItem(process, now)
        if bucket.put(turn):
            return 0.0
        pause = int(bucket.waiting(turn)) / 1000  # type: ignore[arg-type] # only buckets elsewhere answer by and by
        # Where a single turn counts, others may wait for the same one and have left no trace.
        is_alone = not others and bucket.rates[-1].limit > 1
        return pause if is_alone else pause + random.random() * _JITTER * distance_of(limit)  # noqa: S311 - no secret

    @contextmanager
    def _opened(self) -> Iterator[tuple[SQLiteBucket, int]]:
        """Hand out the file while nobody else has it, and the time in milliseconds."""
        path = self._path
        try:
            _make_private(path.parent)
            lock = self._lock_of(path)
            with lock.acquire(timeout=_LOCK_SECONDS, poll_interval=_LOCK_POLL_SECONDS):
                now = int(self._clock.monotonic() * 1000)
                yield self._open(path, lock, now).bucket, now
        except Timeout:
            raise UnavailableError(f"another process has had {path} for longer than {_LOCK_SECONDS:.0f} s") from None
        except sqlite3.OperationalError as error:  # a full disk, no right to write
            raise UnavailableError(f"{path}: {error}") from None
        except sqlite3.DatabaseError as error:  # it is no database any more: the next one to come makes another
            self._file = None
            for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
                with suppress(OSError):
                    each.unlink(missing_ok=True)
            raise UnavailableError(f"{path}: {error}") from None
        except OSError as error:
            raise UnavailableError(f"{path}: {error.strerror or error}") from None

    def _lock_of(self, path: Path) -> FileLock:
        if self._file and self._file.process != os.getpid():
            _of_parents.append(self._file)
            self._file = None
        return self._file.lock if self._file else FileLock(f"{path}.lock", mode=0o600)

    def _open(self, path: Path, lock: FileLock, now: int) -> _File:
        """Return the file; another one if somebody has removed it meanwhile, as tidy machines do."""
        if self._file is None or not path.exists() or path.stat().st_ino != self._file.inode:
            bucket = SQLiteBucket.init_from_file([Rate(1, 1)], table="turns", db_path=str(path))
            bucket.conn.execute("PRAGMA journal_mode=WAL")
            bucket.conn.execute("PRAGMA synchronous=NORMAL")
            bucket.conn.execute(_HOLDS)
            # The clock begins anew when the machine does, and the file may be older than that.
            bucket.conn.execute("DELETE FROM holds WHERE since > ?", (now,))
            bucket.conn.execute("DELETE FROM turns WHERE item_timestamp > ?", (now,))
            bucket.conn.commit()
            self._file = _File(os.getpid(), path.stat().st_ino, lock, bucket)
        return self._file


def folder() -> Path:
    """Return where the files are: a folder of this user alone, among the temporary files."""
    return Path(tempfile.gettempdir()) / f"airflow-emailverify-{os.getuid()}"


def _make_private(place: Path) -> None:
    """Make the folder, and refuse one that somebody else has made, who could stop or read us."""
    place.mkdir(mode=0o700, exist_ok=True)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnavailableError(f"{place} is not a folder of this user alone")


def _held(bucket: SQLiteBucket, now: int) -> float:
    """Return the seconds for which the vendor wants to be left alone."""
    (until,) = bucket.conn.execute("SELECT MAX(until) FROM holds").fetchone()
    return max(0, (until or 0) - now) / 1000
