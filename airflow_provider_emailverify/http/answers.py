"""What came of a request: a short answer, read and judged."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from typing import Self
from urllib.parse import urlsplit

import requests

from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    EmailVerifyError,
    IncompleteResponseError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    TransientError,
    UnexpectedResponseError,
)
from airflow_provider_emailverify.http.bodies import Body
from airflow_provider_emailverify.http.errors import JSON, Problem
from airflow_provider_emailverify.http.rate_limit import RateLimit
from airflow_provider_emailverify.http.retries import pause_asked_for
from airflow_provider_emailverify.http.transport import ResponseBody
from airflow_provider_emailverify.redaction import Redactor

# All answers but results are small; a larger one is no answer to the question.
MAX_JSON_BYTES = 16 * 1024 * 1024

#: (HTTP status, decoded JSON or None) -> what it means, or None for a success.
ProblemOf = Callable[[int, JSON], Problem | None]


class Call:
    """
    One request, in words and in parts. It does not show its parts, unlike a dataclass.

    :param what: the request in words.
    :param method: the HTTP method.
    :param path: what follows the base URL, each segment quoted already.
    :param batch_id: the batch in question.
    :param params: query parameters beside the key, unquoted.
    :param body: what it carries.
    :param headers: its headers beside the usual ones, which are no secret.
    :param reads_json: whether an answer of success has to be JSON.
    """

    __slots__ = ("batch_id", "body", "headers", "method", "params", "path", "reads_json", "what")

    def __init__(
        self,
        what: str,
        method: str,
        path: str,
        *,
        batch_id: str | None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        reads_json: bool = True,
    ) -> None:
        self.what = what
        self.method = method
        self.path = path
        self.batch_id = batch_id
        self.params = params
        self.body = body
        self.headers = headers or {}
        self.reads_json = reads_json


class Outcome:
    """
    What came of a request. It does not show what the vendor said, unlike a dataclass.

    :param status: the HTTP status; 0 if there was no answer.
    :param payload: the decoded JSON; None if there is none.
    :param error: what the answer, or its absence, stands for; None for a success.
    :param is_refusal: whether the answer can only mean that the vendor took nothing.
    """

    __slots__ = ("error", "is_refusal", "payload", "status")

    def __init__(
        self,
        status: int = 0,
        payload: JSON = None,
        error: EmailVerifyError | None = None,
        *,
        is_refusal: bool = False,
    ) -> None:
        self.status = status
        self.payload = payload
        self.error = error
        self.is_refusal = is_refusal

    @property
    def is_success(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status < 300

    def raise_error(self) -> None:
        """Raise the error if there is one."""
        if self.error:
            raise self.error


class AnswerReader:
    """
    Read short answers of one vendor account, and tell what they mean.

    :param redact: makes a vendor's words fit to be shown.
    :param limit: the pace of the account, which an answer may slow down.
    :param problem_of: tells what an answer means.
    :param timeout: seconds that a body may take in all.
    """

    def __init__(self, redact: Redactor, limit: RateLimit, problem_of: ProblemOf, timeout: float) -> None:
        self._redact = redact
        self._limit = limit
        self._problem_of = problem_of
        self._timeout = timeout

    def with_timeout(self, timeout: float) -> Self:
        """
        Return the same reader with another time for a body.

        :param timeout: seconds that a body may take in all.
        """
        other = copy.copy(self)
        other._timeout = timeout
        return other

    def read(self, response: requests.Response, call: Call) -> Outcome:
        """
        Read an answer to its end, and return what it means.

        :param response: the answer.
        :param call: the request.
        """
        status = response.status_code
        if 300 <= status < 400:
            return Outcome(status, error=self._redirect_error(response, call.what))
        payload, unreadable = self._parse(response, call)
        pause = pause_asked_for(status, response.headers)
        outcome = self.judge(status, payload, call.what, call.batch_id, pause)
        if status < 400:
            self._limit.relax()
            outcome.error = outcome.error or unreadable
        return outcome

    def judge(self, status: int, payload: JSON, what: str, batch_id: str | None, pause: float | None = None) -> Outcome:
        """
        Return what an answer means.

        :param status: the HTTP status.
        :param payload: the decoded JSON; None if there is none.
        :param what: the request in words.
        :param batch_id: the batch in question.
        :param pause: the seconds for which the vendor asks to be left alone.
        """
        problem = self._problem_of(status, payload)
        if problem is None:
            return Outcome(status, payload)
        kind, advice = problem.kind, problem.advice
        if kind is BatchNotFoundError and batch_id is None:
            kind, advice = InvalidRequestError, InvalidRequestError.advice
        if pause is not None or kind is RateLimitedError:
            self._limit.hold(pause)  # the vendor means the account, not this one request
            pause = max(pause or 0.0, self._limit.held)
        said = f": {self._redact(problem.message)!r}" if problem.message else ""
        text = f"{what} answered {status}{said}. {advice}".rstrip()
        error = kind(text, pause) if issubclass(kind, TransientError) else kind(text)
        error.http_status = status
        return Outcome(status, payload, error, is_refusal=problem.is_refusal)

    def _parse(self, response: requests.Response, call: Call) -> tuple[JSON, EmailVerifyError | None]:
        """Return the JSON of an answer, and what is wrong with it."""
        body = ResponseBody(response, call.what)
        try:
            content = body.read_whole(MAX_JSON_BYTES, time.monotonic() + self._timeout)
            return json.loads(content), None
        except EmailVerifyError as error:
            return None, error
        except (ValueError, RecursionError):
            start = content.lstrip()[:1]
        if not call.reads_json and not (start == b"<" and body.media_type == "text/html"):
            return None, None
        if start in (b"{", b"["):
            return None, IncompleteResponseError(f"{call.what} answered with JSON that is cut or malformed.")
        return None, UnexpectedResponseError.advised(f"{call.what} answered {response.status_code} with no JSON.")

    def _redirect_error(self, response: requests.Response, what: str) -> EmailVerifyError:
        try:
            target = self._redact(urlsplit(response.headers.get("Location", "")).hostname or "another path")
        except ValueError:
            target = "no URL at all"
        return UnexpectedResponseError(
            f"{what} answered {response.status_code}, a redirect to {target}. It was not followed, because the key "
            "would go along. Put the vendor's own base URL into the connection's Host."
        )


def doubt(error: EmailVerifyError) -> SubmissionUnknownError:
    """Return what an error means for a request that spends credits and may have reached the vendor."""
    problem = str(error).removesuffix(error.advice).rstrip()
    return SubmissionUnknownError.advised(f"{problem}")
