"""How large an entry may be: the smallest of five bounds, each rounded down to whole lots."""

from crypto_trader_pro.domain.scalars import scalar
from crypto_trader_pro.domain.units import rate_ceil, rate_floor


@scalar
def size_lots(
    equity: int,
    price: int,
    tv: int,
    stop_units: int,
    size_rate: int,
    risk_rate: int,
    room: int,
    taker_rate: int,
    volume: int,
    share: int,
    max_lots: int,
) -> tuple[int, int]:
    """Return (lots, index of the bound that was smallest, in the order of `Bound`).

    Args:
        equity: what sizing may count on, money units; 0 lots when not positive.
        price: expected entry price, price units, > 0.
        tv: money units per price unit and lot.
        stop_units: distance of the stop, price units; 0 lots when not positive.
        size_rate: notional as parts of 1e8 of equity.
        risk_rate: loss at the stop as parts of 1e8 of equity.
        room: notional that leverage and free balance still allow, money units, may be negative.
        taker_rate: fee of the entry; room is left for it, or the balance rule would refuse.
        volume: volume of the last candle, lots.
        share: part of the volume that may be taken, parts of 1e8.
        max_lots: largest order of the venue.

    With a stop at a multiple of the ATR the second bound is sizing by volatility.
    """
    if equity <= 0 or price <= 0 or stop_units <= 0:
        return 0, 0
    lot_value = price * tv
    lots = rate_floor(equity, size_rate) // lot_value
    bound = 0
    by_risk = rate_floor(equity, risk_rate) // (stop_units * tv)
    if by_risk < lots:
        lots = by_risk
        bound = 1
    by_room = room // (lot_value + rate_ceil(lot_value, taker_rate)) if room > 0 else 0
    if by_room < lots:
        lots = by_room
        bound = 2
    by_volume = rate_floor(volume, share)
    if by_volume < lots:
        lots = by_volume
        bound = 3
    if max_lots < lots:
        lots = max_lots
        bound = 4
    return lots, bound
