"""From a vendor's words and flags to findings: the rules that all vendors share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.results.schema import FLAGS, Finding, Reason, Verdict

#: A vendor's words, :func:`compact`, with their verdicts, and with a reason where the word itself is one.
Words = Mapping[str, tuple[Verdict, Reason | None]]

#: Distinct findings that are kept at a time: many more than there are, unless a vendor writes anything into a column.
MOST_FINDINGS = 4096
_FLAG_WORDS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}

# The first flag that has this value explains the verdict.
_EXPLANATIONS: dict[Verdict, tuple[tuple[str, bool, Reason], ...]] = {
    Verdict.DELIVERABLE: (),
    Verdict.UNDELIVERABLE: (
        ("syntax_valid", False, Reason.INVALID_SYNTAX),
        ("mx_found", False, Reason.NO_MX),
        ("mx_accepts_mail", False, Reason.NO_MX),
        ("disabled", True, Reason.DISABLED),
        ("smtp_connectable", False, Reason.NO_CONNECT),
        ("smtp_deliverable", False, Reason.REJECTED),
    ),
    Verdict.RISKY: (
        ("spam_trap", True, Reason.SPAM_TRAP),
        ("disposable", True, Reason.DISPOSABLE),
        ("catch_all", True, Reason.CATCH_ALL),
        ("mailbox_full", True, Reason.MAILBOX_FULL),
        ("no_reply", True, Reason.NO_REPLY),
        ("role", True, Reason.ROLE),
    ),
    Verdict.UNKNOWN: (("smtp_connectable", False, Reason.NO_CONNECT),),
}


def compact(word: str) -> str:
    """
    Return a word without case, spaces, underscores, hyphens and the like, as words and headers are compared.

    :param word: ``Catch-All``, ``catch_all`` and ``isCatchAll`` become ``catchall`` and ``iscatchall``.
    """
    return re.sub(r"[\W_]+", "", word).casefold()


def flag(value: Any) -> bool | None:
    """
    Read a flag however it is spelled; None when it says neither yes nor no.

    :param value: what the vendor wrote.
    """
    if isinstance(value, str):
        value = _FLAG_WORDS.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None


def is_text(value: Any) -> bool:
    """
    Tell whether a value is text that can be written down; JSON can hold halves of characters, which cannot.

    :param value: what the vendor wrote.
    """
    if type(value) is not str:
        return False
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class Findings:
    """
    Make findings of what a vendor says.

    Whoever reads rows keeps the findings of what was said before, :data:`MOST_FINDINGS` of them.

    :param words: the vendor's words.
    :param status_map: further words and their verdicts, in place of the vendor's where they meet.
    :param reasons: the vendor's words for reasons, :func:`compact`, if it has a column for them.
    :raises InvalidRequestError: ``status_map`` names no verdict.
    """

    def __init__(
        self,
        words: Words,
        status_map: Mapping[str, str] | None = None,
        reasons: Mapping[str, Reason] | None = None,
    ) -> None:
        self._words = {**words, **words_of(status_map or {})}
        self._reasons = reasons or {}

    def make(self, word: Any, reason: Any = None, **said: Any) -> Finding:
        """
        Return a finding.

        :param word: the vendor's word for the verdict, as it came.
        :param reason: the vendor's word for the reason, as it came.
        :param said: flags of :data:`.schema.FLAGS`, as they came.
        """
        status = _word(word)
        flags: dict[str, Any] = {name: flag(said.get(name)) for name in FLAGS}
        verdict, implied = self._words.get(compact(status or ""), (None, None))
        if verdict is None:
            return Finding(verdict=Verdict.UNKNOWN, reason=Reason.OTHER, vendor_status=status, known=False, **flags)
        told = self._reasons.get(compact(_word(reason) or ""))
        return Finding(
            verdict=verdict, reason=told or implied or _explain(verdict, flags), vendor_status=status, **flags
        )


def _word(value: Any) -> str | None:
    """Return a vendor's word as it came, a number as text; None if there is none."""
    if isinstance(value, int | float):
        return f"{value:g}"
    if not isinstance(value, str) or not value.strip():
        return None
    return value if is_text(value) else value.encode(errors="replace").decode()


def _explain(verdict: Verdict, flags: Mapping[str, bool | None]) -> Reason:
    default = Reason.ACCEPTED if verdict is Verdict.DELIVERABLE else Reason.OTHER
    return next((reason for name, value, reason in _EXPLANATIONS[verdict] if flags[name] is value), default)


def words_of(status_map: Mapping[str, str]) -> dict[str, tuple[Verdict, None]]:
    """
    Return a user's words.

    :param status_map: words and their verdicts.
    :raises InvalidRequestError: one is no verdict.
    """
    try:
        verdicts = {word: Verdict(str(verdict).strip().lower()) for word, verdict in status_map.items()}
        return {compact(word): (verdict, None) for word, verdict in verdicts.items()}
    except ValueError:
        raise InvalidRequestError(
            f"A status_map maps the vendor's words to {', '.join(Verdict)}, and to nothing else."
        ) from None
