"""Keeps secrets out of everything that is written down or sent: known values, and known shapes."""

import base64
import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from html.entities import html5
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from config.environment import Environment

HIDDEN: Final = "***"
MAX_TEXT: Final = 16_000  # characters of one text; a page of HTML in an error is cut
_MAX_DEPTH: Final = 6
_MAX_ITEMS: Final = 200
_SHORTEST: Final = 4  # hiding every "a" would hide the log
_IN_QUERY: Final = ("password", "sslpassword")  # of PostgreSQL's addresses
_REST: Final = "[A-Za-z0-9+/_-]?={0,2}"  # of Base64, after the last character that is all known
_ESCAPE: Final = r"\\{1,8}"  # a text within a text doubles them; bounded, or it takes for ever
_URL_SAFE: Final = str.maketrans("+/", "-_")
_SHORTEST_PART: Final = 10  # of an address; "webhooks" and "services" are no secrets

_NAMES: Final = (  # what a secret is called
    r"(?:api[-_]?key|secret|signature|(?<![a-z])sign|token|passw(?:or)?d|passphrase|pwd"
    r"|listen[-_]?key|access[-_]key|private[-_]key|credentials?|cookie)"
)
# in quotes, or up to where an unquoted value ends; \\" is a quote inside a quoted text
_VALUE: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\?["']?[^\s"'&,;}\])\\]+)"""
_SHAPES: Final = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY---.*?(?:--END [A-Z ]*-----|\Z)", re.S), HIDDEN),
    # Authorization: Bearer abc   {'Authorization': 'Basic abc'}
    (
        re.compile(
            r"""(authorization\\?["']?\s*[:=]\s*\\?["']?(?:[a-z0-9-]+\s+)?)[^\s"',}\\]+""", re.I
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\bctp_[A-Za-z0-9_-]{40,}"), HIDDEN),  # a token of our own API
    # apiKey=abc   "secret": "abc"   X-MBX-APIKEY: abc   OK-ACCESS-SIGN=abc
    (
        re.compile(rf"""({_NAMES}\\?["']?\s*[:=]\s*){_VALUE}""", re.I),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?<!\d)\d{5,}:[A-Za-z0-9_-]{25,}"), HIDDEN),  # a Telegram bot's token
    (re.compile(r"(/bot)\d+:[A-Za-z0-9_-]+"), rf"\1{HIDDEN}"),
    (re.compile(r"""(/api/(?:v\d+/)?webhooks/)[^\s"'<>]+""", re.I), rf"\1{HIDDEN}"),  # Discord
    (re.compile(r"""(://)[^\s/?#"'<>]*@"""), rf"\1{HIDDEN}@"),  # user:password@host
)
_MARKS: Final = (":", "=", "-----", "webhooks/", "ctp_")  # no shape is without one: most texts are
_SECRET_KEY: Final = re.compile(rf"(?:{_NAMES}|authorization)$", re.I)


class Redactor:
    """Replaces secrets by `***`.

    Args:
        secrets: values that must never be seen, each also in its quoted, encoded and escaped
            forms. One of fewer than four characters cannot be looked for.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST}
        # what no form is without is looked for first: most texts hold none of it
        self._known = [
            (hint, re.compile(pattern))
            for secret in sorted(known, key=len, reverse=True)
            for hint, pattern in ((_longest_run(secret), _pattern(secret)), *_encoded(secret))
        ]

    def known(self, text: str) -> str:
        """Return `text` without the known values; a text within JSON stays one."""
        for hint, pattern in self._known:
            if hint in text:
                text = pattern.sub(HIDDEN, text)
        return text

    def text(self, text: str) -> str:
        """Return `text` without secrets, and not endless."""
        text = self.known(text)
        if any(mark in text for mark in _MARKS):
            for shape, replacement in _SHAPES:
                text = shape.sub(replacement, text)
        return text if len(text) <= MAX_TEXT else _cut(text, MAX_TEXT)

    def data(self, value: Any) -> Any:
        """Return plain values (`plain`) without secrets; what a secret's name holds goes whole."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {
                self.text(k): HIDDEN if v is not None and _names_a_secret(k) else self.data(v)
                for k, v in value.items()
            }
        return [self.data(item) for item in value] if isinstance(value, list) else value


def secrets_of(environment: Environment) -> tuple[str, ...]:
    """Return every secret of this deployment: keys, tokens, and the database's password.

    An address that is one is also looked for in parts: a library may tell its path alone.
    """
    values = (getattr(environment, field.name) for field in dataclasses.fields(environment))
    found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    found += [part for value in found for part in _parts_of_address(value)]
    password = environment.database_password
    query = dict(parse_qsl(environment.database_url.partition("?")[2]))
    found += [password, unquote(password), *(query.get(name, "") for name in _IN_QUERY)]
    return tuple(dict.fromkeys(filter(None, found)))


def _parts_of_address(secret: str) -> list[str]:
    """Return what of an http(s) address nobody can guess: parts of its path, and its query."""
    if not secret.startswith(("https://", "http://")):
        return []
    try:
        parts = urlsplit(secret)
    except ValueError:  # a bracket that is no address
        return []
    values = [value for _, value in parse_qsl(parts.query)]
    written = [*parts.path.split("/"), *values, parts.query, parts.fragment, parts.username or ""]
    found = [part for part in written if len(part) >= _SHORTEST_PART]
    found += filter(None, [parts.password])
    return [form for part in found for form in (part, unquote(part))]


def clean(text: str) -> str:
    """Return `text` as every sink can store it: valid UTF-8, no NUL, not endless."""
    if len(text) > 4 * MAX_TEXT:  # a secret may be cut in two here: the redactor cuts it off again
        text = _cut(text, 4 * MAX_TEXT)
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\x00", "\\x00") if "\x00" in text else text


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON can hold it; a Decimal becomes text, never a float.

    Whatever JSON has no form for becomes its `str`; too deep or too many is cut.
    """
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool) or _fits(value):
        return value
    if depth < _MAX_DEPTH and isinstance(value, Mapping):
        items = islice(value.items(), _MAX_ITEMS)
        return {_shown(k): plain(v, depth + 1) for k, v in items}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    return _shown(value)


def _fits(value: Any) -> bool:
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return isinstance(value, float) and math.isfinite(value)


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    try:
        return clean(str(value))
    except Exception as e:  # noqa: BLE001  a broken value must not lose what is said about it
        return f"<{type(value).__name__} without a text: {type(e).__name__}>"


def _cut(text: str, length: int) -> str:
    return f"{text[:length]}... ({len(text) - length} characters more)"


@lru_cache(maxsize=1024)
def _names_a_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _longest_run(secret: str) -> str:
    """Return the longest part that every form of `secret` but Base64 holds unchanged."""
    return max(re.findall("[A-Za-z0-9]+", secret), key=len, default="")


def _pattern(secret: str) -> str:
    """Return what matches `secret` in every mixture of forms: a library quotes what it likes.

    Letters and digits stay what they are in all of them but Base64.
    """
    return "".join(map(_in_any_form, secret))


@lru_cache(maxsize=256)
def _in_any_form(character: str) -> str:
    """Return what one character may look like: as it is, in addresses, JSON, HTML, Python."""
    if character.isascii() and character.isalnum():
        return character
    number, octets = ord(character), character.encode("utf-8", "surrogatepass")
    halves = character.encode("utf-16-be", "surrogatepass").hex()
    names = [entity.rstrip(";") for entity, text in html5.items() if text == character]
    forms = [
        "".join(f"%(?:25){{0,3}}{octet:02x}" for octet in octets),
        "".join(rf"{_ESCAPE}x{octet:02x}" for octet in octets),
        "".join(rf"{_ESCAPE}u{halves[k : k + 4]}" for k in range(0, len(halves), 4)),
        rf"{_ESCAPE}x{number:02x}", rf"{_ESCAPE}U{number:08x}",
        f"&(?:amp;){{0,3}}#(?:0*{number}|x0*{number:x});?",
        *(f"&(?:amp;){{0,3}}{name};?" for name in sorted(set(names), key=len, reverse=True)),
    ]  # fmt: skip
    if character == " ":
        forms.append(r"\+")
    plain_form = _ESCAPE if character == "\\" else rf"(?:{_ESCAPE})?{re.escape(character)}"
    return f"(?:(?i:{'|'.join(forms)})|{plain_form})"


def _encoded(secret: str) -> list[tuple[str, str]]:
    """Return (what stays, pattern) of `secret` in Base64, by where it begins there."""
    found = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret.encode("utf-8", "surrogatepass"))
        text = whole.decode().rstrip("=")
        bits = 8 * (before + len(secret.encode("utf-8", "surrogatepass")))
        cut = text[-(-8 * before // 6) : bits // 6]  # characters that hold bits of it alone
        if len(cut) >= _SHORTEST_PART:
            found += [cut, cut.translate(_URL_SAFE)]
    return [(cut, f"{re.escape(cut)}{_REST}") for cut in dict.fromkeys(found)]
