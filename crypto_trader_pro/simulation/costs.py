"""What trading costs in the simulated venue: fees, slippage, funding."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import (
    MAX_LOTS_DOMAIN,
    RATE,
    mul_div,
    rate_ceil,
    rate_floor,
    round_down,
    round_up,
)


@scalar
def fee(value: int, rate: int) -> int:
    """Return the fee of an execution worth `value` (>= 0), rounded up. `rate`: parts of 1e8."""
    return rate_ceil(value, rate)


@scalar
def taker_rate_of(
    lots: int, volume: int, fixed_rate: int, half_spread_rate: int, impact_rate: int
) -> int:
    """Return the rate by which a taker's fill of `lots` is worse, parts of 1e8.

    The fixed part, half the spread, and an impact that grows with the square of our share in the
    candle's volume: `impact_rate` at a share of 100 % (zipline's VolumeShareSlippage). The share is
    rounded down to parts of 1e8, the impact up.

    Args:
        lots: of this fill, 0 <= lots < 2**46.
        volume: of the candle, lots. A fill of more than it, or a volume of 0 or of 2**46 and more,
            counts as a share of 100 %.
        fixed_rate, half_spread_rate, impact_rate: parts of 1e8, >= 0.
    """
    share = RATE
    if 0 < volume < MAX_LOTS_DOMAIN and lots <= volume:
        share = mul_div(RATE, lots, volume)
    return fixed_rate + half_spread_rate + rate_ceil(rate_ceil(impact_rate, share), share)


@scalar
def slipped_far(price: int, side: int, rate: int, extra_units: int, tick_units: int) -> int:
    """Return `price` moved against the taker by `rate` and `extra_units`, to the next tick beyond.

    Args:
        extra_units: added to the move before the rounding, price units, >= 0.

    A sale never goes below one tick.
    """
    move = rate_ceil(price, rate) + extra_units
    if side > 0:
        return round_up(price + move, tick_units)
    worse = round_down(price - move, tick_units)
    return worse if worse > tick_units else tick_units


@scalar
def slipped(price: int, side: int, rate: int, tick_units: int) -> int:
    """Return `price` moved against the taker by `rate`, to the next tick further away.

    A sale never goes below one tick.
    """
    return slipped_far(price, side, rate, 0, tick_units)


@scalar
def funding_cash(position: int, mark: int, tv: int, rate: int) -> int:
    """Return what a position receives (> 0) or pays (< 0) at a funding time.

    Longs pay shorts while the rate is positive. Rounded down: a payment up, an income down.
    Args: position in lots, signed; mark in price units; rate in parts of 1e8, signed.
    """
    value = position * mark * tv
    flow = value if rate < 0 else -value
    return rate_floor(flow, abs(rate))
