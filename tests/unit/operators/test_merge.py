"""The user's own list comes back: the same cells in the same order, and behind them what is known."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import StorageError
from airflow_provider_emailverify.lists.addresses import is_address
from airflow_provider_emailverify.lists.reader import ListFormat
from airflow_provider_emailverify.operators.merge import EmailVerifyMergeOperator
from airflow_provider_emailverify.results.schema import Finding, Origin, Reason, Verdict
from airflow_provider_emailverify.results.tally import Tally
from airflow_provider_emailverify.results.writers import open_writer, write_rows
from airflow_provider_emailverify.steps.sources import SourceFiles
from airflow_provider_emailverify.storage.spool import Spool
from tests.outlet_events import OutletEvents
from tests.unit.lists.excel import workbook
from tests.unit.operators.test_download import Ti

GOOD = ("deliverable", "accepted", "proofy", "2026-11-26T09:30:00Z")
BAD = ("undeliverable", "rejected", "cliova", "2026-11-26T09:30:00Z")
UNKNOWN = ("unknown", "timeout", "proofy", "2026-11-26T09:30:00Z")
MISSING = ("unknown", "missing", "", "")
INVALID = ("undeliverable", "invalid_syntax", "", "")
EMPTY = ("", "no_address", "", "")
Said = tuple[str, str, str, str]


class Merging:
    """One run of the operator, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summary: dict[str, Any] = {}

    def source(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"file://{path}"

    def results(self, said: dict[str, Said], name: str = "results.csv") -> str:
        path = self.folder / "results" / name
        path.parent.mkdir(exist_ok=True)
        rows = [
            (
                address,
                Finding(
                    verdict=Verdict(verdict),
                    reason=Reason(reason),
                    role=True,
                    origin=Origin(vendor=vendor, batch_id="b", verified_at=moment or None),
                ),
            )
            for address, (verdict, reason, vendor, moment) in said.items()
        ]
        spool = Spool(path.parent, name)
        writer = open_writer(name.rpartition(".")[2], spool, Origin(vendor="x", batch_id="b"))
        write_rows(rows, [(writer, frozenset(Verdict))], Tally())
        path.write_bytes(spool.rewound().read())
        spool.close()
        return f"file://{path}"

    def run(self, source: Any, results: Any, destination: str = "out/", **arguments: Any) -> Any:
        operator = EmailVerifyMergeOperator(
            task_id="merge",
            source=source,
            results=results,
            destination=f"file://{self.folder}/{destination}",
            **arguments,
        )
        ti = Ti()
        found = operator.execute({"ti": ti, "outlet_events": {}})  # type: ignore[typeddict-item]
        self.summary = ti.pushed["summary"]
        assert json.loads(json.dumps(self.summary)) == self.summary
        return found

    def names(self) -> list[str]:
        out = self.folder / "out"
        return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())


@pytest.fixture
def merging(tmp_path: Path) -> Merging:
    return Merging(tmp_path)


def content(uri: str) -> bytes:
    return Path(uri.removeprefix("file://")).read_bytes()


LIST = (
    "id;E-Mail;note\r\n"
    '1;jane@example.com;"a; ""b"""\r\n'
    "2;JANE@example.com;\r\n"
    "\r\n"
    "3;jane@EXAMPLE.com; x \r\n"
    "4;;nobody\r\n"
    '5;no address;"two\r\nlines"\r\n'
    "6;gone@example.com;é\r\n"
    "7\r\n"
    '8;" bob@example.com ";'
)
VERIFIED = (
    "id;E-Mail;note;verdict;reason;vendor;verified_at\r\n"
    '1;jane@example.com;"a; ""b""";deliverable;accepted;proofy;2026-11-26T09:30:00Z\r\n'
    "2;JANE@example.com;;deliverable;accepted;proofy;2026-11-26T09:30:00Z\r\n"
    "\r\n"
    "3;jane@EXAMPLE.com; x ;deliverable;accepted;proofy;2026-11-26T09:30:00Z\r\n"
    "4;;nobody;;no_address;;\r\n"
    '5;no address;"two\r\nlines";undeliverable;invalid_syntax;;\r\n'
    "6;gone@example.com;é;unknown;missing;;\r\n"
    "7;;;;no_address;;\r\n"
    '8;" bob@example.com ";;undeliverable;rejected;cliova;2026-11-26T09:30:00Z'
)
SAID = {"jane@example.com": GOOD, "bob@example.com": BAD, "other@example.com": BAD}


@pytest.mark.parametrize(
    ("encoding", "mark", "option"),
    [
        ("utf-8", "", {}),
        ("utf-8", "\ufeff", {}),
        ("utf-16-le", "\ufeff", {}),
        ("utf-16-be", "\ufeff", {"encoding": "utf-16"}),
        ("cp1252", "", {"encoding": "cp1252"}),
    ],
)
def test_csv_keeps_its_own_bytes_and_gets_columns(
    merging: Merging, encoding: str, mark: str, option: dict[str, Any]
) -> None:
    source = merging.source("list.csv", (mark + LIST).encode(encoding))

    path = merging.run(source, merging.results(SAID), **option)

    assert path == f"file://{merging.folder}/out/list.verified.csv"
    assert content(path) == (mark + VERIFIED).encode(encoding)
    assert merging.names() == ["list.verified.csv"]


