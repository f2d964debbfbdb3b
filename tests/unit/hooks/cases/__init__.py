"""One case for each vendor, in a module of its own. A new vendor adds a case, and no test."""

from __future__ import annotations

import importlib
import pkgutil

from tests.unit.hooks.cases.case import VendorCase

CASES: list[VendorCase] = [
    importlib.import_module(f"{__name__}.{module.name}").CASE
    for module in pkgutil.iter_modules(__path__)
    if module.name != "case"
]
