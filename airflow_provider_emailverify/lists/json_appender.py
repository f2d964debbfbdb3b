"""JSON lines, as they stand there, with members added."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_emailverify.lists.added_columns import AddedColumns, Numbers, Rendered
from airflow_provider_emailverify.lists.list_writer import Keep, ListWriter
from airflow_provider_emailverify.lists.text_lists import JsonLinesList, Lines
from airflow_provider_emailverify.results.schema import FLAGS

if TYPE_CHECKING:
    from airflow_provider_emailverify.storage.spool import Spool

_SPACE = re.compile(r"[ \t\n\r]*")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_int=float).raw_decode


class JsonAppender(ListWriter):
    """
    Write lines in their own text, with the added members at the end of each object, or in place of those of their name.

    :param file: the list.
    :param added: the members that are added.
    :param spool: where the bytes go, empty.
    :param is_replacing: members of these names are in the list already.
    """

    media_type = "application/x-ndjson"

    def __init__(self, file: JsonLinesList, added: AddedColumns, spool: Spool, *, is_replacing: bool) -> None:
        super().__init__(added, spool)
        self._encoding = file.text.encoding
        self._is_replacing = is_replacing
        self._values = [Rendered(partial(self._render, names)) for names in added.names_of]
        self._tails = [Rendered(partial(self._tail, values)) for values in self._values]
        spool.write(file.text.mark)

    def write(self, block: Lines, numbers: Numbers, keep: Keep = None) -> None:
        """Append lines."""
        self.spool.write("".join(self._lines(block, numbers, keep)).encode(self._encoding))

    def _lines(self, block: Lines, numbers: Numbers, keep: Keep) -> Iterator[str]:
        texts, breaks = block
        rows, kept = zip(*numbers, strict=True), iter(keep or [])
        for text, end in zip(texts, [breaks] * len(texts) if isinstance(breaks, str) else breaks, strict=True):
            if not text.strip():
                if keep is None:
                    yield text + end
                continue
            row = next(rows)
            if keep is not None and not next(kept):
                continue
            if self._is_replacing:
                yield self._replace(text, row) + end
            elif len(row) == 1:
                yield self._append(text, self._tails[0][row[0]]) + end
            else:
                tails = [tails[number] for tails, number in zip(self._tails, row, strict=True)]
                yield self._append(text, ",".join(tails)) + end

    def _append(self, text: str, tail: str) -> str:
        close = text.rindex("}")
        start = text[:close]
        comma = "" if start.rstrip().endswith("{") else ","
        return start + comma + tail + text[close:]

    def _replace(self, text: str, row: Sequence[int]) -> str:
        values: dict[str, str] = {}
        for rendered, number in zip(self._values, row, strict=True):
            values |= rendered[number]
        parts, done = [], 0
        for name, start, end in members(text):
            if name in values:
                parts += [text[done:start], values.pop(name)]
                done = end
        whole = "".join([*parts, text[done:]])
        return self._append(whole, _joined(values)) if values else whole

    def _tail(self, values: Rendered[dict[str, str]], number: int) -> str:
        return _joined(values[number])

    def _render(self, names: Sequence[str], number: int) -> dict[str, str]:
        return {
            name: self._fit(_encode(value == "true" if value and column in FLAGS else value))
            for name, column, value in zip(names, self.added.columns, self.added.values(number), strict=True)
        }

    def _fit(self, text: str) -> str:
        try:
            text.encode(self._encoding)
        except UnicodeEncodeError:  # the list's encoding has no such character
            return json.dumps(json.loads(text))
        return text


def _joined(values: Mapping[str, str]) -> str:
    return ",".join([f"{_encode(name)}:{value}" for name, value in values.items()])


def members(text: str) -> Iterator[tuple[str, int, int]]:
    """
    Yield the name of each member of an object, and where its value begins and ends.

    :param text: a JSON object.
    """

    def skip(at: int) -> int:
        return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches everywhere

    at = skip(text.index("{") + 1)
    while text[at] != "}":
        name, at = _decode(text, at)
        start = skip(skip(at) + 1)
        _, end = _decode(text, start)
        yield name, start, end
        at = skip(end)
        if text[at] == ",":
            at = skip(at + 1)
