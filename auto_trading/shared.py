"""What the parts of the engine process share: places, connections, switches."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.flags import Flags
from auto_trading.switchboard import Switchboard
from config.environment import Environment
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.explain.units import worded
from database.auto_trading_db import open_database
from utils.clocks import SystemClock
from utils.logging import LoggingHandle
from utils.notifications import NotificationManager
from utils.texts import language_of

WORKER_BUSY_SECONDS: Final = 1.0  # for a lock; the market waits meanwhile
INBOX_BUSY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Databases:
    """One pool per thread that must not wait for another's."""

    journal: Database
    inbox: Database
    reader: Database
    background: Database  # jobs and stores

    @classmethod
    def open(cls, url: str, stack: ExitStack) -> "Databases":
        """Open all four; `stack` closes them."""
        opened = cls(
            open_database(url, busy_seconds=WORKER_BUSY_SECONDS),
            open_database(url, durable=False, busy_seconds=INBOX_BUSY_SECONDS),
            open_database(url, read_only=True, busy_seconds=INBOX_BUSY_SECONDS),
            open_database(url, durable=False),
        )
        for each in (opened.journal, opened.inbox, opened.reader, opened.background):
            stack.callback(each.dispose)
        return opened


@dataclass(slots=True)
class Shared:
    """What the parts of this process share."""

    environment: Environment
    settings: Settings
    databases: Databases
    epoch: int
    flags: Flags
    switchboard: Switchboard
    notifications: NotificationManager
    logs: LoggingHandle
    now: Callable[[], datetime] = field(default_factory=lambda: SystemClock().now)
    signals: list[CommandKind] = field(default_factory=list)
    last_error: str = ""

    def tell_of(self, severity: str, code: str, numbers: Mapping[str, Any]) -> None:
        """Tell people of trouble with this platform itself; returns at once."""
        language = language_of(self.settings.engine.language, os.environ)
        self.notifications.send_notification(
            NotificationType.SYSTEM_ERROR, worded(f"risk.{code}", numbers, language),
            severity=severity, data=dict(numbers),
        )  # fmt: skip
