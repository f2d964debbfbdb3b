"""Words and flags to verdicts and reasons: the tables, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.hooks import proofy
from airflow_provider_emailverify.results.findings import Findings, flag, loosen
from airflow_provider_emailverify.results.likely import LIKELY_REASONS, LIKELY_WORDS
from airflow_provider_emailverify.results.schema import COLUMNS, FLAGS, Origin, Reason, Verdict


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        *((value, True) for value in (True, "true", "True", " TRUE ", "yes", "Y", "1", 1, 1.0)),
        *((value, False) for value in (False, "false", "FALSE", "no", "n", "0", 0)),
        *((value, None) for value in (None, "", "unknown", "None", "null", "maybe", 2, -1, [], {}, [True], "0.0")),
    ],
)
def test_a_flag_is_true_false_or_not_said(value: Any, meaning: bool | None) -> None:
    assert flag(value) is meaning


@pytest.mark.parametrize("word", ["catch all", "Catch-All", "CATCH_ALL", "catchAll", " catch--all ", "catch.all"])
def test_words_are_compared_without_case_and_separators(word: str) -> None:
    assert loosen(word) == "catchall"


@pytest.mark.parametrize("word", ["-1", "1-1", "4.1", "A-", "A+", "!valid", "valid!", "✓", "-", "_", "550 5.1.1"])
def test_signs_that_separate_nothing_stay(word: str) -> None:
    assert loosen(word) == word.casefold()


@pytest.mark.parametrize(
    ("word", "flags", "verdict", "reason"),
    [
        # The vendor's own word decides the verdict, whatever the flags say.
        ("valid", {}, "deliverable", "accepted"),
        ("valid", {"role": True, "smtp_deliverable": False, "disposable": True}, "deliverable", "accepted"),
        ("VALID", {}, "deliverable", "accepted"),
        # Flags choose the reason; the first that matches.
        ("invalid", {"syntax_valid": False, "mx_found": False}, "undeliverable", "invalid_syntax"),
        ("invalid", {"mx_found": False, "disabled": True}, "undeliverable", "no_mx"),
        ("invalid", {"mx_found": True, "mx_accepts_mail": False}, "undeliverable", "no_mx"),
        ("invalid", {"disabled": True, "smtp_connectable": False}, "undeliverable", "disabled"),
        ("invalid", {"smtp_connectable": False, "smtp_deliverable": False}, "undeliverable", "no_connect"),
        ("invalid", {"smtp_connectable": True, "smtp_deliverable": False}, "undeliverable", "rejected"),
        ("invalid", {"smtp_deliverable": True}, "undeliverable", "other"),
        ("invalid", {}, "undeliverable", "other"),
        ("risky", {"spam_trap": True, "disposable": True}, "risky", "spam_trap"),
        ("risky", {"disposable": True, "catch_all": True}, "risky", "disposable"),
        ("risky", {"catch_all": True, "mailbox_full": True}, "risky", "catch_all"),
        ("risky", {"mailbox_full": True, "no_reply": True}, "risky", "mailbox_full"),
        ("risky", {"no_reply": True, "role": True}, "risky", "no_reply"),
        ("risky", {"role": True}, "risky", "role"),
        ("risky", {"free": True}, "risky", "other"),
        ("risky", {}, "risky", "other"),
        ("unknown", {"smtp_connectable": False}, "unknown", "no_connect"),
        ("unknown", {"smtp_connectable": True}, "unknown", "other"),
        ("unknown", {}, "unknown", "other"),
    ],
)
def test_proofys_words_and_flags(word: str, flags: dict[str, Any], verdict: str, reason: str) -> None:
    found = Findings(proofy._WORDS).make(word, **flags)

    assert (found.verdict, found.reason, found.vendor_status, found.known) == (verdict, reason, word, True)


@pytest.mark.parametrize("word", ["gold", "valid!x", "", "  ", None, [], {}, True, 7])
def test_an_unknown_word_is_an_unknown_verdict_that_keeps_the_word(word: Any) -> None:
    found = Findings(proofy._WORDS).make(word, smtp_connectable=False, catch_all=True)

    kept = word if isinstance(word, str) and word.strip() else {True: "1", 7: "7"}.get(word) if word else None
    assert (found.verdict, found.reason, found.vendor_status, found.known) == ("unknown", "other", kept, False)
    assert found.catch_all is True


@pytest.mark.parametrize(
    ("word", "verdict", "reason"),
    [
        *((word, "deliverable", "accepted") for word in ("Valid", "Deliverable", "OK", "safe", "Safe to Send")),
        *((word, "undeliverable", "other") for word in ("INVALID", "undeliverable", "not-deliverable", "rejected")),
        *((word, "unknown", "other") for word in ("Unknown", "unverifiable", "inconclusive")),
        ("risky", "risky", "other"),
        ("catch-all", "risky", "catch_all"),
        ("accept_all", "risky", "catch_all"),
        ("Disposable", "risky", "disposable"),
        ("role-based", "risky", "role"),
        ("spamtrap", "risky", "spam_trap"),
        ("do_not_mail", "risky", "do_not_send"),
    ],
)
def test_likely_words_have_their_verdicts(word: str, verdict: str, reason: str) -> None:
    found = Findings(LIKELY_WORDS, None, LIKELY_REASONS).make(word)

    assert (found.verdict, found.reason, found.known) == (verdict, reason, True)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("No MX Records", "no_mx"),
        ("full_inbox", "mailbox_full"),
        ("Greylisted", "greylisted"),
        ("gold", "no_mx"),
    ],
)
def test_the_vendors_own_reason_goes_before_the_flags(said: str, reason: str) -> None:
    assert Findings(LIKELY_WORDS, None, LIKELY_REASONS).make("invalid", said, mx_found=False).reason == reason


def test_the_users_words_go_before_the_vendors() -> None:
    findings = Findings(proofy._WORDS, {"Gold": "deliverable", "valid": "Risky"})

    assert findings.make("GOLD").verdict is Verdict.DELIVERABLE
    assert findings.make("valid", catch_all=True).reason is Reason.CATCH_ALL


def test_a_map_to_no_verdict_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="to deliverable, undeliverable, risky, unknown; 'superb' is unknown"):
        Findings(proofy._WORDS, {"gold": "superb"})


@pytest.mark.parametrize("word", ["", " ", "\u00a0"])
def test_a_map_of_an_empty_word_is_refused(word: str) -> None:
    with pytest.raises(InvalidRequestError, match="one of its words is empty"):
        Findings(proofy._WORDS, {word: "risky"})


@pytest.mark.parametrize(
    ("good", "bad"),
    [("1", "-1"), ("A+", "A-"), ("✓", "✗"), ("+", "-"), ("ok", "ok?"), ("1.5", "15"), ("Valid", "valid")],
)
def test_the_users_words_are_taken_as_they_are_written(good: str, bad: str) -> None:
    for one, other in ((good, bad), (bad, good)):
        both = Findings(proofy._WORDS, {one: "deliverable", other: "undeliverable"})
        assert (both.make(one).verdict, both.make(other).verdict) == ("deliverable", "undeliverable")


@pytest.mark.parametrize(
    ("mapped", "other"), [("-1", "1"), ("A+", "A-"), ("✓", "✗"), ("✓", None), ("-", ""), ("!x", "x")]
)
def test_a_word_is_not_taken_for_another_one(mapped: str, other: str | None) -> None:
    assert Findings(proofy._WORDS, {mapped: "deliverable"}).make(other).known is False


def test_the_users_words_are_matched_loosely_where_that_leaves_no_choice() -> None:
    findings = Findings(
        proofy._WORDS, {"Do not mail": "risky", "soft-bounce": "unknown", "SoftBounce": "undeliverable"}
    )

    assert findings.make("do_not_mail").verdict is Verdict.RISKY
    assert findings.make("soft-bounce").verdict is Verdict.UNKNOWN
    assert findings.make("soft bounce").known is False


def test_a_number_is_a_word() -> None:
    findings = Findings(proofy._WORDS, {"1": "deliverable", 2: "risky", "0.5": "unknown"})  # type: ignore[dict-item]

    assert findings.make(1).verdict is findings.make(1.0).verdict is findings.make("1").verdict is Verdict.DELIVERABLE
    assert (findings.make(2).verdict, findings.make(0.5).verdict) == (Verdict.RISKY, Verdict.UNKNOWN)
    assert findings.make(1234567).vendor_status == "1234567"


HUGE = {"400 digits": 10**400, "minus": -(10**400), "5,000 digits": 10**5000, "float": 1e300, "zero": -0.0} | {
    text: float(text) for text in ("inf", "-inf", "nan")
}


@pytest.mark.parametrize("name", HUGE)
def test_a_number_of_any_size_is_read(name: str) -> None:
    number = HUGE[name]

    found = Findings(proofy._WORDS, None, LIKELY_REASONS).make(number, number, role=number, free=number)

    assert (found.verdict, found.known, found.role) == ("unknown", False, False if number == 0 else None)
    assert found.vendor_status


def test_half_a_character_in_a_word_does_not_reach_the_file() -> None:
    assert Findings(proofy._WORDS).make("gold\ud800").vendor_status == "gold?"


def test_every_column_of_a_finding_is_in_the_schema_and_in_order() -> None:
    record = Findings(proofy._WORDS).make("valid").as_dict(Origin(vendor="proofy", batch_id="b-1"))

    assert ["email", *record] == list(COLUMNS)
    assert list(record)[-len(FLAGS) - 1 :] == [*FLAGS, "verified_at"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (["no_mx", "role"], Reason.NO_MX),
        (["brand new", "role"], Reason.ROLE),
        ('["brand new", "role"]', Reason.ROLE),
        ("['no_mx']", Reason.NO_MX),
        ("[no_mx, role]", Reason.NO_MX),
        ([], Reason.OTHER),
        ("[]", Reason.OTHER),
        ("[" * 100_000, Reason.OTHER),
        ([["role"], {"a": 1}, None, 7], Reason.OTHER),
    ],
)
def test_of_several_reasons_the_first_that_is_known_counts(said: Any, reason: Reason) -> None:
    assert Findings(LIKELY_WORDS, reasons=LIKELY_REASONS).make("risky", said).reason is reason
