"""
HTTP for one vendor account: requests within its rate limit, and answers that become errors.

This module knows HTTP; it knows no vendor and no Airflow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity

from airflow_provider_emailverify import __version__
from airflow_provider_emailverify.exceptions import (
    BatchNotFoundError,
    BatchNotReadyError,
    ConnectionConfigError,
    IncompleteResponseError,
    RateLimitedError,
    TransientError,
    UnexpectedResponseError,
    VendorUnavailableError,
    VendorUnreachableError,
)
from airflow_provider_emailverify.http.answers import AnswerReader, Call, Outcome, ProblemOf, doubt
from airflow_provider_emailverify.http.auth import Secret, Site
from airflow_provider_emailverify.http.bodies import Body
from airflow_provider_emailverify.http.errors import JSON
from airflow_provider_emailverify.http.links import ResultsLink, open_link
from airflow_provider_emailverify.http.policy import CallPolicy
from airflow_provider_emailverify.http.preflight import sending_problem
from airflow_provider_emailverify.http.rate_limit import RateLimit
from airflow_provider_emailverify.http.retries import MAX_PAUSE_SECONDS, retrying
from airflow_provider_emailverify.http.transport import NO_ANSWER, NoRedirectSession, ResponseBody, no_answer
from airflow_provider_emailverify.http.wire import SealedRequest
from airflow_provider_emailverify.redaction import Redactor

DEFAULT_TIMEOUT_SECONDS = 30.0
#: Errors after which a request that costs nothing is sent again.
WORTH_REPEATING = (RateLimitedError, VendorUnavailableError, IncompleteResponseError)

_USER_AGENT = f"airflow-provider-emailverify/{__version__}"
# Statuses of success that bring no results: accepted, no content, and what some vendors say for "ask again".
_NOT_YET = frozenset({202, 204, 249})

T = TypeVar("T")


class VendorClient:
    """
    One vendor account's HTTP client. Threads may share it.

    :param name: how error messages call the vendor, for instance ``Proofy (connection 'proofy_default')``.
    :param site: where requests go, and where they carry the key.
    :param key: the key.
    :param limit: the pace of the account.
    :param problem_of: tells what an answer means.
    :param timeout: seconds that the vendor may stay silent, and that the body of a short answer may take in all.
    :param policy: how often a request is sent, and whether it waits for the rate limit.
    """

    def __init__(
        self,
        *,
        name: str,
        site: Site,
        key: Secret,
        limit: RateLimit,
        problem_of: ProblemOf,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        policy: CallPolicy = CallPolicy(),  # noqa: B008 - it is frozen, so nothing changes in it
    ) -> None:
        self.name = name
        self.site = site
        self.limit = limit
        self.timeout = timeout
        self.policy = policy
        self.redact = Redactor(*site.key.spellings(key))
        self._key = key
        self._answers = AnswerReader(self.redact, limit, problem_of, timeout)
        self._session = self._open_session()

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
        if policy.timeout is not None and policy.timeout < self.timeout:
            other.timeout = policy.timeout
            other._answers = self._answers.with_timeout(policy.timeout)
        return other

    def check_sendable(self) -> None:
        """
        Make sure that a request can be sent at all. It sends nothing, and takes some milliseconds.

        Whoever writes down what is about to be sent asks this before.

        :raises ConnectionConfigError: naming what has to be corrected: a field of the connection, or an environment
            variable.
        """
        if problem := sending_problem(self._session, self.site.base_url):
            raise ConnectionConfigError(f"{self.name}: no request can be sent, because {problem}")

    def acquire_turn(self) -> None:
        """
        Wait for the rate limit, and take the turn of one request.

        The request itself is then sent by a client whose policy does not wait. Whoever writes down what is about to
        be sent does so in between: a process that is killed while it waits has sent nothing.

        :raises RateLimitedError: the vendor wants to be left alone for longer than a minute.
        """
        self._acquire_turn(f"{self.name}: the next request")

    def retrying(self, *errors: type[TransientError]) -> tenacity.Retrying:
        """
        Return a caller that repeats a function as often as the policy says, at the account's pace.

        :param errors: those that are worth another attempt.
        """
        sleep = self.policy.sleep or self.limit.clock.sleep
        return retrying(self.policy.attempts, *errors, least_pause=lambda: self.limit.wait, sleep=sleep)

    def request_json(
        self,
        method: str,
        path: str,
        *,
        batch_id: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JSON:
        """
        Send a request that costs nothing, and return the JSON of its answer.

        :param method: the HTTP method.
        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages; without one, a 404 stands for no unknown batch.
        :param params: query parameters beside the key, unquoted.
        :param body: what the request carries.
        :param headers: headers beside the usual ones, which are no secret.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        """
        call = self._call(method, path, batch_id, params=params, body=body, headers=headers)

        def once() -> JSON:
            with self._respond(call, self._session) as response:
                outcome = self._answers.read(response, call)
            outcome.raise_error()
            return outcome.payload

        return self.retrying(*WORTH_REPEATING)(once)

    def spend(
        self,
        method: str,
        path: str,
        accept: Callable[[JSON], T | None],
        *,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """
        Send a request that spends credits, and return what was bought.

        It is not repeated once it may have reached the vendor. It never uses a connection that was kept alive, because
        the vendor may just be closing it.

        :param method: the HTTP method.
        :param path: what follows the base URL, each segment quoted already.
        :param accept: returns what was bought, such as a batch id, out of an answer of success; None or "" if it is
            not there. What it returns counts, whatever else the answer says.
        :param params: query parameters beside the key, unquoted.
        :param body: what the request carries.
        :param headers: headers beside the usual ones, which are no secret.
        :raises SubmissionUnknownError: nobody knows whether the vendor took it.
        :raises EmailVerifyError: the vendor took nothing.
        """
        call = self._call(method, path, None, params=params, body=body, headers=headers)

        def once() -> T:
            with self._open_session() as session:
                try:
                    with self._respond(call, session) as response:
                        outcome = self._answers.read(response, call)
                except VendorUnreachableError:  # not sent
                    raise
                except VendorUnavailableError as error:
                    outcome = Outcome(error=error)
            if outcome.is_success and (bought := accept(outcome.payload)):
                return bought
            if outcome.is_refusal:
                outcome.raise_error()
            raise doubt(outcome.error or UnexpectedResponseError(f"{call.what} did not say what it accepted."))

        return self.retrying(RateLimitedError, VendorUnreachableError)(once)

    def send(
        self,
        method: str,
        path: str,
        *,
        batch_id: str | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> None:
        """
        Send a request whose answer matters by its status only.

        Where an answer was lost, "no such batch" to the next attempt means that the lost one was a success.

        :param method: the HTTP method.
        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages; without one, a 404 stands for no unknown batch.
        :param params: query parameters beside the key, unquoted.
        :param body: what the request carries.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        """
        call = self._call(method, path, batch_id, params=params, body=body, reads_json=False)
        was_lost = False

        def once() -> None:
            nonlocal was_lost
            try:
                with self._respond(call, self._session) as response:
                    outcome = self._answers.read(response, call)
                outcome.raise_error()
            except BatchNotFoundError:
                if not was_lost:
                    raise
            except TransientError as error:
                was_lost = was_lost or not isinstance(error, RateLimitedError | VendorUnreachableError)
                raise

        self.retrying(*WORTH_REPEATING)(once)

    @contextmanager
    def stream(
        self,
        path: str,
        *,
        batch_id: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[ResponseBody]:
        """
        Send one GET and hand out its body as it arrives. It is not repeated, whatever the policy says.

        :param path: what follows the base URL, each segment quoted already.
        :param batch_id: the batch in question, for messages.
        :param params: query parameters beside the key, unquoted.
        :param headers: headers beside the usual ones, which are no secret.
        :raises EmailVerifyError: of the class that the answer, or its absence, stands for.
        """
        call = self._call("GET", path, batch_id, params=params, headers=headers, reads_json=False)
        with self._respond(call, self._session) as response:
            status = response.status_code
            if status in _NOT_YET:
                raise BatchNotReadyError.advised(f"{call.what} answered {status}.")
            if status != 200:
                self._answers.read(response, call).raise_error()
                raise UnexpectedResponseError(f"{call.what} answered {status} where 200 was expected.")
            self.limit.relax()
            yield ResponseBody(response, call.what)

    @contextmanager
    def stream_link(self, url: object, *, batch_id: str) -> Iterator[ResponseBody]:
        """
        Fetch results from a link that the vendor's answer holds, and hand out the body as it arrives.

        The link is a secret of its own: whoever has it has the results. It goes without the key, to whatever host the
        vendor names, and costs no turn of the account. A refused link has probably expired; whoever asks the vendor
        again gets another one.

        :param url: the link.
        :param batch_id: the batch in question, for messages.
        :raises UnexpectedResponseError: it is no link, or plain HTTP to another machine.
        :raises VendorUnavailableError: the link does not lead to the results any more, or not now.
        """
        what = f"{self.name}, batch {batch_id!r}: GET the link to the results"
        link = ResultsLink.parse(url, what, base_url=self.site.base_url)
        with open_link(link, what, self.timeout, _USER_AGENT) as body:
            yield body

    def check(self, status: int, payload: JSON, what: str, batch_id: str | None) -> None:
        """
        Raise the error that an answer stands for, if it stands for one.

        :param status: the HTTP status.
        :param payload: the decoded JSON; None if there is none.
        :param what: the request in words.
        :param batch_id: the batch in question.
        """
        outcome = self._answers.judge(status, payload, what, batch_id)
        del payload  # reports of errors show local variables, and it may repeat the key
        outcome.raise_error()

    def _call(self, method: str, path: str, batch_id: str | None, **parts: Any) -> Call:
        batch = f", batch {batch_id!r}" if batch_id is not None else ""
        return Call(f"{self.name}{batch}: {method} {path}", method, path, batch_id=batch_id, **parts)

    def _open_session(self) -> NoRedirectSession:
        return NoRedirectSession(self.site.base_url, _USER_AGENT)

    def _acquire_turn(self, what: str) -> None:
        if held := self.limit.acquire(MAX_PAUSE_SECONDS, self.policy.sleep):
            raise RateLimitedError(
                f"{what} was not sent: the vendor wants to be left alone for another {held:.0f} s. "
                f"{RateLimitedError.advice}",
                held,
            )

    def _respond(self, call: Call, session: NoRedirectSession) -> requests.Response:
        """
        Send a request, and return its answer, of which the body is still to be read.

        :raises VendorUnreachableError: not a byte of it was sent.
        :raises VendorUnavailableError: there is no answer, and it may have arrived.
        """
        if self.policy.wait_for_turn:
            self._acquire_turn(call.what)
        url = urlsplit(self.site.base_url)
        sealed = SealedRequest(
            url.path + call.path, call.params, call.body, self.site.key, self._key, headers=call.headers
        )
        try:
            return session.send_sealed(call.method, self.site.base_url + call.path, sealed, self.timeout)
        except NO_ANSWER as error:
            failure = no_answer(call.what, error, sealed, url.netloc, self.timeout)
        # Not in the except block: what is raised there refers to an exception that may quote the vendor.
        if not sealed.has_begun:
            self.check_sendable()
        raise failure
