"""Asking once more before what is large or raises risk: one button, one person, one chat, a minute.

Kept in memory: a restart forgets what waits, and a later press does nothing.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from crypto_trader_pro.domain.enums import CommandKind

_MOST: Final = 100  # that wait at a time; the oldest is forgotten first

Refusal = Literal["gone", "other"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of the engine.

    Args:
        what: as people call it, in their language.
        about: a symbol, or how long; "" where the kind says it all.
    """

    kind: CommandKind
    payload: Mapping[str, Any]
    what: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class _Waiting:
    wish: Wish
    user_id: int
    chat_id: int
    update_id: int  # of the command that is to be confirmed
    until: float


class Confirmations:
    """What waits for its button.

    Args:
        seconds: how long it waits.
        clock: seconds that only run forward.
    """

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def ask(self, wish: Wish, user_id: int, chat_id: int, update_id: int) -> str:
        """Have `wish` wait; return the token of its buttons."""
        now = self._clock()
        self._waiting = {t: w for t, w in self._waiting.items() if w.until > now}
        while len(self._waiting) >= _MOST:
            del self._waiting[next(iter(self._waiting))]
        token = secrets.token_urlsafe(12)
        self._waiting[token] = _Waiting(wish, user_id, chat_id, update_id, now + self._seconds)
        return token

    def take(self, token: str, user_id: int, chat_id: int) -> tuple[Wish, int] | Refusal:
        """Return what a button confirms, and the command that asked for it; it works once.

        Another person's press, or one in another chat, leaves it waiting.
        """
        found = self._waiting.get(token)
        if found is None or found.until <= self._clock():
            return "gone"
        if (found.user_id, found.chat_id) != (user_id, chat_id):
            return "other"
        del self._waiting[token]
        return found.wish, found.update_id
