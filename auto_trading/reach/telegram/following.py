"""What became of a wish: the command's row until the engine has answered, in words."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from auto_trading import engine_file
from auto_trading.reach.telegram.confirming import Wish
from auto_trading.reach.telegram.pace import Pace
from auto_trading.reach.telegram.threads import Threads
from auto_trading.reach.tools import ReachTools
from auto_trading.status import process_is_gone
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.errors import TradingError
from crypto_trader_pro.explain.answers import answer_text
from database import commands
from database.auto_trading_db import translated
from database.engine_state import engine_state
from database.wishes import ENDED
from utils.texts import say

BY_FLAG = frozenset({CommandKind.STOP, CommandKind.EMERGENCY_STOP})
_READ_SECONDS = 2.0
_MARKS: Mapping[str, str] = {"done": "✅", "refused": "⛔", "expired": "⌛"}


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a command stands; `status` is "" where it is not stored."""

    status: str = ""
    answer: Mapping[str, Any] | None = None
    lapses: bool = False
    alive: bool = False
    frozen: bool = False  # it has lost its lease, and its process is there and may wake

    @property
    def is_over(self) -> bool:
        """True when waiting longer brings nothing: answered, or nobody there to answer."""
        return self.status in ENDED or (self.status != "" and not (self.alive or self.frozen))


class Following:
    """Looks at commands until they have ended, for a few seconds."""

    def __init__(self, tools: ReachTools, threads: Threads, pace: Pace) -> None:
        self._tools = tools
        self._threads = threads
        self._pace = pace

    async def end_of(self, wish: Wish, command_id: str) -> str:
        """Return one sentence, plain: what the engine did, or that it has not answered."""
        deadline = time.monotonic() + self._pace.answer_seconds
        while True:
            standing = await self._look(command_id)
            flagged = None if standing.status else self._flagged(wish)
            if standing.is_over or time.monotonic() > deadline:
                return self._said(wish, standing)
            if flagged is not None:
                return flagged
            await asyncio.sleep(self._pace.follow_pause)

    async def _look(self, command_id: str) -> _Standing:
        with suppress(TradingError):
            return await self._threads.read(_READ_SECONDS, lambda: self._read(command_id))
        return _Standing()  # the database is away

    def _read(self, command_id: str) -> _Standing:
        reader = self._tools.reader
        with translated("the command", reader), Session(reader) as session:
            row = commands.find(session, command_id)
            engine = engine_state(session, self._tools.now(), process_is_gone)
            alive = engine is not None and engine.alive
            if row is None:
                return _Standing(alive=alive)
            frozen = not alive and self._is_process_there()
            return _Standing(row.status, row.answer, row.expires_at is not None, alive, frozen)

    def _is_process_there(self) -> bool:
        found = engine_file.read(self._tools.environment.var_dir)
        return found is not None and found.is_alive

    def _flagged(self, wish: Wish) -> str | None:
        """Return what the engine's own file says of a stop that went by its flag; None: nothing."""
        if wish.kind not in BY_FLAG:
            return None
        found = engine_file.read(self._tools.environment.var_dir)
        language = self._tools.language()
        if found is None or not found.is_alive:
            return f"⚠️ {say(language, 'telegram.flag_no_engine', what=wish.what)}"
        if found.entries != "allowed":
            return f"✅ {say(language, 'telegram.flag_seen', what=wish.what)}"
        return None

    def _said(self, wish: Wish, standing: _Standing) -> str:
        language = self._tools.language()
        what = f"{wish.what} {wish.about}".strip()
        if standing.status in ENDED:
            answer = answer_text(standing.answer, language)
            mark = _MARKS[standing.status]
            return f"{mark} {say(language, f'operate.{standing.status}', what=what, answer=answer)}"
        if standing.status and standing.frozen:
            code = "telegram.frozen_lapses" if standing.lapses else "telegram.frozen"
            return f"⏳ {say(language, code, what=what)}"
        if standing.status and not standing.alive:
            code = "operate.no_engine_lapses" if standing.lapses else "operate.no_engine"
            return f"⚠️ {say(language, code, what=what)}"
        code = "no_answer" if standing.status or wish.kind not in BY_FLAG else "flag_unseen"
        seconds = f"{self._pace.answer_seconds:g}"
        return f"⚠️ {say(language, f'telegram.{code}', what=what, seconds=seconds)}"
