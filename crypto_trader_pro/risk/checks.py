"""One whole-number predicate for each rule: 1 refuses, 0 allows.

`risk/rules.py` gives each its name and numbers; the compiled kernel folds them into one mask.
"""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_ceil, rate_floor


@scalar
def not_zero(value: int) -> int:
    """Refuse when a state, level or flag is set (trading state, data gate, ladders, busy)."""
    return 1 if value != 0 else 0


@scalar
def duplicate_bar(last_entry_ms: int, bar_ms: int) -> int:
    """Refuse a second entry of the same strategy, symbol and side on one candle."""
    return 1 if last_entry_ms >= bar_ms else 0


@scalar
def at_least(count: int, limit: int) -> int:
    """Refuse when a count has reached its limit."""
    return 1 if count >= limit else 0


@scalar
def cooling_down(bars_since_exit: int, cooldown_bars: int) -> int:
    """Refuse until `cooldown_bars` candles have closed since the last exit (-1: never exited)."""
    return 1 if 0 <= bars_since_exit < cooldown_bars else 0


@scalar
def wrong_direction(side: int, can_short: int) -> int:
    """Refuse a short where the instrument cannot be sold short."""
    return 1 if side < 0 and can_short == 0 else 0


@scalar
def edge_too_small(has_model: int, edge: int, margin: int) -> int:
    """Refuse a model signal whose expected value after costs is not above the margin."""
    return 1 if has_model != 0 and edge <= margin else 0


@scalar
def stop_undefined(side: int, price: int, stop_units: int) -> int:
    """Refuse an entry whose stop could not be placed: no distance, or a price of zero or less."""
    if stop_units <= 0:
        return 1
    return 1 if side > 0 and price - stop_units <= 0 else 0


@scalar
def nothing_left(lots: int) -> int:
    """Refuse when the size is less than one lot."""
    return 1 if lots < 1 else 0


@scalar
def too_large(lots: int, price: int, tv: int, equity: int, size_rate: int) -> int:
    """Refuse more notional than the share of equity allows; sizing never asks for it."""
    return 1 if lots * price * tv > rate_floor(equity, size_rate) else 0


@scalar
def below_minimum(lots: int, price: int, tv: int, min_notional: int) -> int:
    """Refuse an order smaller than the venue's minimum notional."""
    return 1 if lots * price * tv < min_notional else 0


@scalar
def outside_collar(price: int, reference: int, collar_rate: int) -> int:
    """Refuse a price further from the reference than `collar_rate` (parts of 1e8) of it."""
    return 1 if abs(price - reference) > rate_floor(reference, collar_rate) else 0


@scalar
def unaffordable(lots: int, price: int, tv: int, taker_rate: int, room: int) -> int:
    """Refuse when notional and fee exceed the room that leverage and free balance leave."""
    value = lots * price * tv
    return 1 if value + rate_ceil(value, taker_rate) > room else 0
