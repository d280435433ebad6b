"""What pages ask of the engine: checked, stored as one command per click, never done here."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import ConfigError, InputError, RetryableError
from database import wishes
from utils.flags import put_flag
from utils.hurry import within

DOUBLE_CLICK_SECONDS: Final = 1.0
_STOPS: Final = frozenset({CommandKind.STOP, CommandKind.EMERGENCY_STOP})
_PATIENCE: Final = 0.3  # seconds that a stop waits for the database before the flag goes up
_OTHERWISE: Final = 8.0  # that anything else does, the first schema included


@dataclass(frozen=True, slots=True)
class Told:
    """What a page says right after a click.

    Args:
        command_id: of the stored command; None where nothing was stored.
        flagged: a flag file carries the stop.
        trouble: why it was not stored.
        about: what it was asked of: a symbol, an order, a job.
        at: when, system time.
    """

    kind: CommandKind
    command_id: str | None = None
    flagged: bool = False
    trouble: str = ""
    about: str = ""
    at: datetime | None = None


class Clicks:
    """Gives each click its command id; a double click is one click.

    Kept in the session of one browser tab.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._last: tuple[tuple[CommandKind, str], str, float] | None = None

    def command_id(self, kind: CommandKind, about: str = "") -> str:
        """Return the id of a click on `kind` now.

        Args:
            about: what it is asked of; two symbols are two clicks.
        """
        now = self._seconds()
        if self._last is not None:
            last, command_id, at = self._last
            if last == (kind, about) and now - at < DOUBLE_CLICK_SECONDS:
                return command_id
        self._last = ((kind, about), uuid.uuid4().hex, now)
        return self._last[1]

    def answered(self) -> None:
        """Count the second from now: a click may have waited for the first one's database."""
        if self._last is not None:
            self._last = (*self._last[:2], self._seconds())


def ask(
    writer: Callable[[CommandKind], Engine], kind: CommandKind,
    payload: Mapping[str, Any] | None = None, *, command_id: str, by: str, now: datetime,
    var_dir: Path, about: str = "",
) -> Told:  # fmt: skip
    """Store a request. A stop that the database does not take at once goes by flag file.

    Args:
        writer: opens the database for a kind of request.
        command_id: of this click, see `Clicks`.
        by: who asks, for the audit.
        about: what it is asked of, for the page.
    """
    stops = kind in _STOPS
    if kind is CommandKind.EMERGENCY_STOP:
        put_flag(var_dir, kind, by)  # whatever the database says

    def store() -> None:
        wishes.wish(writer(kind), kind, payload, by=by, now=now, command_id=command_id)

    try:
        within(_PATIENCE if stops else _OTHERWISE, store)
    except InputError as e:
        if not isinstance(e, ConfigError) or not stops:
            return Told(kind, trouble=str(e), about=about, at=now)
        return _flagged(kind, by, var_dir, e, now)
    except (TimeoutError, RetryableError) as e:
        if stops:
            return _flagged(kind, by, var_dir, e, now)
        return Told(kind, trouble=str(e), about=about, at=now)
    return Told(kind, command_id, about=about, at=now)


def rearm_payload(word: str) -> dict[str, str]:
    """Return the payload of a re-arm.

    Raises:
        InputError: the word is another.
    """
    if word.strip() != wishes.REARM_WORD:
        raise InputError(f"the word was {word.strip()[:32]!r}, allowed: {wishes.REARM_WORD}")
    return {"confirm": wishes.REARM_WORD}


def _flagged(kind: CommandKind, by: str, var_dir: Path, error: Exception, now: datetime) -> Told:
    put_flag(var_dir, kind, by)
    return Told(kind, flagged=True, trouble=str(error), at=now)
