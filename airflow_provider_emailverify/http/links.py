"""Links to results on another host, as some vendors' answers hold them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import SplitResult, quote, urlsplit

from airflow_provider_emailverify.exceptions import UnexpectedResponseError, VendorUnavailableError
from airflow_provider_emailverify.http.auth import Key, Secret
from airflow_provider_emailverify.http.transport import NO_ANSWER, NoRedirectSession, ResponseBody, no_answer
from airflow_provider_emailverify.http.wire import SealedRequest

# Everything that may stand in a URL: what is quoted already stays as it is.
_AS_IT_IS = "!#$%&'()*+,/:;=?@[]~"


class ResultsLink:
    """
    A link that leads to results by itself. Only the socket sees more of it than the host.

    :param url: the link, in its parts.
    """

    __slots__ = ("_url", "host", "origin")

    def __init__(self, url: SplitResult) -> None:
        self._url = url
        self.host = url.netloc
        self.origin = f"{url.scheme}://{url.netloc}"

    @classmethod
    def parse(cls, value: object, what: str, *, base_url: str) -> Self:
        """
        Read a link out of an answer.

        :param value: what the answer has in its place.
        :param what: the request in words, for the message.
        :param base_url: the vendor's. A link may be plain HTTP where that is too, and to the same host only.
        :raises UnexpectedResponseError: it is no link that can be followed.
        """
        problem = ""
        try:
            url = urlsplit(value.strip() if isinstance(value, str) else "")
            base = urlsplit(base_url)
            is_as_open = url.scheme == base.scheme == "http" and url.hostname == base.hostname
            has_port = url.port is None or url.port > 0
            if not url.hostname or not has_port or url.username is not None:
                problem = "the answer holds no link to follow"
            elif url.scheme != "https" and not is_as_open:
                problem = "the answer holds a link that is not https"
        except ValueError:  # its text quotes the link
            problem = "the answer holds no link to follow"
        if problem:
            raise UnexpectedResponseError.advised(f"{what}: {problem}.")
        return cls(url)

    def sealed(self) -> SealedRequest:
        """Return the request for what the link leads to."""
        path = quote(self._url.path or "/", safe=_AS_IT_IS)
        query = quote(self._url.query, safe=_AS_IT_IS)
        return SealedRequest(f"{path}?{query}".removesuffix("?"), None, None, Key(), Secret(""))


@contextmanager
def open_link(link: ResultsLink, what: str, timeout: float, user_agent: str) -> Iterator[ResponseBody]:
    """
    Fetch what a link leads to, and hand out the body as it arrives.

    :param link: the link.
    :param what: the request in words.
    :param timeout: seconds of silence.
    :param user_agent: what the request calls itself.
    :raises VendorUnavailableError: the link does not lead to the results any more, or not now.
    """
    sealed = link.sealed()
    with NoRedirectSession(link.origin, user_agent) as session:
        try:
            response = session.send_sealed("GET", f"{link.origin}/", sealed, timeout)
        except NO_ANSWER as error:
            failure = no_answer(what, error, sealed, link.host, timeout)
        else:
            with response:
                if response.status_code == 200:
                    yield ResponseBody(response, what)
                    return
                failure = VendorUnavailableError(
                    f"{what} was answered with {response.status_code} by {link.host}. The link may have expired; the "
                    "next attempt asks for another one."
                )
    raise failure  # not in the except block: it would refer to an exception that may quote the link
