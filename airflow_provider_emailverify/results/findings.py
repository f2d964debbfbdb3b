"""From a vendor's words and flags to findings: the rules that all vendors share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_emailverify.exceptions import InvalidRequestError
from airflow_provider_emailverify.results.schema import FLAGS, Finding, Reason, Verdict

#: A vendor's words, :func:`loosen`, with their verdicts, and with a reason where the word itself is one.
Words = Mapping[str, tuple[Verdict, Reason | None]]

#: Distinct findings that are kept at a time: many more than there are, unless a vendor writes anything into a column.
MOST_FINDINGS = 4096
_MOST_EXACT = 2**53  # whole numbers above it are not exact as a float
# Between two characters of a word, unless both are digits: 1-1 is not 11.
_SEPARATORS = re.compile(r"(?<=[^\W_])[\s_./-]+(?=[^\W\d_])|(?<=[^\W\d_])[\s_./-]+(?=[^\W_])")
_LONGEST_LIST = 1000
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


def loosen(word: str) -> str:
    """
    Return a word without case, and without what separates its parts, as words are compared.

    Other signs stay: ``-1`` is not ``1``, and ``A-`` is not ``A+``.

    :param word: ``Catch-All``, ``catch_all`` and ``CatchAll`` become ``catchall``.
    """
    return _SEPARATORS.sub("", word.strip()).casefold()


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
    :param status_map: the user's words and their verdicts, which go before the vendor's. A word is looked up as it is
        written, and then as :func:`loosen` makes it, if that leaves no choice.
    :param reasons: the vendor's words for reasons, :func:`loosen`, if it has a column for them.
    :raises InvalidRequestError: ``status_map`` names no verdict.
    """

    def __init__(
        self,
        words: Words,
        status_map: Mapping[str, str] | None = None,
        reasons: Mapping[str, Reason] | None = None,
    ) -> None:
        self._words = words
        self._exact = check_status_map(status_map or {})
        self._loose: dict[str, set[Verdict]] = {}
        for given, verdict in self._exact.items():
            self._loose.setdefault(loosen(given), set()).add(verdict)
        self._reasons = reasons or {}
        # With all its separators. What is longer is a sentence, and often another one in each row.
        self._longest_reason = 2 * max(map(len, self._reasons), default=0)

    def make(self, word: Any, reason: Any = None, **said: Any) -> Finding:
        """
        Return a finding.

        :param word: the vendor's word for the verdict, as it came.
        :param reason: the vendor's word for the reason, as it came; of a list the first that is known.
        :param said: flags of :data:`.schema.FLAGS`, as they came.
        """
        status = _word(word)
        flags: dict[str, Any] = {name: flag(said.get(name)) for name in FLAGS}
        verdict, implied = self._verdict(status) if status else (None, None)
        if verdict is None:
            return Finding(verdict=Verdict.UNKNOWN, reason=Reason.OTHER, vendor_status=status, known=False, **flags)
        told = next(filter(None, map(self._reason, _each(reason))), None)
        return Finding(
            verdict=verdict, reason=told or implied or _explain(verdict, flags), vendor_status=status, **flags
        )

    def _reason(self, said: Any) -> Reason | None:
        word = _word(said) or ""
        return self._reasons.get(loosen(word)) if len(word) <= self._longest_reason else None

    def _verdict(self, status: str) -> tuple[Verdict | None, Reason | None]:
        """Return the verdict of a word, and its reason if the word is one."""
        for written in (status, status.strip()):
            if written in self._exact:
                return self._exact[written], None
        alike = loosen(status)
        verdicts = self._loose.get(alike, set())
        if len(verdicts) == 1:
            return next(iter(verdicts)), None
        return self._words.get(alike, (None, None))


def _each(reason: Any) -> Sequence[Any]:
    """Return the reasons that a vendor gives: one, or a list of them, which CSV holds as the text of a JSON list."""
    if isinstance(reason, str) and reason.startswith("["):
        try:
            reason = json.loads(reason)
        except (ValueError, RecursionError):
            return [word.strip(" '\"") for word in reason[:_LONGEST_LIST].strip("[]").split(",")]
    return reason if isinstance(reason, list) else [reason]


def _word(value: Any) -> str | None:
    """Return a vendor's word as it came, a number as text; None if there is none."""
    if isinstance(value, int | float):
        return _number(value)
    if not isinstance(value, str) or not value.strip():
        return None
    return value if is_text(value) else value.encode(errors="replace").decode()


def _number(value: float) -> str:
    if isinstance(value, float) and not (value.is_integer() and abs(value) < _MOST_EXACT):
        return repr(value)
    try:
        return str(int(value))
    except ValueError:  # Python writes no number of some thousand digits
        return hex(int(value))


def _explain(verdict: Verdict, flags: Mapping[str, bool | None]) -> Reason:
    default = Reason.ACCEPTED if verdict is Verdict.DELIVERABLE else Reason.OTHER
    return next((reason for name, value, reason in _EXPLANATIONS[verdict] if flags[name] is value), default)


def reasons_by_word(words: Mapping[Reason, str]) -> dict[str, Reason]:
    """
    Return a vendor's words for reasons, as :class:`Findings` looks them up.

    :param words: for each reason the words, :func:`loosen`, with blanks between them.
    """
    return {word: reason for reason, several in words.items() for word in several.split()}


def check_status_map(status_map: Mapping[str, str]) -> dict[str, Verdict]:
    """
    Return a user's words, checked.

    :param status_map: words and their verdicts.
    :raises InvalidRequestError: a verdict is unknown, or a word is empty.
    """
    words = {str(word): str(verdict).strip().lower() for word, verdict in status_map.items()}
    if not all(map(str.strip, words)):
        raise InvalidRequestError("A status_map maps the vendor's words to verdicts; one of its words is empty.")
    if unknown := sorted(set(words.values()) - {verdict.value for verdict in Verdict}):
        raise InvalidRequestError(
            f"A status_map maps the vendor's words to {', '.join(Verdict)}; {unknown[0]!r} is unknown."
        )
    return {word: Verdict(verdict) for word, verdict in words.items()}
