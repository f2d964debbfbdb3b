"""The page of a verified list, as text and in a browser."""

from __future__ import annotations

import re
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emailverify.results.report import render_list_report
from airflow_provider_emailverify.results.schema import Verdict
from tests.chromium import CHROMIUM, needs_chromium

NO_VERDICTS = {verdict.value: 0 for verdict in Verdict}
GOOD = {**NO_VERDICTS, "deliverable": 3, "undeliverable": 1}


def summary(**changes: Any) -> dict[str, Any]:
    """Return the summary of a merge."""
    return {
        "rows": 5,
        "addresses": 4,
        "duplicates": 0,
        "dropped": {},
        "no_address": 1,
        "missing": 0,
        "verdicts": GOOD,
        "reasons": {"accepted": 3, "rejected": 1},
        "vendors": {"proofy": 4},
        "vendor_verdicts": {"proofy": GOOD},
        "sources": [{"source": "s3://bucket/lists/list.csv", "rows": 5, "verdicts": GOOD}],
        **changes,
    }


EMPTY = summary(
    rows=0,
    addresses=0,
    no_address=0,
    verdicts=NO_VERDICTS,
    reasons={},
    vendors={},
    vendor_verdicts={},
    sources=[{"source": "s3://bucket/lists/list.csv", "rows": 0, "verdicts": NO_VERDICTS}],
    bought=0,
    known=0,
    prescreened=0,
)
HUNDRED_REASONS = summary(reasons={f"reason_{number}_{'x' * number}": 100 - number for number in range(100)})


def run(moment: str, **changes: Any) -> dict[str, Any]:
    """Return the figures of a run as they are kept."""
    return {"moment": moment, "rows": 4, "verdicts": GOOD, **changes}


YEAR = [run(f"2025-{week // 4 + 1:02d}-{week % 4 * 7 + 1:02d}T00:00:00Z", bought=week, known=52) for week in range(48)]


def lists(*uris: str) -> list[dict[str, Any]]:
    """Return lists as a summary has them."""
    return [{"source": uri, "rows": 4, "verdicts": GOOD} for uri in uris]


def headings(page: str) -> list[str]:
    """Return the headings of the parts of a page."""
    return re.findall("<h2>(.*?)</h2>", page)


def test_what_was_bought_and_what_was_not_stands_in_one_bar() -> None:
    page = render_list_report(summary(bought=1, known=2, prescreened=1, price=0.008, saved=12.5))

    assert "Bought and saved" in headings(page)
    assert '<i class="known" style="width:50.00%"></i>' in page
    assert "known from earlier 2 <small>50.0%</small>" in page
    assert "<div><b>0.01</b><small>paid</small></div><div><b>12.50</b><small>saved</small></div>" in page


def test_without_a_submission_nothing_is_said_of_a_purchase() -> None:
    page = render_list_report(summary())

    assert "Bought and saved" not in headings(page)
    assert "<small>paid</small>" not in page


def test_each_vendor_shows_its_verdicts() -> None:
    page = render_list_report(summary(vendor_verdicts={"cliova": {**NO_VERDICTS, "risky": 1, "unknown": 3}}))

    bar = '<i class="risky" style="width:25.00%"></i><i class="unknown" style="width:75.00%"></i>'
    assert bar in row(page, "cliova")


def test_several_lists_are_told_apart_by_what_follows_their_common_folder() -> None:
    page = render_list_report(summary(sources=lists("s3://b/x/acme/list.csv", "s3://b/x/globex/list.csv")))

    assert "<h1>2 lists</h1>" in page
    assert "Lists" in headings(page)
    for name in ("acme/list.csv", "globex/list.csv"):
        assert f'<th class="name">{name}</th>' in page


def test_of_thousands_of_lists_a_hundred_are_shown() -> None:
    page = render_list_report(summary(sources=lists(*(f"s3://b/x/{number}.csv" for number in range(2345)))))

    assert page.count(".csv</th>") == 100
    assert "… and 2,245 more" in page


def row(page: str, name: str) -> str:
    """Return the row of a table that has this name."""
    return page[page.index(f'<th class="name">{name}</th>') :].partition("</tr>")[0]


def test_earlier_runs_stand_above_this_one_with_what_they_bought() -> None:
    poor = {**NO_VERDICTS, "deliverable": 1, "unknown": 1}
    runs = [
        run("2026-11-19T06:00:00Z", verdicts=poor, bought=3, known=0, prescreened=1),
        run("2026-11-26T06:00:00Z", bought=1, known=1),
    ]

    page = render_list_report(summary(), runs)

    assert headings(page)[2:4] == ["Over time", "Bought over time"]
    assert "75.0% deliverable, after 50.0% on 2026-11-19." in page
    assert row(page, "2026-11-19").endswith('<td class="count">1</td><td class="share">50.0%</td>')
    assert "2026-11-26, this run" in page
    bought = page.partition("Bought over time")[2]
    assert '<i class="other" style="width:75.00%"></i><i class="unknown" style="width:25.00%"></i>' in bought
    assert '<i class="other" style="width:25.00%"></i><i class="known" style="width:25.00%"></i>' in bought


