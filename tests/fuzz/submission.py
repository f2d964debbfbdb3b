"""Lists that are bought in several tries, from a vendor whose answers may be anything, by a process that may die."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.http import rate_limit
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from tests.fuzz import inputs
from tests.purchases import Crash, Time
from tests.raw_server import RawServer, reset, respond
from tests.submit_task import Task

#: Statuses that can only mean that nothing was taken.
_REFUSALS = (400, 401, 402, 403, 404, 405, 410, 411, 413, 414, 415, 422, 426, 428, 429, 431, 451)
_OTHERS = (200, 200, 200, 201, 202, 204, 206, 301, 307, 399, 408, 409, 418, 425, 460, 499, 500, 502, 503, 504, 599)
_ADDRESS = re.compile(rb"b(\d+)-\d+@example\.com")


class _Vendor:
    """
    Takes batches of one list, or does not, and answers whatever chance makes of it.

    :ivar accepted: the ids under which it has taken each batch, by number; "" where the answer held none.
    """

    def __init__(self, chance: Random, server: RawServer) -> None:
        self.accepted: dict[int, list[str]] = {}
        self._chance = chance
        self._server = server
        self._ids = 0
        server.requests.clear()
        server.answer(self._answer)

    def _answer(self, connection: socket.socket) -> None:
        found = _ADDRESS.search(self._server.requests[-1])
        if found is None:
            respond(b'{"credits": 1000000}', Content_Type="application/json")(connection)  # the balance
            return
        number, chance = int(found[1]), self._chance
        kind = chance.random()
        if kind < 0.75:
            self._accept(number, connection)
        elif kind < 0.8:
            if chance.random() < 0.5:
                self.accepted.setdefault(number, []).append("")
            reset(connection)
        else:
            status = chance.choice((*_REFUSALS, *_OTHERS))
            if status not in _REFUSALS and chance.random() < 0.5:
                self.accepted.setdefault(number, []).append("")
            self._write(connection, status, inputs.as_json(chance, inputs.document(chance)).encode(errors="replace"))

    def _accept(self, number: int, connection: socket.socket) -> None:
        self._ids += 1
        kind = self._chance.random()
        batch_id: Any = f"id-{self._ids}" if kind < 0.8 else self._ids
        if kind > 0.9:
            batch_id = self._chance.choice(("", " ", None, True, "id-1", "id-1", 1, "é" * 300, "../x", [], 1.5))
        self.accepted.setdefault(number, []).append(batch_id if isinstance(batch_id, str) else json.dumps(batch_id))
        payload = self._chance.choice(
            ({"id": batch_id}, {"payload": {"id": batch_id}}, {"payload": [{"id": batch_id}], "code": "CREATED"})
        )
        payload.update(self._chance.choice(({}, {}, {"message": "1 credit will be charged"}, {"error": "quota"})))
        self._write(connection, self._chance.choice((200, 201, 202)), json.dumps(payload).encode())

    def _write(self, connection: socket.socket, status: int, body: bytes) -> None:
        chance = self._chance
        headers = chance.choice(({}, {}, {"Retry_After": chance.choice(("1", "0", "soon", "9" * 30))}))
        length = chance.choice((-1, -1, -1, None, len(body) + 9))
        keep = len(body) if chance.random() < 0.8 else chance.randrange(len(body) + 1)

        class Cut:
            @staticmethod
            def sendall(data: bytes) -> None:
                head, _, whole = data.partition(b"\r\n\r\n")
                connection.sendall((head + b"\r\n\r\n" + whole)[: len(data) - len(body) + keep])

        respond(body, status=f"{status} Some Reason", length=length, **headers)(Cut())  # type: ignore[arg-type]
        if keep < len(body) and chance.random() < 0.5:
            reset(connection)


class _Dying:
    """A store that lets the process die before or after something is written, and that may lose what it holds."""

    def __init__(self, task: Task, chance: Random) -> None:
        self.left = -1
        self._store = task.store
        task.store = self
        self._chance = chance

    def get(self, key: str) -> Any:
        self._step()
        return self._store.get(key)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self._step()
        self._store.set(key, json.loads(json.dumps(value)), retention=retention)
        self._step()

    def lose(self) -> None:
        for key in [key for key in self._store.values if self._chance.random() < 0.1]:
            del self._store.values[key]

    def repair(self, key: str, value: Any) -> None:
        self._store.values[key] = value

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash


@cache
def _server() -> RawServer:
    return RawServer().__enter__()


def fuzz_submission(rng: Random) -> None:
    """Buy a list of some batches in some tries."""
    server = _server()
    vendor = _Vendor(rng, server)
    name = rng.choice(("cliova", "proofy"))
    extra = {"max_attempts": rng.choice((1, 3)), "timeout": 5}
    fields = {"conn_type": name, "host": server.url, "password": f"key-{rng.random()}", "extra": extra}
    clock = Time()
    folder = Path(tempfile.mkdtemp(prefix="emailverify-fuzz-"))
    logging.disable(logging.CRITICAL)
    try:
        with (
            patch.dict(os.environ, AIRFLOW_CONN_FUZZ=json.dumps(fields)),
            patch.object(rate_limit, "_limits", rate_limit.AccountLimits(clock=clock)),
            patch.object(EmailVerifySubmitOperator, "_clock", clock),
            (folder / "log").open("w") as log,
            redirect_stdout(log),
            redirect_stderr(log),
        ):
            _buy(rng, vendor, folder, clock)
        assert "@example.com" not in (folder / "log").read_text(errors="replace")
    finally:
        logging.disable(logging.NOTSET)
        shutil.rmtree(folder)


def _buy(rng: Random, vendor: _Vendor, folder: Path, clock: Time) -> None:
    batches = rng.randint(1, 4)
    source = folder / "list.txt"
    source.write_text("\n".join(f"b{number}-{each}@example.com" for number in range(1, batches + 1) for each in (1, 2)))
    task = Task(source, "fuzz")
    store = _Dying(task, rng)
    arguments: dict[str, Any] = {"check_credits": rng.random() < 0.3}
    if rng.random() < 0.3:
        arguments["ledger"] = f"file://{folder}/ledger"
    for _ in range(rng.randint(1, 6)):
        store.left = rng.choice((-1, rng.randint(1, 60)))
        ids = _attempt(task, arguments)
        _check(vendor, batches, ids)
        if ids is not None:
            continue
        store.left = -1
        if rng.random() < 0.2:
            store.lose()
        if rng.random() < 0.3 and "ledger" not in arguments:
            _repair(vendor, batches, store)
        clock.now += rng.choice((0.0, 30.0, 700.0))


def _attempt(task: Task, arguments: dict[str, Any]) -> list[str] | None:
    try:
        return task.attempt(**arguments)
    except (EmailVerifyError, AirflowFailException) as error:
        text = str(error)
    except Crash:
        return None
    assert "@example.com" not in text
    return None


def _check(vendor: _Vendor, batches: int, ids: list[str] | None) -> None:
    twice = {number: taken for number, taken in vendor.accepted.items() if len(taken) > 1}
    assert not twice, f"bought twice: {twice}"
    if ids is not None:
        assert ids == [vendor.accepted[number][0] for number in range(1, batches + 1)], "a batch was left out"
        assert len(set(ids)) == len(ids)


def _repair(vendor: _Vendor, batches: int, store: _Dying) -> None:
    """Tell the next try what the vendor's dashboard shows; it shows an id for each batch that was taken."""
    taken = {number: vendor.accepted.get(number, []) for number in range(1, batches + 1)}
    for number, ids in taken.items():
        if ids and (not ids[0].strip() or sum(ids[0] in other for other in taken.values()) > 1):
            ids[0] = f"dashboard-{number}"
        store.repair(f"emailverify_batch_{number:05d}", ids[0] if ids else False)
    with suppress(KeyError):
        if not isinstance(store.get("emailverify_plan"), dict):
            store.repair("emailverify_plan", batches if any(taken.values()) else False)


TARGETS: tuple[Callable[[Random], None], ...] = (fuzz_submission,)
