"""The figures of closed trades and of what trading cost."""

from collections.abc import Iterable
from decimal import Decimal
from math import sqrt
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.account_metrics import (
    MIN_CLOSED_TRADES,
    expectancy,
    profit_factor,
)
from crypto_trader_pro.backtest.closed_trades import RoundTrip, RoundTrips
from crypto_trader_pro.backtest.metric import (
    ConfidenceInterval,
    Counts,
    Method,
    Metric,
    Missing,
    Unit,
    around,
    wilson,
)
from crypto_trader_pro.backtest.metrics import win_rate
from crypto_trader_pro.backtest.result import (
    FILL_LOTS,
    FILL_PRICE,
    FILL_SYMBOL,
    BacktestResult,
)
from crypto_trader_pro.domain.instruments import money
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.units import MONEY

MIN_NORMAL_TRADES: Final = 30  # fewer means of skewed profits are not normal; Van Tharp asks 30


def profits_of(trips: Iterable[RoundTrip]) -> Ints:
    """Return the profits in the order of the trades, money units."""
    return np.array([trip.profit for trip in trips], dtype=np.int64)


def profit_factor_of(profits: Ints) -> float | None:
    """Return all gains over all losses; None without a loss."""
    # in Python's numbers: the gains of a long run may pass 64 bits
    gains = sum(profits[profits > 0].tolist())
    return profit_factor(Decimal(gains), Decimal(-sum(profits[profits < 0].tolist())))


def sqn(profits: Floats) -> float | None:
    """Return the System Quality Number: sqrt(n) * mean / standard deviation (ddof 1) of profits.

    It is the t statistic of the mean profit and grows with n (no cap at 100 trades, as in
    backtrader and backtesting.py). None with fewer than `MIN_NORMAL_TRADES` or without deviation.

    Source: V. K. Tharp, "Definitive Guide to Position Sizing Strategies" (2008).
    """
    if len(profits) < MIN_NORMAL_TRADES:
        return None
    deviation = float(profits.std(ddof=1))
    return sqrt(len(profits)) * float(profits.mean()) / deviation if deviation > 0 else None


def trade_metrics(trips: RoundTrips) -> tuple[Metric, ...]:
    """Return the figures of the closed trades, profits after fees and funding."""
    profits = profits_of(trips.closed)
    n = len(profits)
    wins = int((profits > 0).sum())
    few = n < MIN_CLOSED_TRADES
    factor = None if few else profit_factor_of(profits)
    quality = sqn(profits.astype(np.float64))
    return (
        Metric("trades", n, Unit.COUNT, n, Counts.TRADES),
        _metric("win_rate", None if few else win_rate(wins, n), Unit.FRACTION, n, wilson(wins, n)),
        _metric("profit_factor", factor, Unit.RATIO, n, needs=MIN_CLOSED_TRADES),
        _metric(
            "expectancy",
            None if few else expectancy(money(int(profits.sum())), n),
            Unit.MONEY, n, _mean_interval(profits / MONEY),
        ),
        _metric(
            "sqn", quality, Unit.RATIO, n,
            needs=MIN_NORMAL_TRADES, otherwise=Missing.NO_VARIATION,
        ),
    )  # fmt: skip


def _metric(
    code: str,
    value: float | Decimal | None,
    unit: Unit,
    n: int,
    interval: ConfidenceInterval | None = None,
    *,
    needs: int = MIN_CLOSED_TRADES,
    otherwise: Missing = Missing.NO_LOSS,
) -> Metric:
    if value is None:
        missing = Missing.TOO_FEW if n < needs else otherwise
        return Metric(code, None, unit, n, Counts.TRADES, missing=missing)
    return Metric(code, value, unit, n, Counts.TRADES, interval)


def _mean_interval(profits: Floats) -> ConfidenceInterval | None:
    if len(profits) < MIN_NORMAL_TRADES:
        return None
    error = float(profits.std(ddof=1)) / sqrt(len(profits))
    return around(float(profits.mean()), error, Method.NORMAL)


def exposure(trips: RoundTrips, start_ms: int, end_ms: int) -> float:
    """Return the share of the time in which at least one symbol had a position.

    From first to last fill of each trade, overlaps counted once.
    """
    lives = (*trips.closed, *trips.open)
    if not lives or end_ms <= start_ms:
        return 0.0
    opened = np.array([trip.opened_ms for trip in lives], np.int64)
    closed = np.array(
        [end_ms if trip.closed_ms is None else trip.closed_ms for trip in lives], np.int64
    )
    order = np.argsort(opened)
    opened, closed = opened[order], closed[order]
    reached = np.concatenate(([start_ms], np.maximum.accumulate(closed)[:-1]))
    covered = np.maximum(0, closed - np.maximum(opened, reached))
    return int(covered.sum()) / (end_ms - start_ms)


def traded_value(result: BacktestResult) -> Floats:
    """Return the notional of each fill, money units as floats: a sum of them may pass 64 bits."""
    fills = result.fills
    tv = np.array([what.tv for what in result.instruments], np.float64)[fills[:, FILL_SYMBOL]]
    value: Floats = fills[:, FILL_PRICE] * fills[:, FILL_LOTS].astype(np.float64) * tv
    return value


def cost_metrics(result: BacktestResult, trips: RoundTrips) -> tuple[Metric, ...]:
    """Return exposure, turnover, fees and funding.

    Turnover is the value of all fills over the mean equity, of the whole run and not of a year.
    """
    closes, fills = len(result.close_ms), len(result.fills)
    end_ms = int(result.close_ms[-1]) if closes else result.start_ms
    mean = float(result.equity.mean()) if closes else float(result.opening)
    turnover = float(traded_value(result).sum()) / mean if mean > 0 else None
    return (
        Metric(
            "exposure", exposure(trips, result.start_ms, end_ms),
            Unit.FRACTION, len(trips.closed) + len(trips.open), Counts.TRADES,
        ),
        Metric(
            "turnover", turnover, Unit.TIMES, fills, Counts.FILLS,
            missing=None if turnover is not None else Missing.NOTHING_LEFT,
        ),
        Metric("fees", money(result.fees), Unit.MONEY, fills, Counts.FILLS),
        Metric(
            "funding", money(result.funding_received),
            Unit.MONEY, len(result.funding), Counts.PAYMENTS,
        ),
    )  # fmt: skip
