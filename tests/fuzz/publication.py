"""
Landings of several files, interleaved call by call, with errors and kills in between, on disk and in a store in memory.

``fuzz_publication(random.Random(seed))`` plays one history; what it asserts holds in every one of them.
"""

from __future__ import annotations

import gc
import hashlib
import json
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.storage import together
from airflow_provider_emailverify.storage.destination import Destination
from airflow_provider_emailverify.storage.publishing import MARKER, publish_together
from airflow_provider_emailverify.storage.spool import spool_for

try:
    from airflow.sdk.io.store import attach
except ImportError:  # before Airflow 3.0
    from airflow.io.store import attach

Files = dict[str, bytes]

NAMES = ["deliverable.csv", "undeliverable.csv", "risky.csv", "unknown.csv", "report.html", "vendor.json"]
STRANGERS = {"notes.txt": b"a stranger's", "risky.parquet": b"converted by somebody"}
CALLS = ("info", "ls", "cat_file", "pipe_file", "cp_file", "put_file", "rm_file", "open")
EVENTS = {"os.rename", "os.remove", "os.link", "os.rmdir", "os.mkdir", "os.scandir"}


# Where nothing waits for a disk.
_QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Killed(BaseException):
    """The process is gone: everything that it still tries comes to nothing."""


@dataclass
class Actor:
    """
    One landing, in a thread of its own.

    :param files: what it lands.
    :param fails_at: the numbers of the calls that fail.
    :param dies_at: the number of the call at which it is killed; None if it is not.
    """

    files: Files
    fails_at: frozenset[int] = frozenset()
    dies_at: int | None = None
    calls: int = 0
    outcome: str = ""
    has_just_put: bool = False
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def note(self) -> None:
        """Let another one go on before this call, if it is its turn, and see what becomes of the call."""
        _current.stage.pass_on(self)
        self.calls += 1
        if self.dies_at is not None and self.calls >= self.dies_at:
            raise Killed
        if self.calls in self.fails_at:
            raise ConnectionResetError("connection reset")


class Stage:
    """
    Actors, of which one at a time acts.

    :param rng: what decides whose turn it is.
    :param actors: the actors.
    :param look: what is done between the turns.
    """

    def __init__(self, rng: random.Random, actors: list[Actor], look: Callable[[], None]) -> None:
        self._rng = rng
        self._look = look
        self._stays = rng.choice([0.0, 0.5, 0.9, 0.98])
        self.actors = actors
        self.error: BaseException | None = None

    def play(self, act: Callable[[Actor], None]) -> None:
        """Let all of them act to their ends."""
        threads = [threading.Thread(target=self._run, args=(actor, act), daemon=True) for actor in self.actors]
        for thread in threads:
            thread.start()
        self._rng.choice(self.actors).turn.release()
        for thread in threads:
            thread.join()
        if self.error:
            raise self.error
        self._look()

    def pass_on(self, actor: Actor) -> None:
        """Look, and let another one go on, or this one."""
        self._guarded(self._look)
        if self._rng.random() > self._stays:
            self._next().turn.release()
            actor.turn.acquire()

    def _run(self, actor: Actor, act: Callable[[Actor], None]) -> None:
        actor.turn.acquire()
        _current.actor, _current.stage, _current.is_inside = actor, self, False
        try:
            act(actor)
            actor.outcome = "landed"
        except StorageError:
            actor.outcome = "failed"
        except Killed:
            actor.outcome = "killed"
        except BaseException as error:
            actor.outcome = repr(error)
        finally:
            _current.actor = None
            if self._running():
                self._next().turn.release()

    def _running(self) -> list[Actor]:
        return [actor for actor in self.actors if not actor.outcome]

    def _next(self) -> Actor:
        return self._rng.choice(self._running())

    def _guarded(self, look: Callable[[], None]) -> None:
        was_inside, _current.is_inside = _current.is_inside, True
        try:
            look()
        except BaseException as error:
            self.error = self.error or error
        finally:
            _current.is_inside = was_inside


_current = threading.local()


@contextmanager
def _call() -> Iterator[None]:
    """A call of a storage; those that it makes by itself do not count."""
    actor: Actor | None = getattr(_current, "actor", None)
    if actor is None or _current.is_inside:
        yield
        return
    actor.note()
    _current.is_inside = True
    try:
        yield
    finally:
        _current.is_inside = False


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        actor: Actor | None = getattr(_current, "actor", None)
        if actor and actor.has_just_put:
            # A look tells a landing which version it has put there. On S3 and on disk it knows that without a look.
            actor.has_just_put = False
            return original(*arguments, **options)
        with _call():
            result = original(*arguments, **options)
        if actor and not _current.is_inside:
            actor.has_just_put = original.__name__ == "put_file"
        return result

    return call


def _on_event(event: str, _: tuple[Any, ...]) -> None:
    if event in EVENTS and getattr(_current, "actor", None):
        with _call():
            pass


_hooks: list[bool] = []


