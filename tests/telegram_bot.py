"""A running bot for tests: the real service, the peer, a database, and a clock to set."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.telegram.service import TelegramService
from auto_trading.reach.tools import ReachTools
from config.environment import Environment
from config.loading import load
from crypto_trader_pro.domain.enums import CommandKind, NotificationType
from crypto_trader_pro.domain.errors import JournalUnavailable
from database import commands, wishes
from database.auto_trading_db import open_database, unit_of_work
from database.commands import CommandStatus
from database.models import ChatCommandRow, CommandRow
from tests.console_lease import take_lease
from tests.rows import a_position, an_equity, an_order, stored, stored_run
from tests.telegram_peer import TelegramPeer, button_update, text_update
from utils.flags import put_flag
from utils.redaction import Redactor
from utils.texts import Language

TOKEN: Final = "4242424242:AAcanary-of-the-telegram-bot-token-xyz"  # noqa: S105  nobody's
CHAT: Final = 7
USER: Final = 9
OTHER: Final = 10  # is on the list too
NOW: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FAST: Final = Pace(
    poll_seconds=20, call_seconds=2.0, first_pause=0.02, longest_pause=0.1, person_pause=0.1,
    send_pauses=(0.02, 0.02), longest_limit=0.6, look_seconds=0.02, read_seconds=20.0,
    stop_seconds=0.5, store_seconds=2.0, answer_seconds=0.4, follow_pause=0.02,
)  # fmt: skip
VIEW: Final = {
    "at": "2030-01-02T03:00:00+00:00", "asset": "USDT", "cash": "97899.995", "equity": "100004.94",
    "gross": "2105", "realized": "-1.05", "unrealized": "4.995", "fees": "1.05", "funding": "0",
    "open_positions": 1, "working_orders": 1, "drawdown": "0.0125", "day_start_equity": "100000",
    "trading_state": "active", "halt_reason": "", "flattening": False, "enabled": True,
    "paused": False, "locks": {}, "connection_lost": False, "daily_level": 0, "volatile": 0,
}  # fmt: skip


class Bot:
    """The service in a thread of its own; a context manager.

    Attributes:
        told: what the service put into the outbox: (kind, severity, code, numbers).
        now: the clock's time.
        flagged: stops that went by a flag file, because the database did not take them.
    """

    def __init__(
        self, file: Path, peer: TelegramPeer, *, language: Language = Language.ENGLISH,
        pace: Pace = FAST, token: str = TOKEN, **telegram: Any,
    ) -> None:  # fmt: skip
        lists = {"enabled": True, "chat_ids": [CHAT], "user_ids": [USER, OTHER]} | telegram
        self.settings = load(
            overrides={f"channels.telegram.{k}": v for k, v in lists.items()}, environ={}
        )
        self.peer = peer
        self.now = NOW
        self.flagged: list[CommandKind] = []
        self.told: list[tuple[NotificationType, str, str, Mapping[str, Any]]] = []
        self.writer = open_database(f"sqlite:///{file}", busy_seconds=0.1)
        self.reader = open_database(f"sqlite:///{file}", read_only=True)
        environ = {
            "CTP_VAR_DIR": str(file.parent), "CTP_DATABASE_URL": f"sqlite:///{file}",
            "CTP_TELEGRAM_BOT_TOKEN": token, "CTP_TELEGRAM_API_URL": peer.url,
        }  # fmt: skip
        self.tools = ReachTools(
            Environment.read(environ), lambda: self.settings, self.reader, self.writer,
            lambda: self.now, self._notify, self._ask, lambda: language, Redactor([token]),
        )  # fmt: skip
        self._service = TelegramService(self.tools, pace)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="bot", daemon=True)

    def __enter__(self) -> "Bot":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.writer.dispose()
        self.reader.dispose()

    # --- people -------------------------------------------------------------------------------

    def say(self, text: str, user: int = USER, chat: int = CHAT, **more: Any) -> int:
        """Write to the bot; return the update's number."""
        at = more.pop("at", self.now)
        return self.peer.push(text_update(text, user_id=user, chat_id=chat, at=at, **more))

    def press(self, payload: str, user: int = USER, chat: int = CHAT, message_id: int = 1) -> int:
        return self.peer.push(
            button_update(
                payload, user_id=user, chat_id=chat, message_id=message_id, at=self.now
            )
        )  # fmt: skip

    def asked(self, text: str) -> str:
        """Write to the bot and return its first answer."""
        before = len(self.peer.texts())
        self.say(text)
        return self.answer(before)

    def answer(self, place: int) -> str:
        """Return the bot's text number `place`, once it is there."""
        self.peer.wait(lambda: len(self.peer.texts()) > place, f"text {place}", 30)
        return self.peer.texts()[place]

    def buttons(self) -> dict[str, str]:
        """Return label and payload of the buttons of the newest message with any."""
        said = [p for m, p in list(self.peer.calls) if m in ("sendMessage", "editMessageText")]
        rows = [p["reply_markup"]["inline_keyboard"] for p in said if p.get("reply_markup")][-1]
        return {b["text"]: b["callback_data"] for row in rows for b in row}

    # --- what is stored -----------------------------------------------------------------------

    def audit(self) -> list[ChatCommandRow]:
        with Session(self.reader) as session:
            return list(session.exec(select(ChatCommandRow).order_by(col(ChatCommandRow.id))))

    def outcomes(self, count: int, *, without: str = "taken") -> list[str]:
        """Return what became of the updates, once `count` of them are settled."""

        def settled() -> bool:
            found = [row.outcome for row in self.audit()]
            return len(found) >= count and without not in found

        self.wait(settled)
        return [row.outcome for row in self.audit()]

    def wishes(self) -> list[CommandRow]:
        with Session(self.reader) as session:
            return list(session.exec(select(CommandRow).order_by(col(CommandRow.id))))

    def wait_for_wish(self, count: int = 1) -> CommandRow:
        self.wait(lambda: len(self.wishes()) >= count)
        return self.wishes()[count - 1]

    def engine_answers(self, code: str, **numbers: Any) -> None:
        """Do what an engine does: take the oldest command and answer."""
        with unit_of_work(self.writer) as session:
            row = commands.claim_next(session, self.now)
            assert row is not None
            answer = {"code": code, **numbers}
            status = CommandStatus.DONE if code.startswith("answer.") else CommandStatus.REFUSED
            commands.finish(session, row.command_id, status, answer, self.now)

    def codes(self) -> list[str]:
        """Return the codes of what people were told."""
        return [code for _, _, code, _ in self.told]

    def wait(self, true: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until `true()`."""
        pause, waited = threading.Event(), 0.0
        while not true():
            assert waited < seconds, "it did not come"
            pause.wait(0.01)
            waited += 0.01

    # --- the service --------------------------------------------------------------------------

    def _serve(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task()
            assert task is not None
            self._task = task
            self._ready.set()
            await self._service.run()

        with suppress(asyncio.CancelledError):
            asyncio.run(main())

    def _notify(
        self, kind: NotificationType, severity: str, code: str, numbers: Mapping[str, Any], /
    ) -> None:
        self.told.append((kind, severity, code, numbers))

    def _ask(
        self, kind: CommandKind, payload: Mapping[str, Any], by: str,
        command_id: str | None = None, /,
    ) -> str:  # fmt: skip
        """As the reach process does it: a stop that the database does not take goes by its flag."""
        try:
            row = wishes.wish(
                self.writer, kind, payload, by=by, now=self.now, command_id=command_id
            )
        except JournalUnavailable:
            if kind not in (CommandKind.STOP, CommandKind.EMERGENCY_STOP):
                raise
            put_flag(self.tools.environment.var_dir, kind, by)
            self.flagged.append(kind)
            return command_id or ""
        return row.command_id


def add_account(database: Engine, *, alive: bool = True, **view: Any) -> int:
    """Store a paper run on the demo market with one position of 0.05 BTC at 42,000.1."""
    run = stored_run(
        database, kind="paper", source="demo", inputs={"venue": "binance"}, now=NOW,
        config='{"engine":{"trading_day_timezone":"Asia/Seoul"}}',
    )  # fmt: skip
    stored(
        database,
        an_equity(run, at=NOW - timedelta(hours=30), equity="100000"),
        an_equity(run, at=NOW - timedelta(minutes=4), equity="100004.94"),
        a_position(run, current_price=Decimal(42_100), stop_price=Decimal(41_000)),
        an_order(run, "r1o2", side="SELL", role="stop", order_type="stop_market",
                 status="working", price=Decimal(41_000), filled_size=Decimal(0)),
    )  # fmt: skip
    if alive:
        take_lease(database, run, {**VIEW, **view}, NOW)
    return run


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)
