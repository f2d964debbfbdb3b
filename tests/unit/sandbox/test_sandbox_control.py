"""The sandbox's own paths, its server and its command line."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from airflow_provider_emailverify import sandbox as package
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sandbox.vendors import NAMES

COMMAND = [sys.executable, "-m", "airflow_provider_emailverify.sandbox"]


def test_the_index_says_what_this_is(sandbox):
    index = requests.get(sandbox.url, timeout=5).json()

    assert index["hosts"] == sandbox.vendor_urls
    assert index["hosts"]["cliova"] == sandbox.cliova_url
    assert index["readings"]["cliova_status_payload"] == "list"


def test_the_ledger_counts_without_naming_addresses_or_keys(sandbox, proofy):
    for _ in range(2):
        proofy("POST", "/verify/batch/create", json={"emails": ["ann@example.com"]}, key="very-secret")

    answer = requests.get(sandbox.url + "/sandbox/ledger", timeout=5)
    books = answer.json()["proofy"]

    assert books["requests"] == {"submit": 2}
    assert (books["credits_charged"], books["addresses_charged"]) == (2, 1)
    assert books["addresses_charged_more_than_once"] == 1
    assert len(books["batches"]) == 2
    assert "ann@" not in answer.text
    assert "very-secret" not in answer.text


def test_an_address_twice_in_one_list_is_no_double_purchase(sandbox, proofy):
    proofy("POST", "/verify/batch/create", json={"emails": ["ann@example.com"] * 2})

    assert sandbox.ledger.charged()["ann@example.com"] == 2
    assert sandbox.ledger.charged_more_than_once() == []


def test_requests_are_noted_with_their_time_and_batch(sandbox, proofy, clock):
    began = clock.now
    for _ in range(2):
        proofy.get("/verify/batch/a%2Fb")
        clock.advance(3)

    noted = sandbox.ledger.requests("proofy", "status")

    assert [(each.at - began, each.batch_id) for each in noted] == [(0, "a/b"), (3, "a/b")]
    assert sandbox.ledger.count("proofy") == 2


def test_faults_can_be_switched_over_http(sandbox, proofy):
    faults = sandbox.url + "/sandbox/faults"
    wanted = {"vendor": "proofy", "operation": "credits", "kind": "rate_limit", "times": 5, "retry_after": 1}

    number = requests.post(faults, json=wanted, timeout=5).json()["id"]
    hit = proofy.get("/credits").status_code
    listed = requests.get(faults, timeout=5).json()
    requests.delete(f"{faults}/{number}", timeout=5)

    assert hit == 429
    assert [(each["id"], each["left"], each["retry_after"]) for each in listed] == [(number, 4, 1)]
    assert proofy.get("/credits").status_code == 200


def test_all_faults_can_be_cleared_over_http(sandbox, proofy):
    sandbox.faults.add(kind="reset")
    requests.delete(sandbox.url + "/sandbox/faults", timeout=5)

    assert proofy.get("/credits").status_code == 200


@pytest.mark.parametrize("wrong", [{}, {"kind": "nonsense"}, {"kind": "reset", "nonsense": 1}])
def test_a_fault_that_cannot_be_read_is_refused_over_http(sandbox, wrong):
    assert requests.post(sandbox.url + "/sandbox/faults", json=wrong, timeout=5).status_code == 422


def test_a_state_can_be_forced_over_http(sandbox, proofy):
    sandbox.ledger.create_batch("proofy", batch_id="a/b")
    answer = requests.patch(sandbox.url + "/sandbox/batches/a%2Fb", json={"state": "failed"}, timeout=5)

    assert answer.status_code == 204
    assert proofy.get("/verify/batch/a%2Fb").json()["status"] == "failed"


def test_a_long_answer_is_compressed_when_the_client_allows_it(sandbox, proofy):
    sandbox.ledger.create_batch("proofy", ["ann@example.com"] * 10, batch_id="x", state="ready")
    plain = proofy.get("/verify/batch/x/download", headers={"Accept-Encoding": "identity"})
    packed = proofy.get("/verify/batch/x/download")

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()


def test_a_server_stops_in_the_middle_of_a_hang_without_a_word(caplog):
    with (
        caplog.at_level(logging.DEBUG),
        SandboxServer() as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as client,
    ):
        server.faults.add(kind="hang")
        client.sendall(b"GET /proofy/v1/credits?api_key=very-secret HTTP/1.1\r\nHost: x\r\n\r\n")
        while not server.ledger.count():
            time.sleep(0.005)
        server.stop()
        try:
            received = client.recv(100)
        except ConnectionResetError:
            received = b""

    assert received == b""
    assert "very-secret" not in caplog.text
    assert [each for each in caplog.records if each.name.startswith("uvicorn")] == []


def test_nothing_of_the_package_but_the_sandbox_is_imported():
    program = (
        "import sys, airflow_provider_emailverify.sandbox.server, airflow_provider_emailverify.sandbox.__main__\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'airflow' or m.startswith("
        "'airflow_provider_emailverify.') and not m.startswith('airflow_provider_emailverify.sandbox')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_command_prints_connections_that_work_and_ends_quietly():
    process = subprocess.Popen(
        [
            *COMMAND,
            "--port",
            "0",
            "--ready-after",
            "0",
            "--reading",
            "proofy_no_credits=402",
            "--fault",
            "proofy:credits:rate_limit:1",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lines = [process.stdout.readline() for _ in range(2 + len(NAMES))]
        exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export"))
        proofy = json.loads(exports["AIRFLOW_CONN_PROOFY_DEFAULT"])
        url, key = proofy["host"] + "/credits", {"api_key": proofy["password"]}
        codes = [requests.get(url, params=key, timeout=5).status_code for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
    finally:
        process.kill()

    assert codes == [429, 200]
    assert json.loads(exports["AIRFLOW_CONN_CLIOVA_DEFAULT"])["conn_type"] == "cliova"
    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_one_line_and_exit_code_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=10)

    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr


def test_it_serves_others_only_when_that_is_said():
    arguments = ["--host", "0.0.0.0", "--i-know-others-can-reach-it", "--port", "0"]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            said = [process.stdout.readline() for _ in range(6)]
        finally:
            process.terminate()

    connection = json.loads(said[4].partition("=")[2].strip("'\n"))
    assert connection["host"].startswith("http://0.0.0.0:")
    assert connection["extra"] == {"allow_http": True}
    assert "Other machines reach it" in said[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "not a loopback address"),
        (["--host", "example.com"], "not a loopback address"),
        (["--reading", "proofy_no_credits=418"], "choose one of 400, 402"),
        (["--fault", "proofy:status:earthquake"], "'earthquake' isn't known"),
        (["--port", "99999"], "0 to 65535"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_reason(capsys, arguments, said):
    from airflow_provider_emailverify.sandbox.__main__ import main

    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_no_module_of_the_sandbox_imports_another_part_of_the_package():
    here = Path(package.__file__).parent
    lines = [line for each in here.glob("*.py") for line in each.read_text().splitlines()]
    imports = [line for line in lines if line.lstrip().startswith(("from airflow", "import airflow"))]

    assert imports
    assert [line for line in imports if "airflow_provider_emailverify.sandbox" not in line] == []
