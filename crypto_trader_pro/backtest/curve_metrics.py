"""The figures that an equity curve alone gives: growth, risk and their ratios.

Ratios and yearly figures come from daily closes in UTC and 365 days a year; the drawdown sees every
candle close.
"""

from collections.abc import Callable, Iterable
from math import ceil, sqrt
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.account_metrics import (
    MIN_CALMAR_RETURNS,
    Fall,
    calmar_ratio,
    deepest_fall,
    sharpe_error,
    yearly_return,
)
from crypto_trader_pro.backtest.equity_curve import (
    DAY_MS,
    DailyEquity,
    EquityCurve,
    daily_equity,
)
from crypto_trader_pro.backtest.metric import (
    ConfidenceInterval,
    Counts,
    Method,
    Metric,
    Missing,
    Unit,
    around,
)
from crypto_trader_pro.backtest.metrics import (
    DAYS_PER_YEAR,
    MIN_RATIO_RETURNS,
    MIN_VAR_RETURNS,
    VAR_CONFIDENCE,
    historical_var,
    sharpe_ratio,
    sortino_ratio,
)
from crypto_trader_pro.domain.market import Floats

TAIL_SHARE: Final = 0.05  # of the returns in each tail of the tail ratio


def volatility(returns: Floats) -> float | None:
    """Return the standard deviation (ddof 1) of daily returns times sqrt(365).

    None with fewer than `MIN_RATIO_RETURNS` returns.
    """
    if len(returns) < MIN_RATIO_RETURNS:
        return None
    return float(returns.std(ddof=1)) * sqrt(DAYS_PER_YEAR)


def expected_shortfall(returns: Floats, confidence: float = VAR_CONFIDENCE) -> float | None:
    """Return the mean loss of the worst ceil(n * tail) days, a fraction of equity >= 0.

    The days that `historical_var` takes its quantile from, so it is never smaller. None with fewer
    than 1 / tail returns.

    Source: C. Acerbi and D. Tasche, "On the Coherence of Expected Shortfall", Journal of Banking
    and Finance 26 (2002).
    """
    tail = 1.0 - confidence
    if len(returns) < ceil(round(1.0 / tail, 9)):
        return None
    worst = np.sort(returns)[: ceil(round(len(returns) * tail, 9))]
    return max(0.0, -float(worst.mean()))


def tail_ratio(returns: Floats) -> float | None:
    """Return the 95th percentile of daily returns over the size of the 5th.

    Above 1 the good days are larger than the bad ones. None with fewer than `MIN_VAR_RETURNS`
    returns or where the 5th percentile is no loss.

    Source: as in `empyrical.tail_ratio`.
    """
    if len(returns) < MIN_VAR_RETURNS:
        return None
    # `np.percentile` would import numpy.ma: 40 ms of the whole table's 60
    places = np.array([TAIL_SHARE, 1.0 - TAIL_SHARE]) * (len(returns) - 1)
    low, high = np.interp(places, np.arange(len(returns)), np.sort(returns)).tolist()
    return high / -low if low < 0 else None


# code -> statistic of daily returns, its unit, how many it needs, why it is missing with enough
DAILY: Final[tuple[tuple[str, Callable[[Floats], float | None], Unit, int, Missing], ...]] = (
    ("volatility", volatility, Unit.FRACTION, MIN_RATIO_RETURNS, Missing.NO_VARIATION),
    ("sharpe", sharpe_ratio, Unit.RATIO, MIN_RATIO_RETURNS, Missing.NO_VARIATION),
    ("sortino", sortino_ratio, Unit.RATIO, MIN_RATIO_RETURNS, Missing.NO_LOSS),
    ("var_95", historical_var, Unit.FRACTION, MIN_VAR_RETURNS, Missing.TOO_FEW),
    ("es_95", expected_shortfall, Unit.FRACTION, MIN_VAR_RETURNS, Missing.TOO_FEW),
    ("tail_ratio", tail_ratio, Unit.RATIO, MIN_VAR_RETURNS, Missing.NO_LOSS),
)


def usable_returns(daily: DailyEquity) -> Floats | None:
    """Return the daily returns; None where an equity was not above zero."""
    return daily.returns if bool((daily.equity > 0).all()) else None


def curve_metrics(curve: EquityCurve) -> tuple[Metric, ...]:
    """Return the figures of a curve, in the order of a table."""
    daily = daily_equity(curve)
    returns = usable_returns(daily)
    fall = deepest_fall(curve.equity, curve.opening)
    return (
        Metric("days", curve.days, Unit.DAYS, len(curve.close_ms), Counts.CLOSES),
        Metric("return", curve.change, Unit.FRACTION, len(curve.close_ms), Counts.CLOSES),
        _yearly(curve, len(daily.day_ms)),
        *_of_returns(returns, len(daily.day_ms)),
        *_of_fall(curve, fall, len(daily.day_ms)),
    )


def _yearly(curve: EquityCurve, sample: int) -> Metric:
    value = yearly_return(1.0 + curve.change, curve.days)
    missing = None if value is not None else _why_not_yearly(curve)
    return Metric("cagr", value, Unit.FRACTION, sample, Counts.DAYS, missing=missing)


def _why_not_yearly(curve: EquityCurve) -> Missing:
    return Missing.TOO_FEW if curve.days < MIN_CALMAR_RETURNS else Missing.NOTHING_LEFT


def _of_returns(returns: Floats | None, sample: int) -> Iterable[Metric]:
    for code, statistic, unit, needs, otherwise in DAILY:
        value = None if returns is None else statistic(returns)
        missing = None
        if returns is None:
            missing = Missing.NOTHING_LEFT
        elif value is None:
            missing = Missing.TOO_FEW if sample < needs else otherwise
        interval = None
        if code == "sharpe" and value is not None and returns is not None:
            interval = _lo(returns, value)
        yield Metric(code, value, unit, sample, Counts.DAYS, interval, missing)


def _lo(returns: Floats, ratio: float) -> ConfidenceInterval | None:
    error = sharpe_error(returns)
    return None if error is None else around(ratio, error, Method.LO)


def _of_fall(curve: EquityCurve, fall: Fall | None, days: int) -> Iterable[Metric]:
    """The deepest fall, how long it took to be made good (or lasts), and Calmar over it."""
    depth = fall.fraction if fall is not None else 0.0
    closes = len(curve.close_ms)
    yield Metric("max_drawdown", depth, Unit.FRACTION, closes, Counts.CLOSES)
    length = 0.0
    if fall is not None and depth > 0:
        until = len(curve.close_ms) if fall.recovered is None else fall.recovered
        length = float(_instant(curve, until) - _instant(curve, fall.peak)) / DAY_MS
    yield Metric("max_drawdown_days", length, Unit.DAYS, closes, Counts.CLOSES)
    calmar = calmar_ratio(1.0 + curve.change, curve.days, depth)
    missing = None
    if calmar is None:
        missing = Missing.NO_LOSS if _has_year(curve) else _why_not_yearly(curve)
    yield Metric("calmar", calmar, Unit.RATIO, days, Counts.DAYS, missing=missing)


def _instant(curve: EquityCurve, place: int) -> int:
    """Return the instant of a place in the curve with its opening before it."""
    return int(curve.close_ms[place - 1]) if place else curve.start_ms


def _has_year(curve: EquityCurve) -> bool:
    return yearly_return(1.0 + curve.change, curve.days) is not None
