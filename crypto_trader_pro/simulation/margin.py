"""Cross margin of a simulated account: maintenance and liquidation."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_ceil


@scalar
def maintenance(value: int, rate: int) -> int:
    """Return the maintenance margin of a position worth `value` (>= 0), rounded up."""
    return rate_ceil(value, rate)


@scalar
def liquidates(worst_equity: int, maintenance_sum: int) -> int:
    """Return 1 when equity at the bar's adverse extremes no longer covers the maintenance."""
    return 1 if worst_equity <= maintenance_sum else 0
