"""What is wrong with a configuration: one value per fault, one line per value."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from crypto_trader_pro.domain.errors import ConfigError

_SECRET: Final = re.compile(r"secret|token|passw|api_?key|webhook|private|url", re.IGNORECASE)
_LONGEST: Final = 80


class FaultCode(StrEnum):
    """Why a line is refused; the catalogue of texts may translate by it."""

    UNREADABLE = "unreadable"  # the whole file: missing, empty, too large, not UTF-8, broken JSON
    UNKNOWN = "unknown"
    VALUE = "value"  # wrong type or outside what is allowed
    CONTRADICTION = "contradiction"  # allowed alone, not beside another key
    MISSING = "missing"
    TWICE = "twice"  # the same key twice in one place
    MISPLACED = "misplaced"  # the key lives in another file
    TWO_FILES = "two_files"


_PROBLEMS: Final = {
    FaultCode.UNREADABLE: "{value}",
    FaultCode.UNKNOWN: "is not a known key, was {value}",
    FaultCode.VALUE: "was {value}",
    FaultCode.CONTRADICTION: "was {value}",
    FaultCode.MISSING: "is missing",
    FaultCode.TWICE: "is there twice, was {value}",
    FaultCode.MISPLACED: "is in the wrong file, was {value}",
    FaultCode.TWO_FILES: "is in two files, was {value}",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to repair.

    `source` is a file, an environment variable or "argument"; `key` is dotted and empty where the
    whole source is meant; `value` is as `shown` gives it.
    """

    source: str
    key: str
    code: FaultCode
    value: str
    allowed: str
    nearest: str = ""

    @property
    def line(self) -> str:
        """The fault in one line of plain text, for a terminal, a log and a page."""
        problem = _PROBLEMS[self.code].format(value=self.value)
        key = self.key if len(self.key) <= _LONGEST else f"{self.key[:_LONGEST]}..."
        subject = f"{key} {problem}" if key else problem
        near = f"; nearest is {self.nearest}" if self.nearest else ""
        return printable(f"{self.source}: {subject}, allowed: {self.allowed}{near}")


class SettingsError(ConfigError):
    """A configuration with at least one fault; `str()` has one line per fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """One line per fault, in the order they were found, none twice."""
        return list(dict.fromkeys(fault.line for fault in self.faults))


@dataclass(frozen=True, slots=True)
class Unusable:
    """A JSON number that no setting can hold (NaN, Infinity, 1e999), as it was written."""

    text: str


def shown(value: Any, key: str) -> str:
    """Return `value` as a fault may print it: short, on one line, and hidden under a secret key."""
    if _SECRET.search(key) and isinstance(value, str) and value:
        return "(hidden)"
    if isinstance(value, dict):  # its content may hold secrets under names of their own
        return f"an object of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = _written(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} long)"


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it: `engine.mode`, `symbols[1]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def printable(text: str) -> str:
    """Escape what could move a cursor, reverse a line or fail to encode."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _written(value: Any) -> str:
    if isinstance(value, Unusable):
        return value.text
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    return f"{value!r} ({type(value).__name__})"
