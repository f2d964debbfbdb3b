"""The parts that pages of figures are made of: HTML without a script, and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

# The policy lets the page load nothing, whatever a vendor's word manages to look like.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --paper: #fff; --track: #eef1f4; --edge: #d8dee4;
  --deliverable: #2e8b57; --undeliverable: #c8402f; --risky: #d9911b; --unknown: #8a949e; --other: #4a78b5;
  --known: #a9c4e6; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --track: #21262d;
  --edge: #30363d; --deliverable: #3fa46a; --undeliverable: #dc5b4b; --risky: #d29a33; --unknown: #7d8590;
  --other: #5b8fd0; --known: #2f5587; }} }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 56rem;
  margin: 0 auto; padding: 2rem 1.25rem 3rem; }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.05rem; margin: 2.2rem 0 .6rem; break-after: avoid; }}
p {{ margin: .3rem 0; }}
.soft, small {{ color: var(--soft); }}
.warning {{ border-left: 4px solid var(--risky); padding: .1rem 0 .1rem .8rem; margin: 1rem 0; }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .8rem;
  margin: 1.4rem 0; }}
.tiles div {{ border: 1px solid var(--edge); border-radius: .5rem; padding: .6rem .9rem; }}
.tiles b {{ display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 600;
  font-variant-numeric: tabular-nums; }}
table {{ border-collapse: collapse; width: 100%; table-layout: fixed; }}
caption {{ text-align: right; }}
tr {{ break-inside: avoid; }}
th, td {{ padding: .16rem 0; text-align: right; font-weight: normal; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; padding-right: 1rem; overflow-wrap: anywhere; }}
.figures {{ width: auto; min-width: min(24rem, 100%); }}
.figures td {{ padding-left: 2rem; }}
.name {{ width: 32%; }} .count {{ width: 6.5rem; }} .share {{ width: 4.2rem; }}
.bar {{ display: flex; height: .85rem; border-radius: .2rem; overflow: hidden; background: var(--track); }}
.bar i {{ flex: none; min-width: 1px; background: var(--other); }}
.whole .bar {{ height: 1.6rem; border-radius: .35rem; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: .5rem 0 0; padding: 0; list-style: none; }}
.legend i {{ display: inline-block; width: .75rem; height: .75rem; border-radius: .15rem; margin-right: .4rem; }}
.deliverable {{ background: var(--deliverable) !important; }}
.undeliverable {{ background: var(--undeliverable) !important; }}
.risky {{ background: var(--risky) !important; }}
.unknown {{ background: var(--unknown) !important; }}
.other {{ background: var(--other) !important; }}
.known {{ background: var(--known) !important; }}
@media (max-width: 34rem) {{ .name {{ width: 40%; }} .share {{ display: none; }} .count {{ width: 5rem; }} }}
@media print {{ body {{ padding: 0; font-size: 11px; max-width: none; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""

#: The colours of verdicts, and of what was bought and what was not; anything else has one of its own.
COLOURS = {
    "deliverable": "deliverable",
    "undeliverable": "undeliverable",
    "risky": "risky",
    "unknown": "unknown",
    "known from earlier": "known",
    "screened for free": "unknown",
}


def page(title: str, parts: Iterable[str]) -> str:
    """
    Return a whole page.

    :param title: its heading, as text.
    :param parts: what follows, as HTML.
    """
    return _PAGE.format(title=escape(title), body="\n".join(parts))


def paragraph(text: str, kind: str = "") -> str:
    """
    Return a paragraph.

    :param text: what it says, as text.
    :param kind: ``soft`` or ``warning``.
    """
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def heading(text: str) -> str:
    """
    Return the heading of a part.

    :param text: what it says, as text.
    """
    return f"<h2>{escape(text)}</h2>"


def tiles(figures: Mapping[str, str]) -> str:
    """
    Return the figures that one looks for first.

    :param figures: what each is called, and how it is written.
    """
    cells = (f"<div><b>{escape(value)}</b><small>{escape(name)}</small></div>" for name, value in figures.items())
    return f'<div class="tiles">\n{"".join(cells)}\n</div>'


def table(figures: Mapping[str, str]) -> str:
    """
    Return figures below each other.

    :param figures: what each is called, and how it is written.
    """
    rows = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in figures.items())
    return f'<table class="figures">\n{"".join(rows)}\n</table>'


def whole(counts: Mapping[str, int]) -> str:
    """
    Return one bar of parts, and what each of them is.

    :param counts: the parts.
    """
    total = sum(counts.values())
    legend = (
        f'<li><i class="{_colour(name)}"></i>{escape(name)} {count:,} <small>{_share(count, total)}</small></li>'
        for name, count in counts.items()
    )
    return f'<div class="whole">{_bar(counts, total)}<ul class="legend">\n{"".join(legend)}\n</ul></div>'


def bars(counts: Mapping[str, int], total: int) -> str:
    """
    Return a bar for each name.

    :param counts: how many there are of each.
    :param total: how many there are in all.
    """
    return _bar_table(_row(name, {name: count}, total, count, total) for name, count in counts.items())


def stacks(counts: Mapping[str, Mapping[str, int]], of: str, *, to_scale: bool = False) -> str:
    """
    Return for each name a bar of its parts.

    :param counts: the parts of each.
    :param of: the part whose number and share stand behind the bar.
    :param to_scale: the more there is, the longer the bar; else each is as long as the others.
    """
    totals = {name: sum(parts.values()) for name, parts in counts.items()}
    most = max(totals.values(), default=0)
    rows = [
        _row(name, parts, most if to_scale else totals[name], parts[of], totals[name]) for name, parts in counts.items()
    ]
    head = f'<caption class="soft">{escape(of)}</caption>'
    return _bar_table([head, *rows] if rows else [])


def _row(name: str, parts: Mapping[str, int], full: int, count: int, total: int) -> str:
    return (
        f'<tr><th class="name">{escape(name)}</th><td>{_bar(parts, full)}</td><td class="count">{count:,}</td>'
        f'<td class="share">{_share(count, total)}</td></tr>'
    )


def _bar_table(rows: Iterable[str]) -> str:
    lines = "".join(rows)
    return f"<table>\n{lines}\n</table>" if lines else paragraph("None.", "soft")


def _bar(parts: Mapping[str, int], total: int) -> str:
    pieces = (
        f'<i class="{_colour(name)}" style="width:{100 * count / total:.2f}%"></i>'
        for name, count in parts.items()
        if count and total
    )
    return f'<div class="bar">{"".join(pieces)}</div>'


def _colour(name: str) -> str:
    return COLOURS.get(name, "other")


def _share(count: int, total: int) -> str:
    """Return a share, as HTML; what there is is never shown as nothing."""
    share = count / total if total else 0.0
    return "&lt;0.1%" if 0 < share < 0.0005 else f"{share:.1%}"
