"""What Airflow reads about this provider."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from packaging.utils import canonicalize_name

from airflow_provider_emailverify.get_provider_info import get_provider_info
from airflow_provider_emailverify.hooks.base import EmailVerifyHook

INFO = get_provider_info()
CONNECTION_TYPES = {entry["connection-type"]: entry for entry in INFO["connection-types"]}


def load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def schema(name: str) -> dict[str, Any]:
    return json.loads((files("airflow") / name).read_text())


def test_it_is_valid_against_airflows_schema() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_the_connection_types_are_valid_against_the_part_of_airflows_schema_for_them() -> None:
    path = files("airflow") / "provider.yaml.schema.json"
    if not path.is_file() or "conn-fields" not in path.read_text():
        pytest.skip("this Airflow has no schema for connection fields")
    whole = schema("provider.yaml.schema.json")
    jsonschema.validate(
        INFO["connection-types"],
        {**whole["properties"]["connection-types"], "definitions": whole.get("definitions", {})},
    )


def test_the_package_name_is_what_airflow_compares_it_with() -> None:
    name = importlib.metadata.metadata("airflow-provider-emailverify")["Name"]

    assert INFO["package-name"] == canonicalize_name(name)


def test_the_entry_point_leads_here() -> None:
    (entry,) = [
        entry
        for entry in importlib.metadata.entry_points(group="apache_airflow_provider")
        if entry.module == "airflow_provider_emailverify.get_provider_info"
    ]

    assert entry.load() is get_provider_info


@pytest.mark.parametrize("vendor", CONNECTION_TYPES)
def test_a_connection_type_and_its_hook_agree(vendor: str) -> None:
    entry = CONNECTION_TYPES[vendor]
    hook = load(entry["hook-class-name"])

    assert issubclass(hook, EmailVerifyHook)
    assert (hook.conn_type, hook.hook_name) == (vendor, entry["hook-name"])
    assert hook.default_conn_name == f"{vendor}_default"
    assert entry["ui-field-behaviour"]["placeholders"]["host"] == hook.site.base_url
    assert "port" not in entry["ui-field-behaviour"]["hidden-fields"]  # Airflow 3.3.2 tests nothing without one
    assert set(entry["conn-fields"]) <= hook.extras
    assert hook.extras == set(entry["conn-fields"])


@pytest.mark.parametrize("vendor", CONNECTION_TYPES)
def test_the_form_of_older_versions_is_the_declared_one(vendor: str) -> None:
    entry = CONNECTION_TYPES[vendor]
    behaviour = load(entry["hook-class-name"]).get_ui_field_behaviour()

    assert behaviour == {name.replace("-", "_"): value for name, value in entry["ui-field-behaviour"].items()}
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))


@pytest.mark.parametrize("vendor", CONNECTION_TYPES)
def test_the_widgets_of_older_versions_are_the_declared_fields(vendor: str) -> None:
    pytest.importorskip("flask_appbuilder", reason="comes with Airflow 2 only")
    entry = CONNECTION_TYPES[vendor]
    widgets = load(entry["hook-class-name"]).get_connection_form_widgets()

    assert {name: widget.args[0] for name, widget in widgets.items()} == {
        name: field["label"] for name, field in entry["conn-fields"].items()
    }


@pytest.mark.parametrize("kind", ["hooks", "operators", "sensors", "triggers"])
def test_every_module_can_be_imported(kind: str) -> None:
    for group in INFO[kind]:
        assert group["integration-name"] == INFO["integrations"][0]["integration-name"]
        for module in group["python-modules"]:
            importlib.import_module(module)


def test_the_module_imports_nothing_of_airflow() -> None:
    code = (
        "import sys, airflow_provider_emailverify.get_provider_info as module; module.get_provider_info(); "
        "loaded = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(loaded & {'airflow', 'requests', 'tenacity', 'urllib3'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "[]"


def test_airflows_own_form_service_shows_the_fields() -> None:
    service = pytest.importorskip(
        "airflow.api_fastapi.core_api.services.ui.connections", reason="Airflow 3 has the form service"
    )
    found = {meta.connection_type: meta for meta in service.HookMetaService.hook_meta_data()}
    if not found["proofy"].extra_fields:
        pytest.skip("this Airflow reads the fields from the hook, and needs its widgets for that")

    for vendor, entry in CONNECTION_TYPES.items():
        meta = found[vendor]
        assert meta.hook_name == entry["hook-name"]
        assert set(meta.extra_fields) == set(entry["conn-fields"])
        assert meta.standard_fields.password.title == "API key (Password)"
        assert meta.standard_fields.url_schema.hidden
        assert meta.standard_fields.host.placeholder.startswith("https://")
