"""Set cells below each other."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """
    Return a table in Markdown that can be read as it is.

    :param rows: the head and the rows, all of the same length.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *rest = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["-" * width for width in widths], *rest])
