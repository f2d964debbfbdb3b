"""Keep keys and addresses out of texts that somebody else wrote, such as a vendor's error message."""

from __future__ import annotations

import base64
import html
import re
from urllib.parse import quote, quote_plus

#: What stands where an address was.
ADDRESS = "<address>"
# An address, also percent-encoded, with a quoted or a bare local part. It is sought from where a word begins only:
# from every character of a long word, the search would take the square of its length.
_ADDRESS = re.compile(
    r"""(?:"[^"]*"|(?<![^\s"'<>(),;:=&?/])[^\s"'<>(),;:=&?/]+?)(?:@|%40)[^\s"'<>(),;:&]+""", re.IGNORECASE
)
# Longer texts are no messages; a word that this cuts goes whole, so that half a key cannot stay.
_MOST_CHARACTERS = 4000


def renderings(secret: str) -> list[str]:
    """Return the spellings in which a secret turns up in URLs, headers, pages and logs, longest first."""
    raw = secret.encode()
    spellings = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        repr(secret)[1:-1],
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode(),
    }
    return sorted(spellings, key=lambda spelling: (-len(spelling), spelling))


def without_addresses(text: str, limit: int = 300) -> str:
    """
    Return a text without e-mail addresses, on one line.

    :param text: what somebody else wrote.
    :param limit: characters at most; the cut comes after the redaction, so that half an address cannot stay.
    """
    text = " ".join(_ADDRESS.sub(ADDRESS, _beginning(text)).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _beginning(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return text[:_MOST_CHARACTERS].rpartition(" ")[0]


class Redactor:
    """
    Replace a secret, however it is spelled, and every e-mail address in a text.

    :param secrets: the key to hide, and what else gives it away.
    """

    def __init__(self, *secrets: str) -> None:
        spellings = (spelling for secret in secrets for spelling in renderings(secret))
        # Percent escapes may be in either case, hence IGNORECASE.
        self._secret = re.compile("|".join(map(re.escape, spellings)), re.IGNORECASE)

    def __call__(self, text: str, limit: int = 300) -> str:
        """
        Return the text without the secret and without addresses, on one line.

        :param text: what somebody else wrote.
        :param limit: characters at most; the cut comes after the redaction, so that half a key cannot stay.
        """
        return without_addresses(self._secret.sub("***", _beginning(text)), limit)
