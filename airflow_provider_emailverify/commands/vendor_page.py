"""What the hook of a vendor knows, as the sections of that vendor's page: made from the code, so that it stays true."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_provider_emailverify.commands.tables import markdown_table
from airflow_provider_emailverify.limits import plain_number

if TYPE_CHECKING:
    from airflow_provider_emailverify.hooks.base import EmailVerifyHook
    from airflow_provider_emailverify.results.layout import Layout

_DAG = """\
from airflow.sdk import DAG

from airflow_provider_emailverify.task_groups import verify_emails

with DAG("verify_with_{vendor}", schedule=None):
    verify_emails(
        source="s3://my_aws@bucket/list.csv",
        conn_id="{conn_id}",
        destination="s3://my_aws@bucket/verified/",
    )
"""
# Each call that a vendor may lack: what it is for, what it does, and what stands in its place.
_CALLS = {
    "find_batch": (
        "find a batch by its name",
        "a submission whose answer got lost is looked up, and goes on by itself",
        "a submission whose answer got lost is a doubt, and a person decides",
    ),
    "cancel_batch": (
        "cancel a batch",
        "`cancel_on_kill=True` cancels what a killed task has submitted",
        "`cancel_on_kill=True` can do nothing; the batch goes on",
    ),
    "get_credits": (
        "read the balance",
        "too few credits end the submission before the first purchase; the Test button shows the balance",
        "how many credits are left is not known beforehand; bound the bill with `max_emails`",
    ),
    "verify_email": (
        "verify one address now",
        "`hook.verify_email(email)`, for a credit",
        "submit a batch of one address",
    ),
}


def limit(value: Any, otherwise: str = "not documented") -> str:
    """
    Return a limit as a person writes it.

    :param value: the limit; None if there is none.
    :param otherwise: what stands there in place of None.
    """
    return otherwise if value is None else plain_number(value)


def vendor_dag(hook: type[EmailVerifyHook]) -> str:
    """
    Return a DAG that verifies a list.

    :param hook: the vendor's.
    """
    return _DAG.format(vendor=hook.conn_type, conn_id=hook.default_conn_name)


def vendor_facts(hook: type[EmailVerifyHook]) -> str:
    """
    Return what a hook knows of its vendor, in Markdown.

    :param hook: the vendor's.
    """
    return "\n\n".join(
        [
            "## The connection",
            *_connection(hook),
            "## Limits",
            markdown_table(_limits(hook)),
            "## What it can do",
            markdown_table(_calls(hook)),
            "## Verdicts",
            *_words(hook.layout),
            "## Columns",
            *_columns(hook.layout),
            "## States of a batch",
            markdown_table([("the vendor's word", "means"), *_by_meaning(hook.states)]),
            "Any other word means “not yet”, and is logged once.",
            "## Options of a download",
            *_options(hook),
            "## A DAG",
            f"```python\n{vendor_dag(hook)}```",
            "## Where this comes from",
            *_sources(hook),
        ]
    )


def _connection(hook: type[EmailVerifyHook]) -> Iterator[str]:
    name, key = hook.default_conn_name, hook.site.key
    if key.parameter:
        place = f"in the URL, as `{key.parameter}`" + (", and in the body of a submission" if key.field else "")
    else:
        place = f"in the header `{key.header_name}`" + (", as HTTP's Basic scheme has it" if key.is_basic else "")
    yield f"Its type is `{hook.conn_type}`. The key travels {place}."
    if said := _prose(re.sub(r"^Verify addresses with [^.]+\.|:param (?s:.*)", "", inspect.getdoc(hook) or "")):
        yield said
    add = f"airflow connections add {name} --conn-type {hook.conn_type} --conn-password '<key>'"
    value = json.dumps({"conn_type": hook.conn_type, "password": "<key>"})
    yield f"```\n{add}\n```"
    yield f"Or in the environment:\n\n```\nAIRFLOW_CONN_{name.upper()}='{value}'\n```"
    yield (
        f"Host is `{hook.site.base_url}` if it is empty. Extra may hold "
        f"{', '.join(f'`{extra}`' for extra in sorted(hook.extras))}: see [connections](../connections.md)."
    )


def _limits(hook: type[EmailVerifyHook]) -> list[Sequence[str]]:
    from airflow_provider_emailverify.steps.batch_sizes import DEFAULT_BATCH_SIZE

    batch, pace = hook.max_batch_size, hook.site.requests_per_minute
    return [
        ("what", "limit", "so"),
        (
            "addresses a batch",
            limit(batch),
            f"batches of {limit(batch or DEFAULT_BATCH_SIZE)}; `batch_size` makes smaller ones",
        ),
        (
            "batches at a time",
            limit(hook.max_parallel_batches, "not limited"),
            "a longer list is submitted as others end" if hook.max_parallel_batches else "all are submitted at once",
        ),
        (
            "requests a minute",
            limit(pace),
            "all processes keep to it together" if pace else "no pace, unless `requests_per_minute` sets one",
        ),
    ]


def _calls(hook: type[EmailVerifyHook]) -> list[Sequence[str]]:
    rows = [
        (what, "yes" if hook.has_call(call) else "no", there if hook.has_call(call) else not_there)
        for call, (what, there, not_there) in _CALLS.items()
    ]
    named = hook.batch_name
    rows.append(("name a batch", "yes" if named else "no", _NAMED if named else _NAMELESS))
    page = hook.batch_page
    rows.append(("a page for each batch", "yes" if page else "no", "the task links to it" if page else ""))
    rows.append(("try it without paying", "yes" if hook.test_mode else "not known", hook.test_mode or _SANDBOX))
    return [("call", "there", "so"), *rows]


_NAMED = "a person finds a batch in doubt by the name that the log tells"
_NAMELESS = "a person finds a batch in doubt by its time and its number of addresses, which the log tells"
_SANDBOX = "rehearse with [the sandbox](../sandbox.md)"


def _words(layout: Layout | None) -> Iterator[str]:
    if layout is None:
        yield "The results cannot be read as rows of the schema."
        return
    verdicts: dict[tuple[str, str], list[str]] = {}
    for word, (verdict, reason) in layout.words.items():
        verdicts.setdefault((verdict.value, reason.value if reason else ""), []).append(word)
    yield markdown_table(
        [
            ("the vendor's word", "verdict", "reason"),
            *((_code(words), verdict, reason or "what the row says") for (verdict, reason), words in verdicts.items()),
        ]
    )
    yield (
        "Case, spaces, hyphens and underscores do not count. Any other word is `unknown`, and is kept and counted; "
        "`status_map` says what it means."
    )
    if layout.reasons:
        rows = _by_meaning(layout.reasons)
        yield "Words for reasons:"
        yield markdown_table([("the vendor's word", "reason"), *rows])


def _columns(layout: Layout | None) -> Iterator[str]:
    from airflow_provider_emailverify.results.nested_rows import NestedRows

    if layout is None:
        return
    reader = layout.row_reader
    if isinstance(reader, NestedRows):
        part, left, right = reader.address
        own = dict(reader.flags)
        inner = {f"{at}.{name}": column for at, flags in reader.parts.items() for name, column in flags.items()}
        found = {
            "email": f"`{part}.{left}` and `{part}.{right}`",
            "verdict": f"`{reader.word}`",
            **{column: f"`{name}`" for name, column in (own | inner).items()},
        }
    else:
        found = {column: _code(headers) for column, headers in layout.columns.items()}
    yield markdown_table([("column", "where the vendor says it"), *found.items()])
    if layout.columns:
        yield (
            "Of several headers the first that is there counts; case, spaces and what joins the parts of a header do "
            "not. `column_map` names others. Columns that are not here are null."
        )
    else:
        yield "These places are fixed: there is no `column_map`. Columns that are not here are null."


def _options(hook: type[EmailVerifyHook]) -> Iterator[str]:
    kind = hook.download_options
    if kind is None:
        yield "None: `download_options` is empty."
        return
    said = dict(re.findall(r":param (\w+): (.+)", kind.__doc__ or ""))
    rows = [(f"`{each.name}`", f"`{each.default!r}`", _prose(said.get(each.name, ""))) for each in fields(kind)]
    yield markdown_table([("`download_options`", "default", "what it does"), *rows])


def _sources(hook: type[EmailVerifyHook]) -> Iterator[str]:
    """Yield what the docstring of the hook's module says behind its first line."""
    said = (sys.modules[hook.__module__].__doc__ or "").strip().partition("\n\n")[2]
    yield from map(_prose, said.split("\n\n"))
    yield f"The code was judged by {hook.judged_by}. Nothing was run against a live account."


def _prose(docstring: str) -> str:
    """Return a paragraph of a docstring as Markdown."""
    return " ".join(docstring.replace("``", "`").split())


def _by_meaning(words: Mapping[str, Any]) -> list[tuple[str, str]]:
    meanings: dict[str, list[str]] = {}
    for word, meaning in words.items():
        meanings.setdefault(meaning.value, []).append(word)
    return [(_code(some), meaning) for meaning, some in meanings.items()]


def _code(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
