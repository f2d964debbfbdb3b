"""The vendors' own clients drive the sandbox: what they understand, the hooks are tested against."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_emailverify.sandbox.server import SandboxServer

EMAILS = ["ada@example.com", "bob+undeliverable@example.com", "throwaway@mailinator.com"]
KEY = "a-key-of-the-judge"
# Mailgun's words for them.
RESULTS = ["deliverable", "undeliverable", "do_not_send"]


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_neverbounces_client(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    neverbounce_sdk = pytest.importorskip("neverbounce_sdk")
    monkeypatch.setattr("neverbounce_sdk.utils.API_ROOT", f"{sandbox.url}/neverbounce")
    client = neverbounce_sdk.client(api_key=KEY)
    rows = [{"email": email} for email in EMAILS]

    job_id = client.jobs_create(rows, filename="n", auto_parse=True, auto_start=True)["job_id"]

    assert client.jobs_status(job_id)["job_status"] == "complete"
    assert [job["id"] for job in client.jobs_search(filename="n")] == [job_id]
    told, everything = io.BytesIO(), io.BytesIO()
    client.jobs_download(job_id, told, appends=("email_status",))
    segments = ("valids", "invalids", "catchalls", "unknowns", "disposables")
    client.jobs_download(job_id, everything, segmentation=segments, appends=("email_status",))
    assert [row["email_status"] for row in table(told.getvalue())] == [
        "valid",
        "invalid",
    ]  # by default some are missing
    assert [row["email_status"] for row in table(everything.getvalue())] == ["valid", "invalid", "disposable"]
    assert client.account_info()["credits_info"]["paid_credits_remaining"] == sandbox.ledger.credits("neverbounce")
    unstarted = client.jobs_create(rows, filename="m")["job_id"]
    assert client.jobs_status(unstarted)["job_status"] == "waiting"
    with pytest.raises(neverbounce_sdk.exceptions.AuthFailure):
        neverbounce_sdk.client(api_key="invalid-key").account_info()


def test_emailables_client(sandbox: SandboxServer) -> None:
    emailable = pytest.importorskip("emailable")

    def client_of(key: str) -> Any:
        client = emailable.Client(key)
        client.base_url = f"{sandbox.vendor_urls['emailable']}/"
        return client

    client = client_of(KEY)
    batch_id = client.batch(EMAILS).id

    found = client.batch_status(batch_id)
    assert [row["state"] for row in found.emails] == ["deliverable", "undeliverable", "risky"]
    assert found.total_counts["processed"] == 3
    assert client.account().available_credits == sandbox.ledger.credits("emailable")
    with pytest.raises(emailable.AuthError):
        client_of("invalid-key").account()
    with pytest.raises(emailable.PaymentRequiredError):
        client_of("no-credits-key").batch(EMAILS)


def test_zerobounces_client(sandbox: SandboxServer, tmp_path: Path) -> None:
    zerobouncesdk = pytest.importorskip("zerobouncesdk")
    url = sandbox.vendor_urls["zerobounce"]

    def client_of(key: str) -> Any:
        client = zerobouncesdk.ZeroBounce(key, base_url=url)
        client.BULK_BASE_URL = url
        return client

    client = client_of(KEY)
    source, results = tmp_path / "list.csv", tmp_path / "results.csv"
    source.write_text("email\n" + "".join(f"{email}\n" for email in EMAILS))

    file_id = client.send_file(str(source), email_address_column=1, has_header_row=True).file_id

    assert client.file_status(file_id).file_status == "Complete"
    client.get_file(file_id, str(results))
    assert [row["ZB Status"] for row in table(results.read_bytes())] == ["valid", "invalid", "do_not_mail"]
    assert int(client.get_credits().credits) == sandbox.ledger.credits("zerobounce")
    assert int(client_of("invalid-key").get_credits().credits) == -1


def test_mailguns_client(sandbox: SandboxServer) -> None:
    """Version 1.6.0: later ones send bulk validations to paths that no page has."""
    client_class = pytest.importorskip("mailgun.client").Client

    def lists_of(key: str) -> Any:
        return client_class(auth=("api", key), api_url=f"{sandbox.url}/mailgun/").addressvalidate_bulk

    lists = lists_of(KEY)
    file = ("list.csv", "".join(f"{line}\n" for line in ["email", *EMAILS]).encode())

    submitted = lists.create(domain=None, files={"file": file}, list_name="judged")

    assert (submitted.status_code, submitted.json()["id"]) == (202, "judged")
    job = lists.get(domain=None, list_name="judged").json()
    assert job["status"] == "uploaded"
    assert [row["result"] for row in results_behind(job["download_url"]["csv"])] == RESULTS
    assert [each["id"] for each in lists.get(domain=None, filters={"limit": 1}).json()["jobs"]] == ["judged"]
    assert lists.get(domain=None, list_name="another").status_code == 404
    assert lists_of("invalid-key").get(domain=None).status_code == 401
    assert lists.delete(domain=None, list_name="judged").status_code == 200
    assert sandbox.ledger.batch("judged").state == "cancelled"


def results_behind(link: str) -> list[dict[str, str]]:
    """Return the rows of the only file of the ZIP archive that a link leads to."""
    with zipfile.ZipFile(io.BytesIO(requests.get(link, timeout=5).content)) as archive:
        (name,) = archive.namelist()
        return table(archive.read(name))


def node(script: str, package: str, *arguments: str) -> Any:
    """Run a vendor's client for Node, and return what it understood."""
    packages = Path(__file__).resolve().parents[2] / ".judges" / "node_modules"
    if not (executable := shutil.which("node")):
        pytest.skip("there is no node")
    if not (packages / package).is_dir():
        pytest.skip(f"{package} is not installed; make judges installs it")
    path = Path(__file__).parent / "judges" / script
    said = subprocess.run(
        [executable, str(path), *arguments],
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(packages), "NODE_NO_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(said.stdout)


def test_mailguns_client_for_node(sandbox: SandboxServer) -> None:
    url = f"{sandbox.url}/mailgun"

    said = node("mailgun.cjs", "mailgun.js", url, KEY, *EMAILS)

    assert [row["result"] for row in results_behind(said.pop("link"))] == RESULTS
    assert said == {
        "id": "judged",
        "message": "The validation job was submitted.",
        "status": "uploaded",
        "quantity": 3,
        "listed": ["judged"],
        "cancelled": "Validation job canceled.",
    }
    assert node("mailgun.cjs", "mailgun.js", url, "invalid-key", *EMAILS)["error"] == 401
    assert sandbox.ledger.charged("mailgun") == dict.fromkeys(EMAILS, 1)


@pytest.mark.parametrize("key", [(KEY, ""), ("user", "password")], ids=["key", "user_and_password"])
def test_verifalias_client_for_node(sandbox: SandboxServer, key: tuple[str, str]) -> None:
    url = f"{sandbox.url}/verifalia"
    credits_before = sandbox.ledger.credits("verifalia")
    for number in range(7):  # some pages
        sandbox.ledger.create_batch("verifalia", EMAILS, name=f"job {number}")

    said = node("verifalia.cjs", "verifalia", url, *key, *EMAILS)

    assert said["status"] == "Completed"
    assert said["words"] == ["Deliverable", "Undeliverable", "Risky"]
    assert [row["inputData"] for row in table(said["table"].encode())] == EMAILS
    assert said["listed"] == [*(f"job {number}" for number in range(7)), "judged"]
    assert said["credits"] == credits_before
    assert sandbox.ledger.batch(said["id"]).state == "cancelled"
    assert node("verifalia.cjs", "verifalia", url, "invalid-key", "", *EMAILS)["error"] == "AuthenticationError"
    assert node("verifalia.cjs", "verifalia", url, "no-credits-key", "", *EMAILS)["error"] == "InsufficientCreditError"
