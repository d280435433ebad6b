"""Margin of a simulated account: maintenance, and the moment and price of a liquidation."""

from collections.abc import Sequence

from crypto_trader_pro.domain.scalars import scalar, sequence_scalar
from crypto_trader_pro.domain.units import rate_ceil, round_down, round_up


@scalar
def maintenance(value: int, rate: int) -> int:
    """Return the maintenance margin of a position worth `value` (>= 0), rounded up."""
    return rate_ceil(value, rate)


@scalar
def tier_maintenance(value: int, rate: int, deduction: int) -> int:
    """Return the maintenance margin of a position worth `value` (>= 0) in one tier, rounded up.

    Args:
        rate: of the tier, parts of 1e8.
        deduction: what the tiers below ask less on their part, money units.
    """
    return rate_ceil(value, rate) - deduction


@sequence_scalar
def maintenance_of(value: int, tiers: Sequence[int]) -> int:
    """Return the maintenance margin of a position worth `value` (>= 0) by the venue's tiers.

    Args:
        tiers: flat (upper bound of the value, rate, deduction) triples, as `Instrument.tiers`. A
            value at a bound belongs to the lower tier; above the last bound the last tier counts.
    """
    k = 0
    while 3 * (k + 1) < len(tiers) and value > tiers[3 * k]:
        k += 1
    return tier_maintenance(value, tiers[3 * k + 1], tiers[3 * k + 2])


@scalar
def liquidates(worst_equity: int, maintenance_sum: int) -> int:
    """Return 1 when equity at the bar's adverse extremes no longer covers the maintenance."""
    return 1 if worst_equity <= maintenance_sum else 0


@scalar
def bankruptcy_price(
    side: int, cost_abs: int, margin: int, lots_abs: int, tv: int, tick_units: int
) -> int:
    """Return the price at which an isolated position has lost its whole margin.

    Rounded to a tick against the account (a long's down, a short's up), never below one tick. So
    the loss passes the margin by less than one price unit and one tick.

    Args:
        side: +1 for a long position, -1 for a short one.
        cost_abs: what the open lots were bought or sold for, money units, >= 0.
        margin: money units, >= 0.
        lots_abs: open lots, > 0.
        tv: money units per price unit and lot.
    """
    unit = lots_abs * tv
    if side > 0:
        price = round_down((cost_abs - margin) // unit, tick_units)
        return price if price > tick_units else tick_units
    return round_up(-(-(cost_abs + margin) // unit), tick_units)
