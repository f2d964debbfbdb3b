"""What the pages show is taken by what it is meant for: code makes tasks, commands are parsed, connections opened."""

from __future__ import annotations

import ast
import json
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, ObjectStoragePath, task

from airflow_provider_emailverify.__main__ import _parser
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.operators.check import EmailVerifyCheckOperator
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.faults import Fault
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.task_groups import verify_emails

PROJECT = Path(__file__).resolve().parents[2]
#: The guides' code stands in files that are run, and README's is run: see test_docs.py and test_readme.py.
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
FENCED = re.compile(r"(?ms)^ *```(\w*)\n(.*?)^ *```")
INDENTED = re.compile(r"(?m)\n\n((?:^    \S.*\n)+)")
#: What "..." stands for.
REST = {
    "verify_emails": {"source": "file:///list.csv", "conn_id": "proofy_default", "destination": "file:///out/"},
    "EmailVerifyDownloadOperator": {
        "task_id": "download",
        "conn_id": "proofy_default",
        "batch_id": "b",
        "destination": "file:///out/",
    },
}


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(textwrap.dedent(code), id=f"{page.name}-{number}")
        for page in PAGES
        if page.parent.name != "guides" and page.name != "README.md"
        for number, (found, code) in enumerate(FENCED.findall(page.read_text()))
        if found == language
    ]


def lines() -> list[Any]:
    """Return the lines of all blocks that are no code, without their comments."""
    found = []
    for page in PAGES:
        text = page.read_text()
        parts = [code for language, code in FENCED.findall(text) if language in ("", "sh", "bash")]
        shown = "".join([*parts, *INDENTED.findall(FENCED.sub("", text))]).splitlines()
        found += [(page.name, re.sub(r"\s+# .*", "", line).strip()) for line in shown if line.strip()]
    return found


LINES = lines()


def of(pattern: str) -> list[Any]:
    """Return the lines that begin so, each once."""
    found = dict.fromkeys(line for _, line in LINES if re.match(pattern, line))
    assert found, pattern
    return list(found)


class FillIn(ast.NodeTransformer):
    """Put arguments in place of ``...``."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if any(isinstance(each, ast.Constant) and each.value is ... for each in node.args):
            given = {keyword.arg for keyword in node.keywords}
            node.args = []
            node.keywords += [
                ast.keyword(name, ast.Constant(value))
                for name, value in REST[ast.unparse(node.func)].items()
                if name not in given
            ]
        return node


@pytest.mark.parametrize("code", blocks("python"))
def test_the_code_of_a_page_makes_its_tasks(code: str) -> None:
    if "ExceptionRetryPolicy" in code:
        sdk = pytest.importorskip("airflow.sdk")
        if not hasattr(sdk, "ExceptionRetryPolicy"):
            pytest.skip("this Airflow has no retry policies")
    names: dict[str, Any] = {
        "EmailVerifyBatchSensor": EmailVerifyBatchSensor,
        "EmailVerifyCheckOperator": EmailVerifyCheckOperator,
        "EmailVerifyDownloadOperator": EmailVerifyDownloadOperator,
        "EmailVerifyMergeOperator": EmailVerifyMergeOperator,
        "EmailVerifySubmitOperator": EmailVerifySubmitOperator,
        "ObjectStoragePath": ObjectStoragePath,
        "json": json,
        "task": task,
        "verify_emails": verify_emails,
    }
    tree = ast.fix_missing_locations(FillIn().visit(ast.parse(code)))
    with DAG("page", schedule=None) as dag:
        names["batch"] = EmailVerifyBatchSensor(task_id="batch", conn_id="proofy_default", batch_id="b")
        names["find_list"] = task(task_id="find_list")(lambda: "file:///list.csv")
        exec(compile(tree, "page", "exec", flags=0, dont_inherit=True), names)

    assert len(dag.tasks) > 1


@pytest.mark.parametrize("code", blocks("json"))
def test_json_of_a_page_is_json(code: str) -> None:
    assert json.loads(code)


@pytest.mark.parametrize("line", of("make "))
def test_what_a_page_lets_make_do_is_there(line: str) -> None:
    targets = re.findall(r"(?m)^([a-z0-9]+):", (PROJECT / "Makefile").read_text())
    words = [word for word in shlex.split(line)[1:] if "=" not in word]

    assert words
    assert set(words) <= set(targets)


@pytest.mark.parametrize("line", of(r"python -m airflow_provider_emailverify "))
def test_a_command_of_a_page_is_understood(line: str) -> None:
    words = shlex.split(line)[3:]
    if words[0] == "sandbox":
        words = words[:1]  # it has a command line of its own
    if words == ["--help"]:
        with pytest.raises(SystemExit, match="0"):
            _parser().parse_args(words)
    else:
        assert _parser().parse_args(words).command == words[0]


@pytest.mark.parametrize(
    "line", of(r"(?:\S+=\S+ )?(?:\.venv/bin/)?python (?:-m pytest )?tests/|\.venv/bin/python -m pytest")
)
def test_a_file_that_a_page_runs_is_there_and_has_its_options(line: str) -> None:
    words = shlex.split(line)
    path = next(PROJECT / word for word in words if word.startswith("tests/"))

    assert path.exists()
    if "pytest" not in words:
        text = path.read_text()
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in text] == []


@pytest.mark.parametrize("line", of("AIRFLOW_CONN_"))
def test_a_connection_of_a_page_can_be_opened(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = "".join(shlex.split(line)).partition("=")
    monkeypatch.setenv(name, value)
    conn_id = name.removeprefix("AIRFLOW_CONN_").lower()

    assert EmailVerifyHook.get_hook(conn_id).client.name.startswith(conn_id.partition("_")[0].capitalize())


@pytest.mark.parametrize("line", of("--fault"))
def test_a_fault_of_a_page_is_one(line: str) -> None:
    assert Fault.parse(shlex.split(line)[1])


def test_no_other_kind_of_line_stands_on_a_page() -> None:
    """Of a new kind somebody has to say what takes it."""
    known = (
        *("make ", "python -m airflow_provider_emailverify", "python tests/", ".venv/bin/", "EMAILVERIFY_WAITS="),
        *("AIRFLOW_CONN_", "--fault", "pip install ", "airflow standalone", "FROM apache/airflow:", "RUN pip install "),
        # A call of Airflow's API, which tests/e2e makes; the rows of a list; a URI.
        *("PUT /api/v2/", '{"value": ', "id;E-Mail;", *(f"{number};" for number in range(1, 6)), "abfs://"),
    )
    assert [line for page, line in LINES if page != "architecture.md" and not line.startswith(known)] == []
