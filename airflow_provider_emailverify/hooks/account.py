"""One account at a vendor, as one Airflow connection describes it."""

from __future__ import annotations

import os
import re
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_emailverify.connections import ConnectionSettings, connection_form, read_connection
from airflow_provider_emailverify.exceptions import (
    ConnectionConfigError,
    ConnectionMissingError,
    EmailVerifyError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.hooks.redis_client import RedisPlace
from airflow_provider_emailverify.http.auth import Site
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.version_compat import form_behaviour, form_widgets

if TYPE_CHECKING:
    from airflow_provider_emailverify.http.client import VendorClient
    from airflow_provider_emailverify.http.errors import ErrorRules

#: How the Test button asks: a person waits for the answer, and a process of the API server too.
IN_A_FORM = CallPolicy(attempts=1, wait_for_turn=False, timeout=5.0)


class Vendor(Protocol):
    """What an account has to know of its vendor; a hook says it."""

    conn_id: str
    conn_type: str
    hook_name: str

    @property
    def site(self) -> Site:
        """Where the vendor is, and how it takes the key."""

    @property
    def extras(self) -> frozenset[str]:
        """The names that a connection's Extra may hold."""

    @property
    def errors(self) -> ErrorRules:
        """How the vendor says that something went wrong."""


H = TypeVar("H", bound=Vendor)


class Account:
    """
    One account at a vendor. Nothing is read and nothing is sent before the first use.

    :param conn_id: the Airflow connection.
    :param vendor: the vendor.
    """

    def __init__(self, conn_id: str, vendor: Vendor) -> None:
        self.conn_id = conn_id
        self._vendor = vendor
        self._clients: dict[Site, VendorClient] = {}

    @cached_property
    def settings(self) -> ConnectionSettings:
        """
        What the connection says, read on first use.

        :raises ConnectionConfigError: the connection is missing or cannot be used.
        """
        vendor = self._vendor
        settings = read_connection(
            get_connection(self.conn_id),
            conn_id=self.conn_id,
            conn_type=vendor.conn_type,
            site=vendor.site,
            extras=vendor.extras,
        )
        if settings.is_trimmed:  # Airflow masks the password as it stands, blanks and all
            mask_secret(settings.key.reveal())
        return settings

    @cached_property
    def client(self) -> VendorClient:
        """The client of this account, made on first use."""
        return self.client_at(self._vendor.site)

    def client_at(self, where: Site) -> VendorClient:
        """
        Return the client for one of the vendor's addresses, made on first use.

        A Host on the connection stands for all of them.

        :param where: the address.
        """
        if where not in self._clients:
            self._clients[where] = self._open_client(where)
        return self._clients[where]

    def _open_client(self, where: Site) -> VendorClient:
        # Imported here because DAG files import hooks all day and need no HTTP.
        from airflow_provider_emailverify.http.client import DEFAULT_TIMEOUT_SECONDS, VendorClient
        from airflow_provider_emailverify.http.rate_limit import limit_of_account

        vendor, settings = self._vendor, self.settings
        options = {"requests_per_minute": where.requests_per_minute, **settings.options}
        base_url = settings.base_url if settings.names_host else where.base_url
        site = Site(base_url, where.key, options["requests_per_minute"])
        return VendorClient(
            name=f"{vendor.hook_name} (connection {self.conn_id!r})",
            site=site,
            key=settings.key,
            limit=limit_of_account(
                self.conn_id,
                site.base_url,
                settings.key,
                site.requests_per_minute,
                RedisPlace(options["limit_conn_id"]) if "limit_conn_id" in options else None,
            ),
            problem_of=vendor.errors.problem_of,
            timeout=options.get("timeout", DEFAULT_TIMEOUT_SECONDS),
            policy=CallPolicy(attempts=options["max_attempts"]) if "max_attempts" in options else CallPolicy(),
        )


def get_connection(conn_id: str) -> Any:
    """
    Return an Airflow connection. Do not give it to a local variable of a function that raises: it shows its password.

    :param conn_id: the Airflow connection.
    :raises ConnectionMissingError: there is none that this process can read.
    :raises ConnectionConfigError: what there is cannot be parsed.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        pass
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if os.environ.get(variable):
        raise ConnectionConfigError(
            f"Connection {conn_id!r}: the environment variable {variable} is set, but Airflow cannot parse it. Write a "
            'JSON object such as {"conn_type": "proofy", "password": "…"}, or a URI whose parts are percent-encoded.'
        )
    raise ConnectionMissingError(
        f"Connection {conn_id!r}: there is none in {_process()}; create it with the vendor's Connection Type and the "
        f"API key as Password, or set {variable} there. If there is one, Airflow could not read it: it says the same "
        "of a secrets backend that does not answer."
    )


def fit_for_form(error: EmailVerifyError, conn_id: str) -> str:
    """
    Return an error as it makes sense in a form: there is no task and no batch, and the connection has no name yet.

    :param error: what went wrong.
    :param conn_id: how Airflow calls the connection meanwhile.
    """
    text = str(error).replace(", then clear the task", "").replace(f" (connection {conn_id!r})", "")
    text = re.sub(r", batch '[^']*'", "", text).replace(f"Connection {conn_id!r}: its ", "The connection's ")
    # A task just tries again.
    return f"{text} Check Host, or try again later." if isinstance(error, VendorUnreachableError) else text


def find_hook(kind: type[H], conn_id: str, hook_params: dict[str, Any] | None) -> H:
    """
    Return the hook of the vendor that a connection's type names.

    :param kind: the class that it must be of.
    :param conn_id: the Airflow connection.
    :param hook_params: keyword arguments for the hook's constructor.
    :raises ConnectionConfigError: no such connection, or one of a type that is no e-mail verification vendor.
    """
    connection = get_connection(conn_id)
    conn_type = connection.conn_type
    try:
        hook = connection.get_hook(hook_params=hook_params)
    except Exception:  # noqa: BLE001 - a type may have no hook, and the hook of some other type may raise anything
        hook = None
    del connection  # reports of errors show local variables, and it shows its password
    if not isinstance(hook, kind):
        raise ConnectionConfigError(
            f"Connection {conn_id!r}: its Connection Type is {conn_type!r}, which is no e-mail verification vendor; "
            "set it to proofy, zerobounce or another vendor's type."
        )
    hook.conn_id = conn_id  # a secrets backend may call it something else
    return hook


def _process() -> str:
    """Return what Airflow calls this process."""
    if "triggerer" in sys.argv:
        return "the triggerer"
    if {"api-server", "webserver"} & set(sys.argv):
        return "the API server"
    # Airflow sets it for each task that it runs.
    return "the worker" if "AIRFLOW_CTX_TASK_ID" in os.environ else "this process"


class OldConnectionForm:
    """Describe a connection's form to Airflow before 3.2, which asks the hook's class; later it reads the metadata."""

    site: ClassVar[Site]
    extras: ClassVar[frozenset[str]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give a vendor's class these methods as its own: Airflow does not look at its parents."""
        super().__init_subclass__(**kwargs)
        for name in ("get_ui_field_behaviour", "get_connection_form_widgets"):
            if name not in cls.__dict__ and hasattr(cls, "site"):
                setattr(cls, name, classmethod(getattr(cls, name).__func__))

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the form behaves."""
        return form_behaviour(connection_form(cls.site.base_url, cls.extras))

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the fields of the form."""
        return form_widgets(connection_form(cls.site.base_url, cls.extras))
