"""Watches the engine's heartbeat: told once when it stops, and once when it is back.

Told through the outbox like everything else. While the database does not serve, nothing can be
stored: then it is told directly, once, from what this process has in memory.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import update
from sqlmodel import Session, col

from auto_trading import engine_file
from auto_trading.reach.notices import notice_of
from auto_trading.reach.tools import ReachTools
from config.notifications import Channel, Severity
from crypto_trader_pro.domain.enums import NotificationType, ObservedState
from crypto_trader_pro.domain.errors import JournalUnavailable, TradingError
from crypto_trader_pro.explain.units import worded
from database import lease, outbox, reach_state
from database.auto_trading_db import unit_of_work
from database.models import AlertRow, EngineLeaseRow
from utils.channels import Message, NeverDelivered, SendingChannel, Undelivered
from utils.channels.opening import open_channels
from utils.notifications import route_of, title_of

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
SEEN_SECONDS: Final = 3.0  # that this process itself must have seen a heartbeat stand still
STATE: Final = "silence"
_KIND: Final = NotificationType.ENGINE_SILENT
_SEND_SECONDS: Final = 15.0


class Trouble(NamedTuple):
    """Why the engine is missed, and since when."""

    code: str  # engine_silent, engine_ended
    since: datetime
    numbers: dict[str, Any]


def judge(row: EngineLeaseRow | None, now: datetime, limit: timedelta) -> Trouble | None:
    """Return what is wrong with the engine by its lease; None for one that lives or ended in order.

    Args:
        limit: the oldest heartbeat of a living engine.
    """
    if row is None or not row.epoch:
        return None
    if not row.owner:
        if row.observed_state != ObservedState.FAULTED or not row.last_error:
            return None
        error = " ".join(row.last_error.split())
        return Trouble("engine_ended", row.heartbeat_at, {"error": error})
    age = now - row.heartbeat_at
    if age <= limit:
        return None
    numbers = {"seconds": int(age.total_seconds()), "pid": row.pid}
    return Trouble("engine_silent", row.heartbeat_at, {**numbers, "host": row.host.split("#")[0]})


class SilenceWatch:
    """Looks once a second. What was told is remembered in the database, over a restart."""

    name: Final = "silence"

    def __init__(self, tools: ReachTools) -> None:
        self._tools = tools
        self._thread = ThreadPoolExecutor(1, "silence")
        self._beat: tuple[int, datetime] | None = None  # epoch and time of the newest heartbeat
        self._beat_seen = 0.0  # monotonic, when it was new to us
        self._served = time.monotonic()  # when the database did last
        self._error = ""
        self._is_told = False  # that the database does not serve

    async def run(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        look: asyncio.Future[bool] | None = None
        try:
            while True:
                # one that hangs is waited for, not joined by another each second
                look = look or loop.run_in_executor(self._thread, self.look)
                await asyncio.wait({look}, timeout=LOOK_SECONDS)
                if look.done():
                    self._noted(look)
                    look = None
                    await asyncio.sleep(LOOK_SECONDS)
                await self._watch_database()
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def look(self, *, asked: bool = False) -> bool:
        """Look at the heartbeat and tell what is new; True when something was.

        Args:
            asked: by a person: do not wait to see it stand still.

        Raises:
            JournalUnavailable: the database does not serve, or does not take the heartbeat.
        """
        now = self._tools.now()
        with unit_of_work(self._tools.reader, "the engine's heartbeat") as session:
            row = lease.read(session)
            known = reach_state.get(session, STATE)
        limit = timedelta(seconds=self._tools.settings().reach.silent_after_seconds)
        trouble = judge(row, now, limit)
        stands = self._stands_still(row)
        if trouble is None and known is None:
            return False
        if trouble is not None and trouble.code == "engine_silent":
            if not (asked or stands):
                return False
            age = self._file_age(now)
            if age is not None and age <= limit.total_seconds():
                raise JournalUnavailable("the engine lives, and its heartbeat is not stored")
        if trouble is not None and known is not None and known["code"] == trouble.code:
            return False
        with unit_of_work(self._tools.writer, "the engine's silence") as session:
            return self._tell(session, trouble, row, now)

    def _tell(
        self, session: Session, trouble: Trouble | None, row: EngineLeaseRow | None, now: datetime
    ) -> bool:
        known = reach_state.get(session, STATE)  # another thread may have told it by now
        if trouble is not None:
            if known is not None and known["code"] == trouble.code:
                return False
            since = trouble.since if known is None else datetime.fromisoformat(known["since"])
            value = {"code": trouble.code, "since": since.isoformat()}
            reach_state.put(session, STATE, value, now)
            self._add(session, Severity.CRITICAL, trouble.code, trouble.numbers)
            return True
        if known is None:
            return False
        reach_state.put(session, STATE, None, now)
        self._put_away(session, now)
        if row is None or not row.owner:  # it was ended in order meanwhile
            return False
        since = datetime.fromisoformat(known["since"])
        seconds = int((now - since).total_seconds())
        self._add(session, Severity.WARNING, "engine_back", {"seconds": seconds})
        return True

    def _add(
        self, session: Session, severity: Severity, code: str, numbers: dict[str, Any]
    ) -> None:
        text = worded(f"risk.{code}", numbers, self._tools.language())
        log.log(logging.CRITICAL if severity is Severity.CRITICAL else logging.WARNING, "%s", text)
        outbox.add(
            session,
            notice_of(self._tools, _KIND, severity, text, numbers, channels=self._channels()),
        )

    def _put_away(self, session: Session, now: datetime) -> None:
        """Acknowledge what told of the silence that is over: it must not be told again."""
        alert = AlertRow
        told = update(alert).where(
            col(alert.kind) == _KIND.value, col(alert.severity) == Severity.CRITICAL.value,
            col(alert.acknowledged_at).is_(None),
        )  # fmt: skip
        session.exec(told.values(acknowledged_at=now, acknowledged_by="reach"))

    def _channels(self) -> tuple[Channel, ...]:
        """Return where a silence is told, and its end as well."""
        return route_of(self._tools.settings(), _KIND, Severity.CRITICAL)

    def _stands_still(self, row: EngineLeaseRow | None) -> bool:
        """True when this process has seen the same heartbeat for a while.

        A machine that was asleep wakes with an old heartbeat that is new in a moment.
        """
        beat = None if row is None else (row.epoch, row.heartbeat_at)
        if beat != self._beat:
            self._beat, self._beat_seen = beat, time.monotonic()
        return time.monotonic() - self._beat_seen >= SEEN_SECONDS

    def _file_age(self, now: datetime) -> float | None:
        """Return how old the engine's own sign of life is, which needs no database; in seconds."""
        found = engine_file.read(self._tools.environment.var_dir)
        if found is None or not found.is_alive:
            return None
        return max(0.0, (now - datetime.fromisoformat(found.at)).total_seconds())

    # --- without the database ---------------------------------------------------------------

    def _noted(self, look: "asyncio.Future[bool]") -> None:
        try:
            look.result()
        except TradingError as e:
            self._error = " ".join(str(e).split())
            return
        missed = int(time.monotonic() - self._served)
        self._served, self._error = time.monotonic(), ""
        if self._is_told:
            self._is_told = False
            self._tools.notify(_KIND, Severity.WARNING.value, "database_back", {"seconds": missed})

    async def _watch_database(self) -> None:
        """Tell directly, once, that the database has not served for too long."""
        missed = time.monotonic() - self._served
        if self._is_told or missed <= self._tools.settings().reach.silent_after_seconds:
            return
        self._is_told = True
        age = self._file_age(self._tools.now())
        numbers = {
            "seconds": int(missed), "age": "?" if age is None else int(age),
            "error": self._tools.redactor.text(self._error or "it does not answer"),
        }  # fmt: skip
        text = worded("risk.database_silent", numbers, self._tools.language())
        log.critical("%s", text)
        await self._directly(text, numbers)

    async def _directly(self, text: str, numbers: dict[str, Any]) -> None:
        language = self._tools.language()
        message = Message(
            _KIND.value, Severity.CRITICAL.value, title_of(_KIND, language), text, numbers,
            language, self._tools.now(), 0,
        )  # fmt: skip
        opened = open_channels(self._tools.settings(), self._tools.environment)
        wanted = [c for c in self._channels() if c in opened.channels]
        try:
            await asyncio.gather(*(_sent(opened.channels[c], message) for c in wanted))
        finally:
            await opened.close()


async def _sent(channel: SendingChannel, message: Message) -> None:
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await channel.send(message)
    except (Undelivered, NeverDelivered, TimeoutError) as e:
        log.error("channel %s did not take it: %s", channel.name.value, e or "no answer")
