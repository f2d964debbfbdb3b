"""A submit task with a ledger, on this machine's disk and in an object store: on every supported Airflow."""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ObjectStoragePath

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.ledger import CUT, Ledger
from tests.clock import Clock
from tests.integration.test_s3_source import bucket, object_store  # noqa: F401 - fixtures
from tests.submit_task import BATCHES, EMAILS, Task, sent, submissions


@pytest.fixture(params=["file", "s3"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each storage in turn, an empty folder."""
    if request.param == "file":
        return f"file://{tmp_path}/ledger"
    return f"{request.getfixturevalue('bucket')}/ledger-{uuid.uuid4().hex}/"


@pytest.fixture
def task(
    sandbox: SandboxServer,
    connect: Callable[..., str],
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> Task:
    """A submit task of an Airflow that keeps nothing."""
    (tmp_path / "list.txt").write_text("\n".join(EMAILS))
    monkeypatch.setattr(EmailVerifySubmitOperator, "_clock", clock)
    made = Task(tmp_path / "list.txt", connect("cliova", sandbox.cliova_url))
    made.store = None
    return made


def objects(ledger: str) -> dict[str, Any]:
    """Return what is in the ledger, by name."""
    (folder,) = ObjectStoragePath(ledger).iterdir()
    return {path.name: json.loads(path.read_text()) for path in folder.iterdir()}


def write(ledger: str, name: str, text: str) -> None:
    (folder,) = ObjectStoragePath(ledger).iterdir()
    (folder / name).write_text(text)


def test_a_second_try_goes_on_where_the_first_one_ended(task: Task, sandbox: SandboxServer, ledger: str) -> None:
    sandbox.faults.add(operation="submit", kind="no_credits", skip=1, times=1)
    with pytest.raises(AirflowFailException, match="InsufficientCreditsError"):
        task.attempt(ledger=ledger)

    assert task.attempt(ledger=ledger) == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert sent(sandbox) == BATCHES
    assert task.attempt(ledger=ledger) == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert submissions(sandbox) == 4


def test_a_task_whose_state_airflow_has_discarded_buys_nothing_again(
    task: Task, sandbox: SandboxServer, ledger: str
) -> None:
    first = task.attempt(ledger=ledger)

    assert task.attempt(ledger=ledger) == first
    assert submissions(sandbox) == 3


def test_where_there_is_a_ledger_the_state_store_is_not_asked(task: Task, sandbox: SandboxServer, ledger: str) -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    task.store = Untouchable()

    assert len(task.attempt(ledger=ledger)) == 3


def test_a_ledger_that_is_named_for_the_second_try_only_is_no_proof(
    task: Task, sandbox: SandboxServer, ledger: str, caplog: pytest.LogCaptureFixture
) -> None:
    task.attempt()

    with pytest.raises(AirflowFailException, match="This is try 2, and there is no record"):
        task.attempt(ledger=ledger)

    assert submissions(sandbox) == 3
    assert "/plan.json" in caplog.text


def test_a_doubt_is_repaired_in_the_object_that_the_message_names(
    task: Task, sandbox: SandboxServer, ledger: str, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="batch 2 of 3"):
            task.attempt(ledger=ledger)
    at = max(at for at, line in enumerate(caplog.messages) if "If it is there, set the object" in line)
    assert "".join(caplog.messages[at : at + 2]).endswith("/00002.json")  # a long URI stands on a line of its own
    assert "whole content of that object" in caplog.text

    write(ledger, "00002.json", json.dumps(sandbox.ledger.batches()[1].batch_id))

    assert task.attempt(ledger=ledger) == [batch.batch_id for batch in sandbox.ledger.batches()]
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


def test_a_person_can_say_that_a_batch_never_arrived(task: Task, sandbox: SandboxServer, ledger: str) -> None:
    sandbox.faults.add(operation="submit", kind="reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt(ledger=ledger)

    write(ledger, "00002.json", "false")

    assert len(task.attempt(ledger=ledger)) == 3
    assert sandbox.ledger.charged() == dict.fromkeys(EMAILS, 1)


@pytest.mark.parametrize("text", ["", '{"plan": "5'])
def test_an_object_that_is_cut_is_a_doubt(task: Task, sandbox: SandboxServer, ledger: str, text: str) -> None:
    task.attempt(ledger=ledger)
    write(ledger, "00003.json", text)

    with pytest.raises(AirflowFailException, match="batch 3 of 3"):
        task.attempt(ledger=ledger)
    assert submissions(sandbox) == 3


def test_a_plan_that_is_cut_is_a_doubt(task: Task, sandbox: SandboxServer, ledger: str) -> None:
    sandbox.faults.add(operation="submit", kind="no_credits", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt(ledger=ledger)
    write(ledger, "plan.json", "")

    with pytest.raises(AirflowFailException, match="SubmissionUnknownError"):
        task.attempt(ledger=ledger)
    assert submissions(sandbox) == 2


def test_two_tasks_keep_their_records_apart(task: Task, ledger: str, sandbox: SandboxServer) -> None:
    task.attempt(ledger=ledger)
    task.tries = 0
    other = EmailVerifySubmitOperator(
        task_id="other", source=f"file://{task.source}", conn_id=task.conn_id, batch_size=2, ledger=ledger
    )
    from tests.submit_task import Ti

    ti = Ti()
    ti.task_id = "other"
    other.execute({"ti": ti})  # type: ignore[typeddict-item]

    assert submissions(sandbox) == 6


def test_no_object_holds_an_address_or_the_key(task: Task, sandbox: SandboxServer, ledger: str) -> None:
    sandbox.faults.add(operation="submit", kind="accept_then_reset", skip=1, times=1)
    with pytest.raises(AirflowFailException):
        task.attempt(ledger=ledger)

    kept = objects(ledger)
    assert sorted(kept) == ["00001.json", "00002.json", "plan.json", "probe.json"]
    assert "@" not in json.dumps(kept)


def test_an_empty_argument_is_no_ledger_and_no_default(task: Task, sandbox: SandboxServer) -> None:
    with pytest.raises(AirflowFailException, match="ledger: "):
        task.attempt(ledger="")
    assert submissions(sandbox) == 0


def test_a_bucket_that_is_not_there_ends_the_task_before_anything_is_bought(
    task: Task,
    sandbox: SandboxServer,
    bucket: str,  # noqa: F811 - the fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(StorageError, match=r"Cannot write to the ledger s3://.*-not/ledger"):
        task.attempt(ledger=f"{bucket}-not/ledger")
    assert submissions(sandbox) == 0
    assert "2. Trigger a new run." in caplog.text


class _Proxy(BaseHTTPRequestHandler):
    """Hands requests on to an object store, without the condition that makes them exclusive."""

    protocol_version = "HTTP/1.1"
    target = ""

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "if-none-match"}
        connection = http.client.HTTPConnection(self.target, timeout=30)
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        self.wfile.write(content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def careless_store(
    object_store: tuple[str, Any],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A bucket of a store that speaks S3's language and ignores If-None-Match."""
    handler = type("Handler", (_Proxy,), {"target": urlsplit(object_store[0]).netloc})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"endpoint_url": f"http://127.0.0.1:{server.server_port}", "region_name": "us-east-1"}
        fields = {"conn_type": "aws", "login": "x", "password": "x", "extra": extra}
        conn_id = f"careless_{uuid.uuid4().hex}"
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        yield f"s3://{conn_id}@lists/careless-{uuid.uuid4().hex}/"
        server.shutdown()


def test_a_store_that_ignores_exclusive_creation_is_refused(
    task: Task, sandbox: SandboxServer, careless_store: str
) -> None:
    with pytest.raises(StorageError, match="ignores If-None-Match"):
        task.attempt(ledger=careless_store)
    assert submissions(sandbox) == 0


def test_s3_lets_one_of_two_claim_a_record(bucket: str) -> None:  # noqa: F811 - the fixture
    uri = f"{bucket}/{uuid.uuid4().hex}"
    first, second = Ledger(uri, "stem"), Ledger(uri, "stem")

    assert [first.claim("emailverify_batch_00001", {"by": 1}), second.claim("emailverify_batch_00001", {"by": 2})] == [
        True,
        False,
    ]
    assert second.get("emailverify_batch_00001")["by"] == 1
    assert second.get("emailverify_batch_00001") is not CUT
