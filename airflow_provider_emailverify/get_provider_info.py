"""
What Airflow reads to discover this provider: pure data.

Airflow imports this module while its own configuration is still being set up, so nothing of anybody else is
imported here.
"""

from collections.abc import Iterable
from typing import Any

_PACKAGE = "airflow_provider_emailverify"


_MAPS = {
    "status_map": {
        "label": "Verdicts of words",
        "description": 'JSON object: words of the vendor that are not known, such as {"greylisted": "unknown"}',
        "schema": {"type": ["string", "null"]},
    },
    "column_map": {
        "label": "Columns",
        "description": 'JSON object: the headers of columns, such as {"email": "E-Mail", "verdict": "Outcome"}',
        "schema": {"type": ["string", "null"]},
    },
}


def connection_form(base_url: str, maps: Iterable[str] = ("status_map",)) -> dict[str, Any]:
    """
    Return the connection form of a vendor, in the words of Airflow's provider metadata.

    :param base_url: shown as the placeholder of Host.
    :param maps: what the user can map of this vendor's results.
    """
    return {
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "login", "port", "extra"],
            "relabeling": {"password": "API key", "host": "Base URL"},
            "placeholders": {"host": base_url},
        },
        "conn-fields": {
            "timeout": {
                "label": "Timeout (seconds)",
                "description": "How long the vendor may stay silent before a request counts as failed; 30 if empty",
                "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
            },
            "requests_per_minute": {
                "label": "Requests per minute",
                "description": "Limit that every process keeps to; the vendor's documented limit if empty",
                "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
            },
            "max_attempts": {
                "label": "Attempts per request",
                "description": "How often a request that may be repeated is sent, the first time included; 4 if empty",
                "schema": {"type": ["integer", "null"], "minimum": 1},
            },
            **{name: _MAPS[name] for name in maps},
        },
    }


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as ``airflow/provider_info.schema.json`` wants it."""
    integration = "E-mail verification"

    def modules(*names: str) -> list[dict[str, Any]]:
        return [{"integration-name": integration, "python-modules": [f"{_PACKAGE}.{name}" for name in names]}]

    return {
        "package-name": "airflow-provider-emailverify",
        "name": "E-mail verification",
        "description": "Verify lists of e-mail addresses with bulk vendors, and land the results in object storage.",
        "integrations": [
            {
                "integration-name": integration,
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "proofy",
                "hook-class-name": f"{_PACKAGE}.hooks.proofy.ProofyHook",
                "hook-name": "Proofy",
                **connection_form("https://apis.proofy.io/v1"),
            },
            {
                "connection-type": "cliova",
                "hook-class-name": f"{_PACKAGE}.hooks.cliova.CliovaHook",
                "hook-name": "Cliova",
                **connection_form("https://api.cliova.com/v1", ("status_map", "column_map")),
            },
        ],
        "hooks": modules("hooks.base", "hooks.proofy", "hooks.cliova"),
        "operators": modules("operators.submit", "operators.download", "operators.check"),
        "sensors": modules("sensors.batch"),
        "triggers": modules("triggers.batch", "triggers.event"),
        "extra-links": [f"{_PACKAGE}.links.EmailVerifyBatchLink"],
    }
