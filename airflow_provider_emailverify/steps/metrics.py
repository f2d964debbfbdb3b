"""Count what happens, as Airflow metrics by vendor and connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import Stats

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook


def count(name: str, hook: EmailVerifyHook, number: int = 1) -> None:
    """
    Count events.

    :param name: ``polls``, ``throttled`` or ``outages``; of addresses ``bought``, ``known`` or ``prescreened``.
    :param hook: whose they are.
    :param number: how many.
    """
    tags = {"vendor": hook.conn_type, "conn_id": hook.conn_id}
    Stats.incr(f"emailverify.{name}", number, tags=tags)
    Stats.incr(_by_name(name, tags), number)


def gauge(name: str, value: float, hook: EmailVerifyHook) -> None:
    """
    Report how much there is of something.

    :param name: ``waits``.
    :param value: how much.
    :param hook: whose.
    """
    tags = {"vendor": hook.conn_type, "conn_id": hook.conn_id}
    Stats.gauge(f"emailverify.{name}", value, tags=tags)
    Stats.gauge(_by_name(name, tags), value)


def _by_name(name: str, tags: dict[str, str]) -> str:
    # Plain StatsD drops tags, so Airflow's own metrics come in both spellings too.
    return ".".join(["emailverify", name, *(re.sub(r"[^A-Za-z0-9_-]", "_", value) for value in tags.values())])
