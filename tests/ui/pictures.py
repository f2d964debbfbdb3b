"""
Take the pictures of the documentation: ``python -m tests.ui.pictures docs/images``.

It needs Chromium and the extra ``browser``; ``make pictures`` installs the latter.

A real Airflow verifies three weekly lists against the sandbox; Chromium looks at the last run, at its
report page, at logs of tasks that failed, at the state of a batch in doubt, and at a connection's form.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
from pathlib import Path

from PIL import Image

from airflow_provider_emailverify.sandbox.faults import Fault
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.deployment import PATIENT, Deployment
from tests.ui.browser import AirflowPages, airflow_in_chromium

# What matters of a page: left, upper, right, lower.
LOG_LEFT, LOG_RIGHT, LOG_MARGIN = 352, 1272, 1
STORE = (344, 300, 1286, 700)
FORM = (202, 64, 1098, 745)
ROWS = 3000
WEEKS = 3
TAGS = ["", "", "", "", "", "", "+undeliverable", "+disabled", "+nomx", "+risky", "+catchall", "+fullinbox", "+unknown"]
DAG = """
from airflow.sdk import DAG

from airflow_provider_emailverify.task_groups import verify_emails

with DAG("verify_contacts", schedule=None, default_args={{"owner": "marketing"}}) as dag:
    verify_emails(
        source="file://{folder}/contacts.csv",
        conn_id="proofy_default",
        destination="file://{folder}/verified/",
        known=True,
        prescreen="syntax",
        submit={{"price_per_address": 0.008}},
        # In its slot: a task that is to start again before a busy scheduler has seen its end fails in Airflow 3.3.
        wait={{"mode": "poke", "poke_interval": 1}},
        merge={{"report": True, "history": "file://{folder}/history/"}},
    )
"""


def write_list(path: Path, week: int) -> None:
    """Write a list that is mostly that of the week before."""
    draw = random.Random(7)
    rows = [f"Person {number},person{number}{draw.choice(TAGS)}@example.com" for number in range(ROWS + 200 * week)]
    rows += [rows[number].upper() for number in range(0, ROWS, 60)] + [f"Nobody {number}," for number in range(25)]
    path.write_text("\n".join(["Name,Email", *rows, "Front desk,call us", ""]))


def shoot(
    ui: AirflowPages, path: Path, words: str, size: tuple[int, int], part: tuple[int, int, int, int] | None = None
) -> None:
    """Take a picture of a page, or of a part of it, in few colours, when it shows some words and has come to rest."""
    ui.page.set_viewport_size({"width": size[0], "height": size[1]})
    ui.read(words)
    ui.page.wait_for_timeout(4000)
    # It covers the tasks.
    ui.page.evaluate("for (const each of document.querySelectorAll('.react-flow__minimap')) each.remove()")
    Image.open(io.BytesIO(ui.page.screenshot())).convert("RGB").crop(part).quantize(64).save(path, optimize=True)


def shoot_log(ui: AirflowPages, path: Path, first: str, last: str) -> None:
    """Take a picture of the lines of a log from one that holds some words to another: long ones before it are cut."""
    ui.page.set_viewport_size({"width": 1300, "height": 1180})
    ui.read(last)
    ui.page.wait_for_timeout(4000)
    boxes = [ui.page.get_by_text(words).first.bounding_box() for words in (first, last)]
    upper, lower = (round(box["y"]) for box in boxes if box)
    height = round(boxes[1]["height"]) if boxes[1] else 0
    shoot(ui, path, last, (1300, 1180), (LOG_LEFT, upper - LOG_MARGIN, LOG_RIGHT, lower + height + LOG_MARGIN))


def main() -> None:
    """Run the walk, and take the pictures."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, SandboxServer(ready_after=3) as vendor:
        folder = Path(name)
        connection = {"conn_type": "proofy", "host": vendor.proofy_url, "password": "sandbox-key"}
        dags = {"verify_contacts": DAG.format(folder=folder)}
        with Deployment(folder, dags, {"proofy_default": connection}, log_level="INFO", environment=PATIENT) as airflow:
            for week in range(WEEKS):
                write_list(folder / "contacts.csv", week)
                run_id = airflow.trigger("verify_contacts")
                airflow.wait_for_state(run_id, "verify_emails.merge", "success")
            with airflow_in_chromium(airflow) as ui:
                ui.task("verify_contacts", run_id)
                for name, value in (
                    ("verify_contacts/open-groups", json.dumps(["verify_emails"])),
                    ("default_dag_view", json.dumps("graph")),
                ):
                    ui.page.evaluate("([name, value]) => localStorage.setItem(name, value)", [name, value])
                ui.page.reload()
                shoot(ui, target / "run.png", "merge", (1180, 572))
                ui.page.evaluate("localStorage.setItem('default_dag_view', '\"grid\"')")
                vendor.faults.switch_on(Fault.parse("proofy:submit:server_error"))
                write_list(folder / "contacts.csv", WEEKS)
                run_id = airflow.trigger("verify_contacts")
                airflow.wait_for_state(run_id, "verify_emails.submit", "failed")
                ui.task("verify_contacts", run_id, "verify_emails.submit")
                shoot_log(ui, target / "doubt.png", "Nobody knows whether", "Or set on_unknown_submission")
                ui.task("verify_contacts", run_id, "verify_emails.submit", "task-state-store")
                shoot(ui, target / "repair.png", "emailverify_batch_00001", (1300, 1180), STORE)
                vendor.faults.clear()
                vendor.faults.switch_on(Fault.parse("proofy:submit:unauthorized"))
                run_id = airflow.trigger("verify_contacts")
                airflow.wait_for_state(run_id, "verify_emails.submit", "failed")
                ui.task("verify_contacts", run_id, "verify_emails.submit")
                shoot_log(ui, target / "log.png", "answered 401", "Check that the connection")
                form = ui.open_form()
                form.get_by_label("Connection ID").fill("proofy_default")
                ui.choose_type(form, "Proofy")
                shoot(ui, target / "form.png", "API key (Password)", (1300, 860), FORM)
                ui.page.goto((folder / "verified" / "contacts.verified.report.html").as_uri())
                shoot(ui, target / "report.png", "deliverable", (820, 980))


if __name__ == "__main__":
    main()