def test_the_summary_says_how_many_of_each(merging: Merging) -> None:
    source = merging.source("list.csv", LIST)

    path = merging.run(source, merging.results(SAID))

    verdicts = {"deliverable": 3, "undeliverable": 2, "risky": 0, "unknown": 1}
    assert merging.summary == {
        "schema_version": 1,
        "rows": 8,
        "addresses": 3,
        "duplicates": 2,
        "dropped": {"no_at_sign": 1},
        "no_address": 2,
        "missing": 1,
        "verdicts": verdicts,
        "reasons": merging.summary["reasons"],
        "vendors": {"proofy": 3, "cliova": 1},
        "vendor_verdicts": {
            "proofy": {"deliverable": 3, "undeliverable": 0, "risky": 0, "unknown": 0},
            "cliova": {"deliverable": 0, "undeliverable": 1, "risky": 0, "unknown": 0},
        },
        "results": {"files": 1, "rows": 3, "not_in_list": 1},
        "too_long": 0,
        "rows_written": 8,
        "sources": [{"source": source, "rows": 8, "verdicts": verdicts}],
        "paths": path,
    }
    assert merging.summary["reasons"] == {
        "accepted": 3,
        "no_address": 2,
        "invalid_syntax": 1,
        "missing": 1,
        "rejected": 1,
    }


HEAD = "Report of May\n\nsep=;\n"


@pytest.mark.parametrize(
    ("source", "verified"),
    [
        ("email\na@b.example\n", "email,verdict\na@b.example,deliverable\n"),
        ("email\na@b.example", "email,verdict\na@b.example,deliverable"),
        ("email\r\na@b.example\r\n", "email,verdict\r\na@b.example,deliverable\r\n"),
        ("email\ra@b.example\r", "email,verdict\ra@b.example,deliverable\r"),
        ("email\na@b.example\r\n\r\n\n", "email,verdict\na@b.example,deliverable\r\n\r\n\n"),
        ('"email"\n"a@b.example"\n', '"email",verdict\n"a@b.example",deliverable\n'),
        ("email\n", "email,verdict\n"),
        ("email", "email,verdict"),
        ("\n\nemail\n\n", "\n\nemail,verdict\n\n"),
        ("sep=;\nid;email\n1;a@b.example\n", "sep=;\nid;email;verdict\n1;a@b.example;deliverable\n"),
        ("Report, May\n\nid,email\n1,a@b.example\n", "Report, May\n\nid,email,verdict\n1,a@b.example,deliverable\n"),
        ("id\temail\n1\ta@b.example\n", "id\temail\tverdict\n1\ta@b.example\tdeliverable\n"),
        ("email,x\na@b.example\n", "email,x,verdict\na@b.example,,deliverable\n"),
        ('email,x,y\n"a@b.example"\n', 'email,x,y,verdict\n"a@b.example",,,deliverable\n'),
        ('email,x\na@b.example,5"x4"\n', 'email,x,verdict\na@b.example,5"x4",deliverable\n'),
        ("email\n  \n", "email,verdict\n  ,\n"),
    ],
)
def test_line_breaks_quotes_separators_and_notes_stay(merging: Merging, source: str, verified: str) -> None:
    results = merging.results({"a@b.example": GOOD})

    path = merging.run(merging.source("list.csv", source), results, columns=["verdict"])

    assert content(path).decode() == verified


def test_a_row_with_too_many_fields_keeps_them_and_is_counted(merging: Merging) -> None:
    source = merging.source("list.csv", "email,name\na@b.example,Roe, Jane\nb@b.example,Bob\n")

    path = merging.run(source, merging.results({"a@b.example": GOOD}), columns=["verdict"])

    assert content(path).decode() == "email,name,verdict\na@b.example,Roe, Jane,deliverable\nb@b.example,Bob,unknown\n"
    assert merging.summary["too_long"] == 1
    with pytest.raises(AirflowFailException, match="a row has 3 fields where the header has 2"):
        merging.run(source, [], output_format="jsonl")


