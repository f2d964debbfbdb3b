"""The fuzz program works, and a few of its cases hold; ``make fuzz`` runs many."""

from __future__ import annotations

import signal

import pytest

from airflow_provider_emailverify.formats import json_file, text_file
from tests.fuzz import run

TARGETS = run.load_targets()


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_cases_of_each_target_end_well(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (text_file, json_file):
        monkeypatch.setattr(module, "_CHUNK_BYTES", module._CHUNK_BYTES)  # targets change it

    for number in range(15):
        assert run.run_case(TARGETS[name], f"test:{name}:{number}")[1] == ""


def test_what_a_target_raises_is_a_finding() -> None:
    def broken(chance: object) -> None:
        raise KeyError("x")

    assert run.run_case(broken, "1:broken:1")[0] == "FOUND"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
