"""Each vendor has a page, and what it says of limits is what the hook holds to."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from airflow_provider_emailverify.commands.vendor_page import limit, vendor_facts
from airflow_provider_emailverify.commands.vendors import hooks
from airflow_provider_emailverify.get_provider_info import VENDORS
from airflow_provider_emailverify.hooks.base import EmailVerifyHook

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = DOCS / "vendors"
HOOKS = hooks()
#: A number, and what there are so many of.
SAID = re.compile(r"(\d[\d,.]*\d|\d)\s+(addresses|batches|requests|calls|credits|days|hours?|minutes?|seconds|MB|GB)\b")
LIMITS = re.compile(r"(\d[\d,.]*\d|\d) (addresses a batch|batches at a time|requests a minute)")

pytestmark = pytest.mark.parametrize("hook", HOOKS, ids=[hook.conn_type for hook in HOOKS])


def prose(hook: type[EmailVerifyHook]) -> str:
    return (PAGES / f"{hook.conn_type}.md").read_text()


def numbers(module: ModuleType) -> set[str]:
    """Return the numbers that a module's code and comments hold, as they are written in prose."""
    return {number.replace("_", "") for number in re.findall(r"\d[\d_]*", inspect.getsource(module))}


def misstated(text: str, hook: type[EmailVerifyHook]) -> list[str]:
    """Return what a text says in numbers that the hook does not know."""
    limits = {
        "addresses a batch": limit(hook.max_batch_size),
        "batches at a time": limit(hook.max_parallel_batches),
        "requests a minute": limit(hook.site.requests_per_minute),
    }
    known = numbers(sys.modules[hook.__module__])
    wrong = [f"{number} {of}" for number, of in LIMITS.findall(text) if number != limits[of]]
    return wrong + [f"{number} {of}" for number, of in SAID.findall(text) if number.replace(",", "") not in known]


def test_there_is_a_page_which_the_site_and_the_overview_lead_to(hook: type[EmailVerifyHook]) -> None:
    assert {path.stem for path in PAGES.iterdir()} == set(VENDORS)
    assert f"\n   vendors/{hook.conn_type}\n" in (DOCS / "index.rst").read_text()
    assert f"[{hook.hook_name}](vendors/{hook.conn_type}.md)" in (DOCS / "vendors.md").read_text()
    assert prose(hook).startswith(f"# {hook.hook_name}\n")


def test_the_page_says_what_no_code_can_say_and_takes_the_rest_from_the_hook(hook: type[EmailVerifyHook]) -> None:
    text = prose(hook)

    for part in ("## The key\n", "## What is not published, and what we do\n", "## Credits\n"):
        assert part in text
    assert f"\n```{{vendor-facts}} {hook.conn_type}\n" in text
    assert not re.search(r"(?m)^\|", text), "tables are made from the hook"


def test_the_page_states_no_limit_that_the_hook_does_not_have(hook: type[EmailVerifyHook]) -> None:
    assert misstated(prose(hook), hook) == []


def test_a_limit_that_the_hook_does_not_have_is_noticed(hook: type[EmailVerifyHook]) -> None:
    assert misstated("It takes 12,345 addresses a batch, 77\nrequests a minute.", hook)


def test_the_page_says_yes_and_no_of_the_calls_as_the_hook_does(hook: type[EmailVerifyHook]) -> None:
    has_balance = hook.get_credits is not EmailVerifyHook.get_credits

    assert ("The balance is " in prose(hook)) == has_balance
    assert ("There is no call for the balance" in prose(hook)) != has_balance


def test_the_facts_are_those_of_the_hook(hook: type[EmailVerifyHook]) -> None:
    facts = vendor_facts(hook)

    rows = {
        cells[1]: cells[2] for line in facts.splitlines() if (cells := [each.strip() for each in line.split("|")])[1:]
    }
    assert rows["addresses a batch"] == limit(hook.max_batch_size)
    assert rows["batches at a time"] == limit(hook.max_parallel_batches, "not limited")
    assert rows["requests a minute"] == limit(hook.site.requests_per_minute)
    assert f"--conn-type {hook.conn_type} " in facts
    assert hook.layout is not None
    words = re.search(r"(?s)## Verdicts\n(.*?)\n## Columns", facts)
    assert words
    for word in (*hook.layout.words, *hook.layout.reasons):
        assert f"`{word}`" in words[1]
    for state in hook.states:
        assert f"`{state}`" in facts.partition("## States")[2]


def test_the_dag_is_short_and_names_the_connection(hook: type[EmailVerifyHook]) -> None:
    code = re.findall(r"(?s)```python\n(.*?)```", vendor_facts(hook))

    assert len(code) == 1
    ast.parse(code[0])
    assert len(code[0].splitlines()) == 10
    assert hook.default_conn_name in code[0]
