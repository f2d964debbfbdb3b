"""
What Airflow reads to discover this provider: pure data.

Airflow imports this module while its own configuration is still being set up, so nothing of Airflow's is imported
here.
"""

from typing import Any

from airflow_provider_emailverify.connections import EXTRAS, connection_form

_PACKAGE = "airflow_provider_emailverify"


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
                **connection_form("https://api.cliova.com/v1", EXTRAS | {"column_map"}),
            },
        ],
        "hooks": modules("hooks.base", "hooks.proofy", "hooks.cliova"),
        "operators": modules("operators.submit", "operators.download", "operators.merge", "operators.check"),
        "sensors": modules("sensors.batch"),
        "triggers": modules("triggers.batch", "triggers.event"),
        "extra-links": [f"{_PACKAGE}.links.EmailVerifyBatchLink"],
    }
