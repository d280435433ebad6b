"""The composition root: which clock, feed and venue. The only place that asks for the mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine as Database

from auto_trading.decision_maker import DecisionMaker
from auto_trading.emergency_stop import EmergencyStop
from auto_trading.engine import AutoTradingEngine, Parts, Ports
from auto_trading.gateways.replay_feed import NoFeed, ReplayFeed
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.gateways.venue_book import FundingEvent
from auto_trading.journal_port import EngineJournal, ShadowBook
from auto_trading.live_status import ModelStatus
from auto_trading.market_monitor import MarketMonitor
from auto_trading.position_manager import PositionManager
from auto_trading.risk_manager import RiskManager
from auto_trading.session import TradingSession
from auto_trading.signal_generator import AISignalGenerator, ModelSignals
from auto_trading.trade_executor import TradeExecutor
from auto_trading.translation import (
    MODEL_STRATEGY,
    ai_config,
    candle_strategies,
    costs_of,
    enabled_strategies,
    gate_of,
    limits_of,
)
from config.settings import Settings
from crypto_trader_pro.domain.calendar import TradingCalendar
from crypto_trader_pro.domain.enums import EmergencyTrigger
from crypto_trader_pro.domain.instruments import Instrument, money_units
from crypto_trader_pro.domain.market import CandleSeries
from crypto_trader_pro.domain.orders import Order
from crypto_trader_pro.domain.ports import ExchangeGateway, MarketFeed
from database.fence import OPEN, Fence
from database.journal import Journal, News
from database.run_results import shadow_results
from utils.clocks import SimulatedClock

_NEVER_MS = 1 << 62  # no candle closes at a multiple of it
REPLAY_BATCH = 2_000  # decisions per commit when nothing is sent
REPLAY_TRIES = 12  # a replay has nobody waiting: it waits a minute for a locked database


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run is made of, whatever its mode."""

    run_id: int
    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]
    timeframe_ms: int
    interval_ms: int
    settings: Settings
    var_dir: Path
    epoch: int = 0
    opening_cash: int = 0  # money units; 0 is what the settings say


def build_replay(
    spec: RunSpec,
    series: Sequence[CandleSeries],
    funding: Mapping[str, Sequence[FundingEvent]],
    database: Database,
    system_now: Callable[[], datetime],
    *,
    after_ms: int = 0,
    pause_seconds: float = 0.0,
    progress: Callable[[int], None] | None = None,
    lease: tuple[str, int] | None = None,
) -> AutoTradingEngine:
    """Return an engine over recorded candles, a simulated clock and the simulated venue.

    Args:
        after_ms: instants up to this one are not played again (a resumed run).
        pause_seconds: waiting time between two instants, 0 to play as fast as possible.
        lease: name and epoch of the lease without which no commit counts.
    """
    clock = SimulatedClock()
    cash = money_units(spec.settings.paper_equity)
    paid = funding if spec.settings.paper.funding else {}
    venue = SimulatedVenue(spec.instruments, cash, costs_of(spec.settings), paid)
    feed = ReplayFeed(
        series, clock, venue.play,
        after_ms, pause_seconds,
    )  # fmt: skip
    journal = _journal(spec, database, system_now, lease)
    model = None
    if MODEL_STRATEGY in spec.strategies:
        model = replay_model(
            spec, series, funding, journal, lambda: shadow_results(database, spec.run_id)
        )
    parts = _parts(spec, venue, journal, model, system_now)
    return AutoTradingEngine(
        Ports(clock, feed, venue), parts,
        opening_cash=cash, interval_ms=spec.interval_ms, stateful={"venue": venue},
        progress=progress,
    )  # fmt: skip


def build_backtest(
    spec: RunSpec, feed: MarketFeed, clock: SimulatedClock, venue: SimulatedVenue,
    journal: EngineJournal, model: ModelSignals | None, signals: AISignalGenerator | None = None,
) -> AutoTradingEngine:  # fmt: skip
    """Return the engine of the main job for a run that nothing is stored of.

    Args:
        signals: computed beforehand, instead of the strategies.
    """
    cash = money_units(spec.settings.paper_equity)
    parts = _parts(spec, venue, journal, model, clock.now, signals)
    return AutoTradingEngine(
        Ports(clock, feed, venue), parts,
        opening_cash=cash, interval_ms=spec.interval_ms, snapshot_ms=_NEVER_MS,
    )  # fmt: skip


class LiveSignals(ModelSignals, Protocol):
    """The model strategy of a living session: its models come in from outside."""

    def install(self, facts: Mapping[str, Any]) -> bool: ...

    @property
    def status(self) -> ModelStatus: ...


@dataclass(frozen=True, slots=True)
class LivingTools:
    """What a living session needs from its surroundings."""

    database: Database
    now: Callable[[], datetime]  # system time
    fence: Fence = OPEN
    account: str | None = None  # whose lease must be ours; None where a record is repeated
    tell: Callable[[Sequence[News]], None] | None = None
    may_enter: Callable[[Order], str] | None = None
    model: Callable[[RunSpec, Journal], LiveSignals] | None = None
    records: bool = True
    candles_fill: bool = False
    batch: int = 1  # decisions per commit when nothing is sent
    carried: Mapping[str, Any] | None = None  # day, peak and halt of the session before this one


