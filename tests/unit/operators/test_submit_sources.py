"""Several files are one list: each address is bought once, and merge gets what submit has read."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.lists.cleaning import AddressList
from airflow_provider_emailverify.lists.reader import ListFormat
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.sandbox.server import SandboxServer
from airflow_provider_emailverify.steps.sources import SourceFiles
from tests.submit_task import Task, Ti, sent
from tests.unit.lists.excel import workbook


def write(path: Path, text: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return f"file://{path}"


def merge(folder: Path, source: Any, submitted: Any, **arguments: Any) -> Any:
    operator = EmailVerifyMergeOperator(
        task_id="merge",
        source=source,
        results=[],
        destination=f"file://{folder}/out/",
        submitted=submitted,
        **arguments,
    )
    return operator.execute({"ti": Ti(), "outlet_events": {}})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("named", ["folder", "pattern", "list", "text of a list", "overlapping"])
def test_an_address_in_two_files_is_bought_once(
    make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path, named: str
) -> None:
    folder = tmp_path / "lists"
    one = write(folder / "a.csv", "id;E-Mail\n1;one@example.com\n2;two@example.com\n")
    two = write(folder / "b.csv.gz", gzip.compress(b"Email Address\ntwo@EXAMPLE.com\nthree@example.com\n"))
    write(folder / "_notes.csv", "Email\nhidden@example.com\n")
    write(folder / "readme.md", "no list")
    source = {
        "folder": f"file://{folder}/",
        "pattern": f"file://{folder}/*",
        "list": [one, two],
        "text of a list": str([one, two]),
        "overlapping": [one, f"file://{folder}/*.csv.gz", f"file://{folder}/"],
    }[named]
    task = make_task()

    task.attempt(source=source, batch_size=10)

    assert sent(sandbox) == [["one@example.com", "two@example.com", "three@example.com"]]
    assert (task.summary["sources"]["files"], task.summary["read"], task.summary["unique"]) == (2, 4, 3)


def test_excel_and_several_columns_are_read(
    make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path
) -> None:
    cells = [["Email", "Second Email"], ["one@example.com", "two@example.com"], ["three@example.com", None]]
    source = write(tmp_path / "list.xlsx", workbook({"Leads": cells}))

    make_task().attempt(source=source, sheet="Leads", email_column=["Email", "Second Email"], batch_size=10)

    (batch,) = sent(sandbox)
    assert sorted(batch) == ["one@example.com", "three@example.com", "two@example.com"]


@pytest.mark.parametrize("source", ["", "  ", [], [""], None, 7])
def test_no_source_is_an_error_that_says_what_to_give(make_task: Callable[..., Task], source: Any) -> None:
    with pytest.raises(AirflowFailException, match=r"The source is empty .* Give a URI such as"):
        make_task().attempt(source=source)


def test_a_folder_without_lists_is_an_error(make_task: Callable[..., Task], tmp_path: Path) -> None:
    write(tmp_path / "lists" / "readme.md", "no list")

    with pytest.raises(AirflowFailException, match="There is no list at"):
        make_task().attempt(source=f"file://{tmp_path}/lists/")


def test_lists_without_rows_buy_nothing(make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path) -> None:
    sources = [write(tmp_path / "a.csv", "Email\n"), write(tmp_path / "b.txt", "")]
    task = make_task()

    assert task.attempt(source=sources) == []
    assert sent(sandbox) == []


def test_a_file_that_changes_while_it_is_read_is_told_before_anything_is_bought(
    make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path
) -> None:
    write(tmp_path / "lists" / "a.csv", "Email\n" + "".join(f"user{n}@example.com\n" for n in range(10)))
    task = make_task()

    source = f"file://{tmp_path}/lists/a.csv"
    original = AddressList.append

    def write_and_change(self: AddressList, addresses: Sequence[str]) -> None:
        original(self, addresses)
        write(tmp_path / "lists" / "a.csv", "Email\nother@example.com\n")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AddressList, "append", write_and_change)
        with pytest.raises(StorageError, match="A source changed while it was read"):
            task.attempt(source=source)
    assert sent(sandbox) == []


def test_a_file_that_was_touched_strands_nothing(
    make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path
) -> None:
    source = write(tmp_path / "a.csv", "Email\none@example.com\ntwo@example.com\nthree@example.com\n")
    task = make_task()
    first = task.attempt(source=source)
    write(tmp_path / "a.csv", "Email;note\none@example.com;x\ntwo@example.com;\nthree@example.com;\n")

    assert task.attempt(source=source) == first


def test_a_file_that_came_between_two_tries_is_refused(
    make_task: Callable[..., Task], sandbox: SandboxServer, tmp_path: Path
) -> None:
    write(tmp_path / "lists" / "a.csv", "Email\none@example.com\n")
    task = make_task()
    task.attempt(source=f"file://{tmp_path}/lists/")
    write(tmp_path / "lists" / "b.csv", "Email\ntwo@example.com\n")

    with pytest.raises(AirflowFailException, match="changed since an earlier try"):
        task.attempt(source=f"file://{tmp_path}/lists/")
    assert sent(sandbox) == [["one@example.com"]]


@pytest.mark.parametrize("change", ["content", "another file", "one less"])
def test_a_merge_of_other_files_than_were_submitted_writes_nothing(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "lists"
    write(folder / "a.csv", "Email\none@example.com\n")
    write(folder / "b.csv", "Email\ntwo@example.com\n")
    source = f"file://{folder}/*.csv"
    submitted = {"sources": SourceFiles.find(source, ListFormat()).plan}
    match change:
        case "content":
            write(folder / "a.csv", "Email\nmore@example.com\n")
            os.utime(folder / "a.csv", (1, 1))
        case "another file":
            write(folder / "c.csv", "Email\nthree@example.com\n")
        case "one less":
            (folder / "b.csv").unlink()

    with pytest.raises(AirflowFailException, match="is not what was submitted"):
        merge(tmp_path, source, submitted)
    assert not (tmp_path / "out").exists()


def test_a_merge_of_what_was_submitted_is_no_error(make_task: Callable[..., Task], tmp_path: Path) -> None:
    write(tmp_path / "lists" / "a.csv", "Email\none@example.com\n")
    task = make_task()
    task.attempt(source=f"file://{tmp_path}/lists/")

    paths = merge(tmp_path, [f"file://{tmp_path}/lists/a.csv"], task.summary)

    assert paths == [f"file://{tmp_path}/out/a.verified.csv"]


CELL = st.one_of(
    st.sampled_from(["", "none", "a@example.com", "A@EXAMPLE.com", "b@example.com", "ü@example.com", "a@@example.com"]),
    st.emails(),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
)


@settings(max_examples=40, deadline=None)
@given(tables=st.lists(st.lists(CELL, max_size=12), min_size=1, max_size=3))
def test_whatever_submit_buys_is_what_merge_asks_for(tmp_path_factory: pytest.TempPathFactory, tables: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    for number, cells in enumerate(tables):
        text = io.StringIO(newline="")
        csv.writer(text).writerows([["id", "Email"], *([i, cell] for i, cell in enumerate(cells))])
        write(folder / "lists" / f"{number}.csv", text.getvalue())
    found = SourceFiles.find(f"file://{folder}/lists/", ListFormat())
    try:
        with AddressList(found.values()) as emails:
            bought = emails.unique
    except Exception:
        bought = 0
    ti = Ti()
    EmailVerifyMergeOperator(
        task_id="merge",
        source=f"file://{folder}/lists/",
        results=[],
        destination=f"file://{folder}/out/",
        submitted={"sources": found.plan},
    ).execute({"ti": ti, "outlet_events": {}})  # type: ignore[typeddict-item]

    assert ti.pushed["summary"]["addresses"] == bought
    assert ti.pushed["summary"]["rows"] == sum(map(len, tables))
