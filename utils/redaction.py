"""Keeps secrets out of everything that is written down or sent: known values, and known shapes."""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic import SecretStr

from config.environment import Environment

HIDDEN: Final = "***"
MAX_TEXT: Final = 16_000  # characters of one text; a page of HTML in an error is cut
_MAX_DEPTH: Final = 6
_MAX_ITEMS: Final = 200
_SHORTEST: Final = 4  # hiding every "a" would hide the log
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
_MARKS: Final = (":", "=", "-----", "webhooks/")  # no shape is without one: most texts are
_SECRET_KEY: Final = re.compile(rf"(?:{_NAMES}|authorization)$", re.I)


class Redactor:
    """Replaces secrets by `***`.

    Args:
        secrets: values that must never be seen, each also in its quoted, encoded and escaped
            forms. One of fewer than four characters cannot be looked for.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """Return `text` without secrets, and not endless."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
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
    password = urlsplit(environment.database_url).password
    if password:
        found += [password, unquote(password)]
    return tuple(dict.fromkeys(found))


def _parts_of_address(secret: str) -> list[str]:
    """Return what of an http(s) address nobody can guess: parts of its path, and its query."""
    if not secret.startswith(("https://", "http://")):
        return []
    try:
        parts = urlsplit(secret)
    except ValueError:  # a bracket that is no address
        return []
    values = [value for _, value in parse_qsl(parts.query)]
    return [p for p in (*parts.path.split("/"), *values) if len(p) >= _SHORTEST_PART]


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


def _forms(secret: str) -> set[str]:
    escaped = json.dumps(secret)[1:-1]
    encoded = base64.b64encode(secret.encode()).decode()
    found = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), escaped, encoded}
    return found | {repr(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
