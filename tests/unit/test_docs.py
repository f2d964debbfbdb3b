"""README is short, and all links within the project lead somewhere."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.commands.vendors import vendor_table
from airflow_provider_emailverify.get_provider_info import get_provider_info

PROJECT = Path(__file__).resolve().parents[2]
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = [*(PROJECT / name for name in TOP), *sorted((PROJECT / "docs").rglob("*.md"))]
IMAGES = PROJECT / "docs" / "images"
GUIDES = sorted((PROJECT / "docs" / "guides").glob("*.md"))
#: What tests run, and guides quote.
RUN = [
    *(PROJECT / "dags_examples").glob("*.py"),
    *(PROJECT / "tests" / "integration" / "third_party").rglob("*.py"),
]
CODE = re.compile(r"(?ms)^( *)```python\n(.*?)^ *```")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors that a reader makes of a page's headings."""
    headings = re.findall(r"(?m)^#{1,4} (.+)$", page.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_read_in_a_few_minutes() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 130


def test_the_readme_names_every_vendor() -> None:
    text = (PROJECT / "README.md").read_text().partition("```")[0]

    assert [
        entry["hook-name"] for entry in get_provider_info()["connection-types"] if entry["hook-name"] not in text
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_to_files_and_headings_that_there_are(page: Path) -> None:
    text = page.read_text()
    for link in [*LINK.findall(text), *re.findall(r'(?:src|srcset|href)="([^"]+)"', text)]:
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_examples_in_python_can_be_parsed(page: Path) -> None:
    for _, code in CODE.findall(page.read_text()):
        compile(textwrap.dedent(code), page.name, "exec")


@pytest.mark.parametrize("page", GUIDES, ids=[page.name for page in GUIDES])
def test_the_code_of_a_guide_stands_in_a_file_that_tests_run(page: Path) -> None:
    files = ["\n".join(map(str.strip, path.read_text().splitlines())) for path in RUN]
    blocks = [textwrap.dedent(code) for _, code in CODE.findall(page.read_text())]

    assert blocks
    for code in blocks:
        assert any("\n".join(map(str.strip, code.strip().splitlines())) in text for text in files), code


def test_every_page_can_be_reached_from_the_first() -> None:
    docs = PROJECT / "docs"
    listed = set(re.findall(r"(?m)^   ((?:[\w-]+/)?[\w-]+)$", (docs / "index.rst").read_text()))

    pages = {
        path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*") if path.suffix in (".md", ".rst")
    }
    assert pages - {"index"} == listed


def test_the_reference_has_every_module_that_airflow_is_told_of() -> None:
    text = "".join(path.read_text() for path in (PROJECT / "docs" / "reference").glob("*.rst"))
    vendors = {entry["hook-class-name"].rpartition(".")[0] for entry in get_provider_info()["connection-types"]}

    for kind in ("hooks", "operators", "sensors", "triggers"):
        for group in get_provider_info()[kind]:
            for module in set(group["python-modules"]) - vendors:  # conf.py adds those
                assert f".. automodule:: {module}\n" in text


def test_the_table_of_vendors_is_the_one_that_the_hooks_make() -> None:
    text = (PROJECT / "docs" / "vendors.md").read_text()

    assert f"\n\n{vendor_table()}\n\n" in text, "put what python -m airflow_provider_emailverify vendors prints there"


def test_the_changelog_has_the_shape_of_keep_a_changelog_and_begins_with_this_version() -> None:
    text = (PROJECT / "CHANGELOG.md").read_text()

    releases = re.findall(r"(?m)^## (.+)$", text)
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - (unreleased|\d{{4}}-\d\d-\d\d)", releases[0])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"(?m)^### (.+)$", text)) <= kinds


def test_the_tests_that_the_page_on_security_names_are_there() -> None:
    text = (PROJECT / "SECURITY.md").read_text()
    names = re.findall(r"`(\S*test_\w+\.py)`", text)
    tests = [path.relative_to(PROJECT).as_posix() for path in (PROJECT / "tests").rglob("test_*.py")]

    assert len(names) > 5
    assert [name for name in names if not any(f"/{path}".endswith(f"/{name}") for path in tests)] == []


def test_the_tests_that_the_page_on_stores_names_are_there() -> None:
    names = set(re.findall(r"`(test_\w+)`", (PROJECT / "docs" / "stores.md").read_text()))
    tests = "".join(path.read_text() for path in (PROJECT / "tests").rglob("*.py"))

    assert len(names) > 10
    assert {name for name in names if f"def {name}(" not in tests} == set()


def test_the_picture_of_the_walk_says_the_same_in_light_and_dark() -> None:
    light, dark = ((IMAGES / f"walk-{kind}.svg").read_text() for kind in ("light", "dark"))

    def words(text: str) -> list[str]:
        return [part for part in ElementTree.fromstring(text).itertext() if part.strip()]

    assert words(light) == words(dark)
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)
    assert light != dark


@pytest.mark.parametrize("path", sorted(IMAGES.iterdir()), ids=lambda path: path.name)
def test_a_picture_is_small_and_loads_nothing(path: Path) -> None:
    data = path.read_bytes()

    assert len(data) < 60_000
    if path.suffix == ".svg":
        assert not re.search(rb"<script|<image|<use|url\((?!#)|href", data)
    assert any(f"images/{path.name}" in page.read_text() for page in PAGES)
