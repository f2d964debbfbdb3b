"""The vendors that the sandbox plays: one module each, with a ``VENDOR`` and the ``router`` of its paths."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

NAMES: tuple[str, ...] = tuple(module.name for module in pkgutil.iter_modules(__path__))
"""Names of the vendors, which are those of their connection types."""


def load() -> list[ModuleType]:
    """Import the modules of all vendors."""
    return [importlib.import_module(f"{__name__}.{name}") for name in NAMES]
