"""Open an Airflow connection, in the same way in a task and in the triggerer."""

from __future__ import annotations

from airflow_provider_emailverify.exceptions import EmailVerifyError, TransientError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook


def open_hook(conn_id: str) -> EmailVerifyHook:
    """
    Return the hook of a connection, which is read at once.

    :param conn_id: the Airflow connection.
    :raises ConnectionConfigError: there is no such connection, or it cannot be used.
    :raises TransientError: Airflow's API or a secrets backend is away.
    """
    try:
        hook = EmailVerifyHook.get_hook(conn_id)
        _ = hook.client
    except EmailVerifyError:
        raise
    except Exception as error:  # noqa: BLE001 - a backend and Airflow's API each have errors of their own
        raise TransientError(f"Connection {conn_id!r} cannot be read now ({type(error).__name__}).") from None
    return hook
