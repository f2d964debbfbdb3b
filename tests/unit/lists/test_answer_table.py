"""Which answer each address of a list gets, and how much memory that takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.results.answers import Answers, rank

COLUMNS = ("verdict", "verified_at")
MISSING = 0
OLD, NEW = "2026-01-01T00:00:00Z", "2026-11-26T09:30:00Z"
Said = tuple[str | None, str, str | None]


def answered(cells: Sequence[str], said: Sequence[Said], *, distinguish_case: bool = False) -> list[str]:
    """Return the verdict of each cell, with its year; whether strangers are told quickly changes nothing."""
    found = []
    for hears_strangers in (False, True):
        answers = Answers(COLUMNS)
        with AnswerTable(answers, distinguish_case=distinguish_case, hears_strangers=hears_strangers) as table:
            table.expect(cells)
            table.complete()
            strangers = sum(
                table.learn([address], [answers.number((verdict, moment))]) for address, verdict, moment in said
            )
            found.append((strangers, [answers.values[number] for number in table.read(len(cells))]))
    assert found[0] == found[1]
    values = found[0][1]
    return [f"{verdict or 'missing'} {(moment or '')[:4]}".strip() for verdict, moment in values]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("deliverable", OLD), ("undeliverable", NEW)], "undeliverable 2026"),
        ([("undeliverable", NEW), ("deliverable", "2025-01-01T00:00:00Z")], "undeliverable 2026"),
        ([("deliverable", "2025-01-01T00:00:00Z"), ("unknown", NEW)], "deliverable 2025"),
        ([("unknown", "2025-01-01T00:00:00Z"), ("unknown", NEW)], "unknown 2026"),
        ([("unknown", NEW), ("risky", None)], "risky"),
        ([("risky", "2025-01-01T00:00:00Z"), ("deliverable", None)], "risky 2025"),
        ([("deliverable", NEW), ("undeliverable", NEW)], "undeliverable 2026"),
        ([("undeliverable", NEW), ("deliverable", NEW)], "deliverable 2026"),
        ([("deliverable", None), ("undeliverable", None)], "undeliverable"),
    ],
)
def test_the_newest_answer_that_is_not_unknown_counts_then_the_newest_and_of_equals_the_last(
    said: list[tuple[str, str | None]], expected: str
) -> None:
    assert answered(["a@example.com"], [("a@example.com", *each) for each in said]) == [expected]


def test_an_answer_is_for_all_spellings_of_its_address() -> None:
    cells = ["Jane@example.com", "jane@EXAMPLE.com", "JANE@example.com"]

    assert answered(cells, [("jAnE@example.com", "risky", NEW)]) == ["risky 2026"] * 3
    assert (
        answered(cells, [("JANE@example.com", "risky", NEW), ("Jane@example.com", "deliverable", OLD)])
        == ["risky 2026"] * 3
    )


def test_where_case_counts_an_answer_is_for_the_address_of_its_own_spelling_whatever_comes_first() -> None:
    cells = ["Jane@example.com", "jane@example.com", "JANE@example.com"]
    said: list[Said] = [("Jane@example.com", "risky", NEW), ("jane@example.com", "deliverable", OLD)]

    for order in (said, said[::-1]):
        assert answered(cells, order, distinguish_case=True)[:2] == ["risky 2026", "deliverable 2026"]


@pytest.mark.parametrize(
    ("cell", "spelled"),
    [
        ("Jane.Roe@Example.com", "jane.roe@example.com"),
        ("jane.roe@example.com", "Jane.Roe@EXAMPLE.COM"),
        ("josé@example.com", normalize("NFD", "josé@example.com")),
        (normalize("NFD", "JOSÉ@example.com"), "josé@example.com"),
        ("jane@münchen.example", "jane@xn--mnchen-3ya.example"),
        ("jane@xn--mnchen-3ya.example", "jane@MÜNCHEN.example"),
    ],
)
@pytest.mark.parametrize("distinguish_case", [True, False])
def test_a_vendor_that_changes_the_spelling_loses_nothing(cell: str, spelled: str, distinguish_case: bool) -> None:
    said: list[Said] = [(spelled, "deliverable", NEW)]

    assert answered([cell, "b@example.com"], said, distinguish_case=distinguish_case) == ["deliverable 2026", "missing"]


@pytest.mark.parametrize("cells", [("strasse@example.com", "straße@example.com"), ("a@x.example", "a@xn--.example")])
def test_letters_that_only_look_alike_stay_apart(cells: tuple[str, str]) -> None:
    assert answered(cells, [(cells[0], "deliverable", NEW)]) == ["deliverable 2026", "missing"]


def test_where_case_counts_an_answer_for_another_spelling_gives_way_to_an_older_one_for_the_same() -> None:
    said: list[Said] = [("JANE@example.com", "undeliverable", NEW), ("Jane@example.com", "deliverable", OLD)]

    for order in (said, said[::-1]):
        assert answered(["Jane@example.com"], order, distinguish_case=True) == ["deliverable 2026"]


def test_cells_without_an_address_keep_the_answer_that_stands_for_them() -> None:
    answers = Answers(COLUMNS)
    empty, invalid = answers.number((None, None), is_ours=True), answers.number(("undeliverable", None))
    with AnswerTable(answers, columns=2) as table:
        table.expect([empty, "a@example.com", invalid, "A@example.com"])
        table.expect(["b@example.com", empty, empty, "a@example.com"], column=1)
        table.complete()
        strangers = table.learn([None, "a@example.com", "c@example.com"], [answers.number(("risky", NEW))] * 3)

        assert table.addresses == 2
        assert strangers == 2
        assert [table.read(2), table.read(2)] == [[empty, 3], [invalid, 3]]
        assert table.read(4, column=1) == [MISSING, empty, empty, 3]


SPELLINGS = [
    spelled
    for local in ("jane", "JANE", "Jane", "josé", normalize("NFD", "josé"))
    for domain in ("a.example", "A.example", "xn--mnchen-3ya.example", "münchen.example")
    for spelled in (f"{local}@{domain}", f"x{local}@{domain}")
]
SAID = st.tuples(
    st.sampled_from([*SPELLINGS, None]), st.sampled_from(["deliverable", "unknown"]), st.sampled_from([OLD, NEW, None])
)


def model(cell: str, said: list[Said], distinguish_case: bool) -> str:
    """The same by walking through everything for each cell."""

    def same(address: str) -> str:
        local, _, domain = address.rpartition("@")
        return f"{normalize('NFC', local)}@{folded(domain)}" if distinguish_case else folded(address)

    def folded(address: str) -> str:
        return normalize("NFC", address.replace("xn--mnchen-3ya", "münchen").lower())

    best: tuple[bool, tuple[bool, str]] | None = None
    found = "missing"
    for address, verdict, moment in said:
        if address and folded(address) == folded(cell):
            this = (same(address) == same(cell), rank(verdict, moment))
            if best is None or this >= best:
                best, found = this, f"{verdict} {(moment or '')[:4]}".strip()
    return found


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(SPELLINGS), max_size=20), st.lists(SAID, max_size=20), st.booleans())
def test_each_address_gets_what_a_search_through_all_answers_would_find(
    cells: list[str], said: list[Said], distinguish_case: bool
) -> None:
    found = answered(cells, said, distinguish_case=distinguish_case)

    assert found == [model(cell, said, distinguish_case) for cell in cells]


MEASURE = """
import sys, tracemalloc
from airflow_provider_emailverify.lists.answer_table import AnswerTable
from airflow_provider_emailverify.results.answers import Answers
answers = Answers(("verdict", "verified_at"))
number = answers.number(("deliverable", None))
count = 60_000
tracemalloc.start()
with AnswerTable(answers, hears_strangers=sys.argv[2:] == ["strangers"]) as table:
    for start in range(0, count, 1000):
        table.expect([f"{sys.argv[1]}{n}@example.com" for n in range(start, start + 1000)])
    table.complete()
    for start in range(0, 2 * count, 500):
        table.learn([f"{sys.argv[1]}{n}@example.com" for n in range(start, start + 500)], [number] * 500)
    assert all(table.read(1000) == [number] * 1000 for _ in range(0, count, 1000))
    assert table.addresses == count
print(tracemalloc.get_traced_memory()[1] / count)
"""


@pytest.mark.parametrize(("words", "most"), [(["jane"], 28), (["Jane"], 44), (["jane", "strangers"], 44)])
def test_an_address_takes_few_bytes_however_many_answers_there_are(words: list[str], most: int) -> None:
    done = subprocess.run([sys.executable, "-c", MEASURE, *words], capture_output=True, text=True, check=True)

    assert float(done.stdout) < most
