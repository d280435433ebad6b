"""The table of figures of a backtest, each with its sample and, where one is honest, its interval.

The plain table needs NumPy only. Intervals by bootstrap are computed on request: they load `arch`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.account_metrics import (
    MIN_CLOSED_TRADES,
    profit_factor,
    yearly_return,
)
from crypto_trader_pro.backtest.block_bootstrap import can_be_resampled, resamples
from crypto_trader_pro.backtest.closed_trades import RoundTrips, round_trips
from crypto_trader_pro.backtest.curve_metrics import DAILY, curve_metrics, usable_returns
from crypto_trader_pro.backtest.equity_curve import EquityCurve, curve_of, daily_equity
from crypto_trader_pro.backtest.metric import LEVEL, ConfidenceInterval, Method, Metric
from crypto_trader_pro.backtest.result import BacktestResult
from crypto_trader_pro.backtest.trade_metrics import (
    cost_metrics,
    profits_of,
    sqn,
    trade_metrics,
)
from crypto_trader_pro.domain.market import Floats
from crypto_trader_pro.domain.units import MONEY

RUNS: Final = 1000  # resamples behind an interval
MOST_UNDEFINED: Final = 0.01  # of the resamples may lack the statistic, or there is no interval


def performance(
    result: BacktestResult,
    trips: RoundTrips | None = None,
    *,
    intervals: bool = False,
    seed: int = 1,
) -> dict[str, Metric]:
    """Return code -> figure, in the order of a table.

    Args:
        trips: the closed trades, where they have been found already.
        intervals: compute bootstrap intervals too; seconds, because it loads `arch`.
        seed: of the bootstrap.
    """
    trades = round_trips(result) if trips is None else trips
    found = (
        *curve_metrics(curve_of(result)),
        *trade_metrics(trades),
        *cost_metrics(result, trades),
    )
    table = {metric.code: metric for metric in found}
    return with_intervals(table, result, trades, seed) if intervals else table


def with_intervals(
    table: dict[str, Metric], result: BacktestResult, trips: RoundTrips, seed: int
) -> dict[str, Metric]:
    """Return the table with percentile intervals of a stationary bootstrap.

    Daily figures are resampled by days, figures of trades by trades in the order of their closing.
    A metric without a value, or whose interval does not need a bootstrap, stays as it is; the
    Sharpe ratio's replaces the one of Lo, which takes returns as independent and normal.
    """
    generator = np.random.default_rng(seed)
    found = _daily_intervals(curve_of(result), generator)
    found.update(_trade_intervals(trips, generator))
    return {
        code: replace(metric, interval=found[code])
        if code in found and metric.value is not None
        else metric
        for code, metric in table.items()
    }


def _daily_intervals(
    curve: EquityCurve, generator: np.random.Generator
) -> dict[str, ConfidenceInterval]:
    returns = usable_returns(daily_equity(curve))
    if returns is None or not can_be_resampled(returns):
        return {}
    drawn = resamples(returns, RUNS, generator)
    statistics: dict[str, Callable[[Floats], float | None]] = {row[0]: row[1] for row in DAILY}
    statistics["return"] = lambda values: float(np.prod(1.0 + values)) - 1.0
    statistics["cagr"] = lambda values: yearly_return(float(np.prod(1.0 + values)), curve.days)
    return _percentiles(drawn, statistics)


def _trade_intervals(
    trips: RoundTrips, generator: np.random.Generator
) -> dict[str, ConfidenceInterval]:
    profits = profits_of(trips.closed).astype(np.float64)
    if len(profits) < MIN_CLOSED_TRADES or not can_be_resampled(profits):
        return {}
    drawn = resamples(profits, RUNS, generator)
    return _percentiles(
        drawn,
        {
            "expectancy": lambda values: float(values.mean()) / MONEY,
            "profit_factor": _factor,
            "sqn": sqn,
        },
    )


def _factor(profits: Floats) -> float | None:
    gains = float(profits[profits > 0].sum())
    return profit_factor(Decimal(gains), Decimal(gains - float(profits.sum())))


def _percentiles(
    drawn: Iterable[Floats], statistics: dict[str, Callable[[Floats], float | None]]
) -> dict[str, ConfidenceInterval]:
    values: dict[str, list[float]] = {code: [] for code in statistics}
    for part in drawn:
        for row in part:
            for code, statistic in statistics.items():
                value = statistic(row)
                if value is not None:
                    values[code].append(value)
    found = {}
    for code, known in values.items():
        if len(known) >= (1.0 - MOST_UNDEFINED) * RUNS:
            low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            found[code] = ConfidenceInterval(float(low), float(high), Method.BOOTSTRAP)
    return found
