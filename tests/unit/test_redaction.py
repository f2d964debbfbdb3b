"""Keys and addresses in the words of others."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import quopri
import re
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_emailverify.redaction import Redactor, renderings, without_addresses
from tests.conftest import AWKWARD_KEY


@pytest.mark.parametrize("spelling", renderings(AWKWARD_KEY))
def test_a_key_is_hidden_however_it_is_spelled(spelling: str) -> None:
    assert Redactor(AWKWARD_KEY)(f"bad key '{spelling}'") == "bad key '***'"


def test_percent_escapes_may_be_in_lower_case() -> None:
    assert "***" in Redactor("a/b")("x=a%2fb")


@pytest.mark.parametrize(
    "address",
    [
        "jane@example.com",
        "jane.doe+tag@mail.example",
        '"jane doe"@example.com',
        "jürgen@exämple.example",
        "a%40b.example",
    ],
)
def test_an_address_is_hidden(address: str) -> None:
    shown = Redactor("key")(f"cannot verify {address}: refused")

    assert shown == "cannot verify <address>: refused"


def test_the_cut_comes_after_the_redaction() -> None:
    assert Redactor("secretsecret")("x" * 295 + "secretsecret" + "y" * 50) == "x" * 295 + "***y…"


def test_line_breaks_become_blanks() -> None:
    assert Redactor("key")("a\r\n\tb") == "a b"


def test_a_long_text_is_redacted_quickly_and_shows_no_half_of_anything() -> None:
    redact = Redactor("secretsecret")

    assert redact("x" * 1_000_000) == ""
    assert redact("a " * 1996 + "secretsecret") == redact("a " * 1996)
    assert "secret" not in redact("a " * 1996 + "secretsecret", limit=10_000)
    assert "jane" not in redact("jane" * 900 + "@example.com")


KEY = "sk-Live/93+aZ&q=7"
ADDRESS_AS = {
    "decimal entity": "jane.doe&#64;mail.example",
    "entity without its semicolon": "jane.doe&#64mail.example",
    "hexadecimal entity": "jane.doe&#x40;mail.example",
    "hexadecimal entity before hexadecimal letters": "jane.doe&#x0040example.com",
    "named entity": "jane.doe&commat;mail&period;example",
    "entity of an entity": "jane.doe&amp;amp;#64;mail.example",
    "percent": "jane.doe%40mail.example",
    "percent twice": "jane.doe%2540mail.example",
    "percent ten times": "jane.doe%2525252525252525252540mail.example",
    "percent of its own word": "j%61ne%2Edoe%40m%61il.example",
    "percent and u": "jane.doe%u0040mail.example",
    "escape of JSON": r"jane.doe\u0040mail.example",
    "escape of JSON twice": r"jane.doe\\u0040mail.example",
    "escape with braces": r"jane.doe\u{40}mail.example",
    "escape with x": r"jane.doe\x40mail.example",
    "long escape": r"jane.doe\U00000040mail.example",
    "octal escape": r"jane.doe\100mail.example",
    "named escape": r"jane.doe\N{COMMERCIAL AT}mail.example",
    "quoted-printable": "jane.doe=40mail.example",
    "quoted-printable twice": "jane.doe=3D40mail.example",
    "full-width sign": "jane.doe\uff20mail.example",
    "small sign": "jane.doe\ufe6bmail.example",
    "full-width dots": "jane.doe\uff20mail\u3002example",
    "zero width": "jane.doe\u200b@\u200dmail.example",
    "soft hyphens": "ja\u00adne.doe\u00ad@mail.exam\u00adple",
    "round brackets": "jane.doe(at)mail.example",
    "square brackets": "jane.doe [at] mail [dot] example",
    "braces": "jane.doe{AT}mail{DOT}example",
    "words": "jane dot doe at mail dot example",
    "at in words": "jane.doe at mail.example",
    "blanks": "jane.doe @ mail.example",
    "comment": "jane.doe(private)@mail.example",
    "comment in the domain": "jane.doe@(work)mail.example",
    "comment in a comment": "jane.doe(a (b) c)@mail.example",
    "quoted": '"jane, doe; (x)"@mail.example',
    "quoted with a quote": r'"jane \" doe"@mail.example',
    "quoted in part": 'jane."x doe"@mail.example',
    "apostrophe": "o'jane.doe@mail.example",
    "apostrophe first": "'jane.doe@mail.example",
    "signs": "{jane/doe?=&}@mail.example",
    "apostrophe as an entity": "jane&#39;doe&#64;mail.example",
    "IDN": "jane.doe@пошта.приклад.укр",
    "punycode": "jane.doe@xn--80a1acny.xn--j1amh",
    "literal": "jane.doe@[192.0.2.1]",
    "without a dot": "jane.doe&#64;localhost",
    "percent of an entity of an escape": "jane.doe%26%2392%3Bu0040mail.example",
    "named entity without its semicolon": "jane.doe&commatmail.example",
    "escape with x and braces": r"jane.doe\x{40}mail.example",
    "escape of style sheets": r"jane.doe\000040mail.example",
    "UTF-8 that is too long": "jane.doe%C1%80mail.example",
    "letters with blanks": "j a n e @ m a i l . e x a m p l e",
    "brackets without a dot": "jane.doe(at)localhost",
    "tags": "jane.doe<span>@</span>m<b>ail</b>.example",
    "comment with an escaped bracket": r"jane.doe(a\)b)@mail.example",
    "line break": "jane.doe@\r\nmail.example",
    "encoded word": "=?utf-8?Q?jane.doe=40mail.example?=",
    "digit after the entity": "jane.doe&#641and1.example",
    "percent in percent": "jane.doe%%34%30mail.example",
    "invisible within an escape": "jane.doe\\u00\u200b40mail.example",
    "circled letters": "jane.doe Ⓐⓣ mail.example",
    "hexadecimal": b"jane.doe@mail.example".hex(),
    "Base64": base64.b64encode(b"to jane.doe@mail.example").decode(),
}
KEY_AS = {
    "as it is": KEY,
    "entity": KEY.replace("+", "&#43;").replace("&q", "&amp;q"),
    "quoted": quote(KEY, safe=""),
    "quoted twice": quote(quote(KEY, safe=""), safe=""),
    "quoted twice in lower case": quote(quote(KEY, safe=""), safe="").lower(),
    "quoted in part": KEY.replace("+", "%252b"),
    "each letter an entity": "".join(f"&#{ord(char)};" for char in KEY),
    "each letter percent": "".join(f"%{ord(char):02x}" for char in KEY),
    "each letter escaped": "".join(f"\\u{ord(char):04X}" for char in KEY),
    "escaped slash": KEY.replace("/", "\\/"),
    "quoted-printable": KEY.replace("=", "=3D"),
    "quoted-printable on two lines": KEY[:6] + "=\r\n" + KEY[6:].replace("=", "=3D"),
    "Base64": base64.b64encode(KEY.encode()).decode(),
    "Base64 of more": base64.b64encode(f"api:{KEY}".encode()).decode(),
    "Base64 of more yet": base64.b64encode(f"u:{KEY}:x".encode()).decode(),
    "Base64 of Base64": base64.b64encode(base64.b64encode(f"api:{KEY}".encode())).decode(),
    "Base64 on two lines": base64.encodebytes(f"{'x' * 50}:{KEY}".encode()).decode().strip(),
    "Base64 of percent": base64.b64encode(quote(KEY, safe="").encode()).decode(),
    "percent of Base64": quote(base64.b64encode(f"api:{KEY}".encode()).decode(), safe=""),
    "hexadecimal": KEY.encode().hex(),
    "hexadecimal with colons": KEY.encode().hex(":").upper(),
    "hexadecimal of percent": quote(KEY, safe="").encode().hex(),
    "line breaks": f"{KEY[:4]}\r\n {KEY[4:9]}\n{KEY[9:]}",
    "blanks": " ".join(KEY),
    "hyphens": "-".join(KEY),
    "zero width": "\u200b".join(KEY),
    "tag": KEY[:5] + "<wbr>" + KEY[5:],
    "UTF-16 in Base64": base64.b64encode(KEY.encode("utf-16-le")).decode(),
    "list of hexadecimal numbers": ", ".join(f"0x{octet:02x}" for octet in KEY.encode()),
    "upper case": KEY.upper(),
    "full width": "".join(chr(ord(char) + 0xFEE0) for char in KEY),
}


@pytest.mark.parametrize("address", ADDRESS_AS.values(), ids=ADDRESS_AS.keys())
def test_an_address_is_hidden_in_every_spelling(address: str) -> None:
    shown = without_addresses(f"refused: {address} is unknown")

    assert shown.startswith("refused: ")
    assert shown.endswith(" is unknown")
    assert re.search("jane|doe|mail|amFuZ|mFpbC", shown, re.IGNORECASE) is None


@pytest.mark.parametrize("spelling", KEY_AS.values(), ids=KEY_AS.keys())
def test_a_key_is_hidden_in_every_spelling(spelling: str) -> None:
    assert Redactor(KEY)(f"bad key '{spelling}' was sent").replace("'", "") == "bad key *** was sent"


HARMLESS = [
    "Rate limit of 25/min, see https://docs.example/x?y=1&z=2",
    "1 credit will be charged",
    "Not found: batch 12-ab",
    "Invalid value 'a' for field \"b\"",
    "100% of quota used",
    "meet us at the office",
    "reached at 10.50 of 12.00, size=4000, limit=40&page=2",
    "more at docs.example.com/help or at https://docs.example/help",
    "Die Prüfung der Adressen ist abgebrochen: ungültige Größe „7“",
    "Перевірку зупинено: розмір списку перевищує 100 000 рядків",
    r"no such file: C:\users\x\new",
    '{"code": "E7", "errors": [{"field": "rows[3]", "message": "a \\"b\\" of \\u00fc"}]}',
    "&lt;b&gt;Bad Request&lt;/b&gt; a%20b",
    "id 6f1b2c3d-aaaa-bbbb-cccc-0123456789ab, sha 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "Traceback in java.lang.IllegalArgumentException, token eyJhbGciOiJIUzI1NiJ9",
    "@dag is no decorator, a @ b, 5 items @ 3 each",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_a_harmless_text_stays_as_it_is(text: str) -> None:
    assert Redactor(KEY)(text) == text


def test_a_text_around_what_is_hidden_stays() -> None:
    said = f'{{"email": "jane&#64;mail.example", \'to\': \'joe@mail.example\', "a": "100%", "key": "{KEY}"}}'

    assert Redactor(KEY)(said) == ('{"email": "<address>", \'to\': \'<address>\', "a": "100%", "key": "***"}')


def test_half_a_key_does_not_stay_at_the_end_of_what_is_looked_at() -> None:
    split = " ".join(KEY)

    for before in range(3950, 4001, 2):
        assert "s k" not in Redactor(KEY)("a " * (before // 2) + split + " a" * 500, limit=9999)


def test_what_stands_beside_an_address_stays() -> None:
    said = "jane@mail.example at docs.example.com is bad at 10.50"

    assert without_addresses(said) == "<address> at docs.example.com is bad at 10.50"


def test_what_is_encoded_too_often_is_cut() -> None:
    text = "jane@mail.example"
    for _ in range(12):
        text = "".join(f"&#{ord(char)};" if char in "@%" else char for char in text)
        text = text.replace("&", "%26").replace("@", "%40")

    assert without_addresses(f"refused: {text} is unknown") == "refused: … is unknown"


HOSTILE = [
    "@", "a@", "a@b ", '"', '"@', "(", ")@", "()", "%", "%25", "%2", "&", "&amp;", "&#64", "&#0", "\\", "\\u004",
    "=4", "=40", " at ", "[at]", " dot ", "a.", "a.b@", "Zm9v", "QEBA", "40", "0x40", "\u200b", "\uff20", "\u00ad@",
    "[", "[(", "@[", "a@(", " @ ", "sk-Live/93+aZ&q=", "&#x26;", "%26amp;", "\\x5c", "\n", " \t",
    "a@b.c.d.", "-at-", " . ",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_a_hostile_megabyte_takes_no_time(part: str) -> None:
    redact = Redactor(KEY)
    before = time.process_time()

    redact(part * (1_000_000 // len(part)))
    redact((part * 4000)[:3900] + " end")

    assert time.process_time() - before < 2


ENCODERS: dict[str, Callable[[str], str]] = {
    "entities": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "entity of signs": lambda text: re.sub(r"[^\w\s.]", lambda sign: f"&#{ord(sign[0])};", text),
    "HTML": html.escape,
    "percent": lambda text: quote(text, safe=""),
    "percent in lower case": lambda text: re.sub("%..", lambda code: code[0].lower(), quote(text, safe="")),
    "percent of all": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON of all": lambda text: "".join(f"\\u{unit:04x}" for unit in _utf16(text)),
    "Python": lambda text: text.encode("unicode_escape").decode(),
    "bytes": lambda text: repr(text.encode())[2:-1],
    "quoted-printable": lambda text: re.sub(
        r"[^A-Za-z0-9. ]", lambda sign: "".join(f"={octet:02X}" for octet in sign[0].encode()), text
    ),
    "full width": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "zero width": lambda text: "\u200b".join(text),
    "soft hyphen": lambda text: text.replace("@", "\u00ad@\u00ad"),
}
KEY_ENCODERS = ENCODERS | {
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Basic": lambda text: base64.b64encode(f"api:{text}".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "upper-case hexadecimal": lambda text: text.encode().hex().upper(),
}


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def _decoders() -> list[Callable[[str], str]]:
    """Return decoders that owe nothing to the module: each takes one layer off."""

    def escapes(text: str) -> str:
        read = re.sub(r"\\u(d[89ab]..)\\u(d[c-f]..)", lambda m: bytes.fromhex(m[1] + m[2]).decode("utf-16-be"), text)
        read = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), read)
        read = re.sub(r"\\U([0-9a-f]{8})", lambda m: chr(int(m[1], 16)), read)
        read = re.sub(r"(?:\\x[0-9a-f]{2})+", lambda m: _utf8(bytes.fromhex(m[0].replace("\\x", ""))), read)
        return re.sub(r"\\(.)", r"\1", read)

    def packed(text: str) -> str:
        def unpack(match: re.Match[str]) -> str:
            with contextlib.suppress(ValueError):
                return base64.b64decode(match[0], validate=True).decode()
            return match[0]

        return re.sub(r"[A-Za-z0-9+/]{8,}={0,2}", unpack, text)

    def digits(text: str) -> str:
        def unpack(match: re.Match[str]) -> str:
            with contextlib.suppress(ValueError):
                return bytes.fromhex(match[0]).decode()
            return match[0]

        return re.sub(r"(?:[0-9a-fA-F]{2}){8,}", unpack, text)

    return [
        html.unescape,
        unquote,
        escapes,
        lambda text: quopri.decodestring(text.encode()).decode(errors="replace"),
        lambda text: "".join(
            char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf"
        ),
        packed,
        digits,
    ]


def _utf8(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _readings(text: str, depth: int = 3) -> set[str]:
    """Return the text, decoded by every sequence of decoders up to a length."""
    found = {text}
    newest = found
    for _ in range(depth):
        newest = {decode(reading) for reading in newest for decode in _decoders()} - found
        found |= newest
    return found


LETTERS = st.sampled_from("abcxyzABC019üéßжї名")
LOCALS = st.one_of(
    st.from_regex(r"[a-z0-9][a-z0-9.+'_/=&-]{2,20}[a-z0-9]", fullmatch=True),
    st.text(LETTERS, min_size=3, max_size=12),
    st.from_regex(r'"[a-z][a-z ,;:()@\']{2,12}[a-z]"', fullmatch=True),
)
DOMAINS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,9}[a-z0-9]\.(?:example|example\.com)", fullmatch=True),
    st.sampled_from(
        ["exämple.example", "пошта.приклад.укр", "xn--80a1acny.xn--j1amh", "bücher.example", "1and1.example"]
    ),
)
KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9+/=_.~!#%&?:-]{6,40}[A-Za-z0-9]", fullmatch=True).filter(
        lambda key: sum(map(str.isalnum, key)) >= 6
    ),
    st.text(LETTERS, min_size=8, max_size=20),
)
SENTENCES = st.sampled_from(
    ["{}", "refused: {}", "no mailbox '{}' here", '{{"email": "{}", "n": 1}}', "a={}&b=2", "<b>{}</b>"]
)


@settings(max_examples=200, deadline=None)
@given(LOCALS, DOMAINS, st.lists(st.sampled_from(sorted(ENCODERS)), max_size=3), SENTENCES)
def test_no_composition_of_encodings_shows_an_address(local: str, domain: str, names: list[str], said: str) -> None:
    spelled = f"{local}@{domain}"
    for name in names:
        spelled = ENCODERS[name](spelled)

    shown = Redactor(KEY)(said.format(spelled), limit=5000)

    for reading in _readings(shown):
        assert f"{local}@{domain}".lower() not in reading.lower()
        assert local.strip("\"'").lower() not in reading.lower().replace("<address>", "")


@settings(max_examples=200, deadline=None)
@given(KEYS, st.lists(st.sampled_from(sorted(KEY_ENCODERS)), max_size=3), SENTENCES)
def test_no_composition_of_encodings_shows_a_key(key: str, names: list[str], said: str) -> None:
    spelled = key
    for name in names:
        spelled = KEY_ENCODERS[name](spelled)

    shown = Redactor(key)(said.format(spelled), limit=5000)

    for reading in _readings(shown):
        assert key.lower() not in "".join(reading.split()).lower()
