"""Bugs planted in the functions that both engines call, to see that the oracle finds them.

Comparing the engines cannot: both would be wrong together. Each is a change of one line of one
function; everything that calls it is linked anew and runs as plain Python.
"""

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

from crypto_trader_pro.backtest import kernel_risk, kernel_venue
from crypto_trader_pro.backtest.compiler import ENTRIES, Compiled, functions
from crypto_trader_pro.domain import units
from crypto_trader_pro.risk import checks, limits, room, sizing, verdict
from crypto_trader_pro.simulation import candle_gate, costs, margin, matching


class SharedBug(NamedTuple):
    function: Callable[..., Any]
    right: str
    wrong: str
    seed: int  # of a random market that shows it
    check: str  # of the oracle that names it first


SHARED_BUGS: Final = {
    "fee rounded down": SharedBug(costs.fee, "rate_ceil(", "rate_floor(", 49, "fee"),
    "impact linear": SharedBug(
        costs.taker_rate_of,
        "rate_ceil(rate_ceil(impact_rate, share), share)",
        "rate_ceil(impact_rate, share)",
        2,
        "fill price",
    ),
    "half spread forgotten": SharedBug(
        costs.taker_rate_of,
        "fixed_rate + half_spread_rate +",
        "fixed_rate +",
        23,
        "fill price",
    ),
    "purchase to the near tick": SharedBug(
        costs.slipped_far,
        "round_up(price + move, tick_units)",
        "round_down(price + move + tick_units // 2, tick_units)",
        15,
        "fill price",
    ),
    "sale to the tick above": SharedBug(
        costs.slipped_far,
        "round_down(price - move",
        "round_up(price - move",
        15,
        "fill price",
    ),
    "slippage rounded down": SharedBug(
        costs.slipped_far,
        "rate_ceil(price, rate)",
        "rate_floor(price, rate)",
        49,
        "fill price",
    ),
    "range forgotten": SharedBug(
        costs.slipped_far,
        " + extra_units",
        "",
        49,
        "fill price",
    ),
    "longs receive funding": SharedBug(
        costs.funding_cash,
        "value if rate < 0 else -value",
        "-value if rate < 0 else value",
        15,
        "funding",
    ),
    "funding rounded up": SharedBug(
        costs.funding_cash,
        "return rate_floor(",
        "return rate_ceil(",
        15,
        "funding",
    ),
    "tier deduction forgotten": SharedBug(
        margin.tier_maintenance,
        " - deduction",
        "",
        496,
        "equity",
    ),
    "first tier for all": SharedBug(
        margin.maintenance_of,
        "value > tiers[3 * k]",
        "value > 1 << 61",
        496,
        "order",
    ),
    "no maintenance": SharedBug(
        margin.liquidates,
        "worst_equity <= maintenance_sum",
        "worst_equity <= 0",
        533,
        "order",
    ),
    "bankruptcy to the better tick": SharedBug(
        margin.bankruptcy_price,
        "round_down((cost_abs - margin) // unit, tick_units)",
        "round_up(-(-(cost_abs - margin) // unit), tick_units)",
        533,
        "fill price",
    ),
    "stop at its price through a gap": SharedBug(
        matching.bracket,
        "return 1, open_ if open_ < stop else stop",
        "return 1, stop",
        49,
        "fill price",
    ),
    "target before stop": SharedBug(
        matching.bracket,
        "stop > 0 and low <= stop:",
        "stop > 0 and low <= stop and (target == 0 or high < target):",
        2,
        "fill",
    ),
    "stop needs more than a touch": SharedBug(
        matching.bracket,
        "high >= stop",
        "high > stop",
        35,
        "fill",
    ),
    "trailing stop moves back": SharedBug(
        matching.trailed,
        "return moved if moved > stop else stop",
        "return moved",
        36,
        "fill",
    ),
    "trailing from the low": SharedBug(
        matching.trailed,
        "high - rate_ceil(high, rate)",
        "low - rate_ceil(low, rate)",
        2,
        "fill",
    ),
    "stop nearer by the rounding": SharedBug(
        matching.stop_price,
        "round_down(entry - distance",
        "round_up(entry - distance",
        15,
        "equity",
    ),
    "target nearer by the rounding": SharedBug(
        matching.target_price,
        "round_up(entry + distance",
        "round_down(entry + distance",
        2,
        "fill price",
    ),
    "loss line at half": SharedBug(
        limits.limit_line,
        "rate_ceil(base, rate)",
        "rate_ceil(base, rate) // 2",
        2,
        "order",
    ),
    "no first level": SharedBug(
        limits.loss_level,
        "equity <= first_line",
        "equity <= second_line",
        2,
        "ladder",
    ),
    "no room for the fee": SharedBug(
        sizing.size_lots,
        "(lot_value + rate_ceil(lot_value, taker_rate))",
        "lot_value",
        2,
        "order",
    ),
    "risk without the stop": SharedBug(
        sizing.size_lots,
        "(stop_units * tv)",
        "(price * tv)",
        49,
        "size",
    ),
    "venue's largest order ignored": SharedBug(
        sizing.size_lots,
        "max_lots < lots",
        "max_lots < 0",
        15,
        "size",
    ),
    "twice the volume": SharedBug(
        sizing.size_lots,
        "rate_floor(volume, share)",
        "2 * rate_floor(volume, share)",
        49,
        "size",
    ),
    "positions take no room": SharedBug(
        room.entry_room,
        "room -= taken",
        "room -= 0",
        2,
        "mask",
    ),
    "coins on leverage": SharedBug(
        room.entry_room,
        "can_short == 0 and equity < room",
        "can_short == 2",
        2,
        "size",
    ),
    "wild markets allowed": SharedBug(
        room.safety_bits,
        "volatility > max_volatility_rate",
        "volatility < 0",
        14,
        "forbidden",
    ),
    "empty purse allowed": SharedBug(
        room.safety_bits,
        "is_poor << 2",
        "0",
        2,
        "mask",
    ),
    "cooldown a candle longer": SharedBug(
        checks.cooling_down,
        "bars_since_exit < cooldown_bars",
        "bars_since_exit <= cooldown_bars",
        15,
        "refusals",
    ),
    "one position too many": SharedBug(
        checks.at_least, "count >= limit", "count > limit", 2, "refusals"
    ),
    "collar at twice its width": SharedBug(
        checks.outside_collar,
        "rate_floor(reference, collar_rate)",
        "2 * rate_floor(reference, collar_rate)",
        47,
        "forbidden",
    ),
    "edge ignored": SharedBug(checks.edge_too_small, "edge <= margin", "edge < 0", 49, "mask"),
    "stop below zero": SharedBug(
        checks.stop_undefined, "price - stop_units <= 0", "False", 22, "mask"
    ),
    "coins sold short": SharedBug(
        checks.wrong_direction, "can_short == 0", "can_short == 2", 49, "refusals"
    ),
    "dust allowed": SharedBug(checks.below_minimum, "< min_notional", "< 0", 49, "mask"),
    "reduction ignored": SharedBug(
        verdict.state_mask,
        "not_zero(drawdown_level) << 5",
        "0",
        18,
        "forbidden",
    ),
    "lock ignored": SharedBug(
        verdict.order_mask,
        "at_least(locked_until_ms, bar_ms) << 16",
        "0",
        49,
        "forbidden",
    ),
    "small moves are outliers": SharedBug(
        candle_gate.outlier_limit,
        "limit if limit > OUTLIER_FLOOR else OUTLIER_FLOOR",
        "limit",
        49,
        "order",
    ),
    "an outlier teaches": SharedBug(
        candle_gate.learned_mean,
        "if size > cap:",
        "if size < 0:",
        17,
        "refusals",
    ),
    "falls are no outliers": SharedBug(
        candle_gate.is_outlier,
        "up if up > down else down",
        "up",
        22,
        "refusals",
    ),
    "product rounded to the near": SharedBug(
        units.rate_ceil,
        "-rate_floor(-amount, rate)",
        "rate_floor(amount, rate) + (2 * (amount % RATE * rate % RATE) >= RATE)",
        49,
        "fill price",
    ),
    "cost of a part rounded up": SharedBug(
        units.mul_div,
        "return result + part",
        "return result + part + (rest != 0)",
        19,
        "fill price",
    ),
    "peak not set anew": SharedBug(
        kernel_risk.roll_day,
        "            a[k.PEAK] = a[k.EQUITY]\n",
        "",
        18,
        "order",
    ),
    "stop rests for less than all": SharedBug(
        kernel_venue.protect,
        "x[k.STOP_LOTS] = held",
        "x[k.STOP_LOTS] = x[k.ENTRY_LOTS]",
        2,
        "order end",
    ),
}


def planted(bug: SharedBug) -> Compiled:
    """Return the kernel as plain Python with one function changed wherever it is called.

    Raises:
        ValueError: the line that is to be changed is not there exactly once.
    """
    source = textwrap.dedent(inspect.getsource(bug.function))
    if source.count(bug.right) != 1:
        raise ValueError(f"{bug.function.__name__} has {source.count(bug.right)} x {bug.right!r}")
    scope: dict[str, Any] = {**vars(units), **bug.function.__globals__}
    for decorator in ("scalar", "sequence_scalar", "kernel", "inlined"):  # not registered again
        scope[decorator] = _itself
    exec(compile(source.replace(bug.right, bug.wrong), "<planted>", "exec"), scope)  # noqa: S102
    changed = scope[bug.function.__name__]
    done: dict[Any, Any] = {}
    for function in functions():
        origin = changed if function is bug.function else function
        names = {
            name: done.get(value, value) if isinstance(value, FunctionType) else value
            for name, value in origin.__globals__.items()
        }
        done[function] = FunctionType(origin.__code__, names, origin.__name__, origin.__defaults__)
    return Compiled(*(done[entry] for entry in ENTRIES))


def _itself(function: Any) -> Any:
    return function
