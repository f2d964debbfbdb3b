"""The connection form of Airflow 2.11, whose values end up in the connection's Extra as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_emailverify.hooks.proofy import ProofyHook

pytest.importorskip("flask_appbuilder", reason="comes with Airflow 2 only")


def fill_in(**values: str) -> Any:
    """Return the form as it is after a user has sent it."""
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    return type("ConnectionForm", (Form,), ProofyHook.get_connection_form_widgets())(MultiDict(values))


def test_numbers_can_be_saved_as_json() -> None:
    form = fill_in(timeout="1.5", requests_per_minute="0.8", max_attempts="3")

    assert form.validate()
    assert json.loads(json.dumps(form.data)) == {"timeout": 1.5, "requests_per_minute": 0.8, "max_attempts": 3}


def test_fields_may_stay_empty() -> None:
    form = fill_in(timeout="", requests_per_minute="", max_attempts="")

    assert form.validate()


@pytest.mark.parametrize(("name", "value"), [("timeout", "-1"), ("timeout", "soon"), ("max_attempts", "0")])
def test_a_value_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    form = fill_in(**{name: value})

    assert not form.validate()
    assert set(form.errors) == {name}
