"""What the contract test needs to know of a vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_emailverify.batches import BatchState
from airflow_provider_emailverify.exceptions import EmailVerifyError
from airflow_provider_emailverify.hooks.base import EmailVerifyHook
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
    :param fetches: the sandbox's name for the request that brings the results.
    :param meanings: what a fault of the sandbox means here where other vendors mean something else by it.
    """

    hook: type[EmailVerifyHook]
    words: Mapping[str, BatchState]
    status_answer: Callable[[Any], Any]
    accepted: Sequence[tuple[Any, str | None]]
    formats: Sequence[tuple[dict[str, Any], str]]
    refused_options: Sequence[dict[str, Any]] = ()
    has_not: Sequence[str] = ()
    fetches: str = "download"
    meanings: Mapping[str, type[EmailVerifyError]] = field(default_factory=dict)

    @property
    def vendor(self) -> str:
        """The vendor's connection type."""
        return self.hook.conn_type

    def url(self, sandbox: SandboxServer) -> str:
        """Return the base URL of the vendor in the sandbox."""
        return sandbox.vendor_urls[self.vendor]
