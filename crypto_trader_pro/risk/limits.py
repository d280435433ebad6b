"""Loss limits as lines that equity must stay above, and the levels below them."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import RATE, rate_ceil


@scalar
def limit_line(base: int, rate: int) -> int:
    """Return the equity at which a loss of `rate` (parts of 1e8) of `base` is reached.

    Rounded against the account: the line is reached no later than the exact one.
    """
    return base - rate_ceil(base, rate)


@scalar
def loss_level(equity: int, first_line: int, second_line: int) -> int:
    """Return 0 above both lines, 1 at or below the first, 2 at or below the second (lower) line."""
    if equity <= second_line:
        return 2
    if equity <= first_line:
        return 1
    return 0


def drawdown_rate(equity: int, peak: int) -> int:
    """Return the fall from `peak` (> 0) in parts of 1e8 of it, rounded up; 0 at or above the peak.

    For reports and screens; decisions compare equity with `limit_line`. Not a shared scalar: the
    product passes 64 bits.
    """
    return -(-(peak - equity) * RATE // peak) if equity < peak else 0
