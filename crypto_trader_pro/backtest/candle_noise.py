"""Candles as they might as well have been: small random changes of every price.

A strategy whose profit hangs on single ticks loses it here; one that follows the market does not.
"""

from typing import Final

import numpy as np

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import CandleSeries, Floats, Ints

MOST_NOISE: Final = 0.1
_MOST_PRICE: Final = 1 << 52  # a double counts whole price units exactly up to here, and twice it


def perturbed(series: CandleSeries, size: float, generator: np.random.Generator) -> CandleSeries:
    """Return `series` with every price multiplied by exp(size * z), z standard normal.

    A close and the open of the next row move together, because they are (almost) one instant; high
    and low move on their own and then hold open and close. Prices stay whole price units, at least
    one. Times and volumes stay. Noise does not add up: every price stays near its own.

    Args:
        size: standard deviation of the change, a fraction of the price: 0.001 is 0.1 %.

    Raises:
        InputError: a size that is not 0..0.1, or prices too large to be multiplied exactly.
    """
    if not 0.0 <= size <= MOST_NOISE:
        raise InputError(f"candle noise was {size}, must be 0..{MOST_NOISE}")
    n = len(series)
    if n and int(series.high.max()) > _MOST_PRICE:
        raise InputError(
            f"{series.symbol}: a high of {int(series.high.max())} price units is too large for "
            f"noise, at most {_MOST_PRICE}"
        )
    between = generator.standard_normal(n + 1)  # k: before the open of row k, n: the last close
    tops, bottoms = generator.standard_normal(n), generator.standard_normal(n)
    opens = _moved(series.open, size * between[:-1])
    closes = _moved(series.close, size * between[1:])
    highs = _moved(series.high, size * tops)
    lows = _moved(series.low, size * bottoms)
    return CandleSeries(
        series.symbol,
        series.timeframe_ms,
        series.open_ms,
        opens,
        np.maximum(highs, np.maximum(opens, closes)),
        np.minimum(lows, np.minimum(opens, closes)),
        closes,
        series.volume,
    )


def _moved(prices: Ints, by: Floats) -> Ints:
    moved: Ints = np.maximum(1, np.rint(prices * np.exp(by))).astype(np.int64)
    return moved
