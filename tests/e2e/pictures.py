"""
Take the pictures of the documentation: ``python -m tests.e2e.pictures docs/images``. It needs Chromium and Pillow.

A real Airflow verifies three weekly lists against the sandbox; Chromium looks at the last run, at its
report page, and at the log of a batch in doubt.
"""

from __future__ import annotations

import base64
import io
import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image
from websockets.sync.client import connect

from airflow_provider_emailverify.sandbox.faults import Fault
from airflow_provider_emailverify.sandbox.server import SandboxServer
from tests.e2e.deployment import Deployment, eventually

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
        wait={{"poke_interval": 2}},
        merge={{"report": True, "history": "file://{folder}/history/"}},
    )
"""


def write_list(path: Path, week: int) -> None:
    """Write a list that is mostly that of the week before."""
    draw = random.Random(7)
    rows = [f"Person {number},person{number}{draw.choice(TAGS)}@example.com" for number in range(ROWS + 200 * week)]
    rows += [rows[number].upper() for number in range(0, ROWS, 60)] + [f"Nobody {number}," for number in range(25)]
    path.write_text("\n".join(["Name,Email", *rows, "Front desk,call us", ""]))


class Browser:
    """Chromium without a window, told what to do through its debugging port."""

    def __init__(self, profile: Path) -> None:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            ["chromium", *options, "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        eventually(lambda: port_file.is_file() and port_file.read_text().count("\n"), 30)
        with urllib.request.urlopen(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json") as answer:
            page = next(each for each in json.load(answer) if each["type"] == "page")
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(connect(page["webSocketDebuggerUrl"], max_size=None, proxy=None))

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol, and return its result."""
        self._socket.send(json.dumps({"id": 1, "method": method, "params": params}))
        while True:
            if "id" in (answer := json.loads(self._socket.recv(timeout=60))):
                return answer["result"]

    def shoot(
        self,
        url: str,
        path: Path,
        size: tuple[int, int],
        stored: dict[str, str] | None = None,
        part: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Take a picture of a page, or a part of it, once it has stored what a person would have chosen there."""
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=url)
        if stored:
            time.sleep(3)
            for name, value in stored.items():
                self.call("Runtime.evaluate", expression=f"localStorage.setItem({name!r}, {value!r})")
            self.call("Page.navigate", url=url)
        time.sleep(6)
        # It covers the tasks.
        hide = "for (const each of document.querySelectorAll('.react-flow__minimap')) each.remove()"
        self.call("Runtime.evaluate", expression=hide)
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        Image.open(io.BytesIO(data)).convert("RGB").crop(part).quantize(64).save(path, optimize=True)

    def close(self) -> None:
        """End Chromium."""
        self._stack.close()
        self._process.terminate()
        self._process.wait()


def main() -> None:
    """Run the walk, and take the pictures."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, SandboxServer(ready_after=3) as vendor:
        folder = Path(name)
        connection = {"conn_type": "proofy", "host": vendor.proofy_url, "password": "sandbox-key"}
        dags = {"verify_contacts": DAG.format(folder=folder)}
        with Deployment(folder, dags, {"proofy_default": connection}, log_level="INFO") as airflow:
            for week in range(WEEKS):
                write_list(folder / "contacts.csv", week)
                run_id = airflow.trigger("verify_contacts")
                airflow.wait_for_state(run_id, "verify_emails.merge", "success")
            browser = Browser(folder / "profile")
            browser.shoot(
                f"{airflow.url}/dags/verify_contacts/runs/{quote(run_id)}",
                target / "run.png",
                (1180, 400),
                {
                    "verify_contacts/open-groups": json.dumps(["verify_emails"]),
                    "default_dag_view": json.dumps("graph"),
                },
            )
            vendor.faults.switch_on(Fault.parse("proofy:submit:server_error"))
            write_list(folder / "contacts.csv", WEEKS)
            run_id = airflow.trigger("verify_contacts")
            airflow.wait_for_state(run_id, "verify_emails.submit", "failed")
            browser.shoot(
                f"{airflow.url}/dags/verify_contacts/runs/{quote(run_id)}/tasks/verify_emails.submit",
                target / "doubt.png",
                (1300, 1180),
                {"default_dag_view": json.dumps("grid")},
                part=(352, 328, 1272, 612),
            )
        browser.shoot(
            (folder / "verified" / "contacts.verified.report.html").as_uri(), target / "report.png", (820, 980)
        )
        browser.close()


if __name__ == "__main__":
    main()
