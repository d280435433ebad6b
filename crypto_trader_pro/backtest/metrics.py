"""Performance statistics of an account: pure functions of equity, returns and closed trades.

Returns are fractions (0.01 is 1 %), floats: statistics, never money. A statistic of too few samples
is None and never a number that looks like one; what each needs is named beside it. A crypto market
trades every day, so a year has 365 daily returns.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Final

import numpy as np

from crypto_trader_pro.domain.market import Floats

DAYS_PER_YEAR: Final = 365
MIN_RATIO_RETURNS: Final = 7  # a week; annualized from fewer days a ratio is noise in the hundreds
VAR_CONFIDENCE: Final = 0.95
MIN_VAR_RETURNS: Final = 20  # fewer have less than one return in a tail of 5 %


def daily_returns(equity: Sequence[float] | Floats) -> Floats:
    """Return the simple returns between consecutive equities, shape (n - 1,); needs 2.

    Raises:
        ValueError: an equity that is not above zero, which has no return.

    >>> daily_returns([100.0, 110.0, 99.0]).round(6).tolist()
    [0.1, -0.1]
    """
    values = np.asarray(equity, dtype=np.float64)
    if values.size and not bool((values > 0).all()):
        raise ValueError("a return needs equities above zero")
    if values.size < 2:
        return np.empty(0)
    result: Floats = values[1:] / values[:-1] - 1.0
    return result


def sharpe_ratio(returns: Sequence[float] | Floats) -> float | None:
    """Return mean / standard deviation (ddof 1) of daily returns, times sqrt(365).

    The risk-free rate is 0. None with fewer than `MIN_RATIO_RETURNS` returns or without any
    deviation.

    Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994).
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.size < MIN_RATIO_RETURNS:
        return None
    deviation = float(values.std(ddof=1))
    mean = float(values.mean())
    # equal returns deviate by the rounding of their mean only, which is no risk
    if deviation <= 1e-12 * max(abs(mean), 1e-12):
        return None
    return mean / deviation * sqrt(DAYS_PER_YEAR)


def sortino_ratio(returns: Sequence[float] | Floats) -> float | None:
    """Return mean / downside deviation of daily returns, times sqrt(365); the target is 0.

    The downside deviation is the root of the mean of min(r, 0)^2 over *all* returns. None with
    fewer than `MIN_RATIO_RETURNS` returns or without a loss among them.

    Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework",
    Journal of Investing 3 (1994).
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.size < MIN_RATIO_RETURNS:
        return None
    downside = sqrt(float(np.square(np.minimum(values, 0.0)).mean()))
    return float(values.mean()) / downside * sqrt(DAYS_PER_YEAR) if downside > 0 else None


class Drawdown:
    """The largest fall from a running peak, as a fraction of that peak; O(1) per equity."""

    def __init__(self) -> None:
        self._peak: float | None = None
        self._largest = 0.0

    def add(self, equity: float) -> None:
        """Take the next equity, in time order."""
        if self._peak is None or equity > self._peak:
            self._peak = equity
        elif self._peak > 0:
            self._largest = max(self._largest, (self._peak - equity) / self._peak)

    @property
    def largest(self) -> float | None:
        """The largest fall so far; None before the first equity."""
        return None if self._peak is None else self._largest


def max_drawdown(equity: Sequence[float] | Floats) -> float | None:
    """Return the largest fall from a peak to a later equity, fraction of the peak; needs 1.

    Source: M. Magdon-Ismail and A. F. Atiya, "Maximum Drawdown", Risk 17 (2004).

    >>> max_drawdown([100.0, 120.0, 90.0, 130.0])
    0.25
    """
    curve = Drawdown()
    for value in equity:
        curve.add(float(value))
    return curve.largest


def win_rate(wins: int, closed: int) -> float | None:
    """Return the share of closed trades that made a profit after fees; None without a trade."""
    return wins / closed if closed else None


def historical_var(
    returns: Sequence[float] | Floats, confidence: float = VAR_CONFIDENCE
) -> float | None:
    """Return the one-day value at risk by historical simulation, a fraction of equity >= 0.

    The loss at the empirical (1 - confidence) quantile: of n returns the ceil(n * tail)-th worst,
    an observed one, nothing interpolated. 0 where even that one is no loss. None with fewer than
    1 / tail returns: 20 at 95 %.

    Source: P. Jorion, "Value at Risk", 3rd ed. (2006), chapter 10; the quantile is type 1 of
    R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", American Statistician 50
    (1996).
    """
    values = np.sort(np.asarray(returns, dtype=np.float64))
    tail = 1.0 - confidence
    # 1 - 0.95 is a little more than 0.05: without the rounding 20 returns would have 2 in the tail
    if values.size < ceil(round(1.0 / tail, 9)):
        return None
    place = ceil(round(values.size * tail, 9))
    return max(0.0, -float(values[place - 1]))
