"""Rows to files of every format, and back by other readers: the same rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from airflow_provider_emailverify.results.read_back import count_files
from airflow_provider_emailverify.results.schema import FLAGS, Finding, Reason, Row, Verdict
from tests.fuzz import inputs
from tests.unit.results.conftest import as_record, read_back, written

# Rows of a merged list that no vendor has answered are not counted, so they are not written here.
_REASONS = [reason for reason in Reason if reason not in (Reason.MISSING, Reason.NO_ADDRESS)]
_FOLDER = tempfile.TemporaryDirectory(prefix="emailverify-fuzz-")


def rows_to_files(chance: Random) -> None:
    """Write rows, and read them back by csv, json and pyarrow."""
    findings = [_finding(chance) for _ in range(chance.randrange(1, 5))]
    rows: list[Row] = inputs.some(chance, lambda: (_text(chance), chance.choice(findings)), 40)
    for result_format in ("csv", "jsonl", "parquet"):
        content = written(rows, result_format, Path(_FOLDER.name))
        assert read_back(content, result_format) == [as_record(row) for row in rows]
        path = Path(_FOLDER.name) / f"results.{result_format}"
        path.write_bytes(content)
        assert count_files([f"file://{path}"])["received"] == len(rows)


def files_of_others(chance: Random) -> None:
    """Count the rows of files that are damaged, or were written by others."""
    result_format = chance.choice(("csv", "jsonl", "parquet"))
    rows: list[Row] = inputs.some(chance, lambda: (_text(chance), _finding(chance)))
    path = Path(_FOLDER.name) / f"others.{result_format}"
    content = inputs.encoded(chance, inputs.as_json(chance, inputs.document(chance)))
    path.write_bytes(inputs.damaged(chance, chance.choice((written(rows, result_format, Path(_FOLDER.name)), content))))
    count_files([f"file://{path}"])


def _finding(chance: Random) -> Finding:
    return Finding(
        verdict=chance.choice(list(Verdict)),
        reason=chance.choice(_REASONS),
        vendor_status=_text(chance),
        known=chance.random() < 0.5,
        **{name: chance.choice((True, False, None)) for name in FLAGS},
    )


def _text(chance: Random) -> str | None:
    """Return text as readers hand it out: never empty, and without halves of characters."""
    return inputs.text(chance, 6).encode(errors="replace").decode() or None


TARGETS = [rows_to_files, files_of_others]
