"""What is said about a refused update: nothing to strangers, one line to those who are known."""

import time
from typing import Final

from auto_trading.reach.telegram.admission import Incoming
from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.enums import NotificationType
from database.chat import Outcome

_QUIET: Final = 10.0  # seconds between two answers of one kind to one chat
_MOST: Final = 100
_TOLD: Final = (Outcome.FORWARDED, Outcome.VIA_BOT, Outcome.EDITED, Outcome.STALE)


class Refusals:
    """Counts strangers, and alerts people of them now and then."""

    def __init__(self, tools: ReachTools, pace: Pace) -> None:
        self._tools = tools
        self._pace = pace
        self._strangers = 0
        self._alerted_at: float | None = None
        self._answered: dict[tuple[int, Outcome], float] = {}

    def answer_to(self, one: Incoming) -> str | None:
        """Return the code of what is answered; None: nothing."""
        if one.is_stranger or one.refusal is None:
            self._stranger(one)
            return None
        if one.refusal is Outcome.NO_COMMAND:  # people talk to each other in a group
            code = "telegram.no_command" if one.chat_id > 0 else None
        elif one.refusal in _TOLD:
            code = f"telegram.{one.refusal.value}"
        else:
            code = None
        return code if code is not None and self._is_due(one.chat_id, one.refusal) else None

    def _is_due(self, chat: int, refusal: Outcome) -> bool:
        now = time.monotonic()
        if now - self._answered.get((chat, refusal), -_QUIET) < _QUIET:
            return False
        if len(self._answered) >= _MOST:
            self._answered.clear()
        self._answered[chat, refusal] = now
        return True

    def _stranger(self, one: Incoming) -> None:
        self._strangers += 1
        now = time.monotonic()
        if self._alerted_at is not None and now - self._alerted_at < self._pace.alert_seconds:
            return
        numbers = {
            "count": self._strangers, "chat": one.chat_id or "-", "user": one.user_id or "-",
            "why": one.refusal.value if one.refusal else "-",
        }  # fmt: skip
        self._tools.notify(NotificationType.REMOTE_COMMAND, "warning", "telegram_stranger", numbers)
        self._alerted_at, self._strangers = now, 0
