"""The rows of what came by chat: stored before anything is done, kept while no database is."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Engine as Database
from sqlmodel import Session

from auto_trading.reach.telegram.admission import Incoming
from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.telegram.threads import Threads
from crypto_trader_pro.domain.errors import TradingError
from database import chat
from database.auto_trading_db import unit_of_work
from database.chat import Outcome
from database.models import ChatCommandRow
from utils.failure_log import FailureLog
from utils.redaction import Redactor, clean

log = logging.getLogger(__name__)

_KEPT: Final = 1000  # rows that wait for the database; the oldest is lost first, and logged
_TEXT: Final = 256
_WHAT: Final = "the audit of the chat"

_Settled = tuple[Outcome, str | None]


class Recorded(NamedTuple):
    """Numbers of the updates that never came before, and whether their rows are there."""

    new: set[int]
    is_stored: bool


class Audit:
    """Belongs to one event loop; the database is used from threads.

    Args:
        bot: number of the bot.
    """

    def __init__(
        self, bot: str, writer: Database, now: Callable[[], datetime], redactor: Redactor,
        threads: Threads, pace: Pace,
    ) -> None:  # fmt: skip
        self.bot = bot
        self._writer = writer
        self._now = now
        self._redactor = redactor
        self._threads = threads
        self._pace = pace
        self._trouble = FailureLog(log)
        self._unstored: OrderedDict[int, Incoming] = OrderedDict()
        self._unsettled: OrderedDict[int, _Settled] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()  # of this process
        self._turn = asyncio.Lock()
        self._attempts = 0

    async def begin(self) -> tuple[int | None, list[ChatCommandRow]]:
        """Return up to where updates were stored, and what a process before this one left undone.

        Raises:
            TradingError: the database does not serve.
        """

        def call() -> tuple[int | None, list[ChatCommandRow]]:
            with unit_of_work(self._writer, _WHAT) as session:
                left = chat.interrupted(session, self.bot)
                last = chat.last_update(session, self.bot, self._now())
                return last, left

        return await self._threads.call(self._pace.store_seconds, call)

    async def record(self, incoming: Sequence[Incoming], seconds: float) -> Recorded:
        """Store what came, within `seconds`; what the database does not take is stored later."""
        new = [one for one in incoming if one.update_id not in self._seen]
        for one in new:
            self._seen[one.update_id] = None
        while len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        waiting, settled = list(self._unstored.values()), dict(self._unsettled)
        try:
            stored = await self._threads.call(seconds, lambda: self._store(waiting, settled, new))
        except TradingError as error:
            self._trouble.failed(_WHAT, f"{_WHAT} cannot be stored now: {error}")
            self._keep(new)
            return Recorded({one.update_id for one in new}, is_stored=False)
        self._trouble.recovered(_WHAT)
        for number in (one.update_id for one in waiting):
            self._unstored.pop(number, None)
        self._forget(settled)
        return Recorded(stored & {one.update_id for one in new}, is_stored=True)

    async def settle(self, update_id: int, outcome: Outcome, command_id: str | None = None) -> None:
        """Note what became of an update; kept while the database is away.

        One transaction at a time takes all that has gathered: hundreds at once would stand in the
        engine's way, which writes to the same database.
        """
        self._unsettled[update_id] = (outcome, command_id)
        before = self._attempts
        async with self._turn:
            if self._attempts == before:  # else one that began later has taken it along
                await self._settle_all(update_id)

    async def _settle_all(self, update_id: int) -> None:
        if update_id in self._unstored:
            return  # it is stored first
        self._attempts += 1
        settled = dict(self._unsettled)
        try:
            await self._threads.call(self._pace.store_seconds, lambda: self._store([], settled, []))
        except TradingError as error:
            self._trouble.failed(_WHAT, f"{_WHAT} cannot be stored now: {error}")
            return
        self._trouble.recovered(_WHAT)
        self._forget(settled)

    def _store(
        self, waiting: Sequence[Incoming], settled: dict[int, _Settled], new: Sequence[Incoming]
    ) -> set[int]:
        now = self._now()
        with unit_of_work(self._writer, _WHAT) as session:
            found = chat.record(session, [self._row(one, now) for one in (*waiting, *new)], now)
            self._settle(session, settled)
        return found

    def _settle(self, session: Session, settled: dict[int, _Settled]) -> None:
        for number, (outcome, command_id) in settled.items():
            chat.settle(session, self.bot, number, outcome, command_id)

    def _forget(self, settled: dict[int, _Settled]) -> None:
        for number, what in settled.items():
            if self._unsettled.get(number) == what:
                del self._unsettled[number]

    def _keep(self, new: Sequence[Incoming]) -> None:
        self._unstored |= {one.update_id: one for one in new}
        while len(self._unstored) > _KEPT:
            number, _ = self._unstored.popitem(last=False)
            self._unsettled.pop(number, None)
            log.error("chat update %d is lost to the audit: the database is away", number)

    def _row(self, one: Incoming, now: datetime) -> ChatCommandRow:
        return ChatCommandRow(
            bot=self.bot, update_id=one.update_id, sent_at=one.sent_at, received_at=now,
            chat_id=one.chat_id or None, user_id=one.user_id or None,
            text=self._redactor.text(clean(one.text))[:_TEXT],
            outcome=(one.refusal or Outcome.TAKEN).value,
        )  # fmt: skip
