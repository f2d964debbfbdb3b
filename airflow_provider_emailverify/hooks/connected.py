"""From an Airflow connection to a client of the vendor, and from the vendor's answers to errors."""

from __future__ import annotations

import copy
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_emailverify.exceptions import (
    AuthenticationError,
    BatchNotFoundError,
    ConnectionConfigError,
    EmailVerifyError,
    InsufficientCreditsError,
    InvalidRequestError,
    RateLimitedError,
    UnexpectedResponseError,
    VendorUnavailableError,
)
from airflow_provider_emailverify.get_provider_info import connection_form
from airflow_provider_emailverify.hooks.settings import EXTRAS, MAPS, ConnectionSettings, read_connection
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.redaction import without_addresses

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.client import JSON, VendorClient

_STATUS_ERRORS: dict[int, type[EmailVerifyError]] = {
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: AuthenticationError,
    404: BatchNotFoundError,
    408: VendorUnavailableError,
    410: BatchNotFoundError,
    425: VendorUnavailableError,
    429: RateLimitedError,
}


class ConnectedHook(BaseHook):
    """
    Reach one vendor through one Airflow connection. Nothing is read and nothing is sent before the first call.

    :param conn_id: the Airflow connection; Password holds the key, Host may replace the base URL.
    """

    conn_name_attr: str = "conn_id"
    #: How Airflow calls the vendor: in connections, in the UI, and by default.
    conn_type: str
    hook_name: str
    default_conn_name: str
    #: The vendor's API, without a slash at its end.
    default_base_url: ClassVar[str]
    #: The query parameter that carries the key.
    key_param: ClassVar[str]
    #: Requests a minute at most; None when the vendor documents no limit.
    requests_per_minute: ClassVar[float | None] = None
    #: Words by which an error message speaks of the balance.
    credit_words: ClassVar[re.Pattern[str]] = re.compile(r"\b(credits?|balance|quota)\b", re.IGNORECASE)
    #: Words by which an error message speaks of the pace; they go before those of the balance.
    pace_words: ClassVar[re.Pattern[str]] = re.compile(
        r"\b(too many requests|rate.?limit|per (second|minute|hour|day)|simultaneous)", re.IGNORECASE
    )
    #: The names that a connection's Extra may hold.
    extras: ClassVar[frozenset[str]] = EXTRAS

    def __init__(self, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id or self.default_conn_name

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give a vendor's class the form's methods as its own: before 3.2, Airflow does not look at its parents."""
        super().__init_subclass__(**kwargs)
        for name in ("get_ui_field_behaviour", "get_connection_form_widgets"):
            if name not in cls.__dict__ and hasattr(cls, "default_base_url"):
                setattr(cls, name, classmethod(getattr(cls, name).__func__))

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Self:
        """
        Return the hook of the vendor that the connection's type names.

        :param conn_id: the Airflow connection.
        :param hook_params: keyword arguments for the hook's constructor.
        :raises ConnectionConfigError: no such connection, or one of a type that is no e-mail verification vendor.
        """
        connection = _get_connection(conn_id)
        try:
            hook = connection.get_hook(hook_params=hook_params)
        except (AirflowException, ImportError):  # no provider knows the type, or one that is not whole does
            hook = None
        if not isinstance(hook, cls):
            raise ConnectionConfigError(
                f"Connection {conn_id!r}: its Connection Type is {connection.conn_type!r}, which is no e-mail "
                "verification vendor; set it to proofy, cliova or another vendor's type."
            )
        return hook

    def get_conn(self) -> VendorClient:
        """
        Return the client of this connection, made on first use.

        :raises ConnectionConfigError: the connection is missing or cannot be used.
        """
        return self.client

    @cached_property
    def settings(self) -> ConnectionSettings:
        """What this connection says, read on first use."""
        connection = _get_connection(self.conn_id)
        settings = read_connection(
            connection,
            conn_type=self.conn_type,
            default_base_url=self.default_base_url,
            extras=self.extras,
        )
        if settings.key != connection.password:  # Airflow masks the password as it stands, blanks and all
            mask_secret(settings.key)
        return settings

    @cached_property
    def client(self) -> VendorClient:
        """The client of this connection, made on first use."""
        # Imported here because DAG files import hooks all day and need no HTTP.
        from airflow_provider_emailverify.http.client import VendorClient

        settings = self.settings
        return VendorClient(
            name=f"{self.hook_name} (connection {self.conn_id!r})",
            base_url=settings.base_url,
            key_param=self.key_param,
            key=settings.key,
            error_for=self.error_for,
            **self._client_options(settings),
        )

    def _client_options(self, settings: ConnectionSettings) -> dict[str, Any]:
        options = {"requests_per_minute": self.requests_per_minute, **settings.options}
        if "max_attempts" in options:
            options["policy"] = CallPolicy(attempts=options.pop("max_attempts"))
        return options

    def with_policy(self, policy: CallPolicy) -> Self:
        """
        Return a copy whose client sends requests by another policy. It shares the connections and the rate limit.

        :param policy: how often a request is sent, and whether it waits for the rate limit.
        """
        other = copy.copy(self)
        other.client = self.client.with_policy(policy)
        return other

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the connection form's behaviour for Airflow before 3.2, from the declared one."""
        behaviour = connection_form(cls.default_base_url)["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """
        Return the connection form's own fields for Airflow before 3.2, from the declared ones.

        Airflow 2 knows fields of text, whole numbers and booleans; what is typed is checked when it is read.
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

        fields = connection_form(cls.default_base_url, sorted(cls.extras & MAPS))["conn-fields"]
        return {name: widget(field) for name, field in fields.items()}

    def error_for(self, status: int, payload: JSON) -> tuple[type[EmailVerifyError], str] | None:
        """
        Tell which error an answer stands for.

        :param status: the HTTP status.
        :param payload: the decoded JSON; None if there is none.
        :return: the class of the error and the vendor's own message; None for no error.
        """
        message = self.error_message(payload) or ""
        words = without_addresses(message, limit=len(message))
        speaks_of_credits = bool(self.credit_words.search(words))
        if status >= 500:
            return VendorUnavailableError, message
        if status == 400 and self.pace_words.search(words):
            return RateLimitedError, message
        if status == 400 and speaks_of_credits:
            return InsufficientCreditsError, message
        if status >= 400:
            return _STATUS_ERRORS.get(status, InvalidRequestError), message
        if self.is_error(payload):
            return InsufficientCreditsError if speaks_of_credits else UnexpectedResponseError, message
        return None

    def error_message(self, payload: JSON) -> str | None:
        """Return the vendor's own words out of an error answer: ``message``, ``error.message`` or ``error``."""
        if not isinstance(payload, dict):
            return None
        error = payload.get("error")
        inner = error.get("message") if isinstance(error, dict) else error
        return next((text for text in (payload.get("message"), inner) if isinstance(text, str) and text), None)

    def is_error(self, payload: JSON) -> bool:
        """Tell whether the JSON of an answer with a status of success is an error all the same."""
        return isinstance(payload, dict) and bool(payload.get("error"))


def _get_connection(conn_id: str) -> Any:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConnectionConfigError(
            f"Connection {conn_id!r}: there is none; create it with the vendor's Connection Type and the API key as "
            f"Password, or set AIRFLOW_CONN_{conn_id.upper()}."
        ) from None