def test_two_runs_of_one_day_are_told_apart_by_the_hour() -> None:
    page = render_list_report(summary(), [run("2026-11-26T06:00:00Z"), run("2026-11-26T18:00:00Z")])

    assert row(page, "2026-11-26 06:00:00")
    assert row(page, "2026-11-26 18:00:00, this run")
    assert "Bought over time" not in headings(page)


def test_a_first_run_and_runs_without_rows_say_nothing_of_a_change() -> None:
    empty = run("2026-11-19T06:00:00Z", rows=0, verdicts=NO_VERDICTS)

    assert "Over time" not in headings(render_list_report(summary(), [run("2026-11-26T06:00:00Z")]))
    page = render_list_report(summary(), [empty, run("2026-11-26T06:00:00Z")])
    assert "Over time" in headings(page)
    assert "deliverable, after" not in page


def test_a_share_that_is_small_is_not_nothing() -> None:
    page = render_list_report(summary(verdicts={**NO_VERDICTS, "deliverable": 100_000, "risky": 1}))

    assert "risky 1 <small>&lt;0.1%</small>" in page
    assert "unknown 0 <small>0.0%</small>" in page


def test_a_name_is_text_and_never_a_tag() -> None:
    runs = [run("<script>alert(1)</script>"), run("2026-11-26T06:00:00Z")]
    page = render_list_report(summary(sources=lists("file:///x/<script>.csv"), reasons={"<img src=x>": 1}), runs)

    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize("figures", [EMPTY, HUNDRED_REASONS, summary()], ids=["no rows", "100 reasons", "usual"])
@pytest.mark.parametrize("runs", [[], YEAR], ids=["a first run", "a year"])
def test_the_page_holds_no_script_and_refers_to_nothing(figures: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    page = render_list_report(figures, runs)

    assert not re.search(r"<(script|link|img|iframe|object|a|form)\b|url\(|@import|\b(src|href|on\w+)=", page)
    assert "default-src 'none'" in page


# --- in a browser ---


def background(png: bytes) -> tuple[int, int, int]:
    """Return the colour of the first pixel; what stands before it is the filter, which does not change the first."""
    assert png.startswith(b"\x89PNG")
    data, at = b"", 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    red, green, blue = zlib.decompress(data)[1:4]
    return red, green, blue


def chromium(*words: str) -> str:
    """Run Chromium without a window, and return what it says."""
    assert CHROMIUM
    always = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    done = subprocess.run([CHROMIUM, *always, *words], check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


@needs_chromium
@pytest.mark.parametrize(
    ("figures", "runs"),
    [(EMPTY, []), (HUNDRED_REASONS, []), (HUNDRED_REASONS, YEAR)],
    ids=["no rows", "100 reasons", "a year"],
)
def test_a_browser_shows_the_page_in_light_and_dark(
    tmp_path: Path, figures: dict[str, Any], runs: list[dict[str, Any]]
) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_list_report(figures, runs))

    for scheme in (0, 1):
        chromium(
            f"--user-data-dir={tmp_path}/{scheme}",
            f"--blink-settings=preferredColorScheme={scheme}",
            "--window-size=600,800",
            f"--screenshot={tmp_path}/{scheme}.png",
            page.as_uri(),
        )

    dark, light = (background((tmp_path / f"{scheme}.png").read_bytes()) for scheme in (0, 1))
    assert light == (255, 255, 255)
    assert max(dark) < 40


@needs_chromium
def test_a_browser_reads_the_rows_of_a_year(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(render_list_report(summary(), YEAR))

    seen = chromium(f"--user-data-dir={tmp_path}/profile", "--virtual-time-budget=1000", "--dump-dom", page.as_uri())

    over_time = seen.partition("<h2>Over time</h2>")[2].partition("<h2>")[0]
    assert over_time.count('<th class="name">2025-') == len(YEAR)


@needs_chromium
def test_a_hundred_reasons_print_on_several_pages(tmp_path: Path) -> None:
    page, printed = tmp_path / "report.html", tmp_path / "report.pdf"
    page.write_text(render_list_report(HUNDRED_REASONS))

    chromium(f"--user-data-dir={tmp_path}/profile", f"--print-to-pdf={printed}", page.as_uri())

    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed.read_bytes())) <= 6
