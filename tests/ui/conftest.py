"""As in tests/e2e."""

from tests.e2e.conftest import pytest_configure  # noqa: F401
