"""Parts of the reach process for tests: its tools over a database, with peers on loopback."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database
from sqlmodel import col, select

from auto_trading.reach.tools import ReachTools
from config.environment import Environment
from config.loading import load
from config.notifications import Channel
from config.settings import Settings
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.ports import Delivery, Notice
from database import outbox
from database.auto_trading_db import open_database, unit_of_work
from database.models import AlertRow, OutboxRow
from utils.clocks import SystemClock
from utils.redaction import Redactor
from utils.texts import Language

SECRET: Final = "sign-canary-0123456789abcdef"  # noqa: S105
HOOKED: Final = {
    "notifications.channels": ["dashboard", "webhook", "slack"],
    "channels.webhook.enabled": True,
}


class World:
    """Tools of services; time can be moved, settings changed.

    Args:
        url: of the webhook's peer.
    """

    def __init__(self, database: Database, folder: Path, url: str, **changes: Any) -> None:
        self.database = database
        self.reader = open_database(
            database.url.render_as_string(hide_password=False), read_only=True
        )
        self.environment = Environment.read({
            "CTP_VAR_DIR": str(folder), "CTP_WEBHOOK_OUT_URL": url,
            "CTP_WEBHOOK_OUT_SECRET": SECRET, "CTP_SLACK_WEBHOOK_URL": url,
        })  # fmt: skip
        self.settings = settings_of(**changes)
        self.told: list[tuple[str, str, Mapping[str, Any]]] = []
        self.ahead = timedelta()
        self._key = 0

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead

    def notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        self.told.append((severity, code, dict(numbers)))

    @property
    def tools(self) -> ReachTools:
        def ask(
            kind: CommandKind, payload: Mapping[str, Any], by: str, command_id: str | None = None, /
        ) -> str:
            raise AssertionError("nothing is asked of the engine")

        return ReachTools(
            self.environment, lambda: self.settings, self.reader, self.database, self.now,
            self.notify, ask, lambda: Language.ENGLISH, Redactor((SECRET,)),
        )  # fmt: skip

    # --- the outbox -------------------------------------------------------------------------

    def write(self, *texts: str, channel: Channel = Channel.WEBHOOK, **changes: Any) -> None:
        """Store messages of severity warning, one after the other."""
        notices = []
        for text in texts:
            self._key += 1
            delivery = (Delivery(channel.value, self.now(), False),)
            kind = NotificationType.SYSTEM_ERROR
            notice = Notice(
                kind, "warning", text, None, None, None, self.now(), delivery, f"key{self._key}"
            )
            notices.append(notice._replace(**changes))
        with unit_of_work(self.database) as session:
            outbox.add(session, notices)

    def rows(self, channel: Channel = Channel.WEBHOOK) -> list[OutboxRow]:
        row = OutboxRow
        with unit_of_work(self.reader) as session:
            query = select(row).where(row.channel == channel.value).order_by(col(row.id))
            return list(session.exec(query))

    def states(self, channel: Channel = Channel.WEBHOOK) -> list[str]:
        return [row.status for row in self.rows(channel)]

    def alerts(self) -> list[tuple[str, str]]:
        """Return (severity, sentence) of every alert, oldest first."""
        with unit_of_work(self.reader) as session:
            found = session.exec(select(AlertRow).order_by(col(AlertRow.id)))
            return [(row.severity, str(row.numbers["message"])) for row in found]

    # --- services ---------------------------------------------------------------------------

    def play(self, service: Any, *steps: "Step", seconds: float = 20.0) -> None:
        """Run a service, wait for each step in turn, then end it as the process does."""
        asyncio.run(_played(service.run(), steps, seconds))

    def close(self) -> None:
        self.reader.dispose()


Step = Callable[[], bool]


def settings_of(**changes: Any) -> Settings:
    """Return the shipped settings with the webhook on, and these dotted keys ("a__b")."""
    given = {key.replace("__", "."): value for key, value in changes.items()}
    return load(environ={}, overrides=HOOKED | given)


async def _played(run: Awaitable[None], steps: tuple[Step, ...], seconds: float) -> None:
    task = asyncio.ensure_future(run)
    try:
        async with asyncio.timeout(seconds):
            for step in steps:
                while not step():
                    assert not task.done(), f"the service has ended: {task.exception()!r}"
                    await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.wait({task})