JSON_LINES = (
    '{"id": 1, "email": "jane@example.com", "tags": ["a", {"b": 1.0}]}\r\n'
    "\r\n"
    '  {"email":"gone@example.com"}  \n'
    '{"id": 12345678901234567890, "email": null}\n'
    "{}\n"
    '{"email": "nobody"}'
)
JSON_VERIFIED = (
    '{"id": 1, "email": "jane@example.com", "tags": ["a", {"b": 1.0}],"verdict":"deliverable","role":true}\r\n'
    "\r\n"
    '  {"email":"gone@example.com","verdict":"unknown","role":null}  \n'
    '{"id": 12345678901234567890, "email": null,"verdict":null,"role":null}\n'
    '{"verdict":null,"role":null}\n'
    '{"email": "nobody","verdict":"undeliverable","role":null}'
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_json_lines_keep_their_text_and_get_members(merging: Merging, encoding: str) -> None:
    source = merging.source("list.jsonl", JSON_LINES.encode(encoding))

    path = merging.run(source, merging.results(SAID), columns=["verdict", "role"])

    assert path.endswith("/out/list.verified.jsonl")
    assert content(path).decode(encoding) == JSON_VERIFIED


def parquet(table: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    return file.getvalue()


def test_parquet_keeps_types_and_metadata(merging: Merging) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2, None, 4], pa.int16()),
            "email": ["jane@example.com", None, "gone@example.com", "x"],
            "tags": pa.array([["a"], [], None, ["b", "c"]], pa.list_(pa.string())),
            "kind": pa.array(["x", "y", "x", None]).dictionary_encode(),
        }
    ).replace_schema_metadata({"owner": "crm"})
    source = merging.source("list.parquet", parquet(table))

    path = merging.run(source, merging.results(SAID), columns=["verdict", "role", "verified_at"])

    found = pq.read_table(path.removeprefix("file://"))
    assert found.select(table.column_names).equals(table)
    assert found.schema.metadata[b"owner"] == b"crm"
    assert [*found.schema][:4] == [*pq.read_schema(source.removeprefix("file://"))]
    assert found.schema.field("role").type == pa.bool_()
    assert found.schema.field("verified_at").type == pa.timestamp("us", tz="UTC")
    assert found.column("verdict").to_pylist() == ["deliverable", None, "unknown", "undeliverable"]
    assert found.column("role").to_pylist() == [True, None, None, None]


def test_one_address_a_line_and_gzip_come_back_as_plain_csv(merging: Merging) -> None:
    source = merging.source("list.txt.gz", gzip.compress(b"jane@example.com\n\n a,b \ngone@example.com"))

    path = merging.run(source, merging.results(SAID), columns=["verdict"])

    assert path.endswith("/out/list.verified.csv")
    assert content(path).decode() == (
        'email,verdict\r\njane@example.com,deliverable\r\n"a,b",undeliverable\r\ngone@example.com,unknown\r\n'
    )


ROWS = [
    {"id": "1", "email": "jane@example.com", "verdict": "deliverable", "role": True},
    {"id": "2", "email": "gone@example.com", "verdict": "unknown", "role": None},
]


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("source_format", ["csv", "jsonl", "parquet"])
def test_every_format_can_become_every_other(merging: Merging, source_format: str, output_format: str) -> None:
    rows = [{"id": row["id"], "email": row["email"]} for row in ROWS]
    text = {
        "csv": "id,email\n" + "".join(f"{row['id']},{row['email']}\n" for row in rows),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        "parquet": parquet(pa.Table.from_pylist(rows)),
    }[source_format]

    path = merging.run(
        merging.source(f"list.{source_format}", text),
        merging.results(SAID),
        columns=["verdict", "role"],
        output_format=output_format,
    )

    assert path.endswith(f"/list.verified.{output_format}")
    assert read(path) == ROWS


def read(uri: str) -> list[dict[str, Any]]:
    path = uri.removeprefix("file://")
    if path.endswith("parquet"):
        return pq.read_table(path).to_pylist()
    if path.endswith("jsonl"):
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    text = Path(path).read_bytes().decode()
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    return [{**row, **({"role": row["role"] == "true" or None} if "role" in row else {})} for row in rows]


