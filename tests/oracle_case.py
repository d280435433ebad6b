"""What the oracle's checks look at, and how they say what differs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.recomputed import Books
from tests.stored import Played, Row, Stored

ENDED: Final = ("filled", "canceled", "expired", "rejected", "denied", "absent")
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Case:
    """One run under examination."""

    stored: Stored
    played: Played
    books: Books
    orders: Mapping[str, Row]
    printed: Mapping[str, Any] | None


def compare(what: str, stored: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    for key, value in expected.items():
        found = stored.get(key, _MISSING)
        if found is _MISSING or found != value:
            yield f"{what}: {key} is {found}, recomputed {value}"
