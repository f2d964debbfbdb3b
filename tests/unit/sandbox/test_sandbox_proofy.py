"""Proofy's contract, spoken over loopback."""

from __future__ import annotations

import pytest

PUBLISHED_ROW = {
    "status": "valid",
    "syntax": {"username": "support", "domain": "proofy.io", "valid": True},
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


def submit(proofy, *emails, **options):
    return proofy("POST", "/verify/batch/create", json={"emails": list(emails)}, **options)


def test_the_published_example_comes_back_word_for_word(proofy, sandbox, clock):
    accepted = submit(proofy, "support@proofy.io", "team@proofy.io").json()
    clock.advance(10)

    answer = proofy.get(f"/verify/batch/{accepted['id']}/download").json()

    team = {**PUBLISHED_ROW, "syntax": {**PUBLISHED_ROW["syntax"], "username": "team"}}
    assert answer == {"status": "ready", "list": [PUBLISHED_ROW, team]}


def test_a_batch_walks_from_parsing_to_ready_in_the_set_time(proofy, clock):
    accepted = submit(proofy, "a@example.com").json()
    path = f"/verify/batch/{accepted['id']}"
    said = [proofy.get(path).json()["status"]]
    for _ in range(2):
        clock.advance(5)
        said.append(proofy.get(path).json()["status"])

    assert accepted["status"] == "parsing"
    assert said == ["parsing", "processing", "ready"]


def test_an_early_download_says_that_it_is_not_ready_and_holds_no_rows(proofy):
    batch_id = submit(proofy, "a@example.com").json()["id"]

    assert proofy.get(f"/verify/batch/{batch_id}/download").json() == {"status": "parsing", "list": []}


@pytest.mark.parametrize("code", ["404", "422", "409", "400"])
def test_an_early_download_can_be_an_error(serve, clients, code):
    server = serve(proofy_not_ready_download=code)
    server.ledger.create_batch("proofy", ["a@example.com"], batch_id="early")

    answer = clients[0](server).get("/verify/batch/early/download")

    assert answer.status_code == int(code)
    assert list(answer.json()) == ["message"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("counts", {"id": "x", "status": "ready", "total": 2, "processed": 2}),
        ("result", {"result": {"id": "x", "status": "ready"}}),
    ],
)
def test_a_status_can_have_other_shapes(serve, clients, shape, expected):
    server = serve(proofy_status_shape=shape)
    server.ledger.create_batch("proofy", ["a@b.example", "c@d.example"], batch_id="x", ready_after=0)

    assert clients[0](server).get("/verify/batch/x").json() == expected


@pytest.mark.parametrize(("key", "code"), [(None, 401), ("", 401), ("invalid-key", 401), ("forbidden-key", 403)])
def test_a_documented_bad_key_is_refused(proofy, key, code):
    answer = proofy.get("/credits", key=key)

    assert answer.status_code == code
    assert list(answer.json()) == ["message"]


def test_a_key_in_a_header_does_not_count(proofy):
    answer = proofy.get("/credits", key=None, headers={"Authorization": "Bearer some-key", "api_key": "k"})

    assert answer.status_code == 401


def test_the_limit_of_a_batch_is_ten_thousand(proofy, sandbox):
    allowed = submit(proofy, *(f"user{n}@example.com" for n in range(10_000)))
    refused = submit(proofy, *(f"user{n}@example.com" for n in range(10_001)))

    assert (allowed.status_code, refused.status_code) == (200, 422)
    assert "10000" in refused.json()["message"]
    assert len(sandbox.ledger.batches()) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"emails": "a@b.de"}', b'{"emails": []}', b'{"emails": [1]}'])
def test_a_body_without_a_list_of_addresses_is_refused(proofy, sandbox, body):
    answer = proofy("POST", "/verify/batch/create", data=body)

    assert answer.status_code in (400, 422)
    assert sandbox.ledger.batches() == []


@pytest.mark.parametrize(("reading", "code"), [("400", 400), ("402", 402)])
def test_an_account_without_credits_can_ask_but_not_buy(serve, clients, reading, code):
    server = serve(proofy_no_credits=reading)
    proofy = clients[0](server)

    refused = submit(proofy, "a@example.com", key="no-credits-key")

    assert refused.status_code == code
    assert "credits" in refused.json()["message"]
    assert proofy.get("/credits", key="no-credits-key").json() == {"credits": 0}
    assert server.ledger.charged() == {}


def test_credits_run_out(serve, clients):
    proofy = clients[0](serve(settings={"credits": 3}))
    codes = [submit(proofy, "a@example.com", "b@example.com").status_code for _ in range(2)]

    assert codes == [200, 400]
    assert proofy.get("/credits").json() == {"credits": 1}


