"""A ledger on this machine's disk: what its objects hold, and who may create them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError, StorageError
from airflow_provider_emailverify.steps.ledger import CUT, Ledger
from tests.purchases import Time

PLAN = "emailverify_plan"
BATCH = "emailverify_batch_00001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ledger's folder, which nobody has made yet."""
    return tmp_path / "deep" / "ledger"


def ledger(folder: Path, **options: Any) -> Ledger:
    """Open the ledger as a process of its own does."""
    return Ledger(f"file://{folder}", "stem", clock=Time(), **options)


def objects(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_records_are_small_objects_with_telling_names(folder: Path) -> None:
    kept = ledger(folder)
    kept.set(PLAN, {"begun": 1})
    kept.claim(BATCH, {"name": "n"})

    assert objects(folder) == ["stem/00001.json", "stem/plan.json"]
    assert json.loads((folder / "stem" / "plan.json").read_text())["begun"] == 1
    assert kept.where(BATCH) == f"the object file://{folder}/stem/00001.json"


def test_what_one_process_writes_the_next_one_reads(folder: Path) -> None:
    ledger(folder).set(PLAN, {"begun": 1})

    assert ledger(folder).get(PLAN)["begun"] == 1
    assert ledger(folder).get(BATCH) is None


@pytest.mark.parametrize("content", ["", '{"begun', "null", "\xff"])
def test_an_object_that_is_empty_or_cut_is_there_all_the_same(folder: Path, content: str) -> None:
    (folder / "stem").mkdir(parents=True)
    (folder / "stem" / "00001.json").write_bytes(content.encode("latin-1"))

    assert ledger(folder).get(BATCH) is CUT
    assert not ledger(folder).claim(BATCH, {"name": "n"})


@pytest.mark.parametrize(
    ("content", "value"), [("false", False), ('"id"', "id"), ("7", 7), ('{"id": "x"}', {"id": "x"})]
)
def test_what_a_person_writes_is_read_as_it_is(folder: Path, content: str, value: Any) -> None:
    (folder / "stem").mkdir(parents=True)
    (folder / "stem" / "00001.json").write_text(content)

    assert ledger(folder).get(BATCH) == value


def test_of_two_processes_one_can_claim_a_record(folder: Path) -> None:
    first, second = ledger(folder), ledger(folder)
    for each in (first, second):
        assert each.get(BATCH) is None

    assert [first.claim(BATCH, {"by": 1}), second.claim(BATCH, {"by": 2})] == [True, False]
    assert second.get(BATCH)["by"] == 1


def test_of_many_threads_one_can_claim_a_record(folder: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        for round_ in range(20):
            claims = [
                pool.submit(ledger(folder).claim, f"emailverify_batch_{round_:05d}", {"n": "n"}) for _ in range(16)
            ]

            assert sum(claim.result() for claim in claims) == 1


def test_a_record_that_was_seen_can_be_claimed_again_once(folder: Path) -> None:
    ledger(folder).set(BATCH, {"refused": True})
    first, second = ledger(folder), ledger(folder)
    for each in (first, second):
        assert each.get(BATCH)["refused"]

    assert [first.claim(BATCH, {"by": 1}), second.claim(BATCH, {"by": 2})] == [True, False]
    assert objects(folder) == ["stem/00001-2.json", "stem/00001.json"]
    assert ledger(folder).get(BATCH)["by"] == 1


def test_a_record_that_was_superseded_tells_so_when_the_new_one_is_gone(folder: Path) -> None:
    ledger(folder).set(BATCH, {"refused": True})
    again = ledger(folder)
    again.get(BATCH)
    again.claim(BATCH, {"by": 1})

    (folder / "stem" / "00001-2.json").unlink()

    assert ledger(folder).get(BATCH)["superseded"] is True


def test_a_record_is_replaced_in_one_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ledger(folder)
    kept.set(PLAN, {"begun": 1})

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match=r"Cannot write to the ledger file://.*: OSError: .*No space left"):
        kept.set(PLAN, {"begun": 2})

    assert ledger(folder).get(PLAN)["begun"] == 1


def test_a_storage_that_creates_what_is_there_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    files = fsspec.filesystem("file")
    exclusive = files.open
    monkeypatch.setattr(files, "open", lambda path, mode: exclusive(path, mode.replace("x", "w")))

    with pytest.raises(StorageError, match="creates an object that is there already"):
        ledger(folder).check()


def test_a_storage_that_creates_once_passes_again_and_again(folder: Path) -> None:
    for _ in range(3):
        ledger(folder).check()

    assert objects(folder) == ["stem/probe.json"]


@pytest.mark.parametrize("uri", ["", " ", "relative/folder", "s3:/bucket", None])
def test_what_is_no_folder_is_refused(uri: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"^ledger: "):
        Ledger(uri, "stem")


def test_a_folder_without_permission_is_an_error_of_the_storage(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file")

    with pytest.raises(StorageError, match="Cannot write to the ledger"):
        ledger(folder).check()
