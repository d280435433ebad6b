"""How much capital a strategy can carry before its own orders eat its edge.

Assumptions, all in favour of a simple answer:

* Every fill grows with the capital: k times the money trades k times the lots, at the same times.
* Prices, signals and the volume of the candles stay what they were.
* The impact of a fill is its value times rate * share^2, where share is its part of the candle's
  volume and rate the loss at the whole volume: the volume share model of the simulated venue,
  after zipline's `VolumeShareSlippage`. So its cost grows with k^3, while profit before impact and
  fees grow with k.
* Resting orders (makers) make no impact, but they too fill only up to the volume share.
* Fills in candles without volume pay the whole rate at any size, as in the venue; they have no
  share, and are counted.

So the profit at size k is k * A - k^3 * B, with A the profit before the impact of shares and B
that impact at size 1. It is an estimate, not a promise: depth, recovery and other traders are not
in candles.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.units import RATE


@dataclass(frozen=True, slots=True)
class Capacity:
    """Sizes are multiples of the capital that was tested.

    Args:
        break_even: size at which the net expectancy is zero; None if impact never gets that far
            (no fill with a share) or if there is no edge to eat: then `expectancy` is <= 0.
        best: size of the largest profit in money, break_even / sqrt(3).
        first_capped: size from which the largest fill passes the volume share.
        half_capped: size from which fills worth half of the traded value pass it.
        expectancy: profit per trade before the impact of shares at size 1, money units.
        impact: cost of impact per trade at size 1, money units.
        unmeasured: fills in candles without volume.
    """

    break_even: float | None
    best: float | None
    first_capped: float | None
    half_capped: float | None
    expectancy: float
    impact: float
    trades: int
    fills: int
    unmeasured: int

    def expectancy_at(self, size: float) -> float:
        """Return the profit per trade after impact at `size`, money units."""
        return size * self.expectancy - size**3 * self.impact


def capacity(
    lots: Ints,
    volumes: Ints,
    values: Floats,
    makers: Ints,
    profit: int,
    trades: int,
    *,
    impact_rate: int,
    volume_share: int,
    impact_included: bool,
) -> Capacity:
    """Return the sizes at which impact eats the edge and at which orders no longer fill.

    Args:
        lots: of each fill, > 0, shape (f,).
        volumes: of the candle of each fill, lots, shape (f,).
        values: notional of each fill, money units, shape (f,).
        makers: 1 where the fill made, 0 where it took, shape (f,).
        profit: of all closed trades after fees, money units.
        trades: closed trades.
        impact_rate: loss of a fill as large as the candle's volume, parts of 1e8 of its value.
        volume_share: most that may be filled of a candle's volume, parts of 1e8, 1 .. 1e8.
        impact_included: `profit` was made with this impact already.

    Raises:
        InputError: no closed trade, arrays of different lengths, or a rate or share out of range.
    """
    _check((lots, volumes, values, makers), trades, impact_rate, volume_share)
    known = volumes > 0
    share = lots[known] / volumes[known]
    taken = np.where(makers == 0, values, 0.0) * (impact_rate / RATE)
    impact = float(taken[known] @ np.square(share))
    before = profit + impact if impact_included else profit - float(taken[~known].sum())
    allowed = volume_share / RATE
    even = sqrt(before / impact) if impact > 0 and before > 0 else None
    return Capacity(
        break_even=even,
        best=None if even is None else even / sqrt(3.0),
        first_capped=allowed / float(share.max()) if share.size else None,
        half_capped=allowed / _share_of_half(share, values[known]) if share.size else None,
        expectancy=before / trades,
        impact=impact / trades,
        trades=trades,
        fills=len(lots),
        unmeasured=int((~known).sum()),
    )


def _check(
    columns: tuple[Ints | Floats, ...], trades: int, impact_rate: int, volume_share: int
) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise InputError(
            f"capacity needs lots, volumes, values and makers of the same fills, "
            f"there are {lengths}"
        )
    if trades < 1:
        raise InputError("capacity needs a closed trade, there is none")
    if impact_rate < 0:
        raise InputError(f"impact rate was {impact_rate} parts of 1e8, must be at least 0")
    if not 1 <= volume_share <= RATE:
        raise InputError(f"volume share was {volume_share} parts of 1e8, must be 1..{RATE}")


def _share_of_half(share: Floats, values: Floats) -> float:
    """Return the share that fills worth half of the value reach or pass."""
    order = np.argsort(share)[::-1]
    worth = np.cumsum(values[order])
    return float(share[order[int(np.searchsorted(worth, worth[-1] / 2))]])
