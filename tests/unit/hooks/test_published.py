"""Results in the shape that vendors and their clients publish become the rows that one would write by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.results.layout import VendorFile

_YES_NO = {True: "yes", False: "no", None: "-"}

#: The columns and words of ZeroBounce's documentation, and addresses that its test mode knows.
ZEROBOUNCE = (
    '"Email Address","ZB Status","ZB Sub Status","ZB Account","ZB Domain","ZB First Name","ZB Last Name","ZB Gender",'
    '"ZB Free Email","ZB MX Found","ZB MX Record","ZB SMTP Provider","ZB Did You Mean"\r\n'
    '"valid@example.com","valid","","valid","example.com","","","","False","true","mx.example.com","example",""\r\n'
    '"invalid@example.com","invalid","mailbox_not_found","","","","","","False","true","mx.example.com","",""\r\n'
    '"does_not_accept_mail@example.com","invalid","does_not_accept_mail","","","","","","False","false","","",""\r\n'
    '"catch_all@example.com","catch-all","","","","","","","False","true","mx.example.com","",""\r\n'
    '"spamtrap@example.com","spamtrap","","","","","","","False","true","","",""\r\n'
    '"abuse@example.com","abuse","","","","","","","False","true","","",""\r\n'
    '"disposable@example.com","do_not_mail","disposable","","","","","","False","true","","",""\r\n'
    '"role_based@example.com","do_not_mail","role_based","","","","","","False","true","","",""\r\n'
    '"toxic@example.com","do_not_mail","toxic","","","","","","False","true","","",""\r\n'
    '"greylisted@example.com","unknown","greylisted","","","","","","False","true","","",""\r\n'
    '"timeout_exceeded@example.com","unknown","timeout_exceeded","","","","","","True","true","","",""\r\n'
    '"leading_period@example.com","valid","a_word_of_tomorrow","","","","","","","","","",""\r\n'
    '"empty@example.com","","","","","","","","","","","",""\r\n'
)
#: Our column, and the appended ones that a download asks for, with BIN_true_false.
NEVERBOUNCE = (
    "email,email_status,free_email_host,role_account,has_mail_server\r\n"
    "ada@example.com,valid,false,false,true\r\n"
    "sales@example.com,valid,false,true,true\r\n"
    "bob@gmail.com,invalid,true,false,true\r\n"
    "x@mailinator.com,disposable,false,false,true\r\n"
    "any@example.org,catchall,false,false,true\r\n"
    "y@example.net,unknown,false,false,false\r\n"
    "z@example.net,a_word_of_tomorrow,,,\r\n"
)
#: A small batch, as the answer about its state holds it.
EMAILABLE = json.dumps(
    {
        "emails": [
            {
                "accept_all": None,
                "did_you_mean": None,
                "disposable": False,
                "domain": "example.com",
                "duration": 0.49,
                "free": False,
                "full_name": None,
                "mailbox_full": False,
                "no_reply": False,
                "role": False,
                "score": 100,
                "tag": None,
                "user": "x",
                **row,
            }
            for row in (
                {"email": "ada@example.com", "state": "deliverable", "reason": "accepted_email", "accept_all": False},
                {"email": "bob@gmail.com", "state": "undeliverable", "reason": "rejected_email", "free": True},
                {"email": "any@example.org", "state": "risky", "reason": "low_deliverability", "accept_all": True},
                {"email": "x@mailinator.com", "state": "risky", "reason": "low_quality", "disposable": True},
                {"email": "full@example.com", "state": "risky", "reason": "low_deliverability", "mailbox_full": True},
                {"email": "y@example.net", "state": "unknown", "reason": "timeout"},
                {"email": "n@nowhere.example", "state": "undeliverable", "reason": "invalid_domain"},
                {"email": "s@example.net", "state": "unknown", "reason": "unavailable_smtp", "role": True},
                {"email": "n@example.net", "state": "undeliverable", "reason": "a_word_of_tomorrow"},
            )
        ],
        "id": "5cfcbfdeede34200693c4319",
        "reason_counts": {"accepted_email": 1},
        "total_counts": {"deliverable": 1, "processed": 9, "total": 9},
    }
)
#: The columns of Mailgun's table of results; a reason is a list.
MAILGUN = (
    "address,is_disposable_address,is_role_address,reason,result,risk\r\n"
    "ada@example.com,False,False,[],deliverable,low\r\n"
    'sales@example.com,False,True,"[""mailbox_is_role_address""]",deliverable,low\r\n'
    'bob@example.com,False,False,"[""mailbox_does_not_exist""]",undeliverable,high\r\n'
    'nobody@nowhere.example,False,False,"[""No MX host found""]",undeliverable,high\r\n'
    'any@example.org,False,False,"[""catch_all""]",catch_all,medium\r\n'
    'x@mailinator.com,True,False,"[""mailbox_is_disposable_address""]",do_not_send,high\r\n'
    "old@example.org,False,False,[],do_not_send,high\r\n"
    'e..e@example.com,False,False,"[""failed custom grammar check""]",undeliverable,high\r\n'
    'y@example.net,False,False,"[""no_data""]",unknown,unknown\r\n'
)


def rows(connect: Callable[..., str], vendor: str, content: str, media_type: str, *flags: str) -> list[str]:
    """Return each row as address, verdict, reason, and what the vendor says of some flags."""
    file = VendorFile(batch_id="b", about="b", content=io.BytesIO(content.encode()), media_type=media_type)
    found = list(EmailVerifyHook.get_hook(connect(vendor, "")).read_results(file))
    return [
        " ".join([str(email), said.verdict, said.reason, *(_YES_NO[getattr(said, flag)] for flag in flags)])
        for email, said in found
    ]


def test_zerobounces(connect: Callable[..., str]) -> None:
    assert rows(connect, "zerobounce", ZEROBOUNCE, "text/csv", "free", "mx_found") == [
        "valid@example.com deliverable accepted no yes",
        "invalid@example.com undeliverable rejected no yes",
        "does_not_accept_mail@example.com undeliverable no_mx no no",
        "catch_all@example.com risky catch_all no yes",
        "spamtrap@example.com risky spam_trap no yes",
        "abuse@example.com risky complainer no yes",
        "disposable@example.com risky disposable no yes",
        "role_based@example.com risky role no yes",
        "toxic@example.com risky do_not_send no yes",
        "greylisted@example.com unknown greylisted no yes",
        "timeout_exceeded@example.com unknown timeout yes yes",
        "leading_period@example.com deliverable accepted - -",
        "empty@example.com unknown other - -",
    ]


def test_neverbounces(connect: Callable[..., str]) -> None:
    assert rows(connect, "neverbounce", NEVERBOUNCE, "text/csv", "free", "role", "mx_found") == [
        "ada@example.com deliverable accepted no no yes",
        "sales@example.com deliverable accepted no yes yes",
        "bob@gmail.com undeliverable other yes no yes",
        "x@mailinator.com risky disposable no no yes",
        "any@example.org risky catch_all no no yes",
        "y@example.net unknown other no no no",
        "z@example.net unknown other - - -",
    ]


def test_emailables(connect: Callable[..., str]) -> None:
    flags = ("catch_all", "disposable", "free", "mailbox_full", "role")
    assert rows(connect, "emailable", EMAILABLE, "application/json", *flags) == [
        "ada@example.com deliverable accepted no no no no no",
        "bob@gmail.com undeliverable rejected - no yes no no",
        "any@example.org risky catch_all yes no no no no",
        "x@mailinator.com risky low_quality - yes no no no",
        "full@example.com risky mailbox_full - no no yes no",
        "y@example.net unknown timeout - no no no no",
        "n@nowhere.example undeliverable no_mx - no no no no",
        "s@example.net unknown no_connect - no no no yes",
        "n@example.net undeliverable other - no no no no",
    ]


def test_mailguns(connect: Callable[..., str]) -> None:
    assert rows(connect, "mailgun", MAILGUN, "text/csv", "disposable", "role") == [
        "ada@example.com deliverable accepted no no",
        "sales@example.com deliverable role no yes",
        "bob@example.com undeliverable rejected no no",
        "nobody@nowhere.example undeliverable no_mx no no",
        "any@example.org risky catch_all no no",
        "x@mailinator.com risky disposable yes no",
        "old@example.org risky do_not_send no no",
        "e..e@example.com undeliverable invalid_syntax no no",
        "y@example.net unknown other no no",
    ]


@pytest.mark.parametrize("word", ["valid ", "VALID", "Valid"])
def test_words_are_compared_loosely(connect: Callable[..., str], word: Any) -> None:
    found = rows(connect, "neverbounce", f"email,email_status\r\nada@example.com,{word}\r\n", "text/csv")

    assert found == ["ada@example.com deliverable accepted"]
