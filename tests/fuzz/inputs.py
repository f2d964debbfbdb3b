"""Hostile bytes, texts and documents; each holds :data:`SECRET` where it holds an address."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from airflow_provider_emailverify.formats import json_file, text_file

#: It stands in every address, and must stand in no error.
SECRET = "s3cr3t"


_PIECES = (
    *(f"{SECRET}@example.com", f"x{SECRET}@example.com", f'"{SECRET} "@example.com', "x@", "@", "n/a", "", " "),
    *("email", "E-Mail", "Email ", "verdict", "status", "Status", "id", "valid", "Invalid", "role", "true", "0", "1"),
    *('"', '""', "'", ",", ";", "\t", "|", "\n", "\r\n", "\r", "\n\n", "sep=;", "\ufeff", "\x00", "\x1a", "\u2028"),
    *("\u200b", "\u00a0", "\x0c", "é", "😀", "\ud83d", "{", "}", "[", "]", ":", "null", "NaN", "1e999", "-", "<html>"),
)
# In JSON it becomes a number that Python does not read.
_HUGER = "huger"
_NAMES = ("email", "status", "verdict", "list", "payload", "code", "message", "error", "syntax", "username", "domain")


class LeakError(Exception):
    """An error's text holds what is secret."""


def check(error: Exception) -> None:
    """
    Refuse an error that tells of the content of a file.

    :param error: one of ours.
    """
    if SECRET in str(error):
        raise LeakError(str(error))


def cut_into_chunks(chance: Random) -> None:
    """Have files read in chunks of some size, most often so small that their seams are everywhere."""
    for module in (text_file, json_file):
        module._CHUNK_BYTES = chance.choice((1, 2, 5, 64, 256 * 1024))


def some(chance: Random, make: Callable[[], Any], most: int = 8) -> list[Any]:
    """Return some of what a function makes."""
    return [make() for _ in range(chance.randrange(most + 1))]


def text(chance: Random, most: int = 12) -> str:
    """Return pieces of what matters in files, or any characters."""
    if chance.random() < 0.2:
        return "".join(chr(chance.choice((chance.randrange(128), chance.randrange(0x11000)))) for _ in range(most))
    return "".join(some(chance, lambda: chance.choice(_PIECES), most))


def address(chance: Random) -> str:
    """Return an address, most often a good one."""
    return f"{SECRET}{chance.randrange(50)}@example.com" if chance.random() < 0.8 else text(chance, 4)


def number(chance: Random) -> Any:
    """Return a number of any size, or what becomes one in JSON."""
    huge = 10 ** chance.randrange(1, 4299)
    return chance.choice((0, 1, -1, 1.5, huge, -huge, float("inf"), float("nan"), 1e308, -0.0, True, _HUGER))


def document(chance: Random, depth: int = 3) -> Any:
    """Return a value that JSON can hold, and some that it should not."""
    kind = chance.random()
    if kind < 0.25 and depth:
        return some(chance, lambda: document(chance, depth - 1), 4)
    if kind < 0.6 and depth:
        return {name: document(chance, depth - 1) for name in some(chance, lambda: name_of(chance), 6)}
    return chance.choice((None, number(chance), address(chance), text(chance, 4), chance.choice(_PIECES)))


def name_of(chance: Random) -> str:
    """Return the name of a member or a column."""
    return chance.choice(_NAMES) if chance.random() < 0.7 else text(chance, 3)


def table(chance: Random, header: Sequence[str], row: Callable[[], list[str]]) -> str:
    """Return CSV of any dialect, most often well formed."""
    out = io.StringIO(newline="")
    for line in some(chance, lambda: text(chance, 4), 2) if chance.random() < 0.2 else []:
        out.write(f"{line}\n")
    writer = csv.writer(
        out,
        delimiter=chance.choice(",,,;\t|"),
        lineterminator=chance.choice(("\n", "\n", "\r\n", "\r", "\n\n")),
        quoting=chance.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    )
    writer.writerow(header)
    writer.writerows(some(chance, row, chance.choice((3, 30))))
    return out.getvalue()


def as_json(chance: Random, value: Any) -> str:
    """Return JSON, most often well formed."""
    indent = 1 if chance.random() < 0.05 else None
    content = json.dumps(value, ensure_ascii=chance.random() < 0.5, indent=indent)
    return content.replace(json.dumps(_HUGER), "9" * 5000)


def encoded(chance: Random, content: str) -> bytes:
    """Return a text as bytes, most often in UTF-8."""
    encoding = "utf-8" if chance.random() < 0.8 else chance.choice(("utf-8-sig", "utf-16", "latin-1", "utf-32"))
    return content.encode(
        encoding, errors=chance.choice(("replace", "surrogatepass" if "utf" in encoding else "replace"))
    )


def damaged(chance: Random, content: bytes) -> bytes:
    """Return bytes with some of them changed, dropped, repeated or cut off, and often none."""
    if chance.random() < 0.7:
        return content
    damage = bytearray(content)
    for _ in range(chance.randrange(1, 5)):
        start = chance.randrange(len(damage) + 1)
        end = min(len(damage), start + chance.choice((1, 1, 2, 8, 100)))
        kind = chance.randrange(5)
        if kind == 0:
            damage[start:end] = chance.randbytes(end - start)
        elif kind == 1:
            del damage[start:end]
        elif kind == 2:
            damage[start:start] = bytes(damage[start:end]) * chance.randrange(1, 4)
        elif kind == 3:
            damage[start:start] = chance.choice(_PIECES).encode(errors="surrogatepass")
        else:
            del damage[start:]
    return bytes(damage)


def packed(chance: Random, content: bytes) -> bytes:
    """Return bytes compressed with gzip, sometimes, and sometimes damaged after that."""
    if chance.random() < 0.8:
        return content
    return damaged(chance, gzip.compress(content, 1, mtime=0))
