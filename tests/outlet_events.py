"""What outlets are told, as a task's context has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Event:
    """What one outlet is told."""

    def __init__(self) -> None:
        self.extra: dict[str, Any] = {}
        self.added: list[tuple[str, Mapping[str, Any]]] = []

    def add(self, asset: Any, extra: Mapping[str, Any]) -> None:
        self.added.append((asset.uri, extra))


class OutletEvents:
    """An event for each outlet. It is no dictionary: assets are not hashable on Airflow 3.0 and 3.1."""

    def __init__(self, *outlets: Any) -> None:
        self._events = [(outlet, Event()) for outlet in outlets]

    def __getitem__(self, outlet: Any) -> Event:
        return next(event for known, event in self._events if known == outlet)
