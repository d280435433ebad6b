"""All rules as one mask: what `rules.evaluate` says, for the compiled kernel.

A rule that is added to `rules.RULES` is added here, in the same place; a test compares both.
"""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.risk.checks import (
    at_least,
    below_minimum,
    cooling_down,
    duplicate_bar,
    edge_too_small,
    not_zero,
    nothing_left,
    outside_collar,
    stop_undefined,
    too_large,
    unaffordable,
    wrong_direction,
)


@scalar
def state_mask(
    trading_state: int, gate_state: int, busy: int, last_entry_ms: int, bar_ms: int,
    daily_level: int, drawdown_level: int, open_positions: int, max_positions: int,
    bars_since_exit: int, cooldown_bars: int, entries_now: int, max_entries_per_cycle: int,
    entries_today: int, max_entries_per_day: int,
) -> int:  # fmt: skip
    """Return the bits 0 to 8: state, data gate, limits and rates; arguments as `RiskInputs`."""
    mask = not_zero(trading_state)
    mask |= not_zero(gate_state) << 1
    mask |= not_zero(busy) << 2
    mask |= duplicate_bar(last_entry_ms, bar_ms) << 3
    mask |= at_least(daily_level, 2) << 4
    mask |= not_zero(drawdown_level) << 5
    mask |= at_least(open_positions, max_positions) << 6
    mask |= cooling_down(bars_since_exit, cooldown_bars) << 7
    too_many = at_least(entries_now, max_entries_per_cycle)
    too_many |= at_least(entries_today, max_entries_per_day)
    return mask | too_many << 8


@scalar
def order_mask(
    side: int, can_short: int, has_model: int, edge_mbp: int, edge_margin_mbp: int, price: int,
    stop_units: int, reference: int, collar_rate: int, lots: int, tv: int, equity: int,
    size_rate: int, min_notional: int, taker_rate: int, room: int, locked_until_ms: int,
    bar_ms: int, safety: int,
) -> int:  # fmt: skip
    """Return the bits 9 to 17: direction, edge, the sized order, locks and surroundings."""
    mask = wrong_direction(side, can_short) << 9
    mask |= edge_too_small(has_model, edge_mbp, edge_margin_mbp) << 10
    mask |= stop_undefined(side, price, stop_units) << 11
    mask |= outside_collar(price, reference, collar_rate) << 12
    wrong_size = nothing_left(lots) | too_large(lots, price, tv, equity, size_rate)
    mask |= wrong_size << 13
    mask |= below_minimum(lots, price, tv, min_notional) << 14
    mask |= unaffordable(lots, price, tv, taker_rate, room) << 15
    mask |= at_least(locked_until_ms, bar_ms) << 16
    return mask | not_zero(safety) << 17
