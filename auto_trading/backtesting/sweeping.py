"""Many settings over the same candles, as fast as the machine: figures only, no trades kept.

One symbol and one strategy with a compiled pass run wholly in compiled code, on as many threads as
there are cores; everything else is for `Backtester.run`, which gives the same figures.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from auto_trading.backtesting.candles import Candles
from auto_trading.backtesting.compiled import machine_code, prepare, rules_of
from auto_trading.backtesting.signals import Tape
from auto_trading.translation import candle_strategies
from config.settings import Settings
from crypto_trader_pro.backtest import kernel_state as k
from crypto_trader_pro.backtest.compiler import Compiled
from crypto_trader_pro.backtest.equity_curve import day_rows
from crypto_trader_pro.backtest.kernel_run import REFUSALS, KernelRefused, Prepared, Workspace
from crypto_trader_pro.domain.market import Ints
from crypto_trader_pro.risk.limits import drawdown_rate
from crypto_trader_pro.strategies.trend_following import EmaCross


@dataclass(frozen=True, slots=True, eq=False)
class SweepRow:
    """Figures of one run. Money in money units.

    Args:
        daily: the opening, then the last equity of each UTC day that has a candle.
        trades: positions that were closed.
        max_drawdown_rate: parts of 1e8.
    """

    final: int
    daily: Ints
    orders: int
    fills: int
    trades: int
    max_drawdown_rate: int


class Sweeper:
    """One market, prepared once.

    Args:
        settings: those of the market: gate, trading day and funding are taken from them, and every
            variant must have the same.

    Raises:
        KernelRefused: several symbols or strategies, finer candles, a strategy without a compiled
            pass, or what `prepare` refuses.
    """

    def __init__(
        self, candles: Candles, strategies: Sequence[str], interval_ms: int, settings: Settings,
        var_dir: Path,
    ) -> None:  # fmt: skip
        if len(candles.series) != 1 or len(strategies) != 1 or candles.detail is not None:
            raise KernelRefused("a sweep in compiled code takes one symbol and one strategy")
        if interval_ms != candles.timeframe_ms:
            raise KernelRefused("a sweep in compiled code decides at every candle")
        self._candles, self._strategies = candles, tuple(strategies)
        self._interval_ms = interval_ms
        self._market_key = _market_key(settings)
        self._code: Compiled = machine_code(var_dir)
        self._prepared: Prepared
        self._tape: Tape
        self._prepared, self._tape = prepare(candles, strategies, interval_ms, settings, self._code)
        rows = self._prepared.market.rows[:, k.OPEN_MS] + candles.timeframe_ms
        self._day_rows = day_rows(rows)
        self._close = np.ascontiguousarray(candles.series[0].close)

    def run(self, variants: Sequence[Settings], threads: int) -> list[SweepRow]:
        """Run every variant; rows in the same order.

        Raises:
            KernelRefused: what the kernel cannot play; no row counts.
        """
        shares = [range(start, len(variants), threads) for start in range(threads)]
        rows: list[SweepRow | None] = [None] * len(variants)

        def work(share: range) -> None:
            room, table = self._room(64)
            for i in share:
                rows[i], room, table = self._one(variants[i], room, table)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, shares))
        return [row for row in rows if row is not None]

    def _room(self, orders: int) -> tuple[Workspace, Ints]:
        market = self._prepared.market
        table = np.empty((len(market.rows), k.EV_COLUMNS), np.int64)
        return Workspace.of(market, 1, orders), table

    def _one(
        self, settings: Settings, room: Workspace, table: Ints
    ) -> tuple[SweepRow, Workspace, Ints]:
        """Run one variant; the room grows until it is large enough, and is handed on."""
        (strategy,) = candle_strategies(self._strategies, settings)
        if not isinstance(strategy, EmaCross):
            raise KernelRefused(f"{strategy.name} has no compiled pass")
        if _market_key(settings) != self._market_key:
            raise KernelRefused("a variant has another gate, trading day or funding")
        rules = rules_of(self._candles, 1, self._interval_ms, settings, keeps_masks=False)
        gate, figures = self._tape.gates[0], np.empty(len(self._day_rows) + 2, np.int64)
        instrument = self._candles.instruments[0]
        while True:
            code = self._code.sweep_run(
                self._prepared.market, self._close, gate.state, gate.restart,
                gate.volatility, 2.0 / (strategy.fast + 1), 2.0 / (strategy.slow + 1),
                strategy.warmup, int(strategy.shorts(instrument)), strategy.stop_rate,
                strategy.target_rate, strategy.trail_rate, len(k.KERNEL_REASONS), rules,
                room.state, room.out, table, self._day_rows, figures,
            )  # fmt: skip
            if code == k.DONE:
                return self._row(room, figures, rules.terms.opening), room, table
            if code != k.FULL:
                raise KernelRefused(REFUSALS[code])
            room, _ = self._room(4 * len(room.out.orders))

    @staticmethod
    def _row(room: Workspace, figures: Ints, opening: int) -> SweepRow:
        a = room.state[-1]
        low, peak = int(figures[-2]), int(figures[-1])
        return SweepRow(
            final=int(a[k.EQUITY]),
            daily=np.concatenate(([opening], figures[:-2])),
            orders=int(a[k.ORDERS]),
            fills=int(a[k.FILLS]),
            trades=int(a[k.COUNT_TRADES]),
            max_drawdown_rate=drawdown_rate(low, peak),
        )


def _market_key(settings: Settings) -> tuple[object, ...]:
    data = settings.market_data
    return (
        data.warm_bars, data.outlier_multiple, settings.engine.trading_day_timezone,
        settings.paper.funding,
    )  # fmt: skip