def test_values_of_json_keep_their_types_in_parquet_where_they_have_one(merging: Merging) -> None:
    lines = [
        {"email": "jane@example.com", "n": 1, "f": 1, "b": True, "mixed": 1, "list": [1], "big": 2**80},
        {"email": "gone@example.com", "n": None, "f": 0.5, "b": None, "mixed": "x", "late": "é", "big": 1},
    ]
    source = merging.source("list.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    path = merging.run(source, [], columns=["verdict"], output_format="parquet")

    assert read(path) == [
        {**lines[0], "f": 1.0, "mixed": "1", "list": "[1]", "late": None, "big": str(2**80), "verdict": "unknown"},
        {**lines[1], "list": None, "big": "1", "verdict": "unknown"},
    ]


def test_columns_without_a_name_or_of_the_same_get_names_of_their_own_where_they_must(merging: Merging) -> None:
    source = merging.source("list.csv", "email,,a,a\njane@example.com,1,2,3\n")

    path = merging.run(source, [], columns=["verdict"], output_format="jsonl")

    assert read(path) == [{"email": "jane@example.com", "column 2": "1", "a": "2", "a 2": "3", "verdict": "unknown"}]


# --- which answer counts ---


def test_a_second_vendor_answers_what_the_first_calls_unknown(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\nb@b.example\n")
    first = merging.results({"a@b.example": UNKNOWN, "b@b.example": GOOD}, "first.csv")
    second = merging.results(
        {"a@b.example": (*BAD[:3], "2020-01-01T00:00:00Z"), "b@b.example": UNKNOWN}, "second.jsonl"
    )

    for results in ([first, second], [second, first], f"file://{merging.folder}/results/"):
        path = merging.run(source, results, columns=["verdict", "vendor"])
        assert content(path).decode().splitlines()[1:] == [
            "a@b.example,undeliverable,cliova",
            "b@b.example,deliverable,proofy",
        ]


def test_of_answers_of_the_same_time_that_of_the_later_file_counts(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\n")
    good = merging.results({"a@b.example": GOOD}, "good.parquet")
    bad = merging.results({"a@b.example": BAD}, "bad.csv")

    for results, verdict in (([good, bad], "undeliverable"), ([bad, good], "deliverable")):
        path = merging.run(source, results, columns=["verdict"])
        assert content(path).decode() == f"email,verdict\na@b.example,{verdict}\n"


def test_paths_are_taken_as_downloads_return_them(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\nb@b.example\n")
    split = {
        "deliverable": merging.results({"a@b.example": GOOD}, "deliverable.csv"),
        "undeliverable": merging.results({"b@b.example": BAD}, "undeliverable.csv"),
    }

    for results in (split, [split], [list(split.values())]):
        merging.run(source, results)
        assert merging.summary["missing"] == 0


def test_a_list_that_was_merged_is_a_result_too(merging: Merging) -> None:
    old = merging.source("old/list.csv", "E-Mail;note\n a@b.example ;x\n;\nnobody;\nb@b.example;\n")
    verified = merging.run(old, merging.results({"a@b.example": GOOD}), "verified/list.csv")

    merging.run(merging.source("new.csv", "email\na@b.example\nb@b.example\nc@b.example\n"), verified)

    assert merging.summary["results"] == {"files": 1, "rows": 2, "not_in_list": 1}
    assert (merging.summary["vendors"], merging.summary["missing"]) == ({"proofy": 1}, 2)


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"prefix": "ev_"},
        {"email_column": "Kontakt"},
        {"email_column": ["Kontakt", "Second Email"]},
        {"email_column": ["Kontakt", "Second Email"], "prefix": "ev_", "columns": ["verified_at", "verdict"]},
    ],
)
def test_a_merged_list_is_a_result_whatever_its_columns_are_called(
    merging: Merging, arguments: dict[str, Any], output_format: str
) -> None:
    lists = "Kontakt,email,Second Email,jury verdict\na@b.example,b@b.example,c@b.example,guilty\n"
    said = {"a@b.example": GOOD, "b@b.example": BAD, "c@b.example": GOOD}
    verified = merging.run(
        merging.source("old.csv", lists), merging.results(said), output_format=output_format, **arguments
    )

    given = arguments.get("email_column", "email")
    merging.run(merging.source("new.csv", lists), verified, email_column=given)

    count = len(given) if isinstance(given, list) else 1
    assert (merging.summary["missing"], merging.summary["results"]["rows"]) == (0, count)
    assert merging.summary["verdicts"]["deliverable"] == (count if given != "email" else 0)


def test_folders_of_results_leave_out_what_is_none(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\n")
    merging.results({"a@b.example": GOOD}, "proofy-b.csv")
    for name in (
        "proofy-b.vendor.csv",
        "vendor.csv",
        "_SUCCESS",
        "proofy-b.report.html",
        "_incomplete/x.csv",
        ".x.csv",
    ):
        merging.source(f"results/{name}", "something else")

    merging.run(source, f"file://{merging.folder}/results/")

    assert merging.summary["verdicts"]["deliverable"] == 1


@pytest.mark.parametrize("results", [[], "", None, ["file:///nothing/"], "file:///nothing/*.csv"])
def test_without_results_every_address_is_missing(merging: Merging, results: Any) -> None:
    merging.run(merging.source("list.csv", "email\na@b.example\n"), results)

    assert (merging.summary["missing"], merging.summary["results"]["files"]) == (1, 0)


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.txt"])
def test_an_empty_list_comes_back_empty(merging: Merging, name: str) -> None:
    path = merging.run(merging.source(name, "email\n" if name == "list.csv" else ""), [])

    assert content(path).decode().strip() in ("", "email,verdict,reason,vendor,verified_at")
    assert (merging.summary["rows"], merging.summary["addresses"]) == (0, 0)


# --- which columns ---


def test_columns_and_their_names_can_be_chosen(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\n")

    path = merging.run(source, merging.results({"a@b.example": GOOD}), columns=["role", "verdict"], prefix="ev_")

    assert content(path).decode() == "email,ev_role,ev_verdict\na@b.example,true,deliverable\n"


@pytest.mark.parametrize("columns", [[], ["email"], ["verdikt"], ["verdict", "verdict"], None])
def test_columns_that_there_are_not_are_refused(merging: Merging, columns: Any) -> None:
    with pytest.raises(AirflowFailException, match="columns is a list of verdict, reason"):
        merging.run(merging.source("list.csv", "email\n"), [], columns=columns)


OLD_CSV = 'verdict,"note",email,reason\nold,"a ""b"", c",a@b.example,"x\ny"\n,,,\n"quoted",d'
NEW_CSV = (
    'verdict,"note",email,reason,vendor,verified_at\n'
    'deliverable,"a ""b"", c",a@b.example,accepted,proofy,2026-11-26T09:30:00Z\n,,,no_address,,\n,d,,no_address,,'
)
OLD_JSON = '{"verdict": {"old": [1.0]}, "email": "a@b.example", "n": 1e400, "reason":null }\n{"email":"c@b.example"}\n'
NEW_JSON = (
    '{"verdict": "deliverable", "email": "a@b.example", "n": 1e400, "reason":"accepted" ,'
    '"vendor":"proofy","verified_at":"2026-11-26T09:30:00Z"}\n'
    '{"email":"c@b.example","verdict":"unknown","reason":"missing","vendor":null,"verified_at":null}\n'
)


@pytest.mark.parametrize(("name", "old", "new"), [("list.csv", OLD_CSV, NEW_CSV), ("list.jsonl", OLD_JSON, NEW_JSON)])
def test_columns_of_an_earlier_merge_are_replaced_in_their_place_if_asked(
    merging: Merging, name: str, old: str, new: str
) -> None:
    source = merging.source(name, old)
    results = merging.results({"a@b.example": GOOD})

    with pytest.raises(AirflowFailException, match=r"has columns already .*: verdict, reason\. Set replace_columns"):
        merging.run(source, results)
    assert not (merging.folder / "out").exists() or merging.names() == []
    assert content(merging.run(source, results, replace_columns=True)).decode() == new
    merging.run(source, results, prefix="new ")


def test_columns_of_a_parquet_file_are_replaced_in_their_place_if_asked(merging: Merging) -> None:
    table = pa.table({"verdict": [1], "email": ["a@b.example"], "n": [2]})
    source = merging.source("list.parquet", parquet(table))
    results = merging.results({"a@b.example": GOOD})

    for output_format in (None, "csv", "jsonl"):
        path = merging.run(
            source, results, columns=["reason", "verdict"], replace_columns=True, output_format=output_format
        )
        expected = {"verdict": "deliverable", "email": "a@b.example", "n": 2, "reason": "accepted"}
        assert [list(row) for row in read(path)] == [list(expected)]
        assert read(path) == [{**expected, "n": "2"} if output_format == "csv" else expected]


@pytest.mark.parametrize(("second", "joint"), [("Second Email", " "), ("email_2", "_")])
@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_several_columns_of_addresses_get_columns_each(
    merging: Merging, second: str, joint: str, output_format: str
) -> None:
    source = merging.source("list.csv", f"Email,{second}\na@b.example,b@b.example\nb@b.example,\nx,c@b.example\n")
    results = merging.results({"a@b.example": GOOD, "b@b.example": BAD})

    path = merging.run(
        source, results, columns=["verdict"], email_column=["Email", second], output_format=output_format
    )

    rows = [[value or None for value in row.values()] for row in read(path)]
    assert list(read(path)[0]) == ["Email", second, f"Email{joint}verdict", f"{second}{joint}verdict"]
    assert rows == [
        ["a@b.example", "b@b.example", "deliverable", "undeliverable"],
        ["b@b.example", None, "undeliverable", None],
        ["x", "c@b.example", "undeliverable", "unknown"],
    ]
    assert (merging.summary["rows"], merging.summary["addresses"], merging.summary["duplicates"]) == (3, 3, 1)


# --- which rows, and where ---


def test_verdicts_keep_their_rows_only(merging: Merging) -> None:
    path = merging.run(merging.source("list.csv", LIST), merging.results(SAID), verdicts=["undeliverable", "unknown"])

    lines = VERIFIED.split("\r\n")
    assert content(path).decode().split("\r\n") == [lines[0], lines[6], lines[7], lines[8], lines[10]]
    assert (merging.summary["rows"], merging.summary["rows_written"]) == (8, 3)


@pytest.mark.parametrize("output_format", ["csv", "jsonl", "parquet"])
def test_a_file_for_each_verdict_holds_its_rows_and_a_marker_tells(merging: Merging, output_format: str) -> None:
    source = merging.source("list.csv", LIST)

    paths = merging.run(source, merging.results(SAID), split_by_verdict=True, output_format=output_format)

    ids = {name: [row["id"] for row in read(path)] for name, path in paths.items()}
    assert ids == {
        "deliverable": ["1", "2", "3"],
        "undeliverable": ["5", "8"],
        "risky": [],
        "unknown": ["6"],
        "no_address": ["4", "7"],
    }
    assert merging.names() == sorted(
        f"list.verified/{name}" for name in ["_SUCCESS", *(f"{verdict}.{output_format}" for verdict in ids)]
    )
    assert merging.summary["paths"] == paths


def test_only_the_wanted_verdicts_get_a_file(merging: Merging) -> None:
    paths = merging.run(
        merging.source("list.csv", LIST), merging.results(SAID), split_by_verdict=True, verdicts=["risky", "unknown"]
    )

    assert list(paths) == ["risky", "unknown"]
    assert merging.names() == [f"list.verified/{name}" for name in ("_SUCCESS", "risky.csv", "unknown.csv")]


def test_there_is_no_file_of_rows_without_an_address_if_there_are_none(merging: Merging) -> None:
    paths = merging.run(merging.source("list.csv", "email\na@b.example\n"), [], split_by_verdict=True)

    assert list(paths) == ["deliverable", "undeliverable", "risky", "unknown"]
    assert len(merging.names()) == 5


def test_the_destination_may_be_the_file_itself(merging: Merging) -> None:
    source = merging.source("list.csv.gz", gzip.compress(b"email\na@b.example\n"))

    assert merging.run(source, [], "out/mine") == f"file://{merging.folder}/out/mine"
    assert merging.names() == ["mine"]


def test_several_sources_are_one_list_and_keep_their_folders(merging: Merging) -> None:
    merging.source("lists/de/list.csv", "email\na@b.example\nb@b.example\n")
    merging.source("lists/fr/list.csv", "E-Mail;x\na@b.example;1\n")
    merging.source("lists/fr/list.jsonl", '{"mail":"c@b.example"}\n')
    merging.source("lists/_old/list.csv", "x\n")
    lists = f"file://{merging.folder}/lists"
    expected = [f"file://{merging.folder}/out/{name}" for name in ("de/list.verified.csv", "fr/list.verified.csv")]
    jsonl = f"file://{merging.folder}/out/fr/list.verified.jsonl"

    results = merging.results({"a@b.example": GOOD})
    assert merging.run(f"{lists}/", results) == [*expected, jsonl]
    assert (merging.summary["rows"], merging.summary["addresses"], merging.summary["duplicates"]) == (4, 3, 1)
    assert [source["rows"] for source in merging.summary["sources"]] == [2, 1, 1]
    assert merging.run(f"{lists}/*/list.csv", results) == expected
    assert merging.run([f"{lists}/fr/list.csv", f"{lists}/de/list.csv"], results) == expected[::-1]
    assert merging.run([f"{lists}/fr/list.csv"], results) == [f"file://{merging.folder}/out/list.verified.csv"]
    split = merging.run(f"{lists}/*/list.csv", results, split_by_verdict=True)
    assert [paths["unknown"] for paths in split] == [
        f"file://{merging.folder}/out/{name}/list.verified/unknown.csv" for name in ("de", "fr")
    ]


@pytest.mark.parametrize(
    ("source", "destination", "arguments", "message"),
    [
        ("lists/", "out.csv", {}, "is one file, and several lists may make several"),
        ("lists/*.csv", "out.csv", {}, "is one file, and several lists may make several"),
        ("lists/a.csv", "out.csv", {"split_by_verdict": True}, "is one file, and split_by_verdict may make several"),
        ("lists/a.csv", "lists/a.csv", {}, r"a\.csv is a source itself"),
        ("lists/a.csv", "results.csv", {}, r"results\.csv is one of the results"),
        ("lists/", "lists/", {}, "lies where .*lists/ looks for sources"),
        ("lists/", "lists/verified/", {}, "lies where .*lists/ looks for sources"),
        (
            "lists/",
            "lists/",
            {"split_by_verdict": True},
            r"a\.verified/unknown\.csv lies where .*lists/ looks for sources",
        ),
        ("lists/*.csv", "lists/", {}, r"lies where .*lists/\*\.csv looks for sources"),
        ("meet/", "out/", {}, r"Two sources would be written to .*list\.verified\.csv"),
        ("nothing/", "out/", {}, "There is no list at"),
        ("nothing/*.csv", "out/", {}, "There is no list at"),
        ("lists/a.csv", "out/", {"verdicts": ["good"]}, "verdicts is a list of deliverable"),
        ("lists/a.csv", "out/", {"output_format": "xlsx"}, "output_format is one of"),
        ("lists/a.csv", "out/", {"source_format": "yaml"}, "source_format is one of"),
        ("lists/a.csv", "out/", {"email_column": "nothing"}, "it has no column 'nothing'"),
    ],
)
def test_what_makes_no_sense_fails_at_once_and_writes_nothing(
    merging: Merging, source: str, destination: str, arguments: dict[str, Any], message: str
) -> None:
    merging.source("lists/a.csv", "email\na@b.example\n")
    results = merging.source("results.csv", "email,verdict\n")
    merging.source("meet/list.csv", "email\na@b.example\n")
    merging.source("meet/list.csv.gz", gzip.compress(b"email\na@b.example\n"))
    before = sorted(merging.folder.rglob("*"))

    with pytest.raises(AirflowFailException, match=message):
        merging.run(f"file://{merging.folder}/{source}", [results], destination, **arguments)
    assert [path for path in sorted(merging.folder.rglob("*")) if path.is_file() and path not in before] == []


def test_a_verified_list_may_lie_beside_its_source(merging: Merging) -> None:
    source = merging.source("lists/a.csv", "email\na@b.example\n")

    assert merging.run(source, [], "lists/") == f"file://{merging.folder}/lists/a.verified.csv"
    assert merging.run(f"file://{merging.folder}/lists/a.c*", [], "lists/")


def test_a_file_that_is_no_result_is_named(merging: Merging) -> None:
    source = merging.source("list.csv", "email\na@b.example\n")

    with pytest.raises(AirflowFailException, match=r"vendors\.csv holds no rows of the schema"):
        merging.run(source, merging.source("vendors.csv", "email,status\na@b.example,valid\n"))


def test_a_list_that_is_not_there_can_be_retried(merging: Merging) -> None:
    with pytest.raises(StorageError, match=r"nothing\.csv"):
        merging.run(f"file://{merging.folder}/nothing.csv", [])


def test_a_list_that_changes_meanwhile_leaves_what_was_there(merging: Merging, monkeypatch: pytest.MonkeyPatch) -> None:
    source = merging.source("list.csv", "email\na@b.example\n")
    path = merging.run(source, [])
    before = content(path)
    results = merging.results({"a@b.example": GOOD})
    from airflow_provider_emailverify.steps import merging as step

    read_answers = step.read_answers

    def change(*arguments: Any) -> Any:
        merging.source("list.csv", "email\nb@b.example\n")
        return read_answers(*arguments)

    monkeypatch.setattr(step, "read_answers", change)

    with pytest.raises(StorageError, match="changed while it was read"):
        merging.run(source, results)
    assert content(path) == before
    assert merging.names() == ["list.verified.csv"]


def test_events_of_the_outlets_carry_the_figures(merging: Merging) -> None:
    asset, alias = Asset("s3://bucket/verified"), AssetAlias("verified")
    events = OutletEvents(asset, alias)
    ti = Ti()
    operator = EmailVerifyMergeOperator(
        task_id="merge",
        source=merging.source("list.csv", "email\n"),
        results=[],
        destination=f"file://{merging.folder}/out/",
        outlets=[asset, alias],
    )

    path = operator.execute({"ti": ti, "outlet_events": events})  # type: ignore[typeddict-item]

    assert events[asset].extra == ti.pushed["summary"]
    assert events[alias].added == [(path, ti.pushed["summary"])]


@pytest.mark.parametrize(
    ("several", "verdicts"), [("first", ["deliverable"] * 2), ("worst", ["undeliverable", "risky"])]
)
def test_a_cell_of_several_addresses_gets_the_verdict_of_its_first_or_the_worst(
    merging: Merging, several: str, verdicts: list[str]
) -> None:
    rows = ["a@b.example; b@b.example", "plain@b.example", "Ada <a@b.example>, c@b.example, d@b.example"]
    source = merging.source(
        "list.csv", "".join(f"{row}\n" if "," not in row else f'"{row}"\n' for row in ["email", *rows])
    )
    said = {"a@b.example": GOOD, "plain@b.example": GOOD, "b@b.example": BAD, "d@b.example": ("risky", *GOOD[1:])}

    path = merging.run(source, merging.results(said | {"c@b.example": UNKNOWN}), several=several, columns=["verdict"])

    found = list(csv.reader(io.StringIO(content(path).decode(), newline="")))
    assert found == [
        ["email", "verdict"],
        *([row, word] for row, word in zip(rows, [verdicts[0], "deliverable", verdicts[1]], strict=True)),
    ]
    assert (merging.summary["addresses"], merging.summary["duplicates"]) == (5, 1)
    assert merging.summary["results"]["not_in_list"] == 0


@pytest.mark.parametrize(
    ("source", "arguments", "page"),
    [
        ("list.csv", {}, "list.verified.report.html"),
        ("list.csv", {"destination": "out/mine.csv"}, "mine.report.html"),
        ("list.csv", {"split_by_verdict": True}, "list.verified.report.html"),
        ("*.csv", {}, "verified.report.html"),
    ],
)
def test_a_page_with_the_figures_stands_beside_the_list(
    merging: Merging, source: str, arguments: dict[str, Any], page: str
) -> None:
    merging.source("list.csv", 'email\na@b.example\na@B.example\n""\nnone\nmissing@b.example\n')
    results = merging.results({"a@b.example": GOOD})

    merging.run(
        f"file://{merging.folder}/{source}",
        results,
        report=True,
        submitted={"sources": SourceFiles.find(f"file://{merging.folder}/list.csv", ListFormat()).plan, "submitted": 2},
        **arguments,
    )

    assert merging.summary["report"] == f"file://{merging.folder}/out/{page}"
    text = (merging.folder / "out" / page).read_text()
    for words in (
        "<h1>list.csv</h1>",
        "1 row has an address of which no results tell.",
        "<th>Rows</th><td>5</td>",
        "<th>Duplicates</th><td>1</td>",
        "<th>No address: without an @</th><td>1</td>",
        "<th>Bought</th><td>2</td>",
        "deliverable 2 <small>50.0%</small>",
    ):
        assert words in text
    assert "b.example" not in text


def test_each_of_several_lists_has_verdicts_of_its_own(merging: Merging) -> None:
    merging.source("a.csv", "email\na@b.example\nc@b.example\n")
    merging.source("b.csv", "email\na@b.example\n")

    merging.run(f"file://{merging.folder}/*.csv", merging.results({"a@b.example": GOOD, "c@b.example": BAD}))

    nothing = {"risky": 0, "unknown": 0}
    assert [each["verdicts"] for each in merging.summary["sources"]] == [
        {"deliverable": 1, "undeliverable": 1, **nothing},
        {"deliverable": 1, "undeliverable": 0, **nothing},
    ]


def test_the_arguments_are_kept_as_they_are_given() -> None:
    given: dict[str, Any] = dict.fromkeys(EmailVerifyMergeOperator.template_fields, "{{ x }}")

    made = EmailVerifyMergeOperator(task_id="merge", split_by_verdict=True, replace_columns=True, **given)

    assert {name: getattr(made, name) for name in given} == given
    assert (made.split_by_verdict, made.replace_columns, made.encoding) == (True, True, "utf-8")


# --- any table ---

LOCALS = st.sampled_from(["a", "b", "JANE", "jane", "josé", '"x y"', "o'neill"])
ADDRESSES = st.builds("{}{}@{}".format, LOCALS, st.integers(0, 9), st.sampled_from(["b.example", "B.example"]))
CELLS = ADDRESSES | st.sampled_from(["", " ", "x", "a@", " a1@b.example ", "a b@c.example"])
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Zs"]) | st.sampled_from(' ",;\n\r\t|'), max_size=6
)
SAID_OF = st.sampled_from([GOOD, BAD, UNKNOWN, (*GOOD[:3], ""), (*BAD[:3], "2020-01-01T00:00:00Z")])


@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(TEXTS, CELLS, TEXTS), max_size=25),
    said=st.lists(st.lists(st.tuples(ADDRESSES, SAID_OF), max_size=10), max_size=3),
    separator=st.sampled_from(",;\t|"),
    line_break=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    many=st.sampled_from([1, 200]),
)
def test_any_table_comes_back_with_its_cells_and_the_verdicts_of_the_results(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    said: list[list[tuple[str, Said]]],
    separator: str,
    line_break: str,
    quoting: Any,
    encoding: str,
    many: int,
) -> None:
    merging = Merging(tmp_path_factory.mktemp("any"))
    table = [("name", "Email", "note"), *rows * many]
    text = io.StringIO(newline="")
    if any("\r" in field for row in rows for field in row):
        quoting = csv.QUOTE_ALL  # Python leaves it out for a line break that is not its own
    csv.writer(text, delimiter=separator, lineterminator=line_break, quoting=quoting).writerows(table)
    source = merging.source("list.csv", text.getvalue().encode(encoding))
    results = [merging.results(dict(some), f"{number}.csv") for number, some in enumerate(said)]

    path = merging.run(source, results, encoding=encoding.removesuffix("-sig"))

    found = list(csv.reader(io.StringIO(content(path).decode(encoding), newline=""), delimiter=separator, strict=True))
    assert [tuple(record[:3]) for record in found] == table
    expected = {cell: answer(cell, said) for _, cell, _ in rows}
    assert [tuple(record[3:]) for record in found[1:]] == [expected[cell] for _, cell, _ in rows * many]


