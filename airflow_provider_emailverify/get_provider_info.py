"""
What Airflow reads to discover this provider: pure data.

Airflow imports this module while its own configuration is still being set up, so nothing of Airflow's is imported
here.
"""

from typing import Any

from airflow_provider_emailverify.connections import EXTRAS, TABLE_EXTRAS, connection_form

_PACKAGE = "airflow_provider_emailverify"
#: The vendors: what Airflow's form calls them, and the base URL that it shows. Each has a module of its own in hooks.
VENDORS = {
    "proofy": ("Proofy", "https://apis.proofy.io/v1"),
    "cliova": ("Cliova", "https://api.cliova.com/v1"),
    "zerobounce": ("ZeroBounce", "https://bulkapi.zerobounce.net/v2"),
    "neverbounce": ("NeverBounce", "https://api.neverbounce.com/v4.2"),
    "emailable": ("Emailable", "https://api.emailable.com/v1"),
    "mailgun": ("Mailgun", "https://api.mailgun.net/v4"),
    "verifalia": ("Verifalia", "https://api-1.verifalia.com/v2.6"),
    "millionverifier": ("MillionVerifier", "https://bulkapi.millionverifier.com/bulkapi/v2"),
    "bouncer": ("Bouncer", "https://api.usebouncer.com/v1.1"),
    "kickbox": ("Kickbox", "https://api.kickbox.com/v2"),
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
                "connection-type": conn_type,
                "hook-class-name": f"{_PACKAGE}.hooks.{conn_type}.{hook_name.replace(' ', '')}Hook",
                "hook-name": hook_name,
                **connection_form(base_url, EXTRAS if conn_type == "proofy" else TABLE_EXTRAS),
            }
            for conn_type, (hook_name, base_url) in VENDORS.items()
        ],
        "hooks": modules("hooks.base", *(f"hooks.{conn_type}" for conn_type in VENDORS)),
        "operators": modules(
            "operators.submit", "operators.estimate", "operators.download", "operators.merge", "operators.check"
        ),
        "sensors": modules("sensors.batch"),
        "triggers": modules("triggers.batch", "triggers.event"),
        "extra-links": [f"{_PACKAGE}.links.EmailVerify{name}Link" for name in ("Batch", "Report")],
    }
