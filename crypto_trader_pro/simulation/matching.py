"""How one candle fills resting orders. Pessimistic where a candle cannot tell.

Bar order, binding for the engine's venue and for the compiled kernel:

1. day roll, funding at the open
2. per symbol, in the order of the configuration: pending exit at the open, pending entry at the
   open (slipped), then the bracket on the position (working in the bar of its entry), then trailing
   from the closed bar
3. mark and liquidation
4. ladders
5. decisions at the close

One allowance per symbol and bar (`rate_floor(volume, share)`) serves all its fills. A stop fills at
the worse of its price and the open, slipped, as taker. A target fills at its price, as maker, and a
gap never improves it. If one bar touches both, the stop counts. What is left of a stop becomes a
market exit at the next open; what is left of an entry works for its remaining bars.

An order to the market that is on its way (latency) is passed over in its bars: it neither fills nor
ages. The slippage of a fill counts its lots against the volume of its own bar, and the range of the
symbol's bar before. Liquidation is of the whole account at the bar's adverse extremes, or, with
isolated margin, of each position for itself at its bankruptcy price. Where finer candles are played
inside a decision bar, each is a bar in steps 1 to 3; age and delay count in the last of them.
"""

from typing import Final

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_ceil, round_down, round_up

NOTHING: Final = 0
STOPPED: Final = 1
TARGET_HIT: Final = 2


@scalar
def bracket(side: int, open_: int, high: int, low: int, stop: int, target: int) -> tuple[int, int]:
    """Return (0, 0), (1, price before slippage) for the stop, or (2, price) for the target.

    Args:
        side: +1 for a long position, -1 for a short one.
        stop, target: price units; 0 = none.
    """
    if side > 0:
        if stop > 0 and low <= stop:
            return 1, open_ if open_ < stop else stop
        if target > 0 and high >= target:
            return 2, target
    else:
        if stop > 0 and high >= stop:
            return 1, open_ if open_ > stop else stop
        if target > 0 and low <= target:
            return 2, target
    return 0, 0


@scalar
def trailed(side: int, high: int, low: int, stop: int, rate: int, tick_units: int) -> int:
    """Return the stop moved behind the closed bar's extreme by `rate`; it never moves back."""
    if side > 0:
        moved = round_down(high - rate_ceil(high, rate), tick_units)
        return moved if moved > stop else stop
    moved = round_up(low + rate_ceil(low, rate), tick_units)
    return moved if stop == 0 or moved < stop else stop


@scalar
def stop_price(side: int, entry: int, distance: int, tick_units: int) -> int:
    """Return the stop of a position entered at `entry`, rounded away from it; at least one tick."""
    if side > 0:
        price = round_down(entry - distance, tick_units)
        return price if price > tick_units else tick_units
    return round_up(entry + distance, tick_units)


@scalar
def target_price(side: int, entry: int, distance: int, tick_units: int) -> int:
    """Return the target of a position entered at `entry`, rounded away from it; 0 if none."""
    if distance <= 0:
        return 0
    if side > 0:
        return round_up(entry + distance, tick_units)
    price = round_down(entry - distance, tick_units)
    return price if price > tick_units else tick_units


@scalar
def limit_touched(side: int, high: int, low: int, price: int) -> int:
    """Return 1 when the bar traded through a resting limit order, not merely at its price."""
    if side > 0:
        return 1 if low < price else 0
    return 1 if high > price else 0


@scalar
def stop_touched(side: int, open_: int, high: int, low: int, price: int) -> int:
    """Return the price at which a stop order of `side` triggers in the bar, or 0.

    A buy stop triggers at or above its price, a sell stop at or below; the open counts when worse.
    """
    if side > 0:
        if high < price:
            return 0
        return open_ if open_ > price else price
    if low > price:
        return 0
    return open_ if open_ < price else price
