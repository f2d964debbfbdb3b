"""
Read a large JSON document value by value in one pass: its rows as they come, and what stands around them.

The values themselves are decoded by the standard library; what is added here is to ask for them one at a time.
That takes less time than ijson's quickest backend, which would need a second pass for what stands around the rows;
docs/benchmarks.md has the figures.
"""

from __future__ import annotations

import json
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from airflow_provider_emailverify.exceptions import IncompleteResponseError, UnexpectedResponseError

_CHUNK_BYTES = 512 * 1024
#: One row, or one member of the document that is no list, may be this long.
MAX_VALUE_CHARACTERS = 32 * 1024 * 1024
# It matches everywhere, if only nothing: mypy has to be told where it is used.
_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# What the public raw_decode() calls, without its cost for each row.
_scan = json.JSONDecoder(parse_constant=_refuse).scan_once  # type: ignore[attr-defined] # typeshed leaves it out


class JsonDocument:
    """
    Read a JSON document that is an object or a list.

    :param file: the bytes, UTF-8, with or without a byte order mark; read from where it stands.
    :param what: whose document it is, for messages.
    """

    def __init__(self, file: BinaryIO, what: str) -> None:
        self._file = file
        self._decode = getincrementaldecoder("utf-8-sig")().decode
        self._what = what
        self._text = ""
        self._at = 0
        #: Members of the document that are no lists, once they were reached.
        self.values: dict[str, Any] = {}
        #: Members that are lists, with the number of their elements; None is the document itself.
        self.lists: dict[str | None, int] = {}

    def rows(self, member: str | None = None) -> Iterator[Any]:
        """
        Walk through the document, and yield the elements of a list as they come.

        The document has been read to its end, and was whole, when the iteration ends by itself.

        :param member: the name of the list; None for any. A document that is a list has no names.
        :raises IncompleteResponseError: the document is cut or malformed.
        :raises UnexpectedResponseError: it is neither an object nor a list, or has a value that is too long.
        """
        start = self._peek()
        if start == "[":
            yield from self._elements(None)
        elif start == "{":
            yield from self._members(member)
        else:
            raise UnexpectedResponseError.advised(f"{self._what}: expected a JSON document, found something else.")
        if self._peek():
            raise self._broken() from None

    def _members(self, wanted: str | None) -> Iterator[Any]:
        self._at += 1
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            name = self._value(":")
            if not isinstance(name, str):
                raise self._broken() from None
            self._at += 1
            if self._peek() != "[":
                self.values[name] = self._value(",}")
            elif name in self.lists:
                raise UnexpectedResponseError(f"{self._what}: the JSON document has two lists of the same name.")
            elif wanted in (None, name):
                yield from self._elements(name)
            else:
                for _ in self._elements(name):
                    pass
            end = self._peek()
            self._at += 1
            if end == "}":
                return
            if end != "," or self._peek() == "}":
                raise self._broken() from None

    def _elements(self, name: str | None) -> Iterator[Any]:
        self._at += 1
        self.lists[name] = 0
        if self._peek() == "]":
            self._at += 1
            return
        count = 0
        while True:
            # What follows is _value() for the usual case, in line: it runs once a row.
            try:
                value, end = _scan(self._text, self._at)
                mark = self._text[end]
            except (ValueError, StopIteration, IndexError, RecursionError):
                mark = ""
            if mark not in (",", "]"):
                value = self._value(",]")
                end, mark = self._at, self._text[self._at]
            self._at = end + 1
            count += 1
            yield value
            if mark == "]":
                self.lists[name] = count
                return

    def _value(self, marks: str) -> Any:
        """Decode the value that comes next, which one of the marks must follow; stop before that mark."""
        self._peek()
        while True:
            try:
                value, end = _scan(self._text, self._at)
                end = _SPACE.match(self._text, end).end()  # type: ignore[union-attr] # it matches everywhere
                # A number is over when something follows it: 1 may be the beginning of 12.
                if end < len(self._text) and self._text[end] in marks:
                    self._at = end
                    return value
            except (ValueError, StopIteration):
                pass  # malformed, or it goes on in what was not read yet
            except RecursionError:
                raise self._broken() from None
            if len(self._text) - self._at > MAX_VALUE_CHARACTERS:
                raise UnexpectedResponseError(
                    f"{self._what}: the JSON document has a value that is malformed, or longer than "
                    f"{MAX_VALUE_CHARACTERS:,} characters."
                )
            if not self._more():
                raise self._broken() from None

    def _peek(self) -> str:
        """Return the next character that is no space, and stop before it; "" at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr] # it matches everywhere
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, at least as much as is pending, so that a long value is not tried too often."""
        pending = self._text[self._at :]
        chunk = self._file.read(max(_CHUNK_BYTES, len(pending)))
        try:
            self._text = pending + self._decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise self._broken() from None  # its text quotes the document
        self._at = 0
        return bool(chunk)

    def _broken(self) -> IncompleteResponseError:
        return IncompleteResponseError(f"{self._what}: the JSON document is cut or malformed.")
