"""A paper run on the demo market as the engine itself trades it, played in a second or two.

Forty hours of market time at the demo's shipped speed: a trained model and `ema_cross` on two
perpetuals and a spot symbol, three changes of the configuration, two missing candles, an emergency
stop with its re-arm.
Everything stored comes from the product's own session, market store and daily books.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading import session_store
from auto_trading.account_report import account_report
from auto_trading.bootstrap import LivingTools, RunSpec, build_living
from auto_trading.config_manager import ConfigManager
from auto_trading.daily_books import DailyBooks
from auto_trading.gateways.demo_source import DemoSource
from auto_trading.job_tools import mode_tag
from auto_trading.modelling import Modelling
from auto_trading.session import TradingSession
from auto_trading.session_inputs import Command, Funding, ModelReady
from auto_trading.translation import enabled_strategies
from config.loading import load
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import CommandKind
from crypto_trader_pro.domain.market import series_of
from crypto_trader_pro.domain.messages import MarketEvent, MarketSlice, Missed
from crypto_trader_pro.domain.ports import LogEntry
from crypto_trader_pro.domain.timeframes import to_datetime
from crypto_trader_pro.domain.units import RATE
from crypto_trader_pro.simulation.demo_market import ZERO_MS, DemoMarket
from crypto_trader_pro.simulation.instruments import instrument
from database import candles, commands, marking, prices
from database.auto_trading_db import unit_of_work
from database.candles import Origin
from database.prices import LatestPrice
from tests.market_data import ROOT
from utils.log_records import entry_of, frozen

SYMBOLS: Final = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT")
MINUTE: Final = 60_000
FIVE_MINUTES: Final = 5 * MINUTE
HOUR: Final = 60 * MINUTE
HOURS: Final = 40
SPEED: Final = 300  # market seconds in one second of system time, as shipped
FIRST: Final = {  # two averages that cross often, so that a day has something to show
    "symbols": list(SYMBOLS), "strategies.ema_cross.fast": 5, "strategies.ema_cross.slow": 13,
}  # fmt: skip
ONE_AT_A_TIME: Final = {"limits.cooldown_bars": 12, "engine.max_concurrent_positions": 1}
WIDER: Final = {"limits.cooldown_bars": 0, "engine.max_concurrent_positions": 2}
PROVEN_ONLY: Final = {"paper.trade_unproven": False, "engine.max_concurrent_positions": 3}
LOST: Final = {(1, 9 * HOUR), (2, 30 * HOUR + 10 * MINUTE)}  # candles that never came

K = CommandKind


class Played:
    """The run while it is played, and what is known of it afterwards."""

    def __init__(self, database: Database, var_dir: Path, ends: datetime) -> None:
        self.database = database
        self.ends = ends
        self.settings = load(overrides=FIRST, environ={})
        self.instruments = tuple(instrument(s) for s in SYMBOLS)
        self.source = DemoSource(
            self.instruments, FIVE_MINUTES, seed=self.settings.market_data.demo_seed, speed=1e9,
            warm_bars=self.settings.market_data.warm_bars, sleep=_no_pause,
        )  # fmt: skip
        self.origin = Origin(source=self.source.name, venue=self.source.venue)
        began = session_store.Origin(self.source.name, self.source.venue)
        found = session_store.find_or_begin(database, self.settings, began, self.now())
        self.run_id = found.run_id
        self.spec = RunSpec(
            self.run_id, self.instruments, tuple(enabled_strategies(self.settings)), FIVE_MINUTES,
            FIVE_MINUTES, self.settings, var_dir, epoch=1,
        )  # fmt: skip
        url = database.url.render_as_string(hide_password=False)
        self.models = Modelling(self.spec, self.source, database, url, lambda: self.settings, _fail)
        self.session: TradingSession = build_living(
            self.spec, LivingTools(database, self.now, model=self.models.make)
        )
        self.configs = ConfigManager(ROOT / "config", database)
        self.logged: list[LogEntry] = []
        self.seen: list[MarketSlice] = []
        self._overrides: dict[str, Any] = dict(FIRST)
        self._asked = 0

    def now(self) -> datetime:
        """Return system time: the market runs `SPEED` times as fast and is over at `ends`."""
        left = ZERO_MS + HOURS * HOUR - self.source.clock().now_ms()
        return self.ends - timedelta(milliseconds=left / SPEED)

    @property
    def session_time(self) -> datetime:
        """Trading time of the last thing that came into the session."""
        return to_datetime(self.session.engine.now_ms)

    def play(self) -> None:
        """Play all of it and store what goes on beside the session."""
        try:
            with _log_lines(self):
                asyncio.run(self._play())
        finally:
            self.models.close()
            self.source.close()
        self._store_market()
        self._store_days()

    def view(self) -> dict[str, Any]:
        """Return what the engine's heartbeat would show now."""
        model = self.models.view(self.session.model_status)
        return {**account_report(self.session), "model": model, "safety": []}

    # --- the session ------------------------------------------------------------------------

    async def _play(self) -> None:
        self.session.open(self.source.clock().now_ms())
        script = list(SCRIPT)
        async for event in self.source.events(None):
            if not isinstance(event, Missed):
                at_ms = self.source.clock().now_ms() - ZERO_MS
                while script and at_ms >= script[0][0] * HOUR:
                    await script.pop(0)[1](self)
            await self._take(event)
            if isinstance(event, MarketSlice) and event.close_ms >= ZERO_MS + HOURS * HOUR:
                break
        assert not script
        await self.session.settle()

    async def _take(self, event: MarketEvent) -> None:
        market = event.market if isinstance(event, Missed) else event
        if not isinstance(market, MarketSlice):
            await self.session.take(event)
            return
        bars = tuple(
            None if (i, market.close_ms - ZERO_MS) in LOST else bar
            for i, bar in enumerate(market.bars)
        )
        market = MarketSlice(market.close_ms, bars)
        self.seen.append(market)
        if market.close_ms % (8 * HOUR) == 0 and not isinstance(event, Missed):
            await self.session.take(self._funding(market.close_ms))
        await self.session.take(Missed(market) if isinstance(event, Missed) else market)

    def _funding(self, at_ms: int) -> Funding:
        """Return the rates that the venue settles now, as the worker brings them."""
        rates = ((f.symbol, f.funding_rate) for f in self.source.facts())
        places = {symbol: i for i, symbol in enumerate(SYMBOLS)}
        return Funding(at_ms, tuple((places[s], r) for s, r in rates if r is not None))

    async def train(self) -> None:
        """Let the real training process make a model, and install it.

        Here it does not give way to others: beside a full test run it would not get its turn.
        """
        asked = self.models._request("asked")
        self.models._trainer.train_now(replace(asked, spec=replace(asked.spec, gives_way=False)))
        deadline = time.monotonic() + 300
        while (facts := self.models.take()) is None:
            assert time.monotonic() < deadline, "no model in 300 s"
            await asyncio.sleep(0.05)
        await self.session.take(ModelReady(self.session.engine.now_ms, facts))

    async def ask(self, kind: CommandKind, by: str = "console", **payload: Any) -> None:
        """Let a person ask for something, by a row as every command comes."""
        self._asked += 1
        command_id = f"demo-{self._asked}-{kind.value}"
        with unit_of_work(self.database) as session:
            commands.enqueue(
                session, command_id=command_id, kind=kind.value, payload=payload,
                requested_by=by, now=self.now(),
            )  # fmt: skip
            commands.claim_next(session, self.now())
        changed = payload
        if kind is K.APPLY_CONFIG:
            changed = {**payload, "config": self.settings.canonical_json()}
        command = Command(
            command_id, kind, changed, by, self.now(), self.session.engine.now_ms
        )  # fmt: skip
        await self.session.take(command)
        self.configs.record(self.settings, is_enabled=self.session.enabled, by=by, now=self.now())

    async def configure(self, changes: Mapping[str, Any]) -> None:
        """Change the configuration as the settings page asks for it."""
        self._overrides.update(changes)
        self.settings = load(overrides=self._overrides, environ={})
        await self.ask(K.APPLY_CONFIG, changes=dict(changes))

    async def close_one(self) -> None:
        """Close the first position that is open."""
        held = [p.symbol for p in self.session.engine.parts.positions.positions if p.lots]
        await self.ask(K.CLOSE_POSITION, symbol=held[0])

    # --- beside the session -----------------------------------------------------------------

    def _store_market(self) -> None:
        """Store what the market store stores, and the same market in minutes."""
        market = DemoMarket(self.instruments, seed=self.settings.market_data.demo_seed)
        end_ms = ZERO_MS + HOURS * HOUR
        with unit_of_work(self.database) as session:
            for i, item in enumerate(self.instruments):
                came = [bar for s in self.seen if (bar := s.bars[i]) is not None]
                five = series_of(item.symbol, FIVE_MINUTES, came)
                candles.store(session, five, item, self.origin)
                one = market.candles(item.symbol, MINUTE, ZERO_MS, end_ms)
                candles.store(session, one, item, self.origin)
            marks = {
                f.symbol: LatestPrice(
                    f.symbol, instrument(f.symbol).price(f.price), to_datetime(f.at_ms),
                    _rate(f.funding_rate),
                )
                for f in self.source.facts()
            }  # fmt: skip
            prices.store_latest(session, list(marks.values()), self.origin, self.ends)
            marking.mark_positions(session, self.run_id, {s: p.price for s, p in marks.items()})

    def _store_days(self) -> None:
        calendar = TradingCalendar(self.settings.engine.trading_day_timezone)
        tag = mode_tag(self.settings.engine.mode.value, self.source.name)
        books = DailyBooks(self.run_id, tag, calendar)
        books.write_finished(self.database, self.session.engine.now_ms, self.ends)


