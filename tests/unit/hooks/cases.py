"""One case for each vendor: what the contract test needs to know of it. A new vendor adds a case, and no test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
from airflow_provider_emailverify.hooks.cliova import CliovaHook
from airflow_provider_emailverify.hooks.proofy import ProofyHook
from airflow_provider_emailverify.sandbox.server import SandboxServer


@dataclass(frozen=True, kw_only=True)
class VendorCase:
    """
    What the contract test needs to know of a vendor.

    :param hook: the vendor's hook.
    :param words: the vendor's words for the state of a batch, as its answers have them, and what they mean.
    :param status_answer: makes the vendor's answer to a question for the status of batch ``b`` from such a word.
    :param accepted: answers to a submission and the batch id that they hold; None where its fate is unknown.
    :param formats: download options, and the media type of what they bring.
    :param refused_options: download options that make no sense.
    :param has_not: calls that the vendor does not have.
    """

    hook: type[EmailVerifyHook]
    words: Mapping[str, BatchState]
    status_answer: Callable[[Any], Any]
    accepted: Sequence[tuple[Any, str | None]]
    formats: Sequence[tuple[dict[str, Any], str]]
    refused_options: Sequence[dict[str, Any]] = ()
    has_not: Sequence[str] = field(default=())

    @property
    def vendor(self) -> str:
        """The vendor's connection type."""
        return self.hook.conn_type

    def url(self, sandbox: SandboxServer) -> str:
        """Return the base URL of the vendor in the sandbox."""
        return str(getattr(sandbox, f"{self.vendor}_url"))


CASES = [
    VendorCase(
        hook=ProofyHook,
        words={
            "parsing": BatchState.PENDING,
            "Ready": BatchState.READY,
            "error": BatchState.FAILED,
            "cancelled": BatchState.CANCELLED,
        },
        status_answer=lambda word: {"status": word},
        accepted=[
            ({"status": "parsing", "id": 42}, "42"),
            ({"result": {"id": "x"}}, "x"),
            ({"id": True}, None),
            ({"id": ""}, None),
            ([], None),
        ],
        formats=[({}, "application/json")],
        refused_options=[{"output": "csv"}],
        has_not=["find_batch"],
    ),
    VendorCase(
        hook=CliovaHook,
        words={
            "IN PROGRESS": BatchState.RUNNING,
            "in_progress": BatchState.RUNNING,
            "COMPLETED": BatchState.READY,
            "FAILED": BatchState.FAILED,
        },
        status_answer=lambda word: {"code": "SUCCESS", "payload": [{"id": "b", "status": word}]},
        accepted=[
            ({"code": "SUCCESS", "payload": {"id": 42}}, "42"),
            ({"code": 200, "payload": [{"id": "x"}]}, "x"),
            ({"code": "SUCCESS", "payload": {"id": None}}, None),
        ],
        formats=[
            ({}, "text/csv"),
            ({"output": "csv", "verified_only": False}, "text/csv"),
            ({"output": "json"}, "application/json"),
            ({"output": "json", "verified_only": "False"}, "application/json"),
        ],
        refused_options=[{"output": "xml"}, {"verified_only": "yes"}, {"only": 1}],
        has_not=["find_batch", "cancel_batch", "verify_email", "get_credits"],
    ),
]
