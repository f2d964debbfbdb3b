"""From each vendor's bytes to rows: the published examples, what drifts, and what is malformed."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.exceptions import (
    BatchFailedError,
    BatchNotReadyError,
    EmailVerifyError,
    IncompleteResponseError,
    InvalidRequestError,
    UnexpectedResponseError,
    UnknownColumnsError,
    UnreadableResultsError,
)
from airflow_provider_emailverify.results.schema import COLUMNS
from tests.unit.results.conftest import Read

REPRODUCIBLE = settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

# As on the vendor's page on batch results.
PUBLISHED = [
    {
        "status": "valid",
        "syntax": {"username": name, "domain": "proofy.io", "valid": True},
        "free": False,
        "roleAccount": True,
        "roleNoReply": False,
        "disposable": False,
        "possibleSpamTrap": False,
        "mx": {"hasRecords": True, "acceptsMail": True},
        "deliverability": {
            "canConnect": True,
            "fullInbox": False,
            "catchAll": False,
            "deliverable": True,
            "disabled": False,
        },
    }
    for name in ("support", "team")
]


def answer(*rows: Any, **members: Any) -> bytes:
    return json.dumps({"status": "ready", "list": rows, **members}).encode()


# --- Proofy ---


def test_the_published_rows_of_proofy_are_those_that_one_would_write_by_hand(read: Read) -> None:
    assert read("proofy", answer(*PUBLISHED)) == [
        {
            "email": email,
            "verdict": "deliverable",
            "reason": "accepted",
            "vendor": "proofy",
            "vendor_status": "valid",
            "batch_id": "b-1",
            "syntax_valid": True,
            "mx_found": True,
            "mx_accepts_mail": True,
            "smtp_connectable": True,
            "smtp_deliverable": True,
            "catch_all": False,
            "disposable": False,
            "role": True,
            "no_reply": False,
            "free": False,
            "mailbox_full": False,
            "disabled": False,
            "spam_trap": False,
            "verified_at": "2026-11-26T09:30:00Z",
        }
        for email in ("support@proofy.io", "team@proofy.io")
    ]


@pytest.mark.parametrize(
    ("part", "name", "column"),
    [
        ("", "free", "free"),
        ("", "roleAccount", "role"),
        ("", "roleNoReply", "no_reply"),
        ("", "disposable", "disposable"),
        ("", "possibleSpamTrap", "spam_trap"),
        ("syntax", "valid", "syntax_valid"),
        ("mx", "hasRecords", "mx_found"),
        ("mx", "acceptsMail", "mx_accepts_mail"),
        ("deliverability", "canConnect", "smtp_connectable"),
        ("deliverability", "deliverable", "smtp_deliverable"),
        ("deliverability", "catchAll", "catch_all"),
        ("deliverability", "fullInbox", "mailbox_full"),
        ("deliverability", "disabled", "disabled"),
    ],
)
@pytest.mark.parametrize("value", [True, False, "true", None, [1]])
def test_each_of_proofys_flags_has_its_column(read: Read, part: str, name: str, column: str, value: Any) -> None:
    row = json.loads(json.dumps(PUBLISHED[0]))
    before = read("proofy", answer(row))[0]
    (row[part] if part else row)[name] = value

    expected = {"true": True, "[1]": None}.get(json.dumps(value).strip('"'), value)
    assert read("proofy", answer(row))[0] == {**before, column: expected}


@pytest.mark.parametrize("part", [*PUBLISHED[0], "everything"])
@pytest.mark.parametrize("replacement", ["missing", None, "text", 1, [], {}, [{}]])
def test_a_row_that_lacks_a_part_is_read_with_null_in_its_place(read: Read, part: str, replacement: Any) -> None:
    row: dict[str, Any] = {} if part == "everything" else json.loads(json.dumps(PUBLISHED[0]))
    if replacement == "missing":
        row.pop(part, None)
    else:
        row[part] = replacement

    record = read("proofy", answer(PUBLISHED[0], row, PUBLISHED[1]))[1]

    assert list(record) == list(COLUMNS)
    assert (record["email"] is None) == (part in ("syntax", "everything"))
    assert (record["verdict"] == "unknown") == (part in ("status", "everything"))


@pytest.mark.parametrize(
    ("mx", "found"),
    [
        ({"records": ["mx.proofy.io."], "acceptsMail": True}, True),
        ({"records": []}, False),
        ({"records": None}, None),
        ({"records": "mx"}, None),
    ],
)
def test_the_mx_records_of_the_page_on_terminology_are_read(read: Read, mx: Any, found: bool | None) -> None:
    assert read("proofy", answer({**PUBLISHED[0], "mx": mx}))[0]["mx_found"] is found


@pytest.mark.parametrize(
    "syntax",
    [
        {"username": "", "domain": "a.example"},
        {"username": "a", "domain": None},
        {"username": 1, "domain": "a.example"},
        {"username": "a\ud800", "domain": "b.example"},
    ],
)
def test_an_address_that_cannot_be_rebuilt_is_null(read: Read, syntax: Any) -> None:
    assert read("proofy", answer({**PUBLISHED[0], "syntax": {**syntax, "valid": False}}))[0]["email"] is None


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize(
    ("status", "error"),
    [("parsing", BatchNotReadyError), ("failed", BatchFailedError), (None, UnexpectedResponseError)],
)
def test_rows_of_an_answer_that_is_not_ready_do_not_count(
    read: Read, ahead: bool, status: Any, error: type[EmailVerifyError]
) -> None:
    members = {"status": status, "list": PUBLISHED} if ahead else {"list": PUBLISHED, "status": status}

    with pytest.raises(error):
        read("proofy", json.dumps(members).encode())


@pytest.mark.parametrize(
    "content",
    [b'{"status": "ready"}', b'{"status": "ready", "list": {}}', b'{"list": []}', b"[]", answer(error="late")],
)
def test_an_answer_that_is_something_else_is_unexpected(read: Read, content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError):
        read("proofy", content)


@pytest.mark.parametrize("row", [["support@proofy.io"], "support@proofy.io", 1, None])
def test_a_row_that_is_no_object_is_an_error_without_the_row(read: Read, row: Any) -> None:
    with pytest.raises(UnreadableResultsError, match="a row is not an object, but") as caught:
        read("proofy", answer(row))

    assert "proofy.io" not in str(caught.value)


def test_what_proofy_says_of_the_batch_goes_before_the_shape_of_its_rows(read: Read) -> None:
    with pytest.raises(BatchFailedError):
        read("proofy", answer("oops", status="failed"))


def test_a_users_word_decides(read: Read) -> None:
    gold = {**PUBLISHED[0], "status": "Gold"}

    assert read("proofy", answer(gold))[0]["verdict"] == "unknown"
    assert read("proofy", answer(gold), status_map={"gold": "deliverable"})[0]["verdict"] == "deliverable"


# --- Cliova ---

CSV = b"email,status\nsupport@proofy.io,valid\nteam@proofy.io,invalid\n"


def brief(records: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(record["email"], record["verdict"], record["reason"]) for record in records]


EXPECTED = [("support@proofy.io", "deliverable", "accepted"), ("team@proofy.io", "undeliverable", "other")]


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        CSV.replace(b"\n", b"\r\n"),
        CSV.replace(b"\n", b"\n\n"),
        b"\xef\xbb\xbf" + CSV,
        CSV.rstrip(),
        CSV.replace(b",", b";"),
        CSV.replace(b",", b"\t"),
        CSV.replace(b"email", b"E-Mail").replace(b"status", b"Validation Status"),
        CSV.replace(b"email,status", b'"Email Address",Result'),
        b'Name,Status,Email\r\n"Doe, John",Valid, support@proofy.io \r\n"J""\r\nDoe",Invalid,team@proofy.io\r\n',
        b"email,status,reason\nsupport@proofy.io,valid,\nteam@proofy.io,invalid\n",
        b"email,status\nsupport@proofy.io,valid,,\nteam@proofy.io,invalid\n",
        CSV.replace(b"\n", b"\r"),
        CSV.replace(b"\n", b"\r").rstrip(),
        b"sep=;\r\n" + CSV.replace(b",", b";"),
        b"\r\n \n" + CSV,
        b"Results of May, 2026\n\n" + CSV,
        CSV.replace(b",valid", b"," + b"x" * 200_000 + b"@example.com,valid")
        .replace(b"email,", b"email,note,", 1)
        .replace(b",invalid", b",,invalid"),
        CSV.decode().encode("utf-16"),
    ],
)
def test_csv_of_many_kinds_is_read(read: Read, content: bytes) -> None:
    assert brief(read("cliova", content)) == EXPECTED


@pytest.mark.parametrize("envelope", [True, False])
def test_json_rows_are_read_bare_and_in_an_envelope(read: Read, envelope: bool) -> None:
    rows = [
        {"Email": "support@proofy.io", "result": "Valid"},
        {"result": "invalid", "Email": "team@proofy.io", "x": []},
    ]
    content = json.dumps({"code": "SUCCESS", "message": "…", "payload": rows} if envelope else rows).encode()

    assert brief(read("cliova", content, "application/json")) == EXPECTED


def test_flags_of_cliova_are_found_by_their_headers(read: Read) -> None:
    content = b"email,validationStatus,isCatchAll,isRoleBased,hasMxRecords\na@example.com,RISKY,TRUE,no,\n"

    record = read("cliova", content)[0]

    assert (record["catch_all"], record["role"], record["mx_found"], record["free"]) == (True, False, None, None)
    assert (record["verdict"], record["reason"], record["vendor_status"]) == ("risky", "catch_all", "RISKY")


def test_a_list_where_a_flag_should_be_is_null(read: Read) -> None:
    content = json.dumps([{"email": "a@example.com", "status": "valid", "role": [1]}]).encode()

    assert read("cliova", content, "application/json")[0]["role"] is None


@pytest.mark.parametrize(
    ("content", "missing", "columns"),
    [
        (b"id,name\n1,support@proofy.io\n", "email or verdict", "the columns are id, name"),
        (b"email,isValid\nsupport@proofy.io,true\n", "verdict", "the columns are email, isValid"),
        (b"who,status\nsupport@proofy.io,valid\n", "email", "the columns are who, status"),
        (b"Jane Doe,jane@example.com,valid\nx,y@example.com,valid\n", "email or verdict", "not shown"),
        (b"Jane Doe,Berlin,valid\nx,y@example.com,valid\n", "email or verdict", "not shown"),
        (b"Jane,support,0170123456\nx,y@example.com,valid\n", "email or verdict", "not shown"),
        (b'[{"id": 1, "who": "support@proofy.io"}]', "email or verdict", "are id, who"),
        (b'[{"jane@example.com": "valid"}]', "email or verdict", "not shown"),
        (b'[{"Jane": "valid"}]', "email or verdict", "not shown"),
    ],
)
def test_unknown_columns_are_named_but_no_row_is(read: Read, content: bytes, missing: str, columns: str) -> None:
    media_type = "application/json" if content.startswith(b"[") else "text/csv"
    with pytest.raises(UnknownColumnsError, match=f"hold {missing}; .*{columns}.*column_map") as caught:
        read("cliova", content, media_type)

    assert not re.search("@|Jane|support", str(caught.value))


def test_the_user_names_columns_and_words(read: Read) -> None:
    content = b"Who?,Outcome\nsupport@proofy.io,1\nteam@proofy.io,2\n"

    records = read(
        "cliova",
        content,
        column_map={"email": "who", "verdict": "outcome"},
        status_map={"1": "deliverable", "2": "undeliverable"},
    )

    assert brief(records) == EXPECTED


@pytest.mark.parametrize("media_type", ["text/csv", "application/json"])
def test_the_users_columns_are_taken_as_they_are_written(read: Read, media_type: str) -> None:
    rows = [{"E-Mail": "old@example.com", "Email": "support@proofy.io", "Status": "Valid", "status": "Invalid"}]
    content = json.dumps(rows).encode()
    if media_type == "text/csv":
        content = b"E-Mail,Email,Status,status\nold@example.com,support@proofy.io,Valid,Invalid\n"

    records = read("cliova", content, media_type, column_map={"email": "Email", "verdict": "Status"})

    assert brief(records) == EXPECTED[:1]


@pytest.mark.parametrize("media_type", ["text/csv", "application/json"])
def test_two_columns_that_are_alike_are_not_chosen_from(read: Read, media_type: str) -> None:
    content = b"E-Mail,e_mail,Status\nold@example.com,support@proofy.io,Valid\n"
    if media_type != "text/csv":
        content = b'[{"E-Mail": "old@example.com", "e_mail": "support@proofy.io", "Status": "valid"}]'

    with pytest.raises(UnknownColumnsError, match="column_map names 'Email' for email, and 2 columns are called that"):
        read("cliova", content, media_type, column_map={"email": "Email"})


@pytest.mark.parametrize("header", ["", " ", None, "#"])
def test_a_header_of_nothing_or_of_signs_matches_no_other(read: Read, header: Any) -> None:
    with pytest.raises((InvalidRequestError, UnknownColumnsError)):
        read("cliova", b"!,status\nsupport@proofy.io,valid\n", column_map={"email": header or ""})


@pytest.mark.parametrize(
    "row", [{"email": "a@example.com"}, {"status": "valid"}, {"x": 1}, {}, {"email": None, "status": []}]
)
def test_a_json_row_that_lacks_columns_has_null_in_their_place(read: Read, row: Any) -> None:
    content = json.dumps([{"email": "support@proofy.io", "status": "valid"}, row]).encode()

    record = read("cliova", content, "application/json")[1]

    assert record["email"] == row.get("email")
    assert (record["verdict"] == "deliverable") == (row.get("status") == "valid")


@pytest.mark.parametrize(
    "number", ["9" * 400, "-" + "9" * 400, "1e999", "-1e999", "9" * 4300, "1" + "0" * 30 + ".5", "true"]
)
def test_numbers_of_any_size_are_read(read: Read, number: str) -> None:
    content = f'[{{"email": "a@example.com", "status": {number}, "role": {number}, "reason": {number}}}]'.encode()
    document = f'{{"status": "ready", "list": [{{"status": {number}, "free": {number}}}]}}'.encode()

    assert brief(read("cliova", content, "application/json")) == [("a@example.com", "unknown", "other")]
    assert brief(read("proofy", document)) == [(None, "unknown", "other")]


def test_rows_of_ever_other_members_are_not_all_remembered(read: Read) -> None:
    rows = [
        {"email": "a@example.com", "status": "valid", **{f"{number}-{name}": 1 for name in range(300)}}
        for number in range(3)
    ]

    assert len(read("cliova", json.dumps(rows).encode(), "application/json")) == 3


def test_a_column_that_the_schema_does_not_have_is_refused(read: Read) -> None:
    with pytest.raises(InvalidRequestError, match="not 'mail'"):
        read("cliova", CSV, column_map={"mail": "E-Mail"})


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"email,status\na@example.com,x,valid\n", "has 3 fields in line 2 where its header has 2"),
        (b'email,status\n\n"x\ny",valid\n"a"b@example.com,valid\n', "quotes that do not match in the row .* line 5"),
        (b'email,status\n"x\ny",valid\na@example.com,x,valid\n', "has 3 fields in line 4"),
        (
            b"email,status\n" + b"a" * 20_000_000 + b"@example.com,valid\n",
            "has a line of more than 16,777,216 characters",
        ),
        (b"email,status\na@ex\xe4mple.com,valid\n", "is not text in utf-8"),
        (b'email,status\n"a@example.com,valid\n', "quotes that do not match"),
    ],
)
def test_csv_that_cannot_be_read_is_an_error_without_its_content(read: Read, content: bytes, problem: str) -> None:
    with pytest.raises(UnreadableResultsError, match=problem) as caught:
        read("cliova", content)

    assert "example.com" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("content", [CSV[:-10], CSV[:40], b'email,status\n"a@example.com,valid\n'])
def test_csv_that_is_cut_is_noticed_unless_its_length_was_known(read: Read, content: bytes) -> None:
    with pytest.raises(IncompleteResponseError, match="ends in the middle of a row"):
        read("cliova", content, length_known=False)


@pytest.mark.parametrize("content", [b"", b"<html>", b"Service unavailable", b" \n"])
def test_what_is_no_csv(read: Read, content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError, match="expected a CSV file"):
        read("cliova", content)


@pytest.mark.parametrize("media_type", ["text/csv", "application/json"])
@pytest.mark.parametrize(
    "content",
    [b'{"code": "ERROR", "message": "late"}', b'{"code": "SUCCESS", "payload": null}', b'{"error": {"message": "x"}}'],
)
def test_an_error_in_disguise_is_not_read_as_rows(read: Read, media_type: str, content: bytes) -> None:
    with pytest.raises(UnexpectedResponseError):
        read("cliova", content, media_type)


def test_what_cliova_says_goes_before_the_shape_of_its_rows(read: Read) -> None:
    with pytest.raises(UnexpectedResponseError, match="late"):
        read("cliova", b'{"payload": ["x"], "code": "ERROR", "message": "late"}', "application/json")


def test_a_table_without_rows_is_no_error(read: Read) -> None:
    assert read("cliova", b"email,status\n") == []
    assert read("cliova", b"[]", "application/json") == []
    assert read("proofy", answer()) == []


@pytest.mark.parametrize("cell", ["=cmd()|x@example.com", "+1@example.com", "-a@example.com", "a\x00@example.com"])
def test_a_cell_is_data_whatever_a_spreadsheet_would_make_of_it(read: Read, cell: str) -> None:
    assert read("cliova", f"email,status\n{cell},valid\n".encode())[0]["email"] == cell


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=12)


@REPRODUCIBLE
@given(
    st.lists(st.tuples(TEXT.map(str.strip), st.sampled_from(["valid", "Invalid", "gold"]), TEXT), max_size=6),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_addresses_and_words_that_go_into_csv_come_out(
    read: Read, table: list[tuple[str, str, str]], delimiter: str, quoting: int, end: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    writer.writerows([("email", "status", "name"), *table])

    records = read("cliova", text.getvalue().encode())

    assert [(record["email"], record["vendor_status"]) for record in records] == [
        (email or None, word) for email, word, _ in table
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
PARTS = {
    part: st.dictionaries(st.sampled_from(sorted(PUBLISHED[0][part])), ANY, max_size=5) | ANY  # type: ignore[call-overload]
    for part in ("syntax", "mx", "deliverability")
}
DRIFTED = st.fixed_dictionaries({}, optional={**dict.fromkeys(sorted(set(PUBLISHED[0]) - set(PARTS)), ANY), **PARTS})


@REPRODUCIBLE
@given(st.lists(DRIFTED, max_size=4))
def test_rows_of_any_shape_are_read_as_rows_of_the_schema(read: Read, rows: list[Any]) -> None:
    records = read("proofy", answer(*rows))

    assert len(records) == len(rows)
    for record in records:
        assert list(record) == list(COLUMNS)
        json.dumps(record, ensure_ascii=False).encode()
