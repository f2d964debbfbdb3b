"""Results of every vendor: counted and read, or refused without a word of their content."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.formats.csv_scan import CsvScanner, scan_csv
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import Maps, VendorFile
from airflow_provider_emailverify.results.schema import Verdict
from airflow_provider_emailverify.results.tally import Tally
from tests.fuzz import inputs
from tests.fuzz.inputs import SECRET

_WORDS = ("valid", "Invalid", "catch-all", "✓", "-1", "1", "A+", "", "unknown", f"{SECRET}@example.com")


def results_as_csv(chance: Random) -> None:
    """Count and read CSV."""
    odd = inputs.some(chance, lambda: inputs.text(chance, 2))
    header = chance.choice((["email", "status"], ["Email", "Result", "isRole"], ["E-Mail", "e_mail", "status"], odd))
    row = lambda: [inputs.address(chance), chance.choice(_WORDS), inputs.text(chance, 3)]  # noqa: E731 - it is short
    content = inputs.table(chance, header, row)
    _read(chance, "cliova", inputs.encoded(chance, content), "text/csv")


def results_as_json(chance: Random) -> None:
    """Count and read JSON of rows that are flat objects."""
    rows = inputs.some(chance, lambda: _row(chance))
    value = chance.choice((rows, {"code": "SUCCESS", "payload": rows}, inputs.document(chance)))
    _read(chance, "cliova", inputs.encoded(chance, inputs.as_json(chance, value)), "application/json")


def results_as_nested_json(chance: Random) -> None:
    """Count and read JSON of rows that are objects of objects."""
    rows = inputs.some(chance, lambda: _nested_row(chance))
    ready, late = {"status": "ready", "list": rows}, {"list": rows, "status": "ready"}
    value = chance.choice((ready, ready, late, inputs.document(chance)))
    _read(chance, "proofy", inputs.encoded(chance, inputs.as_json(chance, value)), "application/json")


def scan_of_csv(chance: Random) -> None:
    """Scan CSV as a file and while it arrives, which must come to the same."""
    content = inputs.table(chance, ["email", "x"], lambda: [inputs.address(chance), inputs.text(chance)])
    if chance.random() < 0.2:
        content = inputs.text(chance, 40)
    data = inputs.damaged(chance, inputs.encoded(chance, content))
    inputs.cut_into_chunks(chance)
    scanner = CsvScanner("it")
    start = 0
    while start < len(data):
        size = chance.choice((1, 2, 7, 1000))
        scanner.feed(data[start : start + size])
        start += size
    try:
        arrived = scanner.finish()
    except EmailVerifyError as error:
        arrived = error  # type: ignore[assignment]
    try:
        scan = scan_csv(io.BytesIO(data), "it")
    except EmailVerifyError as error:
        inputs.check(error)
        if arrived is not None and str(arrived) != str(error):
            raise AssertionError("it arrived as something else") from error
        raise
    assert arrived is None or arrived == scan


def _row(chance: Random) -> Any:
    row = {
        chance.choice(("email", "email", "Email")): inputs.address(chance),
        "status": chance.choice((*_WORDS, inputs.number(chance), inputs.document(chance))),
        "role": chance.choice((True, "no", inputs.number(chance))),
        inputs.name_of(chance): inputs.document(chance),
    }
    for name in inputs.some(chance, lambda: chance.choice(list(row)), 2) if chance.random() < 0.3 else []:
        row.pop(name, None)
    return row if chance.random() < 0.95 else inputs.document(chance)


def _nested_row(chance: Random) -> Any:
    row = {
        "status": chance.choice((*_WORDS, inputs.number(chance), inputs.document(chance))),
        "syntax": {"username": SECRET, "domain": chance.choice(("example.com", "", None, 3, "\ud800")), "valid": True},
        "free": inputs.number(chance),
        "mx": chance.choice(({"hasRecords": True, "acceptsMail": None}, {"records": []}, inputs.document(chance))),
        "deliverability": chance.choice(({"canConnect": True}, inputs.document(chance))),
    }
    for name in inputs.some(chance, lambda: chance.choice(list(row)), 2) if chance.random() < 0.3 else []:
        row.pop(name, None)
    return row if chance.random() < 0.95 else inputs.document(chance)


def _read(chance: Random, vendor: str, content: bytes, media_type: str) -> None:
    inputs.cut_into_chunks(chance)
    hook = _hook(vendor)
    data = inputs.damaged(chance, content)
    file = VendorFile(
        batch_id="b-1",
        about="it",
        content=io.BytesIO(data),
        media_type=chance.choice((media_type, media_type, media_type, "text/csv", "application/json")),
        length_known=chance.random() < 0.5,
    )
    maps = Maps(
        status_map={chance.choice(_WORDS): chance.choice((*Verdict, "superb"))} if chance.random() < 0.3 else {},
        column_map={"email": chance.choice(("Email", "E-Mail", "", "#"))} if chance.random() < 0.2 else {},
    )
    try:
        if vendor == "cliova" or not maps.column_map:
            hook.check_maps(maps)
        tally = Tally()
        for row in hook.read_results(replace(file, content=io.BytesIO(data)), maps):
            tally.add([row])
            json.dumps([row[0], row[1].vendor_status], ensure_ascii=False).encode()
        json.dumps(tally.as_dict(), ensure_ascii=False).encode()
        hook.count_rows(replace(file, content=io.BytesIO(data)))
    except EmailVerifyError as error:
        inputs.check(error)
        raise


@cache
def _hook(vendor: str) -> EmailVerifyHook:
    os.environ[f"AIRFLOW_CONN_FUZZ_{vendor.upper()}"] = json.dumps({"conn_type": vendor, "password": "fuzz-key"})
    return EmailVerifyHook.get_hook(f"fuzz_{vendor}")


TARGETS = [results_as_csv, results_as_json, results_as_nested_json, scan_of_csv]
