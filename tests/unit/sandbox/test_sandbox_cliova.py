"""Cliova's contract, spoken over loopback."""

from __future__ import annotations

import pytest

CSV = b"email,name\r\nann@example.com,Ann\r\nbob+risky@example.com,Bob\r\n"


def test_an_upload_answers_an_object_and_charges_every_row_at_once(cliova, sandbox, upload):
    body = upload(cliova, CSV, name="news & more/1").json()

    assert body["code"] == "SUCCESS"
    assert body["payload"]["name"] == "news & more/1"
    assert body["payload"]["status"] == "IN PROGRESS"
    assert (body["payload"]["totalEmails"], body["payload"]["totalCreditsUsed"]) == (2, 2)
    assert sandbox.ledger.charged("cliova").total() == 2


def test_a_status_is_a_list_of_one_and_ends_as_completed(cliova, upload, clock):
    list_id = upload(cliova, CSV).json()["payload"]["id"]
    before = cliova.get(f"/{list_id}/status").json()["payload"]
    clock.advance(10)
    after = cliova.get(f"/{list_id}/status").json()["payload"]

    assert [each["status"] for each in before] == ["IN PROGRESS"]
    assert [(each["status"], each["totalValidEmails"]) for each in after] == [("COMPLETED", 1)]
    assert before[0]["createdAt"] == after[0]["createdAt"]


def test_results_are_csv_by_default(cliova, sandbox):
    sandbox.ledger.create_batch("cliova", ["ann@example.com", 'q"x@example.com'], batch_id="x", ready_after=0)

    answer = cliova.get("/x/download-result")

    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.splitlines() == [
        "email,status,reason,disposable,role,free,catch_all",
        "ann@example.com,valid,accepted,false,false,false,false",
        '"q""x@example.com",invalid,syntax,false,false,false,false',
    ]


def test_results_can_be_json_and_verified_only(cliova, sandbox):
    sandbox.ledger.create_batch("cliova", ["ann@example.com", "bob+risky@example.com"], batch_id="x", ready_after=0)

    rows = cliova.get("/x/download-result", params={"output": "json", "verifiedOnly": "true"}).json()

    assert [row["email"] for row in rows] == ["ann@example.com"]


@pytest.mark.parametrize("wrong", [{"output": "xml"}, {"verifiedOnly": "True"}, {"verifiedOnly": "1"}])
def test_an_option_that_the_page_does_not_list_is_refused(cliova, sandbox, wrong):
    sandbox.ledger.create_batch("cliova", ["ann@example.com"], batch_id="x", ready_after=0)

    assert cliova.get("/x/download-result", params=wrong).status_code == 400


@pytest.mark.parametrize(
    ("reading", "code", "word"),
    [("envelope", 200, "error"), ("400", 400, "error"), ("404", 404, "error"), ("409", 409, "error")],
)
def test_an_early_download_is_an_error_with_a_reading_of_its_status(serve, clients, reading, code, word):
    server = serve(cliova_early_download=reading)
    server.ledger.create_batch("cliova", ["ann@example.com"], batch_id="x")

    answer = clients[1](server).get("/x/download-result")

    assert answer.status_code == code
    assert answer.json()[word]["message"] == "Validation is not completed"


def test_an_early_download_can_be_half_a_file(serve, clients):
    server = serve(cliova_early_download="partial")
    server.ledger.create_batch("cliova", [f"u{n}@example.com" for n in range(4)], batch_id="x")

    answer = clients[1](server).get("/x/download-result")

    assert (answer.status_code, len(answer.text.splitlines())) == (200, 3)


def test_a_failed_list_has_no_results(cliova, sandbox):
    sandbox.ledger.create_batch("cliova", ["ann@example.com"], batch_id="x", state="FAILED", ready_after=0)

    assert cliova.get("/x/status").json()["payload"][0]["status"] == "FAILED"
    assert "error" in cliova.get("/x/download-result").json()


def test_a_status_payload_can_be_an_object(serve, clients):
    server = serve(cliova_status_payload="object")
    server.ledger.create_batch("cliova", batch_id="x", ready_after=0)

    assert clients[1](server).get("/x/status").json()["payload"]["status"] == "COMPLETED"


