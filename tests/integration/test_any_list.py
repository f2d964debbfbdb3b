"""Any list goes through the real walk against the sandbox, and comes back with its cells and the sandbox's verdicts."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.lists.cleaning import Cleaner
from airflow_provider_emailverify.operators.download import EmailVerifyDownloadOperator
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.operators.submit import EmailVerifySubmitOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.sensors.batch import EmailVerifyBatchSensor
from airflow_provider_emailverify.steps.state import InMemoryStore
from tests.submit_task import Ti

TAGS = {"": "deliverable", "+undeliverable": "undeliverable", "+risky": "risky", "+unknown": "unknown"}
# A table is repeated to be a long one; "{n}" is the number of its repetition.
ADDRESS = st.builds(
    lambda name, tag, domain: f"{name}{{n}}{tag}@{domain}",
    st.sampled_from(["ada", "Ada", "bob", "o'brien", "user.name"]),
    st.sampled_from(list(TAGS)),
    st.sampled_from(["a.example", "A.example", "b.example"]),
)
EMAIL = st.one_of(
    ADDRESS,
    ADDRESS.map("Name <{}>".format),
    ADDRESS.map("mailto:{}".format),
    st.sampled_from(["", " ", "none", "n/a", "a@", "john,smith@a.example", "\u00ad"]),
)
NOTE = st.text(st.sampled_from('ab ,;|"\n\r\té€\u00a0=-@'), max_size=6)
BLANK_LINE: tuple[str, ...] = ()
TABLE = st.tuples(
    st.lists(st.one_of(st.tuples(NOTE, EMAIL, NOTE), st.just(BLANK_LINE)), max_size=12),
    st.sampled_from([1, 1, 1, 30, 400]),
)
SHAPE = st.tuples(
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
)


def expected(cell: str) -> str:
    """Return the verdict that the sandbox has for what a cell holds."""
    cells = Cleaner().cells([cell]).first
    if cells[0] is None:
        return ""
    return (
        TAGS[f"+{cells[0].partition('+')[2].partition('@')[0]}" if "+" in cells[0] else ""]
        if cells[0]
        else "undeliverable"
    )


def walk(folder: Path, conn_id: str, batch_size: int, encoding: str) -> list[str]:
    """Run the four operators as the group does, and return the paths of the verified lists."""
    ti = Ti()
    context: Any = {"ti": ti, "task_state_store": InMemoryStore(), "outlet_events": {}}
    source = f"file://{folder}/lists/"
    reading: Any = {"source": source, "encoding": encoding}
    submit = EmailVerifySubmitOperator(task_id="submit", conn_id=conn_id, batch_size=batch_size, **reading)
    ids = submit.execute(context)
    submitted = ti.pushed["summary"]
    wait = EmailVerifyBatchSensor(task_id="wait", batch_id=ids, conn_id=conn_id, poke_interval=0.01, mode="poke")
    ready = wait.execute(context)
    place = f"file://{folder}/out/"
    download = EmailVerifyDownloadOperator(
        task_id="download", batch_id=ready, conn_id=conn_id, destination=place, beside_list=True, output_format="csv"
    )
    results = download.execute(context)
    merge = EmailVerifyMergeOperator(
        task_id="merge", results=["", results], destination=place, submitted=submitted, columns=["verdict"], **reading
    )
    return list(merge.execute(context))


@pytest.fixture(params=["proofy", "cliova"])
def conn_id(request: pytest.FixtureRequest, sandbox: SandboxServer, connect: Callable[..., str]) -> str:
    """Each vendor in turn, without a limit."""
    return connect(request.param, f"{sandbox.url}/{request.param}/v1", requests_per_minute=1_000_000)


def long_table(rows: Sequence[tuple[str, ...]], times: int) -> list[tuple[str, ...]]:
    """Return a table with a header, and a row that has an address; each repetition has addresses of its own."""
    repeated = [
        tuple(cell.replace("{n}", str(number or "")) for cell in row) for number in range(times) for row in rows
    ]
    return [("x", "Email", "note"), *repeated, ("end", "z@a.example", "")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables=st.lists(TABLE, min_size=1, max_size=3), shape=SHAPE, batches=st.integers(1, 12))
def test_any_list_comes_back_with_its_cells_and_the_vendors_verdicts(
    conn_id: str, tmp_path_factory: pytest.TempPathFactory, tables: Sequence[Any], shape: Any, batches: int
) -> None:
    separator, line_end, quoting, encoding = shape
    folder = tmp_path_factory.mktemp("any")
    (folder / "lists").mkdir()
    written = [long_table(*table) for table in tables]
    for number, rows in enumerate(written):
        text = io.StringIO(newline="")
        # Before Python 3.13 the writer leaves a carriage return unquoted, and readers take it for the end of a row.
        quoted = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else quoting
        csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoted).writerows(rows)
        (folder / "lists" / f"{number}.csv").write_bytes(text.getvalue().encode(encoding))

    paths = walk(folder, conn_id, 1 + sum(map(len, written)) // batches, encoding.removesuffix("-sig"))

    for path, rows in zip(paths, written, strict=True):
        text = Path(path.removeprefix("file://")).read_bytes().decode(encoding)
        header, *found = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        assert header == ["x", "Email", "note", "verdict"]
        assert [tuple(row[:3]) for row in found] == rows[1:]
        assert [row[3:] for row in found] == [[expected(row[1])] if row else [] for row in rows[1:]]
