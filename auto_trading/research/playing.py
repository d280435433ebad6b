"""One backtest of a study: what it is asked, and what is kept of it. Runs in a worker."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite, sqrt
from typing import Any

import numpy as np

from auto_trading.backtesting.backtester import Backtest, Backtester
from auto_trading.backtesting.request import EngineName
from auto_trading.research.parameters import params_hash, with_params
from config.settings import Settings
from crypto_trader_pro.backtest.candle_noise import perturbed
from crypto_trader_pro.backtest.curve_metrics import curve_metrics
from crypto_trader_pro.backtest.equity_curve import EquityCurve, curve_of, daily_equity
from crypto_trader_pro.backtest.metric import Metric
from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR
from crypto_trader_pro.backtest.performance import performance
from crypto_trader_pro.backtest.result import FILL_AT, FILL_FEE
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.instruments import Instrument

Told = dict[str, Any]  # JSON values


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What all backtests of a study have in common; it is sent to every worker once."""

    backtester: Backtester
    settings: Settings
    engine: EngineName

    @property
    def strategies(self) -> tuple[str, ...]:
        return self.backtester.request.market.strategies


@dataclass(frozen=True, slots=True)
class Case:
    """One backtest.

    Args:
        params: laid over the settings of the world.
        from_ms, to_ms: a part of the loaded range.
        counts_ms: what is kept begins here: everything before was for the strategies to warm up.
        fees: multiple of the venue's fees.
        noise: standard deviation of a random change of every price, a fraction of it; 0 is none.
        seed: of the noise.
        trades: tell the figures of closed trades too; finding them takes longer than the kernel.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    from_ms: int | None = None
    to_ms: int | None = None
    counts_ms: int | None = None
    fees: Decimal = Decimal(1)
    noise: float = 0.0
    seed: int = 0
    trades: bool = False


def play(world: World, case: Case) -> Told:
    """Run one backtest and return what is kept of it.

    Raises:
        InputError: parameters, candles or a range that cannot be run.
    """
    return told(run(world, case), case.counts_ms, trades=case.trades)


def run(world: World, case: Case, *, keeps_masks: bool = False) -> Backtest:
    """Run one backtest.

    Raises:
        InputError: as `play`.
    """
    settings = with_params(world.settings, case.params)
    return _changed(world.backtester, case).run(
        settings, engine=world.engine, from_ms=case.from_ms, to_ms=case.to_ms,
        keeps_masks=keeps_masks,
    )  # fmt: skip


def told(backtest: Backtest, counts_ms: int | None = None, *, trades: bool = False) -> Told:
    """Return what is kept of a backtest, as JSON values; money in money units, times in ms.

    Args:
        counts_ms: as of a case. From there on only the curve's figures are told, because a trade
            may have begun before.
        trades: tell the figures of closed trades too.
    """
    result = backtest.result
    curve = curve_of(result)
    if counts_ms is not None:
        curve = _curve_from(curve, counts_ms)
    if trades and counts_ms is None:
        metrics = performance(result)
    else:
        metrics = {metric.code: metric for metric in curve_metrics(curve)}
    inside = result.fills[:, FILL_AT] >= curve.start_ms
    daily = daily_equity(curve)
    sharpe = metrics["sharpe"].value
    return {
        "engine": backtest.engine,
        "refused": backtest.refused,
        "params_hash": params_hash(backtest.settings, result.strategies),
        "start_ms": curve.start_ms,
        "end_ms": curve.end_ms,
        "opening": curve.opening,
        "final": curve.final,
        "fills": int(inside.sum()),
        "fees": int(result.fills[inside, FILL_FEE].sum()),
        "metrics": {code: _number(metric) for code, metric in metrics.items()},
        "daily_sharpe": None if sharpe is None else float(sharpe) / sqrt(DAYS_PER_YEAR),
        "first_day_ms": int(daily.day_ms[0]) if len(daily.day_ms) else None,
        "daily_equity": daily.equity.tolist(),
    }


def _curve_from(curve: EquityCurve, at_ms: int) -> EquityCurve:
    """Return the curve after `at_ms`; it opens with the equity of that instant."""
    first = int(np.searchsorted(curve.close_ms, at_ms, "right"))
    opening = int(curve.equity[first - 1]) if first else curve.opening
    return EquityCurve(opening, at_ms, curve.close_ms[first:], curve.equity[first:])


def _number(metric: Metric) -> float | int | str | None:
    """Return a metric's value; Decimals, which are money, as text."""
    value = metric.value
    if isinstance(value, Decimal):
        return format(value, "f")
    return value if value is None or isfinite(value) else None


def _changed(backtester: Backtester, case: Case) -> Backtester:
    """Return the backtester with the case's fees and noise."""
    candles = backtester.candles
    if case.fees != 1:
        changed = tuple(_with_fees(i, case.fees) for i in candles.instruments)
        candles = replace(candles, instruments=changed)
    if case.noise:
        if candles.detail is not None:
            raise InputError("candle noise and a detail timeframe do not go together")
        # a stream of its own for each symbol: adding a symbol changes none of the others
        series = tuple(
            perturbed(s, case.noise, np.random.default_rng([case.seed, i]))
            for i, s in enumerate(candles.series)
        )
        candles = replace(candles, series=series)
    return backtester if candles is backtester.candles else replace(backtester, candles=candles)


def _with_fees(instrument: Instrument, times: Decimal) -> Instrument:
    return replace(
        instrument, maker_fee=instrument.maker_fee * times, taker_fee=instrument.taker_fee * times
    )