def answer(cell: str, said: Sequence[Sequence[tuple[str, Said]]]) -> Said:
    """What a row gets, by the words of the documentation."""
    address = cell.strip()
    if not is_address(address):
        return INVALID if address else EMPTY
    spelled = f"{address.rpartition('@')[0]}@{address.rpartition('@')[2].lower()}"
    all_said = [pair for some in said for pair in dict(some).items()]
    exact = [what for who, what in all_said if f"{who.rpartition('@')[0]}@{who.rpartition('@')[2].lower()}" == spelled]
    alike = exact or [what for who, what in all_said if who.lower() == address.lower()]
    best = max(enumerate(alike), key=lambda each: (each[1][0] != "unknown", each[1][3], each[0]), default=None)
    return best[1] if best else MISSING


# --- Excel ---


@pytest.mark.parametrize("output_format", [None, "jsonl", "parquet"])
def test_excel_comes_back_as_csv_or_as_what_is_asked_for(merging: Merging, output_format: str | None) -> None:
    pytest.importorskip("python_calamine", reason="Excel files need the extra excel")
    rows = [["My contacts"], ["id", "E-Mail", "score", "vip"], [1, "a@b.example", 0.5, True], [2, None, 1, None], [3]]
    source = merging.source("list.xlsx", workbook({"One": [["x"]], "Two": rows}))

    path = merging.run(
        source,
        merging.results({"a@b.example": GOOD}),
        columns=["verdict", "reason"],
        output_format=output_format,
        sheet="Two",
    )

    if output_format is None:
        assert content(path).decode() == (
            "id,E-Mail,score,vip,verdict,reason\r\n"
            "1,a@b.example,0.5,true,deliverable,accepted\r\n"
            "2,,1,,,no_address\r\n"
            "3,,,,,no_address\r\n"
        )
        return
    names = ["id", "E-Mail", "score", "vip", "verdict", "reason"]
    assert [dict(zip(names, row.values(), strict=True)) for row in read(path)] == [
        dict(zip(names, values, strict=True))
        for values in (
            [1, "a@b.example", 0.5, True, "deliverable", "accepted"],
            [2, None, 1, None, None, "no_address"],
            [3, None, None, None, None, "no_address"],
        )
    ]
