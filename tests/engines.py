"""A whole engine over scripted candles and scripted strategies, on a database of its own.

The parts are put together as `auto_trading/bootstrap.py` does, with limits so wide that a test
narrows only what it is about. Prices are made for sums in the head: one price unit of one lot is
one USDT, no slippage unless asked for, taker 0.1 %, maker 0.05 %.
"""

import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine as Database

from auto_trading.data_gate import SymbolGate
from auto_trading.decision_maker import DecisionMaker
from auto_trading.emergency_stop import EmergencyStop
from auto_trading.engine import AutoTradingEngine, Parts, Ports
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.gateways.venue_book import FundingEvent
from auto_trading.market_monitor import MarketMonitor
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from auto_trading.signal_generator import AISignalGenerator
from auto_trading.trade_executor import TradeExecutor
from crypto_trader_pro.cli.app import app
from crypto_trader_pro.cli.exits import guarded
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import Bar
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.risk.config import RiskLimits
from crypto_trader_pro.simulation.venue_costs import VenueCosts
from crypto_trader_pro.strategies.base import CandleStrategy
from database.auto_trading_db import open_database, prepare
from database.journal import Journal
from tests.builders import MINUTE, START_MS, USDT, a_round_instrument, finished
from tests.processes import Ended
from tests.rows import stored_run
from utils.clocks import SimulatedClock

