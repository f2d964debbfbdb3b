"""Which part of the package may import which: arrows point downwards only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import airflow_provider_emailverify
from airflow_provider_emailverify.get_provider_info import get_provider_info

PACKAGE = "airflow_provider_emailverify"
ROOT = Path(airflow_provider_emailverify.__file__).parent
#: What everybody may import.
GROUND = {"exceptions", "limits", "readings", "redaction", "version_compat", "__init__"}
#: Each part, and the parts that it may import beside the ground.
ARROWS: dict[str, set[str]] = {
    "formats": set(),
    "http": set(),
    "storage": set(),
    "connections": {"http"},
    "batches": set(),
    "get_provider_info": {"connections"},
    "results": {"formats", "storage"},
    "lists": {"formats", "storage", "results"},
    "hooks": {"http", "results", "formats", "connections", "batches", "get_provider_info"},
    "steps": {"hooks", "lists", "results", "http", "storage", "formats", "batches"},
    "task_errors": set(),
    "links": {"hooks", "batches"},
    "triggers": {"steps", "batches"},
    "sensors": {"triggers", "steps", "hooks", "http", "links", "task_errors", "batches"},
    "operators": {
        "triggers",
        "steps",
        "hooks",
        "lists",
        "results",
        "storage",
        "http",
        "links",
        "task_errors",
        "batches",
    },
    "task_groups": {"operators", "sensors", "results"},
    "sandbox": set(),
    "commands": {"operators", "steps", "hooks", "results", "get_provider_info"},
    "__main__": {"commands", "sandbox"},
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return the modules of the package that a module imports, anywhere in it, by their names below the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == PACKAGE:
            base = node.module.partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".strip(".")
                found.add(inner if is_module(inner) else base or "__init__")
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.partition(".")[2] or "__init__" for alias in node.names if alias.name.startswith(PACKAGE)
            }
    return frozenset(found)


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or path.is_dir()


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def part_of(name: str) -> str:
    return name.partition(".")[0]


def arrows() -> Iterator[tuple[str, str]]:
    """Yield every import within the package, as the names of two modules."""
    for path in modules():
        for target in imports_of(path):
            yield name_of(path), target


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_a_module_imports_only_what_stands_below_its_part(path: Path) -> None:
    part = part_of(name_of(path))
    if part in GROUND:
        allowed = GROUND
    else:
        assert part in ARROWS, f"{part} is new: say in ARROWS what it may import"
        allowed = ARROWS[part] | GROUND | {part}

    upwards = {target for target in imports_of(path) if part_of(target) not in allowed}

    assert not upwards


def test_the_parts_form_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(ARROWS):
        free = {part for part, below in ARROWS.items() if part not in done and below <= done}
        assert free, f"a circle among {sorted(set(ARROWS) - done)}"
        done |= free


def test_no_module_imports_itself_by_way_of_others() -> None:
    below: dict[str, set[str]] = {}
    for source, target in arrows():
        below.setdefault(source, set()).add(target)

    def reach(name: str, seen: set[str]) -> set[str]:
        for target in below.get(name, ()):
            if target not in seen:
                seen.add(target)
                reach(target, seen)
        return seen

    assert [name for name in below if name in reach(name, set())] == []


def test_no_vendor_imports_a_vendor() -> None:
    classes = [entry["hook-class-name"] for entry in get_provider_info()["connection-types"]]
    vendors = {name.removeprefix(f"{PACKAGE}.").rpartition(".")[0] for name in classes}

    assert len(vendors) >= 2
    assert not [(source, target) for source, target in arrows() if source in vendors and target in vendors]


def test_only_the_transport_opens_sockets() -> None:
    """One place writes the key to a socket, so nothing else may speak to one."""
    for path in modules():
        name = name_of(path)
        if name.startswith(("http.", "sandbox.")):
            continue
        text = path.read_text()
        assert "import requests" not in text, name
        assert "urllib3" not in text, name
        assert "http.client" not in text.replace(f"{PACKAGE}.http.client", ""), name


def test_a_file_of_triggers_holds_triggers_and_nothing_else() -> None:
    for path in (ROOT / "triggers").glob("*.py"):
        tree = ast.parse(path.read_text())
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]

        assert all(node.name.endswith("Trigger") for node in classes), path.name


def test_no_file_is_longer_than_350_lines() -> None:
    long = {name_of(path): lines for path in modules() if (lines := len(path.read_text().splitlines())) > 350}

    assert not long


#: A word to a checker that it shall be silent, and what stands behind it.
SILENCE = re.compile(r"#\s*(?:type: ignore|noqa)(?:\[[^]]*\]|: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)?(?P<reason>.*)")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_what_silences_a_checker_says_why_beside_it(path: Path) -> None:
    silent = [
        (number, line.strip())
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (said := SILENCE.search(line)) and len(re.findall(r"[A-Za-z]+", said["reason"])) < 2
    ]

    assert not silent
