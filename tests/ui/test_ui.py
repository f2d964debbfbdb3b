"""A person in Airflow's UI: makes connections and tests them, reads runs and logs, and repairs a batch in doubt."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_emailverify.connections import FIELDS
from airflow_provider_emailverify.get_provider_info import VENDORS, get_provider_info
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.chromium import needs_chromium
from tests.e2e.deployment import PATIENT, Deployment
from tests.ui.browser import AirflowPages, airflow_in_chromium

pytest.importorskip("airflow.sdk.execution_time.context", reason="the pages are those of Airflow 3.3")
pytestmark = needs_chromium

KEY = "sandbox-key"
WRONG_KEY = "invalid-key"
EMAILS = [f"user{number}@example.com" for number in range(6)]
FORMS = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}
DAGS = """
from airflow.sdk import DAG

from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.task_groups import verify_emails

# No vendor documents a page for people; a vendor's class of somebody else's may have one.
CliovaHook.batch_page = "https://dashboard.example/batches/{id}"

for vendor in ("proofy", "cliova"):
    with DAG(f"walk_{vendor}", schedule=None):
        verify_emails(
            source="file://FOLDER/list.csv",
            conn_id=f"{vendor}_default",
            destination=f"file://FOLDER/{vendor}/",
            submit={"batch_size": 10},
            wait={"poke_interval": 1},
        )
