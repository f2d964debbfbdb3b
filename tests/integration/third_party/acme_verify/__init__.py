"""A vendor that somebody else adds, in a package of its own."""

from __future__ import annotations

from typing import Any

from airflow_provider_emailverify.connections import TABLE_EXTRAS, connection_form


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow reads about this package."""
    return {
        "package-name": "airflow-provider-acme-verify",
        "name": "Acme Verify",
        "description": "Verify lists of e-mail addresses with Acme.",
        "connection-types": [
            {
                "connection-type": "acme",
                "hook-class-name": "acme_verify.hook.AcmeHook",
                "hook-name": "Acme Verify",
                **connection_form("https://api.acme.example/v1", TABLE_EXTRAS),
            }
        ],
    }
