"""Names that say something about an address without asking anyone; the lists are in ``names/``, one name a line."""

from __future__ import annotations

from importlib.resources import files


def _names(list_name: str) -> frozenset[str]:
    text = files(__package__).joinpath("names", f"{list_name}.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


DISPOSABLE_DOMAINS = _names("disposable_domains")
FREE_DOMAINS = _names("free_domains")
ROLE_NAMES = _names("role_names")
NO_REPLY_NAMES = _names("no_reply_names")
