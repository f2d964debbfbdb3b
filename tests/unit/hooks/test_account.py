"""Which connection a hook gets, and what it says of one that it cannot use."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from airflow.providers.common.compat.sdk import Connection
from airflow.secrets import BaseSecretsBackend

from airflow_provider_emailverify.exceptions import ConnectionConfigError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook

Connect = Callable[..., str]


@pytest.mark.parametrize("conn_type", ["generic", "http", "nosuchtype", "ssh", "", "email"])
def test_a_connection_of_any_other_type_is_one_error(connect: Connect, conn_type: str) -> None:
    with pytest.raises(ConnectionConfigError, match=f"'other': its Connection Type is .*{conn_type}.*set it to proofy"):
        EmailVerifyHook.get_hook(connect(conn_type, "", conn_id="other"))


@pytest.mark.parametrize(
    "value",
    [
        '{"conn_type": "proofy", "password": "s3cret"',
        '{"conn_type": "proofy", "passwort": "s3cret"}',
        '{"conn_type": "proofy", "password": "s3cret", "port": "s3cret"}',
        "proofy://:s3cret@[broken",
        "proofy://:s3cret@host:port/",
        "a://b://c://s3cret",
    ],
)
def test_a_variable_that_airflow_cannot_parse_is_told_from_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ODD", value)

    with pytest.raises(
        ConnectionConfigError, match=r"'odd': .* AIRFLOW_CONN_ODD is set, but .* cannot parse"
    ) as caught:
        EmailVerifyHook.get_hook("odd")

    shown: BaseException | None = caught.value
    while shown:
        assert "s3cret" not in f"{shown!r}"
        shown = shown.__cause__ or shown.__context__


class RenamingBackend(BaseSecretsBackend):
    """Answers with connections that have the names of its own storage."""

    def get_connection(self, conn_id: str, team_name: str | None = None) -> Connection | None:
        passwords = {"mine": "k3y-k3y", "empty": None}
        if conn_id not in passwords:
            return None
        return Connection(conn_id=f"projects/7/secrets/{conn_id}", conn_type="proofy", password=passwords[conn_id])


@pytest.fixture
def renaming_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", f"{__name__}.{RenamingBackend.__name__}")


@pytest.mark.usefixtures("renaming_backend")
def test_a_secrets_backend_may_call_a_connection_something_else() -> None:
    hook = EmailVerifyHook.get_hook("mine")

    assert hook.conn_id == "mine"
    assert hook.client.name == "Proofy (connection 'mine')"


@pytest.mark.usefixtures("renaming_backend")
def test_an_error_names_the_connection_that_was_asked_for() -> None:
    with pytest.raises(ConnectionConfigError, match="Connection 'empty': its Password is empty"):
        _ = EmailVerifyHook.get_hook("empty").settings


@pytest.mark.parametrize(
    ("argv", "environment", "process"),
    [
        (["airflow", "triggerer"], {}, "the triggerer"),
        (["airflow", "triggerer", "--skip-serve-logs"], {"AIRFLOW_CTX_TASK_ID": "t"}, "the triggerer"),
        (["airflow", "api-server", "--port", "1"], {}, "the API server"),
        (["gunicorn", "webserver"], {}, "the API server"),
        (["airflow", "scheduler"], {"AIRFLOW_CTX_TASK_ID": "t"}, "the worker"),
        (["script.py"], {}, "this process"),
    ],
)
def test_a_connection_that_is_missing_in_one_process_only_says_in_which(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], environment: dict[str, str], process: str
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.delenv("AIRFLOW_CTX_TASK_ID", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConnectionConfigError, match=f"'nowhere': there is none in {process}; create it"):
        EmailVerifyHook.get_hook("nowhere")


def test_hooks_of_one_connection_read_it_once_each_and_share_its_pace(connect: Connect) -> None:
    one, other = (EmailVerifyHook.get_hook(connect("proofy", "")) for _ in range(2))

    assert one.client is one.client
    assert one.settings is one.settings
    assert one.client is not other.client
    assert one.client.limit is other.client.limit
