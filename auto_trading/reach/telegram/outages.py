"""Failed polls: how long to pause, and telling people once that it fails and once that it works."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from auto_trading.reach.telegram.link import Trouble
from auto_trading.reach.telegram.pace import Pace

# failures in a row: one lost poll is no news, nor is a conflict with ourselves after a kill
_TOLD_AFTER: Final = 3


class Tell(Protocol):
    """Puts a message into the outbox's queue."""

    def __call__(self, severity: str, code: str, numbers: Mapping[str, Any], /) -> None: ...


class Outages:
    """The streak of failures that is under way.

    Args:
        clock: seconds that only run forward.
    """

    def __init__(self, tell: Tell, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._pace = pace
        self._clock = clock
        self._failures = 0
        self._since = 0.0
        self._told: set[str] = set()

    @property
    def failing(self) -> bool:
        return self._failures > 0

    def failed(self, trouble: Trouble) -> float:
        """Note a failure; return the pause before the next try, in seconds."""
        if not self._failures:
            self._since = self._clock()
        self._failures += 1
        for_person = trouble.kind == "token"
        if for_person or self._failures >= _TOLD_AFTER:
            self._say(trouble)
        if for_person:
            return self._pace.person_pause
        doubled = self._pace.first_pause * 2.0 ** min(self._failures - 1, 16)
        return max(min(doubled, self._pace.longest_pause), trouble.pause or 0.0)

    def worked(self) -> None:
        """Note that it works."""
        if self._told:
            seconds = round(self._clock() - self._since)
            self._tell("info", "telegram_back", {"seconds": seconds})
        self._failures = 0
        self._told = set()

    def _say(self, trouble: Trouble) -> None:
        """Say it once in a streak; a wrong token is other news than a network that is down."""
        kind = trouble.kind if trouble.kind in ("token", "conflict") else "down"
        if kind in self._told:
            return
        self._told.add(kind)
        why = {"why": str(trouble)}
        if kind == "token":
            self._tell("error", "telegram_token", why)
        elif kind == "conflict":
            self._tell("error", "telegram_conflict", why)
        else:
            self._tell("error", "telegram_down", why)
