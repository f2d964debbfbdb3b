"""A file of 200 MB, and a process that is killed while it publishes one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

from tests.stores.contract import OnStore, put
from tests.stores.server import ObjectStore

SIZE = 200_000_000
#: How much more memory a process may have in use for such a file, in MiB.
MOST_MIB = 64


def command(uri: str) -> list[str]:
    """Return how a process of its own publishes and reads a large file."""
    return [sys.executable, "-m", "tests.stores.task", uri, str(SIZE)]


class LargeFiles(OnStore):
    """Memory does not grow with a file."""

    def test_200_mb_are_published_and_read_in_bounded_memory(self, store: ObjectStore, folder: str) -> None:
        uri = store.uri(f"{folder}x.csv")
        started = time.monotonic()
        done = subprocess.run(command(uri), capture_output=True, text=True, check=True)

        figures = json.loads(done.stdout.splitlines()[-1])
        print(f"\n{store.name}: {figures}, {time.monotonic() - started:.0f} s")
        assert figures["rows"] == SIZE // 100
        assert figures["read"] - figures["before"] < MOST_MIB


class Kills(OnStore):
    """A process is killed while it sends a file."""

    def test_a_kill_on_the_way_leaves_the_old_file(self, store: ObjectStore, folder: str) -> None:
        assert store.proxy
        uri = store.uri(f"{folder}x.csv")
        put(uri, b"old")
        store.proxy.requests.clear()
        with subprocess.Popen(command(uri), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while sum(request.changes for request in store.proxy.requests) < 3 and process.poll() is None:
                time.sleep(0.005)
            process.kill()
        assert process.returncode == -signal.SIGKILL

        time.sleep(1)  # for what the store had received
        assert store.read(folder) == {"x.csv": b"old"}
        assert store.unfinished(folder) <= 1  # which a rule of the bucket has to remove
        put(uri, b"new")
        assert store.read(folder) == {"x.csv": b"new"}
