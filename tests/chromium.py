"""Where the browser is that tests look at pages with."""

from __future__ import annotations

import shutil

import pytest

#: The program, under the names that Debian, older Ubuntus and Google give it; None if there is none.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; Debian: apt install chromium")
