"""JSON as strict as what may move money needs: no float, no name twice, nothing nested."""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from crypto_trader_pro.domain.errors import InputError

MAX_DEPTH: Final = 2  # brackets within brackets; what we take is one flat object
SHOWN: Final = 60
_NUMBER: Final = re.compile(r"-?\d{1,20}(?:\.\d{1,18})?", re.ASCII)
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"?', re.S)
_BRACKET: Final = re.compile(r"[\[{\]}]")


def parse_object(text: str) -> dict[str, Any]:
    """Return the object that `text` is; its numbers are exact.

    Raises:
        InputError: no JSON object, nested too deep, a name twice, or a number that is none.
    """
    _check_depth(text)
    try:
        value = json.loads(
            text, parse_float=plain_number, parse_int=plain_number, parse_constant=plain_number,
            object_pairs_hook=_unique,
        )  # fmt: skip
    except json.JSONDecodeError as e:
        raise InputError(f"the body is no JSON at character {e.pos}, allowed: one object") from e
    if not isinstance(value, dict):
        raise InputError(f"the body is a {type(value).__name__}, allowed: one JSON object")
    return value


def plain_number(text: str) -> Decimal:
    """Return a number as it is written, never by way of a float.

    Raises:
        InputError: an exponent, NaN, Infinity, or more digits than any amount has.
    """
    if not _NUMBER.fullmatch(text):
        allowed = "digits, at most 20 before and 18 after the point"
        raise InputError(f"number was {shown(text)}, allowed: {allowed}")
    return Decimal(text)


def shown(value: object) -> str:
    """Return a value of a stranger for one line of text: short, quoted, without line ends."""
    if isinstance(value, dict | list):
        return f"a {type(value).__name__}"
    text = ascii(value if isinstance(value, str) else str(value))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}...'"


def _check_depth(text: str) -> None:
    depth = 0
    for match in _BRACKET.finditer(_STRING.sub("", text)):
        depth += 1 if match.group() in "[{" else -1
        if depth > MAX_DEPTH:
            raise InputError(f"the body is nested deeper than {MAX_DEPTH}, allowed: one object")


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"field {shown(twice)} is there twice, allowed: each once")
    return found
