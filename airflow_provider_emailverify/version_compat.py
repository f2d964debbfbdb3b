"""What Airflow's common-compat provider does not bring under one name for all versions."""

from __future__ import annotations

try:
    from airflow.sdk.exceptions import TaskDeferralError
except ImportError:  # before Airflow 3.2
    from airflow.exceptions import TaskDeferralError  # type: ignore[no-redef]

__all__ = ["TaskDeferralError"]
