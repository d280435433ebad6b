"""More statistics of an account, beside `metrics`: falls with their length, Calmar, closed trades.

The same conventions: fractions are floats, a statistic of too few samples is None, a year has 365
daily returns. Profit of trades is money and stays Decimal.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.metrics import DAYS_PER_YEAR, sharpe_ratio
from crypto_trader_pro.domain.market import Floats, Ints

MIN_CALMAR_RETURNS: Final = 30  # a yearly return from less than a month is an exaggeration
MIN_CLOSED_TRADES: Final = 10  # fewer say nothing about the next one
_PART: Final = 1 << 16  # closes that are looked at at once
CONFIDENCE_95: Final = 1.959964  # standard errors on each side of a normal estimate


@dataclass(frozen=True, slots=True)
class Fall:
    """The deepest fall of a curve. Its places are indexes into the curve.

    Args:
        fraction: of the peak, >= 0.
        recovered: where the peak was reached again; None while it was not.
    """

    fraction: float
    peak: int
    trough: int
    recovered: int | None


def falls(equity: Floats) -> Floats:
    """Return how far each equity is under the highest before it, fraction >= 0 of that peak.

    A peak that is not above zero has nothing to fall from: 0.

    >>> falls(np.array([100.0, 120.0, 90.0])).tolist()
    [0.0, 0.0, 0.25]
    """
    peaks = np.maximum.accumulate(equity)
    if bool((peaks[:1] > 0).all()):  # peaks never fall, so all are: no need for masks of a million
        depth: Floats = peaks - equity
        depth /= peaks
        return depth
    sound = peaks > 0
    result: Floats = np.where(sound, (peaks - equity) / np.where(sound, peaks, 1.0), 0.0)
    return result


def deepest_fall(equity: Floats | Ints, before: int | None = None) -> Fall | None:
    """Return the largest fall from a peak, the earliest of equal ones; None without an equity.

    Part by part: several arrays of a million closes would be the most memory of a short command.

    Args:
        before: an equity that stands at place 0, before those of the array.

    >>> deepest_fall(np.array([100.0, 120.0, 90.0, 130.0]))
    Fall(fraction=0.25, peak=1, trough=2, recovered=3)
    """
    if not equity.size:
        return None if before is None else Fall(0.0, 0, 0, 0)
    shift = 0 if before is None else 1
    highest = float(equity[0] if before is None else before)
    deepest, low = 0.0, 0  # the place in the array
    for start in range(0, len(equity), _PART):
        part = np.concatenate(([highest], equity[start : start + _PART]), dtype=np.float64)
        depth = falls(part)[1:]
        place = int(depth.argmax())
        if depth[place] > deepest:
            deepest, low = float(depth[place]), start + place
        highest = float(part.max())
    if not deepest:
        return Fall(0.0, 0, 0, 0)
    top = equity[: low + 1].max() if before is None else max(before, equity[: low + 1].max())
    # of an unbroken row of equal peaks the last: the fall begins where the account leaves it
    peaks = np.flatnonzero(equity[: low + 1] == top)
    reached = equity[low:] >= top
    again = int(reached.argmax())
    return Fall(
        deepest,
        int(peaks[-1]) + shift if peaks.size else 0,
        low + shift,
        low + shift + again if reached[again] else None,
    )


def yearly_return(growth: float, days: float) -> float | None:
    """Return the compounded yearly return (CAGR), a fraction.

    None with fewer than `MIN_CALMAR_RETURNS` days or after a total loss.

    Args:
        growth: last equity over first.
        days: that it took.

    >>> round(yearly_return(1.21, 730), 6)
    0.1
    """
    if days < MIN_CALMAR_RETURNS or growth <= 0:
        return None
    return float(growth ** (DAYS_PER_YEAR / days)) - 1.0


def calmar_ratio(growth: float, days: float, drawdown: float) -> float | None:
    """Return the compounded yearly return over the largest drawdown.

    None with fewer than `MIN_CALMAR_RETURNS` days, without a drawdown, or after a total loss.

    Args:
        growth: last equity over first.
        days: that it took.
        drawdown: fraction of the peak.

    Source: T. W. Young, "Calmar Ratio: A Smoother Tool", Futures 20 (1991).

    >>> round(calmar_ratio(1.1, 365, 0.05), 6)
    2.0
    """
    yearly = yearly_return(growth, days)
    return None if yearly is None or drawdown <= 0 else yearly / drawdown


def sharpe_error(returns: Floats) -> float | None:
    """Return the standard error of the yearly Sharpe ratio; None where there is no ratio.

    sqrt((1 + S^2 / 2) / n) of the daily ratio S, times sqrt(365). It takes the returns as
    independent, so it is rather too small than too large.

    Source: A. W. Lo, "The Statistics of Sharpe Ratios", Financial Analysts Journal 58 (2002).
    """
    ratio = sharpe_ratio(returns)
    if ratio is None:
        return None
    daily = ratio / sqrt(DAYS_PER_YEAR)
    return sqrt((1.0 + daily * daily / 2.0) / len(returns)) * sqrt(DAYS_PER_YEAR)


def profit_factor(gains: Decimal, losses: Decimal) -> float | None:
    """Return the sum of all gains over the sum of all losses; None without a loss.

    Args:
        losses: their size, >= 0.

    >>> profit_factor(Decimal(30), Decimal(20))
    1.5
    """
    return float(gains / losses) if losses else None


def expectancy(net: Decimal, closed: int) -> Decimal | None:
    """Return the mean net profit of a closed trade; None without one.

    >>> expectancy(Decimal(10), 4)
    Decimal('2.5')
    """
    return net / closed if closed else None
