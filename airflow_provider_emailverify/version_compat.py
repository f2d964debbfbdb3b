"""What Airflow's common-compat provider does not bring under one name for all versions."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Asset

try:
    from airflow.sdk.exceptions import TaskDeferralError
except ImportError:  # before Airflow 3.2: the same class under its older name
    from airflow.exceptions import TaskDeferralError  # type: ignore[no-redef]

#: An asset as an outlet may have it: itself, or by its name or URI.
ASSETS: tuple[type[Any], ...]
try:
    from airflow.sdk.definitions.asset import AssetRef
except ImportError:  # Airflow 2
    ASSETS = (Asset,)
else:
    ASSETS = (Asset, AssetRef)

__all__ = ["ASSETS", "TaskDeferralError"]
