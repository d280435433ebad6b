"""Technical indicators as pure functions of a finite window of candles.

Arrays are float64 with time on the last axis, oldest first; leading axes (several symbols) pass
through. A function that looks at m candles returns m - 1 fewer columns, and every result ends at
the same last candle, so `tail` aligns them.

One long run and one window give the same bits: each output is computed by the same elementwise
operations in the same order whatever stands before, after or beside it. Only + - * /, sqrt, min,
max and comparisons are used; they are rounded alike on every CPU, unlike exp, log and np.sum.

Recursive averages (Wilder's, the EMA) are cut to a fixed number of values and their weights divided
by their sum. Wilder's of 14 over 256 values differs from the endless one by (13/14)**256 = 6e-9 of
itself.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.market import Floats

WILDER_VALUES: Final = 256  # values in an average that Wilder defines without an end
MACD_VALUES: Final = 256  # in each of the three averages of the MACD
PARKINSON: Final = 0.36067376022224085  # 1 / (4 ln 2)


def tail(x: Floats, count: int) -> Floats:
    """Return the last `count` columns as a view."""
    return x[..., x.shape[-1] - count :]


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0.0, np.nan, numerator / denominator)


def rolling_sum(x: Floats, length: int) -> Floats:
    """Return the sum of the last `length` values."""
    return _weighted_sum(x, length, 1.0)


def rolling_mean(x: Floats, length: int) -> Floats:
    """Return the mean of the last `length` values."""
    return rolling_sum(x, length) / length


def rolling_max(x: Floats, length: int) -> Floats:
    """Return the largest of the last `length` values."""
    return _rolling_extreme(x, length, np.maximum)


def rolling_min(x: Floats, length: int) -> Floats:
    """Return the smallest of the last `length` values."""
    return _rolling_extreme(x, length, np.minimum)


def weighted_mean(x: Floats, length: int, decay: float) -> Floats:
    """Return the mean of the last `length` values, weights 1, decay, decay**2, ... backward."""
    return _weighted_sum(x, length, decay) / weight_total(length, decay)


def ema(x: Floats, span: int, length: int) -> Floats:
    """Return the exponential mean with alpha = 2 / (span + 1), cut to `length` values."""
    return weighted_mean(x, length, 1.0 - 2.0 / (span + 1))


def wilder_mean(x: Floats, period: int) -> Floats:
    """Return Wilder's smoothed mean: alpha = 1 / period, cut to `WILDER_VALUES` values.

    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    return weighted_mean(x, WILDER_VALUES, 1.0 - 1.0 / period)


def simple_returns(close: Floats, bars: int) -> Floats:
    """Return close / close `bars` candles ago - 1."""
    before = close[..., :-bars]
    return ratio(close[..., bars:] - before, before)


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return Wilder's true range; the first candle has none, as its previous close is unknown."""
    before = close[..., :-1]
    return np.maximum(high[..., 1:], before) - np.minimum(low[..., 1:], before)


