"""The connection form of Airflow before 3.2, as Airflow's own provider manager sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_emailverify.connections import read_connection
from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.hooks.proofy import ProofyHook

pytest.importorskip("flask_appbuilder", reason="comes with Airflow 2 only")

CONNECTION_TYPES = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}


@pytest.fixture(scope="module")
def manager() -> Any:
    """Airflow's provider manager."""
    from airflow.providers_manager import ProvidersManager

    return ProvidersManager()


@pytest.mark.parametrize("vendor", CONNECTION_TYPES)
def test_airflow_finds_the_hook_and_every_field_of_the_form(manager: Any, vendor: str) -> None:
    entry = CONNECTION_TYPES[vendor]
    fields = {
        widget.field_name: widget.field.args[0]
        for widget in manager.connection_form_widgets.values()
        if entry["hook-class-name"].endswith(f".{widget.hook_class_name}")
    }

    assert manager.hooks[vendor].hook_name == entry["hook-name"]
    assert fields == {name: field["label"] for name, field in entry["conn-fields"].items()}


@pytest.mark.parametrize("vendor", CONNECTION_TYPES)
def test_airflow_finds_labels_placeholders_and_what_to_hide(manager: Any, vendor: str) -> None:
    behaviour = manager.field_behaviours[vendor]

    assert behaviour["relabeling"]["password"] == "API key (Password)"
    assert "login" in behaviour["hidden_fields"]


def fill_in(**values: str) -> Any:
    """Return the form as it is after a user has sent it."""
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    return type("ConnectionForm", (Form,), ProofyHook.get_connection_form_widgets())(MultiDict(values))


def test_what_is_typed_can_be_saved_and_read_as_numbers() -> None:
    from airflow.providers.common.compat.sdk import Connection

    form = fill_in(timeout="1.5", requests_per_minute="0.8", max_attempts="3")

    assert form.validate()
    connection = Connection(conn_id="c", conn_type="proofy", password="k", extra=json.dumps(form.data))
    options = read_connection(
        connection, conn_id="c", conn_type="proofy", site=ProofyHook.site, extras=ProofyHook.extras
    ).options
    assert options == {"timeout": 1.5, "requests_per_minute": 0.8, "max_attempts": 3}


def test_fields_may_stay_empty() -> None:
    assert fill_in(timeout="", requests_per_minute="", max_attempts="").validate()


def test_a_number_of_attempts_that_makes_no_sense_is_refused() -> None:
    form = fill_in(max_attempts="0")

    assert not form.validate()
    assert set(form.errors) == {"max_attempts"}
