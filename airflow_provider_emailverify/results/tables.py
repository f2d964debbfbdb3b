"""Tables whose columns a vendor does not document, CSV or JSON: find the columns, then read the rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from io import TextIOWrapper
from typing import Any, BinaryIO

from airflow_provider_emailverify.exceptions import (
    IncompleteResponseError,
    InvalidRequestError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.results.findings import Findings, compact, is_text
from airflow_provider_emailverify.results.schema import FLAGS, Row

#: The columns that a table may have, in the order in which rows are read.
COLUMNS = ("email", "verdict", "reason", *FLAGS)
_DELIMITERS = ",;\t|"
