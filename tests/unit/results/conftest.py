"""Hooks to read files with, and formats to read back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import Maps, VendorFile
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, Origin, Row, Verdict
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import open_writer, write_rows
from airflow_provider_emailverify.storage.spool import Spool

Read = Callable[..., list[dict[str, Any]]]
ORIGIN = Origin(vendor="proofy", batch_id="b-1", verified_at="2026-11-26T09:30:00Z")


@pytest.fixture
def read(connect: Callable[..., str]) -> Read:
    """Read a vendor's bytes as records of the schema."""

    def records(
        vendor: str, content: bytes, media_type: str = "", *, length_known: bool = True, **maps: Any
    ) -> list[dict[str, Any]]:
        hook = EmailVerifyHook.get_hook(connect(vendor, ""))
        file = VendorFile(
            batch_id="b-1",
            about=hook.about("b-1"),
            content=io.BytesIO(content),
            media_type=media_type or {"proofy": "application/json", "cliova": "text/csv"}[vendor],
            length_known=length_known,
        )
        return [as_record(row, vendor) for row in hook.read_results(file, Maps(**maps))]

    return records


def as_record(row: Row, vendor: str = "proofy") -> dict[str, Any]:
    email, finding = row
    return {"email": email, **finding.as_dict(replace(ORIGIN, vendor=vendor))}


def written(rows: Iterable[Row], result_format: str, folder: Path) -> bytes:
    """Return a file of rows."""
    spool = Spool(folder, "test")
    try:
        write_rows(rows, [(open_writer(result_format, spool, ORIGIN), frozenset(Verdict))], Tally())
        return spool.rewound().read()
    finally:
        spool.close()


def read_back(content: bytes, result_format: str) -> list[dict[str, Any]]:
    """Read a file of rows as any consumer would."""
    if result_format == "parquet":
        from pyarrow import BufferReader
        from pyarrow.parquet import read_table

        return [_from_parquet(record) for record in read_table(BufferReader(content)).to_pylist()]
    if result_format == "jsonl":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    table = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
    assert table[0] == list(COLUMNS)
    return [_from_csv(dict(zip(COLUMNS, line, strict=True))) for line in table[1:]]


def _from_parquet(record: dict[str, Any]) -> dict[str, Any]:
    moment: datetime | None = record["verified_at"]
    return {**record, "verified_at": moment and moment.isoformat().replace("+00:00", "Z")}


def _from_csv(record: dict[str, str]) -> dict[str, Any]:
    words = {"true": True, "false": False, "": None}
    return {name: words[value] if name in FLAGS else value or None for name, value in record.items()}
