"""What trading costs in the simulated venue: fees, slippage, funding."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_ceil, rate_floor, round_down, round_up


@scalar
def fee(value: int, rate: int) -> int:
    """Return the fee of an execution worth `value` (>= 0), rounded up. `rate`: parts of 1e8."""
    return rate_ceil(value, rate)


@scalar
def slipped(price: int, side: int, rate: int, tick_units: int) -> int:
    """Return `price` moved against the taker by `rate`, to the next tick further away.

    A sale never goes below one tick.
    """
    if side > 0:
        return round_up(price + rate_ceil(price, rate), tick_units)
    worse = round_down(price - rate_ceil(price, rate), tick_units)
    return worse if worse > tick_units else tick_units


@scalar
def funding_cash(position: int, mark: int, tv: int, rate: int) -> int:
    """Return what a position receives (> 0) or pays (< 0) at a funding time.

    Longs pay shorts while the rate is positive. Rounded down: a payment up, an income down.
    Args: position in lots, signed; mark in price units; rate in parts of 1e8, signed.
    """
    value = position * mark * tv
    flow = value if rate < 0 else -value
    return rate_floor(flow, abs(rate))