def test_an_unknown_verdict_is_not_charged(proofy, sandbox):
    submit(proofy, "a@example.com", "a+unknown@example.com")

    assert dict(sandbox.ledger.charged("proofy")) == {"a@example.com": 1}


@pytest.mark.parametrize("batch_id", ["a/b", "a b", "ä&c=?#", "../up", "50%", "%2F"])
def test_an_odd_batch_id_survives_the_path(proofy, sandbox, batch_id):
    from urllib.parse import quote

    sandbox.ledger.create_batch("proofy", ["a@example.com"], batch_id=batch_id, state="ready")
    path = f"/verify/batch/{quote(batch_id, safe='')}"

    assert proofy.get(path).json() == {"id": batch_id, "status": "ready"}
    assert proofy.get(path + "/download").json()["status"] == "ready"


def test_an_unquoted_slash_in_an_id_is_another_path(proofy, sandbox):
    sandbox.ledger.create_batch("proofy", batch_id="a/b")

    assert proofy.get("/verify/batch/a/b").status_code == 404


def test_an_unknown_batch_is_not_found_at_any_path(proofy):
    answers = [
        proofy.get("/verify/batch/nope"),
        proofy.get("/verify/batch/nope/download"),
        proofy("DELETE", "/verify/batch/nope"),
    ]

    assert [(each.status_code, each.json()) for each in answers] == [(404, {"message": "Not Found"})] * 3


def test_a_cancelled_batch_stays_cancelled(proofy, clock):
    batch_id = submit(proofy, "a@example.com").json()["id"]
    cancelled = proofy("DELETE", f"/verify/batch/{batch_id}")
    clock.advance(100)

    assert cancelled.json() == {"id": batch_id, "status": "canceled"}
    assert proofy.get(f"/verify/batch/{batch_id}").json()["status"] == "canceled"


def test_a_finished_batch_cannot_be_cancelled(proofy, sandbox):
    sandbox.ledger.create_batch("proofy", batch_id="x", ready_after=0)

    assert proofy("DELETE", "/verify/batch/x").status_code == 422


def test_a_forced_state_is_said_word_for_word(proofy, sandbox):
    sandbox.ledger.create_batch("proofy", batch_id="x", ready_after=0)
    said = []
    for state in ("ripening", "failed", None):
        sandbox.ledger.batch("x").state = state
        said.append(proofy.get("/verify/batch/x").json()["status"])

    assert said == ["ripening", "failed", "ready"]


def test_given_rows_and_given_bytes_are_served_as_they_are(proofy, sandbox):
    sandbox.ledger.create_batch("proofy", batch_id="rows", state="ready", rows=[{"status": "new-word"}])
    sandbox.ledger.create_batch("proofy", batch_id="bytes", state="ready", content=b'{"status"')

    assert proofy.get("/verify/batch/rows/download").json()["list"] == [{"status": "new-word"}]
    assert proofy.get("/verify/batch/bytes/download").content == b'{"status"'


def test_a_single_address_is_verified_and_charged_at_once(proofy, sandbox):
    answer = proofy.get("/verify/single", params={"email": "support@proofy.io"})

    assert answer.json() == PUBLISHED_ROW
    assert dict(sandbox.ledger.charged()) == {"support@proofy.io": 1}


def test_undocumented_details_of_rows_can_be_read_otherwise(serve, clients):
    server = serve(proofy_mx="records", proofy_bad_syntax="as_given", proofy_duplicates="drop", proofy_case="lower")
    addresses = ["Ann@Example.com", "Ann@Example.com", "no at sign"]
    server.ledger.create_batch("proofy", addresses, batch_id="x", ready_after=0)

    rows = clients[0](server).get("/verify/batch/x/download").json()["list"]

    assert [row["syntax"] for row in rows] == [
        {"username": "ann", "domain": "example.com", "valid": True},
        {"username": "", "domain": "no at sign", "valid": False},
    ]
    assert rows[0]["mx"] == {"records": ["mx.example.com."], "acceptsMail": True}


def test_an_unparsable_address_has_an_empty_syntax_by_default(proofy, sandbox):
    sandbox.ledger.create_batch("proofy", ["a..b@example.com"], batch_id="x", ready_after=0)

    row = proofy.get("/verify/batch/x/download").json()["list"][0]

    assert (row["status"], row["syntax"]) == ("invalid", {"username": "", "domain": "", "valid": False})


def test_requests_above_the_set_rate_get_429_until_a_minute_has_passed(serve, clients, clock):
    proofy = clients[0](serve(settings={"requests_per_minute": 2}))
    codes = [proofy.get("/credits").status_code for _ in range(3)]
    other_key = proofy.get("/credits", key="another-key").status_code
    clock.advance(61)

    assert codes == [200, 200, 429]
    assert other_key == 200
    assert proofy.get("/credits").status_code == 200
