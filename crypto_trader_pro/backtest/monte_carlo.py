"""What else could have come of the same trades or days: bands from shuffles and resamples.

A shuffle asks how much of the drawdown was the order of the trades; the bootstrap how much of the
result was these days and not others like them. Neither knows days that the data does not have.
The same seed gives the same bands on one machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from crypto_trader_pro.backtest.account_metrics import MIN_CLOSED_TRADES, falls
from crypto_trader_pro.backtest.block_bootstrap import portions, resamples
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats, Ints
from crypto_trader_pro.domain.units import MONEY

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
FAN_POINTS: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Quantiles over all runs, in the order of `QUANTILES`. Statistics, so floats.

    Args:
        final_equity: of the quote asset, shape (5,).
        max_drawdown: fraction of the peak, shape (5,).
        steps: which trades or days the fan shows, 0 is the opening, shape (p,), p <= 200.
        fan: equity of the quote asset, shape (5, p).
        loss: share of the runs that ended below the opening.
    """

    runs: int
    final_equity: Floats
    max_drawdown: Floats
    steps: Ints
    fan: Floats
    loss: float


def trade_shuffle(profits: Ints, opening: int, runs: int, generator: np.random.Generator) -> Bands:
    """Return the bands of `runs` random orders of the same trades, each at its size in money.

    The final equity is the same in every run (a sum has no order): what differs is the way there.

    Args:
        profits: of the closed trades, money units.
        opening: equity before the first, money units.

    Raises:
        InputError: fewer than `MIN_CLOSED_TRADES` trades, or no run.
    """
    if len(profits) < MIN_CLOSED_TRADES:
        raise InputError(
            f"a shuffle needs {MIN_CLOSED_TRADES} closed trades, there are {len(profits)}"
        )
    sizes = portions(runs, len(profits))

    def shuffled() -> Iterable[Floats]:
        for size in sizes:
            orders = generator.permuted(np.tile(profits, (size, 1)), axis=1)
            curves: Floats = (opening + np.cumsum(orders, axis=1)) / MONEY
            yield curves

    return _bands(shuffled(), opening / MONEY, len(profits), runs)


def day_bootstrap(
    returns: Floats, opening: int, runs: int, generator: np.random.Generator
) -> Bands:
    """Return the bands of `runs` stationary block bootstraps of daily returns, compounded.

    Args:
        opening: equity before the first day, money units.

    Raises:
        InputError: fewer than 20 returns, all the same, or no run.
    """
    start = opening / MONEY

    def drawn() -> Iterable[Floats]:
        for part in resamples(returns, runs, generator):
            curves = np.cumprod(1.0 + part, axis=1, dtype=np.float64)
            curves *= start
            yield curves

    return _bands(drawn(), start, len(returns), runs)


def fan_steps(length: int) -> Ints:
    """Return at most `FAN_POINTS` steps from 0 to `length`, evenly spaced, both ends included."""
    points = min(FAN_POINTS, length + 1)
    return np.unique(np.linspace(0, length, points).round().astype(np.int64))


def _bands(curves: Iterable[Floats], opening: float, length: int, runs: int) -> Bands:
    steps = fan_steps(length)
    finals, depths, shown = [], [], []
    for part in curves:
        # time along the first axis, as `falls` has it
        curve = np.vstack((np.full(len(part), opening), part.T))
        finals.append(curve[-1])
        depths.append(falls(curve).max(axis=0))
        shown.append(curve[steps])
    final = np.concatenate(finals)
    return Bands(
        runs,
        np.quantile(final, QUANTILES),
        np.quantile(np.concatenate(depths), QUANTILES),
        steps,
        np.quantile(np.concatenate(shown, axis=1), QUANTILES, axis=1),
        float((final < opening).mean()),
    )
