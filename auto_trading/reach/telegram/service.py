"""The bot as a service of the reach process: it polls, stores what came, and has it carried out.

Each batch is stored before anything of it is done, together with how far it went. Stops are carried
out at once, each in a task of its own; everything else one after the other.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from pydantic import SecretStr

from auto_trading.reach.telegram import admission
from auto_trading.reach.telegram.admission import Incoming, Rules
from auto_trading.reach.telegram.answers import escaped, local
from auto_trading.reach.telegram.audit import Audit
from auto_trading.reach.telegram.carrying import Carrier, is_urgent, needs_database
from auto_trading.reach.telegram.confirming import Confirmations
from auto_trading.reach.telegram.link import Link, Trouble, Update
from auto_trading.reach.telegram.menu import registered
from auto_trading.reach.telegram.outages import Outages
from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.telegram.refusals import Refusals
from auto_trading.reach.telegram.threads import Threads
from auto_trading.reach.tools import ReachTools
from crypto_trader_pro.domain.enums import NotificationType
from crypto_trader_pro.domain.errors import TradingError
from database.chat import Outcome
from database.models import ChatCommandRow
from utils.channels.web import verified_tls
from utils.texts import say

log = logging.getLogger(__name__)

_BATCH: Final = 20  # updates of one poll
_WAITING: Final = 50  # commands that wait for their turn
_INTERRUPTED: Final = 10  # newest ones that were interrupted and are told of; the audit has all
# they tell each request, its address and so the token included
_LOUD: Final = ("httpx", "httpcore", "telegram")


IsOn = Callable[[], bool]


class TelegramService:
    """Polls as long as the channel is switched on and a token is there."""

    def __init__(self, tools: ReachTools, pace: Pace | None = None) -> None:
        self._tools = tools
        self._pace = pace or Pace()
        self._threads = Threads()

    @property
    def name(self) -> str:
        return "telegram"

    async def run(self) -> None:
        """Serve until cancelled."""
        for logger in _LOUD:
            logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
        lacks_token = False
        while True:
            token = self._token()
            if token is None:
                is_on = self._tools.settings().channels.telegram.enabled
                if is_on and not lacks_token:
                    log.warning("Telegram is enabled, and CTP_TELEGRAM_BOT_TOKEN is not set")
                lacks_token = is_on
                await asyncio.sleep(self._pace.look_seconds)
                continue
            link = self._link(token)
            try:
                async with asyncio.TaskGroup() as tasks:
                    bot = _Poller(self._tools, self._pace, self._threads, token, link, tasks)
                    await bot.serve(partial(self._is_still, token))
            finally:  # nothing that uses it is left
                await link.close()

    def _link(self, token: SecretStr) -> Link:
        base = f"{self._tools.environment.telegram_api_url}/bot"
        return Link(token.get_secret_value(), base, verified_tls(), self._pace)

    def _is_still(self, token: SecretStr) -> bool:
        return self._token() == token

    def _token(self) -> SecretStr | None:
        is_on = self._tools.settings().channels.telegram.enabled
        return self._tools.environment.telegram_bot_token if is_on else None


class _Poller:
    """One bot, from its first poll until it is switched off."""

    def __init__(
        self, tools: ReachTools, pace: Pace, threads: Threads, token: SecretStr,
        link: Link, tasks: asyncio.TaskGroup,
    ) -> None:  # fmt: skip
        self._tools = tools
        self._pace = pace
        self._tasks = tasks
        self._outages = Outages(self._tell_trouble, pace)
        self._refusals = Refusals(tools, pace)
        bot = token.get_secret_value().partition(":")[0]
        self._bot = bot if bot.isdecimal() and len(bot) <= 24 else "?"
        self._link = link
        self._audit = Audit(self._bot, tools.writer, tools.now, tools.redactor, threads, pace)
        confirmations = Confirmations(pace.confirm_seconds, time.monotonic)
        self._carrier = Carrier(
            tools, self._link, self._audit, confirmations, threads, pace, self._spawn,
            lambda: self._since,
        )  # fmt: skip
        self._turns: asyncio.Queue[Incoming] = asyncio.Queue(_WAITING)
        self._since: datetime | None = None  # polls without trouble
        self._drained_at: float | None = None  # when nothing waited at the server any more
        self._offset: int | None = None
        self._username = ""

    async def serve(self, is_on: IsOn) -> None:
        """Poll while `is_on()`; then end what this bot has begun."""
        worker = self._tasks.create_task(self._work())
        try:
            await self._begin(is_on)
            while is_on():
                await self._poll(is_on)
        finally:
            worker.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.create_task(work)

    def _tell_trouble(self, severity: str, code: str, numbers: Any, /) -> None:
        self._tools.notify(NotificationType.SYSTEM_ERROR, severity, code, numbers)

    # --- beginning --------------------------------------------------------------------------

    async def _begin(self, is_on: IsOn) -> None:
        """Reach the server and the audit; until both are there, nothing is obeyed."""
        while is_on():
            try:
                self._username = await self._link.begin(registered(self._tools.language()))
            except Trouble as trouble:
                await asyncio.sleep(self._outages.failed(trouble))
                continue
            self._outages.worked()
            break
        try:
            last, left = await self._audit.begin()
        except TradingError as error:
            log.warning("the audit of the chat cannot be read: %s", error)
            return  # stale updates are refused by their time; a repeated one by its row
        self._offset = None if last is None else last + 1
        # beside the polls: nobody's stop waits until others have been told
        self._spawn(self._tell_interrupted(left[-_INTERRUPTED:]))

    async def _tell_interrupted(self, left: Sequence[ChatCommandRow]) -> None:
        """Tell who asked that a process before this one ended before it was done."""
        channel = self._tools.settings().channels.telegram
        zone = self._tools.settings().engine.trading_day_timezone
        for row in left:
            chat = row.chat_id
            if chat in channel.chat_ids and row.user_id in channel.user_ids:
                text = say(
                    self._tools.language(), "telegram.interrupted", text=row.text,
                    at=local(row.received_at, zone),
                )  # fmt: skip
                await self._carrier.tell(chat, f"⚠️ {escaped(text)}")

    # --- polling ----------------------------------------------------------------------------

    async def _poll(self, is_on: IsOn) -> None:
        limit = 1 if self._outages.failing else _BATCH  # a batch may be what cannot be read
        # what has waited is fetched without waiting for more, so that it can be told from the new
        seconds = self._pace.poll_seconds if self._is_drained() else 0
        try:
            updates = await self._link.updates(self._offset, limit, seconds)
        except Trouble as trouble:
            self._since = None
            await asyncio.sleep(self._outages.failed(trouble))
            return
        answered_at = time.monotonic()
        self._outages.worked()
        self._since = self._since or self._tools.now()
        if updates and is_on():
            await self._take(updates)
        if len(updates) < limit:
            self._drained_at = answered_at

    async def _take(self, updates: Sequence[Update]) -> None:
        """Store a batch, then have done what is obeyed."""
        rules = self._rules()
        came = [admission.read(update, rules) for update in updates]
        urgent = any(is_urgent(one) and one.refusal is None for one in came)
        seconds = self._pace.stop_seconds if urgent else self._pace.store_seconds
        recorded = await self._audit.record(came, seconds)
        self._offset = max(one.update_id for one in came) + 1
        for one in came:
            if one.update_id not in recorded.new:
                log.warning("chat update %d came again and was not obeyed", one.update_id)
            elif recorded.is_stored or one.refusal is not None or not needs_database(one):
                self._hand_on(one)
            else:
                self._busy(one, "telegram.no_database")

    def _hand_on(self, one: Incoming) -> None:
        if one.refusal is not None:
            self._refuse(one)
        elif is_urgent(one):
            self._spawn(self._carrier.carry_out(one))
        elif self._turns.full():
            self._busy(one, "telegram.too_many")
        else:
            self._turns.put_nowait(one)

    def _busy(self, one: Incoming, code: str) -> None:
        text = say(self._tools.language(), code, text=one.shown)
        self._spawn(self._audit.settle(one.update_id, Outcome.BUSY))
        self._spawn(self._write(one.chat_id, f"⚠️ {escaped(text)}"))

    def _refuse(self, one: Incoming) -> None:
        code = self._refusals.answer_to(one)
        if code is not None:
            text = escaped(say(self._tools.language(), code, text=one.shown))
            self._spawn(self._write(one.chat_id, text))
        if one.press and not one.is_stranger:
            self._spawn(self._carrier.noticed(one))

    async def _write(self, chat: int, text: str) -> None:
        await self._carrier.tell(chat, text)

    async def _work(self) -> None:
        """Carry out what waits, one after the other."""
        while True:
            await self._carrier.carry_out(await self._turns.get())

    def _rules(self) -> Rules:
        return Rules(
            self._tools.settings().channels.telegram, self._username, self._tools.now(),
            timedelta(seconds=self._pace.fresh_seconds), self._is_drained(),
        )  # fmt: skip

    def _is_drained(self) -> bool:
        """True when whatever the server has now came in the last minute."""
        at = self._drained_at
        return at is not None and time.monotonic() - at <= self._pace.fresh_seconds
