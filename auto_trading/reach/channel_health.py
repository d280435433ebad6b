"""Says once that a channel fails and once that it works again; remembered over a restart.

The word goes to the console's list of alerts only: never through the channel that fails.
"""

import logging
from typing import Any

from sqlmodel import Session

from auto_trading.reach.notices import notice_of
from auto_trading.reach.tools import ReachTools
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.explain.units import worded
from database import outbox, reach_state

log = logging.getLogger(__name__)


class ChannelHealth:
    """Whether one channel works. Called within the transactions that note what was sent."""

    def __init__(self, channel: Channel, tools: ReachTools) -> None:
        self._channel = channel
        self._tools = tools
        self._place = f"channel.{channel.value}"
        self._suspects: set[int] = set()  # messages that failed since it last worked
        self._blamed: set[int] = set()  # that fail while others go through

    def failed(self, session: Session, error: str, row_id: int = 0) -> bool:
        """Note a failure, and tell of the first; False where it is the message's own fault."""
        if row_id in self._blamed:
            return False
        if row_id:
            self._suspects.add(row_id)
        known = reach_state.get(session, self._place)
        failures = 1 if known is None else int(known["failures"]) + 1
        value = {"failures": failures, "error": error[:200]}
        reach_state.put(session, self._place, value, self._tools.now())
        if known is None:
            log.error("channel %s fails: %s", self._channel.value, error)
            self._tell(session, "error", "channel_failed", {"error": error})
        return True

    def worked(self, session: Session, row_id: int) -> bool:
        """Note that a message went through, and tell it where none did; True if that is so."""
        self._suspects.discard(row_id)
        self._blamed.discard(row_id)
        self._blamed |= self._suspects
        self._suspects.clear()
        known = reach_state.get(session, self._place)
        if known is None:
            return False
        self.forget(session)
        log.warning("channel %s works again", self._channel.value)
        self._tell(session, "info", "channel_recovered", {"failures": int(known["failures"])})
        return True

    def forget(self, session: Session) -> None:
        """Begin anew: the channel was switched off, or works."""
        if reach_state.get(session, self._place) is not None:
            reach_state.put(session, self._place, None, self._tools.now())

    def _tell(self, session: Session, severity: str, code: str, numbers: dict[str, Any]) -> None:
        numbers = {"channel": self._channel.value, **numbers}
        text = worded(f"risk.{code}", numbers, self._tools.language())
        kind, here = NotificationType.SYSTEM_ERROR, [Channel.DASHBOARD]
        grade = Severity(severity)
        outbox.add(session, notice_of(self._tools, kind, grade, text, numbers, channels=here))
