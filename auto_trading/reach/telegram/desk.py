"""What a command that only looks has at hand, and the frame of every answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from auto_trading.reach.telegram.answers import Answer, Buttons, bold, escaped
from auto_trading.reach.telegram.confirming import Wish
from auto_trading.reach.tools import ReachTools
from auto_trading.status import process_is_gone
from config.settings import Settings
from crypto_trader_pro.domain.enums import Mode
from crypto_trader_pro.domain.errors import InputError
from database.engine_state import EngineState, engine_state
from database.views.runs import RunRef, current_run
from utils.texts import Language, catalogue, say


@dataclass(frozen=True, slots=True)
class Question:
    """A wish that a person has to confirm; `text` is HTML and says what it means."""

    wish: Wish
    text: str


@dataclass(frozen=True)
class Desk:
    """One reading of the database for one command, in a thread of its own.

    Args:
        words: what follows the command.
        serving_since: since when the bot has polled without trouble; None: it does not.
    """

    tools: ReachTools
    session: Session
    words: tuple[str, ...]
    now: datetime
    language: Language
    settings: Settings
    serving_since: datetime | None = None

    @property
    def zone(self) -> str:
        """That of all times that are shown."""
        return self.settings.engine.trading_day_timezone

    @cached_property
    def engine(self) -> EngineState | None:
        """How the engine is; None before the first one."""
        return engine_state(self.session, self.now, process_is_gone)

    @cached_property
    def found_run(self) -> RunRef | None:
        """The session that everything is told of; None before any."""
        return current_run(self.session, self.now, process_is_gone)

    @property
    def run(self) -> RunRef:
        """As `found_run`.

        Raises:
            InputError: there is none yet.
        """
        if self.found_run is None:
            raise InputError(self.say("telegram.no_run"))
        return self.found_run

    @property
    def asset(self) -> str:
        return self.run.asset

    def say(self, code: str, **values: Any) -> str:
        """Return a sentence of the catalogue."""
        return say(self.language, code, **values)

    def word(self, kind: str, stored: str) -> str:
        """Return a stored word as people call it; one of another version as it is stored."""
        return catalogue(self.language).get(f"{kind}.{stored}", stored)

    def at(self, instant: datetime | None) -> str:
        """Return a time to the minute; the foot of the answer names the zone."""
        if instant is None:
            return "–"
        return instant.astimezone(ZoneInfo(self.zone)).strftime("%m-%d %H:%M")

    def age(self, seconds: float) -> str:
        """Return a time span in the two largest units that count."""
        whole = max(0, int(seconds))
        if whole < 60:
            return self.say("telegram.age_s", seconds=whole)
        minutes, hours = whole // 60 % 60, whole // 3600
        if whole < 3600:
            return self.say("telegram.age_m", minutes=minutes)
        if hours < 24:
            return self.say("telegram.age_h", hours=hours, minutes=minutes)
        return self.say("telegram.age_d", days=hours // 24, hours=hours % 24)

    def framed(self, title: str, *parts: str, buttons: Buttons = ()) -> Answer:
        """Return an answer with its heading, the mark of its money, and the time.

        Args:
            title: plain text.
            parts: HTML.
        """
        shown = self.now.astimezone(ZoneInfo(self.zone)).strftime("%Y-%m-%d %H:%M:%S %Z")
        run = f"{self.found_run.public_id} · " if self.found_run is not None else ""
        foot = f"<i>{escaped(run + shown)}</i>"
        return Answer("\n".join((bold(title), escaped(self.mark()), *parts, foot)), buttons)

    def mark(self) -> str:
        """Return what tells real money from simulated, and real prices from made-up ones."""
        run = self.found_run
        mode = self.settings.engine.mode.value if run is None else run.mode
        source = self.settings.market_data.source if run is None else run.source
        if mode == Mode.LIVE:
            return self.say("telegram.mark_live")
        known = source if source in ("demo", "replay") else "paper"
        return self.say(f"telegram.mark_{known}")


Look = Callable[[Desk], Answer | Question]