@dataclass(frozen=True, slots=True)
class LivingCore:
    """An engine over a market that goes on, with the paper venue."""

    engine: AutoTradingEngine
    venue: SimulatedVenue
    model: LiveSignals | None

    @property
    def status(self) -> ModelStatus | None:
        return None if self.model is None else self.model.status

    def install(self, facts: Mapping[str, Any]) -> None:
        if self.model is not None:
            self.model.install(facts)


@dataclass(frozen=True, slots=True)
class SessionPart:
    """The session's own share of the checkpoint."""

    session: TradingSession

    def state(self) -> Mapping[str, Any]:
        return self.session.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self.session.restore_own(state)


def build_living(spec: RunSpec, tools: LivingTools) -> TradingSession:
    """Return a session on paper money: inputs are brought to it, it fetches nothing itself."""
    journal = Journal(
        tools.database, spec.run_id, spec.instruments,
        epoch=spec.epoch, config_hash=spec.settings.hash(), now=tools.now,
        batch=tools.batch, account=tools.account, fence=tools.fence, tell=tools.tell,
    )  # fmt: skip
    cash = spec.opening_cash or money_units(spec.settings.paper_equity)

    def make(settings: Settings, session: TradingSession) -> LivingCore:
        own = replace(spec, settings=settings, strategies=tuple(enabled_strategies(settings)))
        venue = SimulatedVenue(
            own.instruments, cash, costs_of(settings), ticks=not tools.candles_fill
        )
        model = None
        if tools.model is not None and MODEL_STRATEGY in own.strategies:
            model = tools.model(own, journal)
        parts = _parts(own, venue, journal, model, tools.now)
        if tools.may_enter is not None:
            parts.executor.may_enter = tools.may_enter
        engine = AutoTradingEngine(
            Ports(SimulatedClock(), NoFeed(), venue), parts,
            opening_cash=cash, interval_ms=own.interval_ms,
            stateful={"venue": venue, "session": SessionPart(session)},
        )  # fmt: skip
        return LivingCore(engine, venue, model)

    return TradingSession(
        make, journal, spec.settings, records=tools.records, candles_fill=tools.candles_fill,
        carried=tools.carried,
    )  # fmt: skip


def replay_model(
    spec: RunSpec, series: Sequence[CandleSeries], funding: Mapping[str, Sequence[FundingEvent]],
    book: ShadowBook, earlier: Callable[[], Sequence[tuple[int, int, int, int]]],
) -> ModelSignals:  # fmt: skip
    """Return the model strategy over recorded candles; `earlier` as in `ReplayModel`."""
    # LightGBM and scikit-learn take seconds to import and are needed for this strategy alone
    from auto_trading.model_signals import ReplayModel  # noqa: PLC0415
    from auto_trading.model_store import ModelFolder  # noqa: PLC0415
    from auto_trading.model_world import ModelWorld  # noqa: PLC0415

    settings = spec.settings
    cfg = ai_config(settings, spec.instruments)
    return ReplayModel(
        ModelWorld.build(spec.instruments, series, funding, cfg), cfg, book,
        ModelFolder(spec.var_dir / "models"),
        mode=settings.engine.trading_mode,
        trade_unproven=settings.paper.trade_unproven,
        bar_ms=spec.timeframe_ms,
        earlier=earlier,
    )  # fmt: skip


def _journal(
    spec: RunSpec, database: Database, system_now: Callable[[], datetime],
    lease: tuple[str, int] | None,
) -> Journal:  # fmt: skip
    account, epoch = lease or (None, None)
    return Journal(
        database, spec.run_id, spec.instruments,
        epoch=spec.epoch, config_hash=spec.settings.hash(), now=system_now,
        batch=REPLAY_BATCH, tries=REPLAY_TRIES, account=account, lease_epoch=epoch,
    )  # fmt: skip


def _parts(
    spec: RunSpec, gateway: ExchangeGateway, journal: EngineJournal, model: ModelSignals | None,
    system_now: Callable[[], datetime], signals: AISignalGenerator | None = None,
) -> Parts:  # fmt: skip
    """Build what is the same in every mode."""
    settings = spec.settings
    gates = [gate_of(spec.timeframe_ms, settings) for _ in spec.instruments]
    monitor = MarketMonitor(spec.instruments, gates, fingerprints=journal.counted is None)
    positions = PositionManager(spec.instruments)
    calendar = TradingCalendar(settings.engine.trading_day_timezone)
    symbols = len(spec.instruments)
    risk = RiskManager(limits_of(settings), calendar, symbols, spec.timeframe_ms)
    signals = signals or AISignalGenerator(
        spec.instruments, candle_strategies(spec.strategies, settings), model,
        interval_is_timeframe=spec.interval_ms == spec.timeframe_ms,
    )  # fmt: skip
    executor = TradeExecutor(gateway, journal, positions, risk)
    decisions = DecisionMaker(
        monitor, signals, risk, positions, executor, journal, spec.timeframe_ms
    )
    flatten = [t for t in EmergencyTrigger if settings.emergency_stop.flattens(t)]
    emergency = EmergencyStop(risk, executor, positions, flatten, journal, system_now)
    return Parts(monitor, signals, risk, positions, executor, decisions, emergency, journal)
