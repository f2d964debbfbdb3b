"""
Proofy (https://proofy.io), API 1.1.0.

Known from the vendor's page on batch results: base URL, key in the query, the shape of the results and of errors.
Known from its other pages: submission, single verification, credits, limits. The status answer is not published
beyond its ``status`` member; so are the words it can hold, other than ``parsing`` and ``ready``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow_provider_emailverify.batches import BatchState, BatchStatus
from airflow_provider_emailverify.exceptions import SubmissionUnknownError, UnexpectedResponseError
from airflow_provider_emailverify.hooks.base import Download, EmailVerifyHook
from airflow_provider_emailverify.results.outline import outline_json

if TYPE_CHECKING:
    from airflow_provider_emailverify.client import JSON

_BATCH = "/verify/batch/{id}"


class ProofyHook(EmailVerifyHook):
    """
    Verify addresses with Proofy.

    :param conn_id: an Airflow connection of type ``proofy``.
    """

    conn_type = "proofy"
    hook_name = "Proofy"
    default_conn_name = "proofy_default"
    default_base_url = "https://apis.proofy.io/v1"
    key_param = "api_key"
    # From docs.proofy.io, "verify-batch-create". Its usage page says 50 calls an hour instead; an account that is
    # held to that sets requests_per_minute on its connection.
    max_batch_size = 10_000
    requests_per_minute = 25.0
    max_parallel_batches = 2
    # Published: parsing, ready. The failure words are likely ones; any other word means "not yet".
    states = {
        "parsing": BatchState.PENDING,
        "queued": BatchState.PENDING,
        "processing": BatchState.RUNNING,
        "ready": BatchState.READY,
        "failed": BatchState.FAILED,
        "error": BatchState.FAILED,
        "rejected": BatchState.FAILED,
        "canceled": BatchState.CANCELLED,
        "cancelled": BatchState.CANCELLED,
    }

    def submit_batch(self, emails: Sequence[str], name: str | None = None) -> str:
        """
        Submit addresses as one batch, and spend credits. Return the batch id.

        Source: docs.proofy.io, "verify-batch-create".

        :param emails: the addresses, 10,000 at most.
        :param name: ignored; Proofy's batches have no name.
        :raises InvalidRequestError: no addresses, or too many; nothing was sent.
        :raises SubmissionUnknownError: it may or may not have reached Proofy. It is never sent again by itself.
        """
        self.check_emails(emails)
        answer = self.client.request_json(
            "POST", "/verify/batch/create", json={"emails": list(emails)}, spends_credits=True
        )
        batch_id = answer.get("id") if isinstance(answer, dict) else None
        if not batch_id:
            raise SubmissionUnknownError(
                f"{self.client.name}: expected the id of the new batch, found none. {SubmissionUnknownError.advice}"
            )
        return str(batch_id)

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """
        Ask how far a batch is.

        Source: docs.proofy.io, "verify-batch-status"; only the call itself is known, not its answer.

        :param batch_id: the id that :meth:`submit_batch` returned.
        :raises BatchNotFoundError: Proofy does not know it.
        :raises TransientError: no useful answer this time.
        """
        answer = self.client.request_json("GET", self.batch_path(_BATCH, batch_id), batch_id=batch_id)
        return self.batch_status(batch_id, _status(answer))

    @contextmanager
    def download_results(self, batch_id: str) -> Iterator[Download]:
        """
        Open the results of a ready batch: one JSON document, ``{"status": …, "list": […]}``.

        Source: the vendor's page on batch results.

        :param batch_id: the id that :meth:`submit_batch` returned.
        """
        path = self.batch_path(f"{_BATCH}/download", batch_id)
        with self.client.stream(path, batch_id=batch_id) as body:
            yield Download(body, "application/json")

    def count_rows(self, batch_id: str, file: BinaryIO, media_type: str, *, is_measured: bool) -> int:
        """
        Check that a file is a whole answer whose own status is ``ready``, and return how many rows it lists.

        :param batch_id: the id that :meth:`submit_batch` returned.
        :param file: Proofy's answer, seekable.
        :param media_type: ``application/json``.
        :param is_measured: of no use here, as a JSON document tells by itself whether it is whole.
        :raises BatchNotReadyError: the answer says "not yet".
        :raises BatchFailedError: the answer says that the batch failed.
        :raises UnexpectedResponseError: the answer is something else.
        """
        what = self.about(batch_id)
        outline = outline_json(file, what)
        if "status" in outline.values:
            self.require_ready(self.batch_status(batch_id, outline.values["status"]))
        self.client.check(200, outline.as_payload(), what, batch_id)
        if "status" not in outline.values or "list" not in outline.lists:
            raise UnexpectedResponseError(
                f"{what}: expected results with 'status' and 'list'. {UnexpectedResponseError.advice}"
            )
        return outline.lists["list"]

    def cancel_batch(self, batch_id: str) -> None:
        """
        Stop a batch.

        Source: docs.proofy.io, "verify-batch-cancel"; what its answer holds is not known and not read.

        :param batch_id: the id that :meth:`submit_batch` returned.
        :raises BatchNotFoundError: Proofy does not know it.
        """
        self.client.send("DELETE", self.batch_path(_BATCH, batch_id), batch_id=batch_id)

    def get_credits(self) -> float:
        """
        Return the account's balance, in Proofy's credits.

        Source: docs.proofy.io, ``GET /credits``.

        :raises UnexpectedResponseError: the answer has no number of credits.
        """
        answer = self.client.request_json("GET", "/credits")
        amount = answer.get("credits") if isinstance(answer, dict) else None
        try:
            return float(amount)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise UnexpectedResponseError(
                f"{self.client.name}: expected a number of credits, found none. {UnexpectedResponseError.advice}"
            ) from None

    def verify_email(self, email: str) -> dict[str, Any]:
        """
        Verify one address now, and spend a credit. Return Proofy's answer as it is.

        Proofy suspends accounts that verify lists in this way; submit a batch instead.
        Source: docs.proofy.io, "verify-single" and its usage page.

        :param email: the address.
        :raises SubmissionUnknownError: Proofy may or may not have charged for it. It is not sent again by itself.
        """
        self.check_emails([email])
        answer = self.client.request_json("GET", "/verify/single", params={"email": email}, spends_credits=True)
        if not isinstance(answer, dict):
            raise UnexpectedResponseError(f"{self.client.name}: expected an object. {UnexpectedResponseError.advice}")
        return answer

    def probe(self) -> str:
        """Read the balance, which costs nothing and needs a valid key."""
        return f"The key is valid; the account has {self.get_credits():g} credits."

    def is_error(self, payload: JSON) -> bool:
        """Tell whether a 200 is an error: Proofy's errors are an object with a ``message`` alone."""
        if super().is_error(payload):
            return True
        return isinstance(payload, dict) and "message" in payload and not payload.keys() & {"status", "id", "credits"}


def _status(answer: JSON) -> Any:
    """Return ``status``, which Proofy's own documents put at the top or under ``result``."""
    if not isinstance(answer, dict):
        return None
    inner = answer.get("result")
    return answer.get("status", inner.get("status") if isinstance(inner, dict) else None)
