"""What costs nothing: addresses that no mail system takes, and domains that take no mail."""

from __future__ import annotations

import pytest

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.lists.prescreen import Found, Prescreen
from tests.dns_server import NameServer

ZONE = {
    "good.example": "mx",
    "many.example": "many",
    "old.example": "a",
    "null.example": "null",
    "empty.example": "nothing",
    "broken.example": "servfail",
    "closed.example": "refused",
    "xn--bcher-kva.example": "mx",
}


@pytest.mark.parametrize(
    "address",
    [
        "a@localhost",
        "a@example",
        "a@x.invalid",
        "a@-x.example",
        "a@x-.example",
        "a@x_y.example",
        "a@192.0.2.1",
        f"a@{'x' * 64}.example",
        f"{'x' * 65}@good.example",
    ],
)
def test_what_no_mail_system_takes_is_told_without_a_question(address: str) -> None:
    assert Prescreen("syntax").judge(address) is Found.SYNTAX


@pytest.mark.parametrize(
    "address",
    [
        "a@good.example",
        "a..b@good.example",
        '"a b"@good.example',
        "a@b\u00fccher.example",
        "a@[192.0.2.1]",
        "ü@good.example",
        "a@(c)good.example",
    ],
)
def test_what_may_get_mail_is_not_judged(address: str) -> None:
    assert Prescreen("syntax").judge(address) is None


def test_only_what_is_certain_is_an_answer() -> None:
    addresses = [f"a@{name}" for name in (*ZONE, "none.example", "BÜCHER.example")]
    with NameServer(ZONE) as server:
        prescreen = Prescreen("dns", server.address)
        prescreen.look_up([addresses])

        found = {address: prescreen.judge(address) for address in addresses}

    assert {address: each for address, each in found.items() if each} == {
        "a@null.example": Found.NULL_MX,
        "a@empty.example": Found.NO_MX,
        "a@none.example": Found.NO_DOMAIN,
    }


def test_each_domain_is_asked_once_whatever_its_spelling() -> None:
    with NameServer(ZONE) as server:
        Prescreen("dns", server.address).look_up([["a@good.example", "b@GOOD.example"], ["c@good.example"]])

        assert server.asked == {("good.example", "MX"): 1}


def test_a_name_server_that_denies_everything_is_not_believed() -> None:
    addresses = [f"a@domain{number}.example" for number in range(100)]
    with NameServer({}) as server:
        prescreen = Prescreen("dns", server.address)
        prescreen.look_up([addresses])

    assert [prescreen.judge(address) for address in addresses] == [None] * 100


def test_a_name_server_that_is_gone_or_silent_tells_nothing_and_holds_nobody_up() -> None:
    with NameServer(lambda name: "" if name.startswith("no") else "silent") as server:
        prescreen = Prescreen("dns", server.address, seconds=2)
        prescreen.look_up([["a@slow.example", "a@no.example"]])
    assert prescreen.judge("a@slow.example") is None
    assert prescreen.judge("a@no.example") is Found.NO_DOMAIN

    gone = Prescreen("dns", server.address, seconds=2)
    gone.look_up([["a@no.example"]])
    assert gone.judge("a@no.example") is None


@pytest.mark.parametrize("resolver", ["", "x:y", "192.0.2.1:dns"])
def test_a_resolver_that_makes_no_sense_is_refused(resolver: str) -> None:
    with pytest.raises(InvalidRequestError, match="prescreen_resolver is a name server"):
        Prescreen("dns", [resolver])