class World:
    """
    A folder that landings fill, seen from outside of the package.

    :param kind: ``memory`` or ``disk``.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self._folder = folder if kind == "disk" else None
        self.uri = f"file://{folder}/" if kind == "disk" else "memory://fuzz/set/"
        MemoryFileSystem.store.clear()

    def land(self, files: Files) -> None:
        """Land files, as a task does."""
        place = Destination(self.uri)
        with ExitStack() as stack:
            spools = []
            for name, content in files.items():
                spool = stack.enter_context(spool_for(place, name))
                spool.write(content)
                spools.append((spool, place.file(name)))
            publish_together(spools, place)

    def put(self, files: Files) -> None:
        """Write files, as strangers do."""
        for name, content in files.items():
            if self._folder:
                (self._folder / name).write_bytes(content)
            else:
                MemoryFileSystem().pipe_file(f"/fuzz/set/{name}", content)

    def read(self, *, hidden: bool = False) -> Files:
        """Return the files by their names, those in hidden folders too if they are asked for."""
        if self._folder:
            paths = [path for path in self._folder.rglob("*") if path.is_file()]
            found = {str(path.relative_to(self._folder)): path.read_bytes() for path in paths}
        else:
            store = dict(MemoryFileSystem.store)
            found = {name.removeprefix("/fuzz/set/"): file.getvalue() for name, file in store.items()}
        return {name: content for name, content in found.items() if hidden or not name.startswith(".")}


def _told(found: Files) -> dict[str, str]:
    return {file["name"]: file["sha256"] for file in json.loads(found[MARKER])["published"]} if MARKER in found else {}


def _is_true(found: Files) -> bool:
    """Tell whether the marker, if there is one, names what is there."""
    told = _told(found)
    return all(name in found and hashlib.sha256(found[name]).hexdigest() == told[name] for name in told)


def _is_exactly(found: Files, files: Files) -> bool:
    """Tell whether the folder holds these files, their marker, and what is strangers'."""
    return (
        {name: found[name] for name in found if name != MARKER} == {**STRANGERS, **files}
        and set(_told(found)) == set(files)
        and _is_true(found)
    )


def _some_files(rng: random.Random, label: str) -> Files:
    names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
    # Some landings make the same bytes as others.
    return {name: f"{rng.choice([label, 'same'])} {name}".encode() * rng.choice([1, 50]) for name in names}


def fuzz_publication(rng: random.Random) -> None:
    """
    Play one history, and check it.

    :param rng: what decides.
    :raises AssertionError: a destination showed a part, or its marker lied.
    """
    if not _hooks:
        sys.addaudithook(_on_event)
        attach(protocol="memory", fs=MemoryFileSystem())
        _hooks.append(True)
    with ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(mock.patch.object(MemoryFileSystem, name, _watched(getattr(MemoryFileSystem, name))))
        world = World(
            rng.choice(["memory", "disk"]), Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_QUICK)))
        )
        stack.enter_context(mock.patch.object(together.log, "disabled", True))
        _play(rng, world)


def _play(rng: random.Random, world: World) -> None:
    world.put(STRANGERS)
    old: Files = {}
    if rng.random() < 0.7:
        old = _some_files(rng, "old")
        world.land(old)
    before = world.read(hidden=True)
    labels = rng.choice([["first"], ["first", "second"]])
    # Who fails, takes back, and fails again while another lands can do nothing more.
    actors = [_some_actor(rng, label, most_failures=3 if len(labels) == 1 else 1) for label in labels]
    versions = {name: {files.get(name) for files in (old, *(actor.files for actor in actors))} for name in NAMES}

    def look() -> None:
        found = world.read()
        for name, content in found.items():
            assert name == MARKER or content in versions.get(name, {STRANGERS.get(name)}), f"a part of {name}"
        is_over = all(actor.outcome for actor in actors)
        has_died = any(actor.outcome == "killed" for actor in actors)
        if len(actors) == 1 or (is_over and not has_died):
            assert _is_true(found), "the marker lies"

    Stage(rng, actors, look).play(lambda actor: world.land(actor.files))
    found = world.read(hidden=True)
    outcomes = [actor.outcome for actor in actors]
    assert set(outcomes) <= {"landed", "failed", "killed"}, outcomes
    if len(actors) == 1 and outcomes == ["landed"]:
        assert _is_exactly(world.read(), actors[0].files)
    if len(actors) == 1 and outcomes == ["failed"] and len(actors[0].fails_at) == 1:
        assert found == before, "what was there is not there again"
    if "killed" in outcomes:
        gc.collect()  # so that its files are closed, and not locked any more
    last = _some_files(rng, "last")
    world.land(last)
    found = world.read()
    assert _is_true(found)
    assert set(_told(found)) == set(last)
    if len(actors) == 1:  # of two that were there at once, one may have taken away what tells of the other's files
        assert _is_exactly(found, last), "what was made before is still there"
        assert world.read(hidden=True) == found, "something is left aside"


def _some_actor(rng: random.Random, label: str, *, most_failures: int) -> Actor:
    fate = rng.random()
    failures = rng.randint(1, most_failures) if fate < 0.5 else 0
    fails_at = frozenset(rng.randint(1, 80) for _ in range(failures))
    return Actor(_some_files(rng, label), fails_at, rng.randint(1, 80) if fate > 0.8 else None)
