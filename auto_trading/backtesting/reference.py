"""The reference engine: the main job's own classes over a simulated clock, nothing stored."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.memory_journal import MemoryJournal
from auto_trading.bootstrap import RunSpec, build_backtest, replay_model
from auto_trading.engine import AutoTradingEngine
from auto_trading.gateways.replay_feed import ReplayFeed
from auto_trading.gateways.simulated_venue import SimulatedVenue
from auto_trading.risk_manager import RiskManager
from auto_trading.signal_generator import AISignalGenerator, ModelSignals
from auto_trading.translation import MODEL_STRATEGY, costs_of
from config.settings import Settings
from crypto_trader_pro.backtest.result import (
    FILL_COLUMNS,
    FUNDING_COLUMNS,
    ORDER_COLUMNS,
    ROLES,
    STATUSES,
    BacktestResult,
)
from crypto_trader_pro.domain.instruments import money_units
from crypto_trader_pro.domain.ledger import CAPITAL
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.orders import Order
from utils.clocks import SimulatedClock

_ROLE: Final = {role: place for place, role in enumerate(ROLES)}
_STATUS: Final = {status: place for place, status in enumerate(STATUSES)}


class _Curve:
    """Notes the account's equity once each instant has been played."""

    risk: RiskManager  # the engine's, which has seen the equity at this close; set before the run

    def __init__(self, told: Callable[[int], None] | None) -> None:
        self._told = told
        self.close_ms: list[int] = []
        self.equity: list[int] = []

    def note(self, market: MarketSlice) -> None:
        self.close_ms.append(market.close_ms)
        self.equity.append(self.risk.equity)
        if self._told is not None:
            self._told(len(self.equity))


class Played(NamedTuple):
    """What a run gave.

    Args:
        model: what the model strategy says about itself; None without one.
        training_seconds: that its models took.
    """

    result: BacktestResult
    model: Mapping[str, Any] | None
    training_seconds: float


def run_reference(
    candles: Candles, strategies: Sequence[str], interval_ms: int, settings: Settings,
    var_dir: Path, *, signals: AISignalGenerator | None = None, keeps_masks: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Played:  # fmt: skip
    """Play the candles through the engine.

    Args:
        signals: computed beforehand; None lets the strategies compute them candle by candle.
        keeps_masks: keep every decision's verdict.
        progress: told the number of instants played, after each.
    """
    instruments = candles.instruments
    spec = _spec(candles, strategies, interval_ms, settings, var_dir)
    clock = SimulatedClock()
    paid = candles.funding if settings.paper.funding else {}
    venue = SimulatedVenue(
        instruments, money_units(settings.paper_equity), costs_of(settings), paid
    )
    journal = MemoryJournal([i.symbol for i in instruments], keeps_masks=keeps_masks)
    model = None
    if MODEL_STRATEGY in strategies and signals is None:
        model = replay_model(spec, candles.series, candles.funding, journal, list)
    curve = _Curve(progress)
    feed = ReplayFeed(
        candles.series, clock, venue.play, detail=candles.detail, after=curve.note
    )  # fmt: skip
    engine = build_backtest(spec, feed, clock, venue, journal, model, signals)
    curve.risk = engine.risk
    asyncio.run(_play(engine, candles.start_ms))
    result = _result(engine, journal, curve, candles, strategies)
    return Played(result, engine.model_report(), engine.training_seconds)


def model_of(
    candles: Candles, strategies: Sequence[str], interval_ms: int, settings: Settings, var_dir: Path
) -> ModelSignals:
    """Return the model strategy as a run would have it, to be asked beforehand."""
    spec = _spec(candles, strategies, interval_ms, settings, var_dir)
    journal = MemoryJournal([i.symbol for i in candles.instruments])
    return replay_model(spec, candles.series, candles.funding, journal, list)


def _spec(
    candles: Candles, strategies: Sequence[str], interval_ms: int, settings: Settings, var_dir: Path
) -> RunSpec:
    return RunSpec(
        0, candles.instruments, tuple(strategies), candles.timeframe_ms, interval_ms, settings,
        var_dir,
    )  # fmt: skip


async def _play(engine: AutoTradingEngine, start_ms: int) -> None:
    engine.open_account(start_ms)
    await engine.run()


def _result(
    engine: AutoTradingEngine, journal: MemoryJournal, curve: _Curve, candles: Candles,
    strategies: Sequence[str],
) -> BacktestResult:  # fmt: skip
    positions, risk = engine.parts.positions, engine.risk
    reasons: dict[str, int] = {"": 0}
    orders = [_order_row(o, journal, positions.index, strategies, reasons)
              for o in journal.orders.values()]  # fmt: skip
    return BacktestResult(
        instruments=candles.instruments,
        strategies=tuple(strategies),
        timeframe_ms=candles.timeframe_ms,
        opening=-positions.ledger.balance(CAPITAL, positions.asset),
        start_ms=candles.start_ms,
        close_ms=np.array(curve.close_ms, np.int64),
        equity=np.array(curve.equity, np.int64),
        fills=_table(journal.fills, FILL_COLUMNS),
        orders=_table(orders, ORDER_COLUMNS),
        reasons=tuple(reasons),
        funding=_table(journal.funding, FUNDING_COLUMNS),
        events=tuple(journal.events),
        refusals=dict(journal.refusals),
        outcomes=dict(journal.outcomes),
        time_in_state_ms=dict(risk.time_in_state),
        trading_state=risk.trading_state.value,
        max_drawdown_rate=risk.max_drawdown_rate,
        bars=engine.bars,
        cash=positions.cash,
        positions=tuple(p.lots for p in positions.positions),
        last=tuple(positions.last),
        masks=_table(journal.masks, 3),
    )  # fmt: skip


def _order_row(
    o: Order, journal: MemoryJournal, index: Mapping[str, int], strategies: Sequence[str],
    reasons: dict[str, int],
) -> tuple[int, ...]:  # fmt: skip
    """Return a row of `BacktestResult.orders`; a reason that is new joins `reasons`."""
    return (
        journal.number(o.client_order_id), index[o.symbol], o.side.sign, _ROLE[o.role.value],
        strategies.index(o.strategy) if o.strategy in strategies else -1,
        o.decided_ms, o.lots, o.filled_lots, o.fees, _STATUS[o.status.value],
        reasons.setdefault(o.reason, len(reasons)),
    )  # fmt: skip


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, columns)