def average_true_range(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return Wilder's ATR, in the unit of the prices. Looks at `WILDER_VALUES` + 1 candles."""
    return wilder_mean(true_range(high, low, close), period)


def relative_strength(close: Floats, period: int) -> Floats:
    """Return Wilder's RSI, 0 to 100; 50 where the price never moved.

    Looks at `WILDER_VALUES` + 1 candles. Source: Wilder 1978.
    """
    change = close[..., 1:] - close[..., :-1]
    gain = wilder_mean(np.maximum(change, 0.0), period)
    total = gain + wilder_mean(np.maximum(-change, 0.0), period)
    return np.where(total == 0.0, 50.0, 100.0 * ratio(gain, total))


def average_directional_index(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Return Wilder's ADX, 0 to 100. Looks at 2 x `WILDER_VALUES` candles. Source: Wilder 1978."""
    up = high[..., 1:] - high[..., :-1]
    down = low[..., :-1] - low[..., 1:]
    plus = wilder_mean(np.where((up > down) & (up > 0.0), up, 0.0), period)
    minus = wilder_mean(np.where((down > up) & (down > 0.0), down, 0.0), period)
    # both are shares of the same true range, which therefore cancels
    total = plus + minus
    index = np.where(total == 0.0, 0.0, 100.0 * ratio(np.abs(plus - minus), total))
    return wilder_mean(index, period)


def macd_histogram(close: Floats, fast: int, slow: int, signal: int) -> Floats:
    """Return MACD minus its signal line, in the unit of the prices.

    Looks at 2 x `MACD_VALUES` - 1 candles. Source: G. Appel, The Moving Average
    Convergence-Divergence Trading Method, 1979.
    """
    macd = ema(close, fast, MACD_VALUES) - ema(close, slow, MACD_VALUES)
    line = ema(macd, signal, MACD_VALUES)
    return tail(macd, line.shape[-1]) - line


def realized_volatility(returns: Floats, length: int) -> Floats:
    """Return the root mean square of the last `length` returns, per candle.

    Source: Andersen and Bollerslev, Answering the Skeptics, International Economic Review, 1998.
    """
    return np.sqrt(rolling_mean(returns * returns, length))


def realized_skewness(returns: Floats, length: int) -> Floats:
    """Return the mean cubed return over the cubed volatility.

    Source: Amaya, Christoffersen, Jacobs and Vasquez, Does realized skewness predict the
    cross-section of equity returns?, Journal of Financial Economics, 2015.
    """
    volatility = realized_volatility(returns, length)
    cubes = rolling_mean(returns * returns * returns, length)
    return ratio(cubes, volatility * volatility * volatility)


def parkinson_volatility(high: Floats, low: Floats, length: int) -> Floats:
    """Return the range-based volatility per candle, with (H - L) / mid in place of ln(H / L).

    The two differ by their third power: 0.01 % of a range of 3 %. Source: M. Parkinson, The
    Extreme Value Method for Estimating the Variance of the Rate of Return, Journal of Business,
    1980.
    """
    spread = ratio(high - low, (high + low) * 0.5)
    return np.sqrt(rolling_mean(spread * spread, length) * PARKINSON)


def efficiency_ratio(close: Floats, length: int) -> Floats:
    """Return the net move over the path of `length` steps, 0 to 1.

    Source: P. Kaufman, Smarter Trading, 1995.
    """
    path = rolling_sum(np.abs(close[..., 1:] - close[..., :-1]), length)
    return ratio(np.abs(close[..., length:] - close[..., :-length]), path)


def autocorrelation(returns: Floats, length: int) -> Floats:
    """Return the lag-1 autocorrelation of the last `length` returns about zero.

    Looks at `length` + 1 returns.
    """
    products = rolling_sum(returns[..., 1:] * returns[..., :-1], length)
    return ratio(products, tail(rolling_sum(returns * returns, length), products.shape[-1]))


def position_in_range(high: Floats, low: Floats, close: Floats, length: int) -> Floats:
    """Return where the close stands between the lowest low (0) and the highest high (1)."""
    top, bottom = rolling_max(high, length), rolling_min(low, length)
    return ratio(tail(close, top.shape[-1]) - bottom, top - bottom)


def _rolling_extreme(x: Floats, length: int, pick: np.ufunc) -> Floats:
    size = 1
    while size * 2 <= length:  # an extreme of overlapping halves is that of their union
        x = pick(x[..., size:], x[..., :-size])
        size *= 2
    rest = length - size
    return pick(x[..., rest:], x[..., :-rest]) if rest else x


def _weighted_sum(x: NDArray[np.float64], length: int, decay: float) -> Floats:
    # Blocks of 1, 2, 4, ... values are built by adding each block to the older one beside it, and
    # those that make up `length` are put together from the newest back: the order of operations is
    # that of the window alone, in about 2 log2(length) passes.
    result: Floats | None = None
    covered, covered_weight = 0, 1.0  # decay**covered
    block, size, weight = x, 1, decay  # decay**size
    while True:
        if length & size:
            older = block[..., : block.shape[-1] - covered]
            result = (
                older if result is None else tail(result, older.shape[-1]) + covered_weight * older
            )
            covered += size
            covered_weight *= weight
        if size * 2 > length:
            break
        block = block[..., size:] + weight * block[..., :-size]
        size *= 2
        weight *= weight
    if result is None:
        raise ValueError(f"length was {length}, at least 1")
    return result


@lru_cache(maxsize=64)
def weight_total(length: int, decay: float) -> float:
    """Return 1 + decay + decay**2 + ..., `length` terms."""
    total, weight = 0.0, 1.0
    for _ in range(length):
        total += weight
        weight *= decay
    return total
