"""
What Airflow reads to discover this provider: pure data.

Airflow imports this module while its own configuration is still being set up, so nothing is imported here.
"""

from typing import Any

_PACKAGE = "airflow_provider_emailverify"


def connection_form(base_url: str) -> dict[str, Any]:
    """
    Return the connection form that all vendors share, in the words of Airflow's provider metadata.

    :param base_url: shown as the placeholder of Host.
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
        "description": "Wait for bulk e-mail verification batches and land their results in object storage.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://pypi.org/project/airflow-provider-emailverify/",
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
                **connection_form("https://api.cliova.com/v1"),
            },
        ],
        "hooks": modules("hooks.base", "hooks.proofy", "hooks.cliova"),
        "operators": modules("operators.download", "operators.check"),
        "sensors": modules("sensors.batch"),
        "triggers": modules("triggers.batch"),
    }
