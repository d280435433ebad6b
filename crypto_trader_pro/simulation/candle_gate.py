"""The arithmetic of the data gate: what counts as an outlier, and how its yardstick learns.

`auto_trading/data_gate.py` keeps the state, says the reasons and quotes the source of the rule.
"""

from typing import Final

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import RATE

OUTLIER_FLOOR: Final = RATE * 2 // 100
MEAN_BITS: Final = 6
MEAN_BARS: Final = 1 << MEAN_BITS  # candles over which the mean is weighted
FLAT_RUN: Final = 3


@scalar
def outlier_limit(mean: int, multiple: int) -> int:
    """Return the move beyond which a candle is an outlier, parts of 1e8 of the close before."""
    limit = multiple * mean
    return limit if limit > OUTLIER_FLOOR else OUTLIER_FLOOR


@scalar
def learned_mean(mean: int, seen: int, before: int, close: int, limit: int) -> int:
    """Return the mean absolute return after a candle, parts of 1e8.

    Args:
        seen: returns in the mean, this one included, 1 to MEAN_BARS.
        before: close before it, price units, > 0.
        limit: of `outlier_limit`; one candle counts at most half of it.
    """
    move = close - before if close > before else before - close
    size = move * RATE // before
    cap = limit >> 1
    if size > cap:
        size = cap
    if seen == MEAN_BARS:
        return mean + ((size - mean) >> MEAN_BITS)  # floors as the division does
    return mean + (size - mean) // seen


@scalar
def is_outlier(high: int, low: int, before: int, limit: int) -> int:
    """Return 1 when the farther extreme of a candle lies more than `limit` from `before`."""
    up = high - before
    down = before - low
    reach = up if up > down else down
    return 1 if reach * RATE > limit * before else 0
