"""
HTTP for one vendor account: requests within its rate limit, and answers that become errors.

This module knows HTTP; it knows no vendor and no Airflow.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import requests

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    BatchNotReadyError,
    EmailVerifyError,
    IncompleteResponseError,
    InvalidRequestError,
    RateLimitedError,
    SubmissionUnknownError,
    TransientError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.rate_limit import limit_of_account
from airflow_provider_emailverify.http.retries import MAX_PAUSE_SECONDS, retry_after, retrying
from airflow_provider_emailverify.http.transport import (
    NO_ANSWER,
    OneStepSession,
    ResponseBody,
    TargetAdapter,
    no_answer,
    request_target,
)
from airflow_provider_emailverify.redaction import Redactor

CONNECT_TIMEOUT_SECONDS = 10.0
# All answers but results are small; a larger one is no answer to the question.
MAX_JSON_BYTES = 16 * 1024 * 1024

#: Errors after which a request that costs nothing is sent again.
WORTH_REPEATING = (RateLimitedError, VendorUnavailableError, IncompleteResponseError)

# Decoded JSON: what it holds is for the vendor's hook to check.
JSON = Any
#: (HTTP status, decoded JSON or None) -> (class of the error, the vendor's message), or None for no error.
ErrorFor = Callable[[int, JSON], tuple[type[EmailVerifyError], str] | None]


class VendorClient:
    """
    One vendor account's HTTP client. Threads may share it.

    :param name: how error messages call the vendor, for instance ``Proofy (connection 'proofy_default')``.
    :param base_url: what every path is appended to.
    :param key_param: the query parameter that carries the key.
    :param key: the key.
    :param error_for: tells which error an answer stands for.
    :param timeout: seconds that the vendor may stay silent, and that the body of a short answer may take in all.
    :param policy: how often a request is sent, and whether it waits for the rate limit.
    :param requests_per_minute: the limit that all clients of the account keep to together, in this process; None for
        no limit.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        key_param: str,
        key: str,
        error_for: ErrorFor,
        timeout: float = 30.0,
        policy: CallPolicy = CallPolicy(),  # noqa: B008 - frozen
        requests_per_minute: float | None = None,
    ) -> None:
        self.name = name
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.policy = policy
        self.redact = Redactor(key)
        self._auth = {key_param: key}
        self._error_for = error_for
        self.limit = limit_of_account(self.base_url, key, requests_per_minute)
        self._session = OneStepSession()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, TargetAdapter(pool_maxsize=64))
        self._session.headers["User-Agent"] = f"airflow-provider-emailverify/{__version__}"
        self._session.headers["Accept-Encoding"] = "gzip"
        # A callable that changes nothing keeps requests from sending what ~/.netrc has for this host.
        self._session.auth = lambda request: request
        # Plain HTTP is for this machine, and a proxy elsewhere would see the key.
        self._session.trust_env = not self.base_url.startswith("http://")

    def close(self) -> None:
        """Close the connections. The client stays usable and opens new ones."""
        self._session.close()

    def with_policy(self, policy: CallPolicy) -> Self:
        """
        Return a copy that sends requests by another policy. It shares the connections and the rate limit.

        :param policy: how often a request is sent, and whether it waits for the rate limit.
        """
        other = copy.copy(self)
        other.policy = policy
        return other

    def acquire_turn(self) -> None:
        """
        Wait for the rate limit, and take the turn of one request.

        The request itself is then sent by a client whose policy does not wait. Whoever writes down what is about to
        be sent does so in between: a process that is killed while it waits has sent nothing.

        :raises RateLimitedError: the vendor wants to be left alone for longer than a minute.
        """
        self._acquire_turn(f"{self.name}: the next request")

    def _acquire_turn(self, what: str) -> None:
        if held := self.limit.acquire(MAX_PAUSE_SECONDS):
            raise RateLimitedError(
                f"{what} was not sent: the vendor wants to be left alone for another {held:.0f} s. "
                f"{RateLimitedError.advice}",
                held,
            )

    def request_json(
        self,
        method: str,
        path: str,
        *,
        batch_id: str | None = None,
        params: Mapping[str, str] | None = None,
        json: JSON = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        spends_credits: bool = False,
    ) -> JSON:
        """
        Send a request and return the JSON of its answer.

        :param method: the HTTP method.
        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages; without one, a 404 stands for no unknown batch.
        :param params: query parameters beside the key, unquoted.
        :param json: a body to send as JSON.
        :param files: a multipart body: field name to (file name, content, media type).
        :param spends_credits: do not repeat the request once it may have reached the vendor.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        :raises SubmissionUnknownError: ``spends_credits``, and nobody knows whether the vendor got it.
        """
        what = self._describe(method, path, batch_id)

        def once() -> JSON:
            try:
                with self._send(what, method, path, batch_id, params, json=json, files=files) as response:
                    return self._payload(response, what, batch_id)
            except (RateLimitedError, VendorUnreachableError):  # the vendor took nothing
                raise
            except TransientError as error:  # every other error is a refusal
                if not spends_credits:
                    raise
                problem = str(error).removesuffix(error.advice).rstrip()
                raise SubmissionUnknownError(f"{problem} {SubmissionUnknownError.advice}") from None

        worth_repeating = (RateLimitedError, VendorUnreachableError) if spends_credits else WORTH_REPEATING
        return retrying(self.policy.attempts, *worth_repeating)(once)

    def send(self, method: str, path: str, *, batch_id: str | None = None) -> None:
        """
        Send a request whose answer matters by its status only.

        :param method: the HTTP method.
        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages; without one, a 404 stands for no unknown batch.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        """
        what = self._describe(method, path, batch_id)
        is_repeated = False

        def once() -> None:
            nonlocal is_repeated
            try:
                with self._send(what, method, path, batch_id, None) as response:
                    self.check(response.status_code, self._any_json(response, what), what, batch_id)
            except BatchNotFoundError:
                if method != "DELETE" or not is_repeated:  # else the first attempt has done it, and its answer got lost
                    raise
            finally:
                is_repeated = True

        retrying(self.policy.attempts, *WORTH_REPEATING)(once)

    @contextmanager
    def stream(self, path: str, *, batch_id: str, params: Mapping[str, str] | None = None) -> Iterator[ResponseBody]:
        """
        Send one GET and hand out its body as it arrives. It is not repeated, whatever the policy says.

        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages.
        :param params: query parameters beside the key, unquoted.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        """
        what = self._describe("GET", path, batch_id)
        with self._send(what, "GET", path, batch_id, params) as response:
            if response.status_code in (202, 204):
                raise BatchNotReadyError(f"{what} answered {response.status_code}. {BatchNotReadyError.advice}")
            if response.status_code != 200:
                raise UnexpectedResponseError(f"{what} answered {response.status_code} where 200 was expected.")
            yield ResponseBody(response, what)

    def check(self, status: int, payload: JSON, what: str, batch_id: str | None, pause: float | None = None) -> None:
        """
        Raise the error that an answer stands for, if it stands for one.

        :param status: the HTTP status.
        :param payload: the decoded JSON; None if there is none.
        :param what: the request in words.
        :param batch_id: the batch in question.
        :param pause: the seconds for which the vendor asks to be left alone.
        """
        found = self._error_for(status, payload)
        if found is None:
            return
        kind, message = found
        if kind is BatchNotFoundError and batch_id is None:
            kind = InvalidRequestError
        said = f": {self.redact(message)!r}" if message else ""
        text = f"{what} answered {status}{said}. {kind.advice}".rstrip()
        error = kind(text, pause) if issubclass(kind, TransientError) else kind(text)
        error.http_status = status
        if pause is not None or kind is RateLimitedError:
            self.limit.hold(pause)  # the vendor means the account, not this one request
        raise error

    def _describe(self, method: str, path: str, batch_id: str | None) -> str:
        batch = f", batch {batch_id!r}" if batch_id is not None else ""
        return f"{self.name}{batch}: {method} {path}"

    @contextmanager
    def _send(
        self,
        what: str,
        method: str,
        path: str,
        batch_id: str | None,
        params: Mapping[str, str] | None,
        **body: Any,
    ) -> Iterator[requests.Response]:
        if self.policy.wait_for_turn:
            self._acquire_turn(what)
        try:
            with request_target(self._target(path, params)):
                response = self._session.request(
                    method,
                    self.base_url + path,
                    timeout=(min(self.timeout, CONNECT_TIMEOUT_SECONDS), self.timeout),
                    allow_redirects=False,  # the key would go along
                    stream=True,
                    **body,
                )
        except NO_ANSWER as error:
            raise no_answer(what, error, urlsplit(self.base_url).netloc, self.timeout) from None
        with response:
            self._check_status(response, what, batch_id)
            yield response

    def _target(self, path: str, params: Mapping[str, str] | None) -> str:
        # Never a local variable of a frame that can raise: some reports of errors show those.
        query = {**(params or {}), **self._auth}
        return f"{urlsplit(self.base_url).path}{path}?{urlencode(query, quote_via=quote, safe='')}"

    def _check_status(self, response: requests.Response, what: str, batch_id: str | None) -> None:
        status = response.status_code
        if 300 <= status < 400:
            try:
                target = urlsplit(response.headers.get("Location", "")).hostname or "another path"
            except ValueError:
                target = "no URL at all"
            raise UnexpectedResponseError(
                f"{what} answered {status}, a redirect to {self.redact(target)}. It was not followed, because the "
                "key would go along. Put the vendor's own base URL into the connection's Host."
            )
        if status < 400:
            self.limit.relax()
            return
        pause = retry_after(response.headers.get("Retry-After"))
        self.check(status, self._any_json(response, what), what, batch_id, pause)

    def _any_json(self, response: requests.Response, what: str) -> JSON:
        """Return the JSON of an answer whose status says enough; None if it has none."""
        try:
            return json.loads(self._read(response, what))
        except (EmailVerifyError, ValueError, RecursionError):
            return None

    def _payload(self, response: requests.Response, what: str, batch_id: str | None) -> JSON:
        content = self._read(response, what)
        try:
            payload = json.loads(content)
        except (ValueError, RecursionError):
            if content.lstrip()[:1] in (b"{", b"["):
                raise IncompleteResponseError(f"{what} answered with JSON that is cut or malformed.") from None
            raise UnexpectedResponseError(
                f"{what} answered {response.status_code} with no JSON. {UnexpectedResponseError.advice}"
            ) from None
        self.check(response.status_code, payload, what, batch_id)
        return payload

    def _read(self, response: requests.Response, what: str) -> bytes:
        return ResponseBody(response, what).read_whole(MAX_JSON_BYTES, time.monotonic() + self.timeout)
