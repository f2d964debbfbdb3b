"""A browser that looks at Airflow's UI, and remembers all that it has shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from playwright.sync_api import Locator, Page, sync_playwright

from tests.chromium import CHROMIUM
from tests.e2e.deployment import STEP_SECONDS, Deployment

OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars"
)


class AirflowPages:
    """
    Pages of Airflow's UI, as a person uses them.

    :param page: of the browser.
    :param url: of Airflow.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.seen: list[str] = []

    def text(self) -> str:
        """Return what the page shows."""
        self.seen.append(self.page.locator("body").inner_text())
        return self.seen[-1]

    def read(self, words: str) -> str:
        """Wait until the page shows some words, and return all that it shows."""
        self.page.get_by_text(words).first.wait_for()
        return self.text()

    def task(self, dag_id: str, run_id: str, task_id: str = "", tab: str = "") -> None:
        """Open the page of a task, or of a run."""
        path = f"/dags/{dag_id}/runs/{quote(run_id)}" + (f"/tasks/{task_id}" if task_id else "")
        self.page.goto(f"{self.url}{path}/{tab}".rstrip("/"))

    def open_form(self, conn_id: str = "") -> Locator:
        """Open the form of a connection, or of a new one."""
        self.page.goto(f"{self.url}/connections")
        if conn_id:
            self.row(conn_id).get_by_role("button", name="Edit Connection").click()
        else:
            self.page.get_by_role("button", name="Add Connection").first.click()
        form = self.page.get_by_role("dialog")
        form.get_by_label("Connection ID").wait_for()
        return form

    def choose_type(self, form: Locator, name: str) -> None:
        """Choose the type of a new connection."""
        form.get_by_role("combobox").click()
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")
        form.locator("input[name=password]").wait_for()

    def save(self, form: Locator) -> None:
        """Save a form."""
        self.text()
        form.get_by_role("button", name="Save").click()
        form.wait_for(state="hidden")

    def row(self, words: str) -> Locator:
        """Return the row of a table that shows some words."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=words, exact=True))

    def test_connection(self, conn_id: str) -> str:
        """Press Test, and return what Airflow says."""
        self.page.goto(f"{self.url}/connections")
        self.row(conn_id).get_by_role("button", name="Test Connection").click()
        heading = self.page.get_by_text("Test Connection Successful").or_(
            self.page.get_by_text("Test Connection Failed")
        )
        heading.wait_for(timeout=8000)
        return self.text().rpartition("Test Connection ")[2]

    def set_state(self, key: str, value: object) -> None:
        """Edit a value on the page of a task's state store, which is open."""
        self.row(key).get_by_role("button", name="Edit Task State Store").click()
        form = self.page.get_by_role("dialog")
        form.get_by_role("textbox").last.focus()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(json.dumps(value))
        self.save(form)

    def clear(self) -> None:
        """Clear the task whose page is open, with what comes after it."""
        self.page.get_by_role("button", name="Press shift+c to clear").click()
        form = self.page.get_by_role("dialog")
        form.get_by_role("button", name="Confirm").click()
        form.wait_for(state="hidden")


@contextmanager
def airflow_in_chromium(airflow: Deployment, width: int = 1300, height: int = 1180) -> Iterator[AirflowPages]:
    """Open Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS.split())
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(STEP_SECONDS * 1000)
        yield AirflowPages(page, airflow.url)
        browser.close()
