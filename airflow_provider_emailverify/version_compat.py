"""Hide what differs between the supported versions of Airflow, beyond its common-compat provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

try:
    from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferralError
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import (  # type: ignore[no-redef] # the same classes under their older names
        AirflowRescheduleException,
        TaskDeferralError,
    )

try:
    from airflow.triggers.base import BaseEventTrigger

    HAS_ASSET_WATCHERS = True
except ImportError:  # Airflow 2, so that the module of the event trigger can still be imported
    from airflow.triggers.base import BaseTrigger as BaseEventTrigger  # type: ignore[assignment] # mypy sees Airflow 3

    HAS_ASSET_WATCHERS = False

try:
    from airflow.sdk.definitions.xcom_arg import ConcatXComArg, MapXComArg, PlainXComArg, ZipXComArg
except ImportError:  # Airflow 2
    from airflow.models.xcom_arg import (  # type: ignore[attr-defined, no-redef] # mypy sees Airflow 3
        ConcatXComArg,
        MapXComArg,
        PlainXComArg,
        ZipXComArg,
    )

#: An asset as an outlet may have it: itself, or by its name or URI.
ASSETS: tuple[type[Any], ...]
try:
    from airflow.sdk.definitions.asset import AssetRef
except ImportError:  # Airflow 2
    ASSETS = (Asset,)
else:
    ASSETS = (Asset, AssetRef)

__all__ = [
    "ASSETS",
    "HAS_ASSET_WATCHERS",
    "AirflowRescheduleException",
    "BaseEventTrigger",
    "ConcatXComArg",
    "MapXComArg",
    "PlainXComArg",
    "TaskDeferralError",
    "ZipXComArg",
    "asset_state_store",
    "form_behaviour",
    "form_widgets",
    "never_expire",
    "read_variable",
    "task_state_store",
]


def task_state_store(context: Mapping[str, Any]) -> Any:
    """
    Return the state store of the running task; None before Airflow 3.3.

    :param context: the task's context.
    """
    return context.get("task_state_store")


def asset_state_store(trigger: Any) -> Any:
    """
    Return the state store of the asset that a trigger watches; None before Airflow 3.3.

    :param trigger: an event trigger.
    """
    return getattr(trigger, "asset_state_store", None)


def never_expire() -> timedelta | None:
    """Return the retention of a value that is kept as long as its run; None before Airflow 3.3."""
    try:
        from airflow.sdk import NEVER_EXPIRE  # type: ignore[attr-defined] # it is there, but not in Airflow's stub
    except ImportError:
        return None
    return cast("timedelta", NEVER_EXPIRE)


def read_variable(key: str) -> Any:
    """
    Return the JSON of an Airflow Variable; an empty list if there is none. It needs Airflow 3.

    :param key: the Variable.
    """
    from airflow.sdk import Variable

    return Variable.get(key, default=[], deserialize_json=True)


def form_behaviour(form: dict[str, Any]) -> dict[str, Any]:
    """
    Return what ``get_ui_field_behaviour`` of a hook returns; Airflow 3.2 and later read the metadata instead.

    :param form: the connection's form, in the words of the metadata.
    """
    return {name.replace("-", "_"): value for name, value in form["ui-field-behaviour"].items()}


def form_widgets(form: dict[str, Any]) -> dict[str, Any]:
    """
    Return what ``get_connection_form_widgets`` of a hook returns; Airflow 3.2 and later read the metadata instead.

    Airflow 2 knows fields of text, whole numbers and booleans; what is typed is checked when it is read.

    :param form: the connection's form, in the words of the metadata.
    """
    try:
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from wtforms import IntegerField, StringField
        from wtforms.validators import NumberRange, Optional
    except ImportError:  # Airflow 3 without its old web views
        return {}

    def widget(field: dict[str, Any]) -> Any:
        is_whole = "integer" in field["schema"]["type"]
        return (IntegerField if is_whole else StringField)(
            field["label"],
            description=field["description"],
            validators=[Optional(), *([NumberRange(min=field["schema"]["minimum"])] if is_whole else [])],
            widget=BS3TextFieldWidget(),
        )

    return {name: widget(field) for name, field in form["conn-fields"].items()}