"""


@pytest.fixture(scope="module")
def vendors() -> Iterator[SandboxServer]:
    """All vendors, whose batches are ready at once."""
    with SandboxServer(ready_after=0) as server:
        yield server


@pytest.fixture(scope="module")
def airflow(vendors: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One Airflow for all tests of this module, whose Test button is on."""
    folder: Path = tmp_path_factory.mktemp("airflow")
    (folder / "list.csv").write_text("\n".join(["Email", *EMAILS, ""]))
    connections = {
        f"{name}_default": {"conn_type": name, "host": vendors.vendor_urls[name], "password": KEY}
        for name in ("proofy", "cliova")
    }
    with Deployment(
        folder,
        {"walks": DAGS.replace("FOLDER", str(folder))},
        connections,
        log_level="INFO",
        environment=PATIENT | {"AIRFLOW__CORE__TEST_CONNECTION": "Enabled"},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser(airflow: Deployment) -> Iterator[AirflowPages]:
    """One browser for all tests of this module."""
    with airflow_in_chromium(airflow) as pages:
        yield pages


@pytest.fixture
def ui(browser: AirflowPages, vendors: SandboxServer) -> Iterator[AirflowPages]:
    """The browser, and vendors with empty books; no page that a test looks at shows an address or a key."""
    vendors.ledger.reset()
    vendors.faults.clear()
    browser.seen.clear()
    yield browser
    browser.text()
    for secret in (KEY, WRONG_KEY, "@example.com"):
        assert [text for text in browser.seen if secret in text] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_is_made_tried_and_changed_in_the_form(
    ui: AirflowPages, vendors: SandboxServer, vendor: str
) -> None:
    form = ui.open_form()
    form.get_by_label("Connection ID").fill(f"my_{vendor}")
    ui.choose_type(form, VENDORS[vendor][0])

    labels = ["Description", "Base URL (Host)", "API key (Password)", "Port"]
    assert form.get_by_role("region").inner_text().split("\n\n")[0].splitlines() == labels
    assert form.locator("input[name=host]").get_attribute("placeholder") == VENDORS[vendor][1]
    form.locator("input[name=host]").fill(vendors.vendor_urls[vendor])
    form.locator("input[name=port]").fill("443")
    form.locator("input[name=password]").fill(KEY)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    form.get_by_text(FIELDS["timeout"].label).wait_for()
    shown = ui.text()
    for name, field in FIELDS.items():
        assert (f"\n{field.label}\n{field.description}" in shown) == (name in FORMS[vendor]["conn-fields"])
    ui.save(form)

    started = time.monotonic()
    said = ui.test_connection(f"my_{vendor}")
    assert time.monotonic() - started < 8
    assert said.startswith("Successful")
    assert "1,000,000 credits" in said or vendor in ("cliova", "mailgun")

    form = ui.open_form(f"my_{vendor}")
    assert form.locator("input[name=password]").input_value() == "***"
    form.locator("input[name=password]").fill(WRONG_KEY)
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    form.get_by_label(FIELDS["requests_per_minute"].label).fill("90.5")
    form.get_by_label(FIELDS["requests_per_minute"].label).blur()
    ui.save(form)

    said = ui.test_connection(f"my_{vendor}")
    assert said.startswith("Failed")
    assert "Password" in said
    assert_fits_a_form(said)

    form = ui.open_form(f"my_{vendor}")
    form.get_by_role("button", name="Extra Fields", exact=True).click()
    assert form.get_by_label(FIELDS["requests_per_minute"].label).input_value() == "90.5"
    assert not vendors.ledger.charged()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_that_fails_is_asked_once_and_one_that_is_away_is_told_with_what_to_do(
    ui: AirflowPages, airflow: Deployment, vendors: SandboxServer, vendor: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    for name, host in (("failing", vendors.vendor_urls[vendor]), ("away", away)):
        body = {"connection_id": f"{name}_{vendor}", "conn_type": vendor, "host": host, "port": 443, "password": KEY}
        airflow.call("POST", "/api/v2/connections", body)
    vendors.faults.add(vendor=vendor, kind="server_error")

    said = ui.test_connection(f"failing_{vendor}")

    assert "try again later" in said
    assert vendors.ledger.count(vendor) == 1
    assert_fits_a_form(said)

    said = ui.test_connection(f"away_{vendor}")

    assert "cannot be reached. Check Host, or try again later." in said
    assert_fits_a_form(said)


def test_airflow_3_3_2_tests_no_connection_without_a_port_as_the_documentation_says(
    ui: AirflowPages, airflow: Deployment, vendors: SandboxServer
) -> None:
    """When this fails, Airflow has mended it: take the hint out of the form and of docs/connections.md."""
    body = {"connection_id": "portless", "conn_type": "proofy", "host": vendors.proofy_url, "password": KEY}
    airflow.call("POST", "/api/v2/connections", body)

    assert ui.test_connection("portless").split() == ["Failed", "Bad", "Request"]
    assert vendors.ledger.count() == 0


def test_a_run_shows_its_tasks_logs_paths_and_no_link_where_the_vendor_has_no_page(
    ui: AirflowPages, airflow: Deployment
) -> None:
    run_id = airflow.trigger("walk_proofy")
    airflow.wait_for_state(run_id, "verify_emails.merge", "success")

    ui.task("walk_proofy", run_id)
    ui.read("verify_emails.submit")
    for task in ("submit", "wait", "download", "merge"):
        row = ui.page.get_by_role("row").filter(has_text=f"verify_emails.{task}")
        assert "Success" in row.inner_text()

    ui.task("walk_proofy", run_id, "verify_emails.submit")
    assert "batch 1 of 1 (6 addresses) was accepted, id" in ui.read("was accepted, id")
    ui.task("walk_proofy", run_id, "verify_emails.merge", "xcom")
    assert f"file://{airflow.home}/proofy/list.verified.csv" in ui.read("list.verified.csv")
    ui.task("walk_proofy", run_id, "verify_emails.wait", "details")
    ui.page.wait_for_load_state("networkidle")
    assert "Batch at the vendor" not in ui.read("EmailVerifyBatchSensor")


def test_a_vendor_with_a_page_for_people_is_linked(
    ui: AirflowPages, airflow: Deployment, vendors: SandboxServer
) -> None:
    run_id = airflow.trigger("walk_cliova")
    airflow.wait_for_state(run_id, "verify_emails.merge", "success")

    ui.task("walk_cliova", run_id, "verify_emails.wait", "details")

    ui.read("Batch at the vendor")
    link = ui.page.get_by_role("link", name="Batch at the vendor").get_attribute("href")
    assert link == f"https://dashboard.example/batches/{vendors.ledger.batches()[0].batch_id}"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_batch_in_doubt_is_repaired_as_its_log_says(
    ui: AirflowPages, airflow: Deployment, vendors: SandboxServer, arrived: bool
) -> None:
    kind = "accept_then_reset" if arrived else "server_error"
    vendors.faults.add(vendor="cliova", operation="submit", kind=kind, times=1)
    run_id = airflow.trigger("walk_cliova")
    airflow.wait_for_state(run_id, "verify_emails.submit", "failed")
    before = [batch.batch_id for batch in vendors.ledger.batches()]

    ui.task("walk_cliova", run_id, "verify_emails.submit")
    log = ui.read("3. Clear the task.")
    first = next(line for line in log.splitlines() if " ERROR - " in line)
    assert first.endswith("Nobody knows whether this batch was accepted:")
    assert "set this task's state key 'emailverify_batch_00001'" in log
    assert "tab Storage, Task State Store" in log

    ui.page.get_by_role("link", name="Storage").click()
    ui.read("emailverify_batch_00001")
    ui.set_state("emailverify_batch_00001", before[0] if arrived else False)
    ui.clear()

    airflow.wait_for_state(run_id, "verify_emails.merge", "success")
    ui.task("walk_cliova", run_id)
    ui.read("verify_emails.submit")
    assert vendors.ledger.charged() == dict.fromkeys(EMAILS, 1)
    assert len(vendors.ledger.batches()) == 1
    assert arrived == (airflow.xcom(run_id, "verify_emails.submit") == before)


def assert_fits_a_form(said: str) -> None:
    """There is no task and no batch, the connection has no name yet, and numbers are a person's."""
    assert "clear the task" not in said
    assert "onnection '" not in said
    assert "batch '" not in said
    assert "e+0" not in said
