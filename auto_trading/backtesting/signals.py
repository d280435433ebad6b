"""What strategies say over whole series, as the table of events that the kernel reads.

Signals do not depend on the account, so that computing them beforehand gives what computing them
candle by candle would; the tests of both engines rest on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from auto_trading.market_monitor import MarketMonitor
from auto_trading.translation import CANDLE_STRATEGIES, MODEL_STRATEGY, candle_strategies, gate_of
from config.settings import Settings
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import Compiled
from crypto_trader_pro.backtest.kernel_state import Events, Flags
from crypto_trader_pro.backtest.market_grid import Grid
from crypto_trader_pro.domain.instruments import Instrument
from crypto_trader_pro.domain.market import CandleSeries, Ints
from crypto_trader_pro.domain.messages import MarketSlice
from crypto_trader_pro.domain.signals import Signal
from crypto_trader_pro.strategies.base import CandleStrategy
from crypto_trader_pro.strategies.trend_following import EmaCross


class ModelSource(Protocol):
    """The model strategy as `AISignalGenerator` uses it."""

    def observe(self, close_ms: int, monitor: MarketMonitor) -> None: ...

    def signal(self, i: int) -> Signal: ...

    def report(self) -> Mapping[str, Any]: ...

    @property
    def training_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True, eq=False)
class SignalTable:
    """Events by time, symbol and strategy, and the texts of their reasons."""

    events: Events
    reasons: tuple[str, ...]


@dataclass(slots=True)
class Reasons:
    """Texts that the events point to; those of the kernel come first."""

    texts: dict[str, int] = field(
        default_factory=lambda: {text: i for i, text in enumerate(k.KERNEL_REASONS)}
    )

    def place(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))


class Gate(NamedTuple):
    """What the data gate says of one series, candle by candle."""

    state: Flags  # 0 green, 1 exit only
    restart: Flags  # 1 where no candle comes right before
    volatility: Ints  # mean absolute move, parts of 1e8


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """The candles that strategies see.

    Args:
        series: one per symbol.
        gates: what the data gate says of each symbol's candles.
        interval_ms: decision period.
    """

    instruments: tuple[Instrument, ...]
    series: tuple[CandleSeries, ...]
    gates: tuple[Gate, ...]
    grid: Grid
    interval_ms: int

    @property
    def bar_ms(self) -> int:
        return self.series[0].timeframe_ms


def signal_table(
    tape: Tape, strategies: Sequence[str], settings: Settings, compiled: Compiled,
    model: ModelSource | None,
) -> SignalTable:  # fmt: skip
    """Return everything that the strategies say at the decisions of a run.

    Args:
        model: the model strategy, where it is among `strategies`.
    """
    reasons = Reasons()
    parts: list[Ints] = []
    orders: list[Ints] = []
    named = [name for name in strategies if name in CANDLE_STRATEGIES]
    for turn, (name, strategy) in enumerate(
        zip(named, candle_strategies(strategies, settings), strict=True)
    ):
        place = strategies.index(name)
        for s in range(len(tape.series)):
            rows = _latched(_events(tape, s, strategy, place, compiled, reasons), tape, s)
            parts.append(rows)
            orders.append(np.full(len(rows), turn))
    if model is not None:
        rows = _model_events(tape, strategies.index(MODEL_STRATEGY), settings, model, reasons)
        parts.append(rows)
        orders.append(np.full(len(rows), len(named)))
    for s in range(len(tape.series)):
        for part in parts:
            judged(part, tape, s)
    if len(parts) == 1:
        table = parts[0]
    else:
        table = np.concatenate(parts) if parts else np.empty((0, k.EV_COLUMNS), np.int64)
        turns = np.concatenate(orders) if orders else np.empty(0, np.int64)
        table = table[np.lexsort((turns, table[:, k.EV_SYMBOL], table[:, k.EV_ROW]))]
    return SignalTable(Events(np.ascontiguousarray(table)), tuple(reasons.texts))


def _events(
    tape: Tape, s: int, strategy: CandleStrategy, place: int, compiled: Compiled,
    reasons: Reasons,
) -> Ints:  # fmt: skip
    """Return the events of one strategy on one symbol; their rows are candles of the symbol."""
    if not isinstance(strategy, EmaCross):
        return stepped(tape, s, strategy, place, reasons)
    series = tape.series[s]
    first = reasons.place("cross_up")
    assert reasons.place("cross_down") == first + 1  # noqa: S101  the pass counts on it
    table = np.empty((len(series), k.EV_COLUMNS), np.int64)
    count = compiled.cross_pass(
        np.ascontiguousarray(series.close), tape.gates[s].restart,
        2.0 / (strategy.fast + 1), 2.0 / (strategy.slow + 1),
        strategy.warmup, int(strategy.shorts(tape.instruments[s])), strategy.stop_rate,
        strategy.target_rate, strategy.trail_rate, s, place, first, table,
    )  # fmt: skip
    return table[:count].copy()


def stepped(tape: Tape, s: int, strategy: CandleStrategy, place: int, reasons: Reasons) -> Ints:
    """Step a strategy that has no compiled pass through the candles."""
    stream = strategy.stream(tape.instruments[s])
    restarts = tape.gates[s].restart.tolist()
    rows = []
    for i, bar in enumerate(tape.series[s].bars()):
        if restarts[i]:
            stream.reset()
        signal = stream.step(bar)
        if signal.direction:
            rows.append(_row(i, s, place, signal, tape.bar_ms, reasons))
    return np.array(rows, np.int64).reshape(-1, k.EV_COLUMNS)


def _row(
    row: int, s: int, place: int, signal: Signal, bar_ms: int, reasons: Reasons
) -> tuple[int, ...]:
    model = signal.model
    return (
        row, s, place, signal.direction, int(signal.closes), int(signal.opens), signal.stop_units,
        signal.target_units, signal.trail_rate, signal.max_bars * bar_ms, int(model is not None),
        model.edge_mbp if model is not None else 0, reasons.place(signal.reason), 0, 0, 0, 0, 0,
    )  # fmt: skip


def _latched(table: Ints, tape: Tape, s: int) -> Ints:
    """Move events to rows of the grid, each to the decision that takes it.

    Between two decisions of the symbol the newest event of the strategy is kept.
    """
    rows = tape.grid.rows[s]
    table[:, k.EV_ROW] = rows[table[:, k.EV_ROW]]
    if tape.interval_ms == tape.bar_ms:
        return table
    closes = tape.grid.open_ms[rows] + tape.bar_ms
    decided = rows[closes % tape.interval_ms == 0]
    place = np.searchsorted(decided, table[:, k.EV_ROW], "left")
    table, place = table[place < len(decided)], place[place < len(decided)]
    table[:, k.EV_ROW] = decided[place]
    is_last = np.append(np.diff(place) > 0, True)[: len(table)]
    newest: Ints = table[is_last]
    return newest


def judged(table: Ints, tape: Tape, s: int) -> None:
    """Add what an entry of symbol `s` is judged by: the candle at whose close it is decided."""
    mine = np.flatnonzero(table[:, k.EV_SYMBOL] == s)
    candle = np.searchsorted(tape.grid.rows[s], table[mine, k.EV_ROW])
    series, gate = tape.series[s], tape.gates[s]
    before = series.close[np.maximum(candle - 1, 0)]
    table[mine, k.EV_PRICE] = series.close[candle]
    table[mine, k.EV_VOLUME] = series.volume[candle]
    table[mine, k.EV_REFERENCE] = np.where(candle > 0, before, series.open[candle])
    table[mine, k.EV_GATE] = gate.state[candle]
    table[mine, k.EV_VOLATILITY] = gate.volatility[candle]


def _slices(tape: Tape) -> Iterator[tuple[int, MarketSlice]]:
    from auto_trading.gateways.replay_feed import merged  # noqa: PLC0415

    return enumerate(merged(tape.series))


def _model_events(
    tape: Tape, place: int, settings: Settings, model: ModelSource, reasons: Reasons
) -> Ints:
    """Let the model watch the market as in a run, and ask it wherever a run would."""
    gates = [gate_of(tape.bar_ms, settings) for _ in tape.instruments]
    monitor = MarketMonitor(tape.instruments, gates)
    rows = []
    for row, market in _slices(tape):
        monitor.observe(market)
        model.observe(market.close_ms, monitor)
        if market.close_ms % tape.interval_ms:
            continue
        for s, bar in enumerate(monitor.bars):
            if bar is None:
                continue
            signal = model.signal(s)
            if signal.direction:
                rows.append(_row(row, s, place, signal, tape.bar_ms, reasons))
    return np.array(rows, np.int64).reshape(-1, k.EV_COLUMNS)