SYSTEM_TIME: Final = datetime(2030, 1, 1, tzinfo=UTC)
CASH: Final = 100_000 * USDT
WIDE: Final = RiskLimits(
    daily_warning_rate=40_000_000,
    daily_loss_rate=50_000_000,
    drawdown_reduce_rate=60_000_000,
    drawdown_recover_rate=50_000_000,
    drawdown_kill_rate=90_000_000,
    size_rate=1_000_000,  # 1 %: 1,000 USDT, 10 lots at 100
    risk_rate=100_000_000,
    collar_rate=100_000_000,
)
COSTS: Final = VenueCosts(slippage_rate=0)
TABLES: Final = (
    "decisions", "ai_signals_log", "orders", "fills", "ledger_entries", "positions", "trades",
    "equity", "alerts", "shadow_trades", "models",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Script:
    """A strategy that says what it is told: (symbol, number of the candle) -> signal.

    It counts the candles since its last reset itself, so that a forgotten state shows.
    """

    says: Mapping[tuple[str, int], Signal]
    name: str = "script"
    warmup: int = 0

    def stream(self, instrument: Instrument) -> "ScriptStream":
        return ScriptStream(self, instrument.symbol)


class ScriptStream:
    def __init__(self, script: Script, symbol: str) -> None:
        self._script = script
        self._symbol = symbol
        self._seen = 0

    def step(self, bar: Bar) -> Signal:
        self._seen += 1
        k = (bar.open_ms - START_MS) // MINUTE
        quiet = Signal(self._script.name, 0, f"seen_{self._seen}")
        return self._script.says.get((self._symbol, k), quiet)

    def reset(self) -> None:
        self._seen = 0

    def state(self) -> Sequence[Any]:
        return [self._seen]

    def restore(self, state: Sequence[Any]) -> None:
        (self._seen,) = state


def wish(
    direction: int, strategy: str = "script", *, stop: int = 10, target: int = 0, trail: int = 0,
    max_bars: int = 0, opens: bool = True, closes: bool = True,
) -> Signal:  # fmt: skip
    """Return a signal of a script: the direction, and distances in price units."""
    return Signal(
        strategy, direction, "cross_up" if direction > 0 else "cross_down",
        closes=closes, opens=opens, stop_units=stop, target_units=target, trail_rate=trail,
        max_bars=max_bars,
    )  # fmt: skip


def script(
    *says: tuple[int, Signal], symbol: str = "BTC/USDT:USDT", name: str = "script"
) -> Script:
    """Return a strategy for one symbol: (number of the candle, signal) pairs."""
    return Script({(symbol, k): signal for k, signal in says}, name)


class WatchedJournal(Journal):
    """Writes down each commit and can be made to fail before it touches the database."""

    told: list[tuple[str, Any]]
    fails: Exception | None = None

    def commit(self, at_ms: int, state: str) -> None:
        if self.fails is not None:
            raise self.fails
        waiting = (len(self._decisions), sorted(self._created), len(self._fills))
        super().commit(at_ms, state)
        self.told.append(("commit", (at_ms, *waiting)))


class WatchedVenue(SimulatedVenue):
    """Writes down what is sent, and what the database held of it at that moment."""

    told: list[tuple[str, Any]]
    database_file: Path

    async def submit(self, order: Order, protection: Sequence[Order]) -> None:
        ids = [order.client_order_id, *(o.client_order_id for o in protection)]
        stored = {row["client_order_id"]: row["status"] for row in read(self.database_file)}
        self.told.append(("submit", (order.role.value, {i: stored.get(i) for i in ids})))
        await super().submit(order, protection)

    async def cancel(self, client_order_id: str) -> None:
        self.told.append(("cancel", client_order_id))
        await super().cancel(client_order_id)


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is made of; every value has a default."""

    strategies: Sequence[CandleStrategy] = ()
    instruments: Sequence[Instrument] = (a_round_instrument(),)
    limits: RiskLimits = WIDE
    costs: VenueCosts = COSTS
    interval: int = 1  # candles between two decisions
    warm_bars: int = 1
    cash: int = CASH
    funding: Mapping[str, Sequence[FundingEvent]] = field(default_factory=dict)
    flatten_on: Sequence[EmergencyTrigger] = (EmergencyTrigger.DRAWDOWN_EXCEEDED,)
    batch: int = 10_000
    snapshot: int = 60  # candles between two equity rows
    zone: str = "UTC"


class Rig:
    """An engine with everything that a test wants to look at.

    `told` is the order of commits, sendings and cancellations; `commits` has the number of instants
    played at each commit.
    """

    def __init__(self, plan: Plan, file: Path, database: Database, run_id: int) -> None:
        self.plan, self.file, self.run_id = plan, file, run_id
        self.told: list[tuple[str, Any]] = []
        self.commits: list[int] = []
        self.feed = _Feed()
        self.venue = WatchedVenue(plan.instruments, plan.cash, plan.costs, plan.funding)
        self.venue.told, self.venue.database_file = self.told, file
        self.feed.before = self.venue.play
        self.journal = WatchedJournal(
            database, run_id, plan.instruments,
            epoch=0, config_hash="c0ffee", now=lambda: SYSTEM_TIME, batch=plan.batch,
        )  # fmt: skip
        self.journal.told = self.told
        self.parts = _parts(plan, self.venue, self.journal)
        self.engine = AutoTradingEngine(
            Ports(SimulatedClock(), self.feed, self.venue), self.parts,
            opening_cash=plan.cash, interval_ms=plan.interval * MINUTE,
            snapshot_ms=plan.snapshot * MINUTE, stateful={"venue": self.venue},
            progress=self.commits.append,
        )  # fmt: skip

    def play(self, market: Sequence[MarketSlice]) -> None:
        """Play instants; nothing is committed that the engine does not commit by itself."""
        for instant in market:
            self.venue.play(instant)
            finished(self.engine.on_slice(instant))

    def run(self, market: Sequence[MarketSlice]) -> None:
        """Play instants as a run does, to the last commit."""
        self.feed.market = market
        finished(self.engine.run())

    def commit(self) -> None:
        self.engine.commit()

    def rows(self, table: str) -> list[Row]:
        """Return the committed rows of a table."""
        return read(self.file, table)

    @property
    def lots(self) -> list[int]:
        return [p.lots for p in self.parts.positions.positions]

    def tables(self) -> dict[str, list[Row]]:
        """Return all committed rows, and the checkpoint as it counts: balances have no order."""
        (row,) = self.rows("checkpoints")
        state = json.loads(row["state"])
        state["positions"]["ledger"].sort()
        return {**{t: self.rows(t) for t in TABLES}, "checkpoints": [state]}


class _Feed:
    def __init__(self) -> None:
        self.market: Sequence[MarketSlice] = ()
        self.before: Callable[[MarketSlice], None]

    async def slices(self) -> AsyncIterator[MarketSlice]:
        for instant in self.market:
            self.before(instant)
            yield instant


def _parts(plan: Plan, venue: SimulatedVenue, journal: Journal) -> Parts:
    n = len(plan.instruments)
    gates = [SymbolGate(MINUTE, plan.warm_bars) for _ in range(n)]
    monitor = MarketMonitor(plan.instruments, gates)
    positions = PositionManager(plan.instruments)
    risk = RiskManager(plan.limits, TradingCalendar(plan.zone), n, MINUTE)
    signals = AISignalGenerator(
        plan.instruments, plan.strategies, None, interval_is_timeframe=plan.interval == 1
    )
    executor = TradeExecutor(venue, journal, positions, risk)
    decisions = DecisionMaker(monitor, signals, risk, positions, executor, journal, MINUTE)
    emergency = EmergencyStop(
        risk, executor, positions, plan.flatten_on, journal, lambda: SYSTEM_TIME
    )
    return Parts(monitor, signals, risk, positions, executor, decisions, emergency, journal)


class Rigs:
    """Makes engines over databases in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: list[Database] = []

    def new(self, plan: Plan, *, opened: bool = True) -> Rig:
        """Return an engine on an empty database, its account open."""
        file = self._folder / f"engine{len(self._opened)}.db"
        shutil.copy(_migrated(), file)
        database = self._open(file)
        run_id = stored_run(database, symbols=[i.symbol for i in plan.instruments])
        rig = Rig(plan, file, database, run_id)
        if opened:
            rig.engine.open_account(START_MS)
        return rig

    def resumed(self, plan: Plan, stored: Path, run_id: int) -> Rig:
        """Return an engine that goes on from the checkpoint of a copied database."""
        rig = Rig(plan, stored, self._open(stored), run_id)
        (row,) = rig.rows("checkpoints")
        finished(rig.engine.restore(json.loads(row["state"])))
        return rig

    def close(self) -> None:
        for database in self._opened:
            database.dispose()

    def _open(self, file: Path) -> Database:
        database = open_database(f"sqlite:///{file}", durable=False, busy_seconds=0.05)
        self._opened.append(database)
        return database


@contextmanager
def rigs_in(folder: Path) -> Iterator[Rigs]:
    """Engines for one test; their databases are closed afterwards."""
    made = Rigs(folder)
    try:
        yield made
    finally:
        made.close()


def copied(file: Path, to: Path) -> Path:
    """Copy a database that is in use, as of its last commit."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


def read(file: Path, table: str = "orders") -> list[Row]:
    """Return the committed rows of a table, as SQLite holds them.

    Signals are sorted by time, symbol and strategy and have no id: the journal stores those that
    say nothing apart from the others.
    """
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()  # noqa: S608
    rows = [dict(row) for row in found]
    if table == "ai_signals_log":
        for row in rows:
            del row["id"]
        rows.sort(key=lambda r: (r["run_id"], r["created_at"], r["symbol"], r["strategy"]))
    return rows


def instants(*columns: Sequence[Bar | None]) -> list[MarketSlice]:
    """Return the instants of candles 0, 1, 2, ...: one column per symbol, None where none came."""
    return [
        MarketSlice(START_MS + (k + 1) * MINUTE, bars)
        for k, bars in enumerate(zip(*columns, strict=True))
    ]


def command(*arguments: object) -> Ended:
    """Run a command in this process, with the exits that a person gets.

    The environment is the caller's: a test sets `CTP_VAR_DIR` before.
    """
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            guarded(lambda: app([str(a) for a in arguments], prog_name="crypto_trader_pro"))
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())


@cache
def _migrated() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="ctp-engines-")
    _kept.append(folder)
    file = Path(folder.name) / "database.db"
    database = open_database(f"sqlite:///{file}")
    prepare(database)
    database.dispose()
    return file


_kept: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends
