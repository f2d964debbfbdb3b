"""Values out of JSON, Parquet and sheets: as text, and in types that a column can have."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time, timedelta
from typing import Any

_LONGEST_INTEGER = 63  # bits


def as_text(value: Any) -> str | None:
    """
    Return a value as text, None as None.

    :param value: any value.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=as_text)
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)


def kind_of(value: Any) -> type:
    """
    Return the type of a value as a column of Parquet may have it: text for an integer that is too long.

    :param value: any value but None.
    """
    is_long = isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER
    return str if is_long else type(value)
