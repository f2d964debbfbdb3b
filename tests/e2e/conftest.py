"""Whoever asks a run to stop gets an end in good order: what it has started is stopped too."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Take SIGTERM, which pytest would die of at once, for Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