def test_an_unknown_list_is_404_or_an_empty_payload(cliova, serve, clients):
    empty = clients[1](serve(cliova_unknown_id="empty_list"))

    assert cliova.get("/nope/status").status_code == 404
    assert cliova.get("/nope/download-result").status_code == 404
    assert empty.get("/nope/status").json()["payload"] == []


@pytest.mark.parametrize(("reading", "code"), [("accept", 200), ("409", 409), ("400", 400)])
def test_a_name_that_was_used_is_accepted_or_refused(serve, clients, upload, reading, code):
    server = serve(cliova_duplicate_name=reading)
    cliova = clients[1](server)
    upload(cliova, CSV, name="weekly")

    assert upload(cliova, CSV, name="weekly").status_code == code
    assert len(server.ledger.charged_more_than_once()) == (2 if code == 200 else 0)


@pytest.mark.parametrize(
    ("reading", "header"),
    [
        ("title_case", "Email,Result,Sub Status"),
        ("semicolon", "email_address;validation_result"),
        (
            "flags",
            "email,isValid,validationStatus,isSyntaxValid,hasMxRecords,isCatchAll,isDisposable,isRoleBased",
        ),
    ],
)
def test_columns_can_have_other_names(serve, clients, reading, header):
    server = serve(cliova_csv=reading)
    server.ledger.create_batch("cliova", ["ann@example.com"], batch_id="x", ready_after=0)

    assert clients[1](server).get("/x/download-result").text.splitlines()[0] == header


def test_json_results_can_be_enveloped_with_booleans_as_strings(serve, clients):
    server = serve(cliova_json="envelope", cliova_booleans="string")
    server.ledger.create_batch("cliova", ["ann@example.com"], batch_id="x", ready_after=0)

    body = clients[1](server).get("/x/download-result", params={"output": "json"}).json()

    assert (body["code"], body["payload"][0]["disposable"]) == ("SUCCESS", "false")


@pytest.mark.parametrize(("reading", "keys"), [("code", ["code", "message", "payload"]), ("error", ["error"])])
def test_errors_can_carry_other_keys(serve, clients, reading, keys):
    answer = clients[1](serve(cliova_error=reading)).get("/nope/status")

    assert sorted(answer.json()) == keys


@pytest.mark.parametrize("content", [b"", b"mail\r\na@b.de\r\n", b"email\r\n", b"email\r\n\xff@x.de\r\n"])
def test_a_file_without_readable_addresses_is_refused(cliova, sandbox, upload, content):
    assert upload(cliova, content).status_code == 400
    assert sandbox.ledger.batches() == []


def test_a_name_and_a_file_are_required(cliova, upload):
    nameless = upload(cliova, CSV, name=None)
    fileless = cliova("POST", "", params={"name": "x"}, data={"file": "text"})

    assert [nameless.status_code, fileless.status_code] == [400, 400]


@pytest.mark.parametrize(
    ("key", "code"), [(None, 401), ("invalid-key", 401), ("forbidden-key", 403), ("no-credits-key", 402)]
)
def test_a_documented_bad_key_cannot_upload(cliova, sandbox, upload, key, code):
    answer = upload(cliova, CSV, key=key)

    assert answer.status_code == code
    assert answer.json()["error"]["message"]
    assert sandbox.ledger.batches() == []


def test_an_odd_list_id_survives_the_path(cliova, sandbox):
    sandbox.ledger.create_batch("cliova", ["ann@example.com"], batch_id="a/b c", ready_after=0)

    assert cliova.get("/a%2Fb%20c/status").json()["payload"][0]["id"] == "a/b c"
    assert cliova.get("/a%2Fb%20c/download-result").status_code == 200


def test_vendors_do_not_see_each_others_batches(cliova, proofy, sandbox):
    sandbox.ledger.create_batch("proofy", batch_id="x")

    assert proofy.get("/verify/batch/x").status_code == 200
    assert cliova.get("/x/status").status_code == 404
