"""What an entry may still take: the numbers between the account and the sizing of an order."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_floor


@scalar
def sizing_equity(equity: int, capital_cap: int) -> int:
    """Return the equity that sizing counts on, money units; a cap of 0 is none."""
    if capital_cap != 0 and capital_cap < equity:
        return capital_cap
    return equity


@scalar
def entry_room(
    equity: int, leverage_rate: int, can_short: int, taken: int, max_order_notional: int
) -> int:
    """Return the notional, fee included, that a further entry may have; it may be negative.

    Args:
        equity: what sizing counts on, money units.
        leverage_rate: largest gross notional, parts of 1e8 of equity.
        can_short: 0 where coins are paid in full.
        taken: gross notional of open positions and of entries under way, money units.
        max_order_notional: money units; 0 is no cap.
    """
    room = rate_floor(equity, leverage_rate)
    if can_short == 0 and equity < room:
        room = equity
    room -= taken
    if max_order_notional != 0 and max_order_notional < room:
        return max_order_notional
    return room


@scalar
def safety_bits(disconnected: int, volatility: int, max_volatility_rate: int, is_poor: int) -> int:
    """Return one bit per failed check, in the order of `rules.SAFETY_CHECKS`."""
    volatile = 1 if volatility > max_volatility_rate else 0
    return disconnected | volatile << 1 | is_poor << 2