def _rate(parts: int | None) -> Decimal | None:
    return None if parts is None else Decimal(parts) / RATE


async def _no_pause(_: float) -> None:
    """Let the market run as fast as it is read."""


def _fail(line: str) -> None:
    raise AssertionError(line)


@contextmanager
def _log_lines(played: Played) -> Iterator[None]:
    """Keep what the product logs meanwhile, at the run's own system time."""

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            at_ms = round(played.now().timestamp() * 1000)
            played.logged.append(entry_of(frozen(record, at_ms, played.run_id)))

    roots = [logging.getLogger(name) for name in ("auto_trading", "database", "utils")]
    keeper = Keeper(logging.DEBUG)
    levels = [root.level for root in roots]
    for root in roots:
        root.addHandler(keeper)
        root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for root, level in zip(roots, levels, strict=True):
            root.removeHandler(keeper)
            root.setLevel(level)


Act = Callable[[Played], Awaitable[None]]
SCRIPT: Final[Sequence[tuple[float, Act]]] = (  # hours of market time, and what happens then
    (0.1, lambda p: p.train()),
    (0.2, lambda p: p.ask(K.START)),
    (7.0, lambda p: p.configure(ONE_AT_A_TIME)),
    (15.5, lambda p: p.configure(WIDER)),
    (18.0, lambda p: p.close_one()),
    (20.0, lambda p: p.ask(K.EMERGENCY_STOP, by="kim")),
    (20.2, lambda p: p.ask(K.REARM, confirm="please")),
    (22.0, lambda p: p.ask(K.REARM, confirm="REARM")),
    (22.1, lambda p: p.ask(K.START)),
    (29.0, lambda p: p.configure(PROVEN_ONLY)),
)
