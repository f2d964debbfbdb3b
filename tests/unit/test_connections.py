"""What an Airflow connection may say, and the one error for what it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_emailverify.connections import ConnectionSettings, read_connection
from airflow_provider_emailverify.exceptions import ConnectionConfigError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from airflow_provider_emailverify.results.layout import Maps

DEFAULT = "https://apis.proofy.io/v1"


def read(**fields: Any) -> ConnectionSettings:
    extra = fields.pop("extra", None)
    connection = Connection(
        **{"conn_id": "mine", "conn_type": "proofy", "password": "k3y", **fields},
        extra=extra if isinstance(extra, str | None) else json.dumps(extra),
    )
    return read_connection(connection, conn_id="mine", conn_type="proofy", site=ProofyHook.site)


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, DEFAULT),
        ({"host": ""}, DEFAULT),
        ({"host": "https://gateway.example/proofy/v1/"}, "https://gateway.example/proofy/v1"),
        ({"host": "gateway.example/v1"}, "https://gateway.example/v1"),
        ({"host": "gateway.example", "port": 8443, "schema": "https"}, "https://gateway.example:8443"),
        ({"host": "https://gateway.example:1/v1", "port": 0}, "https://gateway.example:1/v1"),
        ({"host": "https://gateway.example/v1", "port": 443}, "https://gateway.example/v1"),
        ({"host": "https://gateway.example:1/v1", "port": 443}, "https://gateway.example:1/v1"),
        ({"port": 443}, DEFAULT),
        ({"host": "http://127.0.0.1:8025/proofy/v1"}, "http://127.0.0.1:8025/proofy/v1"),
        ({"host": "http://[::1]:8025/v1"}, "http://[::1]:8025/v1"),
        ({"host": "localhost", "port": 8025, "schema": "http"}, "http://localhost:8025"),
        ({"host": "http://sandbox:8025/v1", "extra": {"allow_http": True}}, "http://sandbox:8025/v1"),
        ({"host": "http://sandbox:8025/v1", "extra": {"allow_http": "true"}}, "http://sandbox:8025/v1"),
    ],
)
def test_host_replaces_the_base_url(fields: dict[str, Any], base_url: str) -> None:
    assert read(**fields).base_url == base_url


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        (None, {}),
        ("", {}),
        ({"timeout": None, "max_attempts": ""}, {}),
        (
            {"timeout": "2.5", "requests_per_minute": 60, "max_attempts": 3},
            {"timeout": 2.5, "requests_per_minute": 60.0, "max_attempts": 3},
        ),
    ],
)
def test_the_extras_are_read_as_numbers(extra: Any, options: dict[str, Any]) -> None:
    assert read(extra=extra).options == options


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "http"}, "its Connection Type is 'http'; set it to 'proofy'"),
        ({"password": None}, "its Password is empty"),
        ({"password": "  "}, "its Password is empty"),
        ({"password": "***"}, "its Password is [*]{3}, which is what Airflow shows in place of one; type the API key"),
        ({"password": "a\nb"}, "its Password holds a control character"),
        ({"host": "http://gateway.example/v1"}, "its Host is http://gateway.example, .* use https://"),
        ({"host": "http://127.0.0.1.example/v1"}, "use https://"),
        ({"host": "http://sandbox:8025/v1", "extra": {"allow_http": False}}, "use https://"),
        ({"host": "http://sandbox:8025/v1", "extra": {"allow_http": "yes"}}, "'allow_http' is neither true nor false"),
        ({"host": "ftp://gateway.example"}, "its Host is no http"),
        ({"host": "https://"}, "its Host is no "),
        ({"host": "https://[::1"}, "its Host is no URL"),
        ({"host": "https://user:pw@gateway.example"}, "its Host holds a user"),
        ({"host": "https://gateway.example/?api_key=1"}, "its Host holds a user, a query"),
        ({"host": "gateway.example", "schema": "v1"}, "its Schema is 'v1'"),
        ({"host": "https%3A//gateway.example", "schema": "v1"}, "its Schema is 'v1'"),
        ({"host": "https://gateway.example", "schema": "v1"}, "its Schema is 'v1'"),
        ({"host": "https://gateway.example/a b"}, "quote them"),
        ({"host": "https://gateway.example/é"}, "quote them"),
        ({"extra": {"timeout": 1e12}}, "'timeout' is not a number above 0, and 1,000,000 at most"),
        ({"extra": "not json"}, "its Extra is not JSON"),
        ({"extra": "[1]"}, "its Extra is not a JSON object"),
        (
            {"extra": {"api_key": "s3cret"}},
            "unknown field 'api_key'; allowed are allow_http, limit_conn_id, max_attempts, requests_per_minute",
        ),
        ({"extra": {"timeout": 0}}, "'timeout' is not a number above 0"),
        ({"extra": {"timeout": "soon"}}, "'timeout' is not a number above 0"),
        ({"extra": {"timeout": True}}, "'timeout' is not a number above 0"),
        ({"extra": {"timeout": [1]}}, "'timeout' is not a number above 0"),
        ({"extra": {"requests_per_minute": -1}}, "'requests_per_minute' is not a number above 0"),
        ({"extra": '{"requests_per_minute": Infinity}'}, "'requests_per_minute' is not a number above 0"),
        ({"extra": {"max_attempts": 1.5}}, "'max_attempts' is not a whole number from 1 to"),
    ],
)
def test_a_connection_that_cannot_be_used_is_one_error_with_the_field_and_the_fix(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConnectionConfigError, match=f"Connection 'mine': .*{message}") as caught:
        read(**fields)

    assert "s3cret" not in str(caught.value)
    assert "k3y" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"password": 12345}, "its Password is not text"),
        ({"password": ["k"]}, "its Password is not text"),
        ({"host": 7}, "its Host is not text"),
        ({"host": "vendor.example", "schema": 7}, "its Schema is not text"),
        ({"host": "vendor.example", "port": 99_999}, "its Port is not a number from 1"),
        ({"host": "vendor.example", "port": -1}, "its Port is not a number from 1"),
        ({"password": "k3y\ud800"}, "its Password holds a character that no text can hold"),
    ],
)
def test_what_a_secrets_backend_can_answer_beside_text_is_named(fields: dict[str, Any], message: str) -> None:
    names = ("host", "schema", "port", "extra")
    answer = SimpleNamespace(**{"conn_type": "proofy", "password": "k3y", **dict.fromkeys(names), **fields})

    with pytest.raises(ConnectionConfigError, match=f"'mine': {message}"):
        read_connection(cast("Connection", answer), conn_id="mine", conn_type="proofy", site=ProofyHook.site)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("https://vendor..example", "an empty or overlong part"),
        ("https://.vendor.example", "an empty or overlong part"),
        (f"https://{'x' * 64}.example", "an empty or overlong part"),
        ("https://ven\u200bdor.example", r"an invisible character \(U\+200B\)"),
        ("https://vendor.example\u202e/v1", r"an invisible character \(U\+202E\)"),
        ("https://ven\tdor.example", r"an invisible character \(U\+0009\)"),
        ("https://ven\u00a0dor.example", "a blank"),
    ],
)
def test_a_host_that_cannot_be_looked_up_is_refused_when_it_is_read(host: str, message: str) -> None:
    with pytest.raises(ConnectionConfigError, match=f"'mine': its Host h.*{message}"):
        read(host=host)


def test_blanks_around_the_key_are_no_part_of_it() -> None:
    assert read(password=" k3y\t").key.reveal() == "k3y"


def test_the_settings_do_not_show_the_key() -> None:
    assert "k3y" not in repr(read())


@pytest.mark.parametrize("given", [{"gold": "deliverable"}, '{"gold": "deliverable"}'])
def test_a_map_is_an_object_or_the_text_of_a_form(given: Any, connect: Callable[..., str]) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", "", status_map=given))

    assert Maps(status_map={"silver": "risky"}).over(hook.maps).status_map == {"gold": "deliverable", "silver": "risky"}
    assert Maps(status_map={"gold": "risky"}).over(hook.maps).status_map == {"gold": "risky"}


@pytest.mark.parametrize("given", ["gold", "[]", [], {"gold": 1}, 7, "null"])
def test_a_map_of_something_else_is_refused(given: Any, connect: Callable[..., str]) -> None:
    hook = EmailVerifyHook.get_hook(connect("proofy", "", status_map=given))

    with pytest.raises(ConnectionConfigError, match="'status_map' is not a JSON object that maps texts to texts"):
        _ = hook.maps


def test_only_a_vendor_with_unknown_columns_takes_a_column_map(connect: Callable[..., str]) -> None:
    connect("proofy", "", column_map={"email": "mail"})
    connect("cliova", "", column_map={"email": "mail"})

    assert CliovaHook().maps.column_map == {"email": "mail"}
    with pytest.raises(ConnectionConfigError, match="unknown field 'column_map'"):
        _ = ProofyHook().maps
