"""
Headers and words that several vendors use, or are likely to use where they document none. A user can map others.

They are compared without case, spaces, underscores and hyphens.
"""

from __future__ import annotations

from airflow_provider_emailverify.results.findings import Words, loosen, reasons_by_word
from airflow_provider_emailverify.results.schema import Reason, Verdict

#: The words of the vendors that say just what we say.
PLAIN_WORDS: Words = {
    "deliverable": (Verdict.DELIVERABLE, None),
    "undeliverable": (Verdict.UNDELIVERABLE, None),
    "risky": (Verdict.RISKY, None),
    "unknown": (Verdict.UNKNOWN, None),
}
#: Words that several vendors have beside others of their own.
VALID_WORDS: Words = {
    "valid": (Verdict.DELIVERABLE, None),
    "invalid": (Verdict.UNDELIVERABLE, None),
    "unknown": (Verdict.UNKNOWN, None),
}
#: The reasons of those whose words are plain. That deliverability is low only says that a verdict is risky, and leaves
#: it to the flags.
PLAIN_REASONS = reasons_by_word(
    {
        Reason.ACCEPTED: "acceptedemail",
        Reason.REJECTED: "rejectedemail",
        Reason.INVALID_SYNTAX: "invalidemail",
        Reason.NO_MX: "invaliddomain dnserror",
        Reason.LOW_QUALITY: "lowquality",
        Reason.NO_CONNECT: "noconnect unavailablesmtp",
        Reason.TIMEOUT: "timeout",
        Reason.VENDOR_ERROR: "invalidsmtp unexpectederror",
    }
)
#: Headers of each column, likeliest first. A header such as isValid is not among those of the verdict: whether false
#: means undeliverable or unknown there, only a vendor's documentation can say.
LIKELY_COLUMNS = {
    "email": ("email", "emailaddress", "mail", "address"),
    "verdict": (
        *("status", "result", "verdict", "validationstatus", "validationresult", "verificationstatus"),
        *("verificationresult", "emailstatus", "deliverability", "state"),
    ),
    "reason": ("reason", "substatus", "statusreason", "detail", "details"),
    "syntax_valid": ("syntaxvalid", "issyntaxvalid", "validsyntax", "isvalidsyntax", "validformat", "isvalidformat"),
    "mx_found": ("mxfound", "hasmx", "hasmxrecord", "hasmxrecords", "mxrecords", "mxvalid", "validmx"),
    "mx_accepts_mail": ("mxacceptsmail", "acceptsmail"),
    "smtp_connectable": ("smtpconnectable", "canconnect", "canconnectsmtp"),
    "smtp_deliverable": ("smtpdeliverable", "smtpvalid", "issmtpvalid", "deliverable", "isdeliverable"),
    "catch_all": ("catchall", "iscatchall", "acceptall", "isacceptall"),
    "disposable": ("disposable", "isdisposable", "disposableemail"),
    "role": ("role", "isrole", "rolebased", "isrolebased", "roleaccount", "isroleaccount"),
    "no_reply": ("noreply", "isnoreply", "rolenoreply"),
    "free": ("free", "isfree", "freeemail", "isfreeemail", "freeprovider", "isfreeprovider"),
    "mailbox_full": ("mailboxfull", "ismailboxfull", "fullinbox", "hasfullinbox", "inboxfull", "isinboxfull"),
    "disabled": ("disabled", "isdisabled"),
    "spam_trap": ("spamtrap", "isspamtrap", "possiblespamtrap"),
}
#: Words for verdicts, some of which are a reason too.
LIKELY_WORDS: Words = {
    **dict.fromkeys(("valid", "deliverable", "ok", "safe", "safetosend", "verified"), (Verdict.DELIVERABLE, None)),
    **dict.fromkeys(("invalid", "undeliverable", "notdeliverable", "rejected"), (Verdict.UNDELIVERABLE, None)),
    **dict.fromkeys(("unknown", "unverifiable", "unverified", "inconclusive"), (Verdict.UNKNOWN, None)),
    "risky": (Verdict.RISKY, None),
    "catchall": (Verdict.RISKY, Reason.CATCH_ALL),
    "acceptall": (Verdict.RISKY, Reason.CATCH_ALL),
    "disposable": (Verdict.RISKY, Reason.DISPOSABLE),
    "role": (Verdict.RISKY, Reason.ROLE),
    "rolebased": (Verdict.RISKY, Reason.ROLE),
    "spamtrap": (Verdict.RISKY, Reason.SPAM_TRAP),
    "donotmail": (Verdict.RISKY, Reason.DO_NOT_SEND),
}
#: Words for reasons.
LIKELY_REASONS = {loosen(reason): reason for reason in Reason} | {
    "syntax": Reason.INVALID_SYNTAX,
    "nomxrecords": Reason.NO_MX,
    "acceptall": Reason.CATCH_ALL,
    "rolebased": Reason.ROLE,
    "roleaccount": Reason.ROLE,
    "fullinbox": Reason.MAILBOX_FULL,
    "inboxfull": Reason.MAILBOX_FULL,
    "donotmail": Reason.DO_NOT_SEND,
}
