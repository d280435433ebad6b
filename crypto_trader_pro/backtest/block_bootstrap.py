"""Resampling of a series that keeps its short memory: the stationary bootstrap of `arch`.

`arch` brings pandas, SciPy and statsmodels and takes seconds to import, so it is loaded only when
something is resampled.

Sources: D. N. Politis and J. P. Romano, "The Stationary Bootstrap", Journal of the American
Statistical Association 89 (1994); the mean block length is that of D. N. Politis and H. White,
"Automatic Block-Length Selection for the Dependent Bootstrap", Econometric Reviews 23 (2004), as
corrected by A. Patton, Politis and White, Econometric Reviews 28 (2009).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats

_CELLS: Final = 2_000_000  # values in memory at once
MIN_RESAMPLED: Final = 20  # the block length's correlations mean nothing below


def can_be_resampled(values: Floats) -> bool:
    """True when there are enough values and they are not all the same."""
    return len(values) >= MIN_RESAMPLED and bool(np.ptp(values) > 0)


def mean_block(values: Floats) -> float:
    """Return the mean length of the blocks that suits the memory of `values`, 1 .. n / 2."""
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415  heavy

    best = float(optimal_block_length(values)["stationary"].iloc[0])
    # no memory at all gives less than one; an estimate from few values can be longer than they are
    return min(max(best, 1.0), len(values) / 2)


def resamples(values: Floats, runs: int, generator: np.random.Generator) -> Iterator[Floats]:
    """Yield `runs` resamples of `values`, some at a time, each of shape (some, n).

    A resample is made of blocks of random length, taken in a circle.

    Raises:
        InputError: fewer than `MIN_RESAMPLED` values, all the same, not finite, or no run.
    """
    if not bool(np.isfinite(values).all()):
        raise InputError("a value to resample is not finite")
    if not can_be_resampled(values):
        raise InputError(
            f"resampling needs {MIN_RESAMPLED} values that differ, there are {len(values)}"
        )
    sizes = portions(runs, len(values))
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415  heavy

    drawn = StationaryBootstrap(max(1, round(mean_block(values))), values, seed=generator)
    for size in sizes:
        yield np.array([positional[0] for positional, _ in drawn.bootstrap(size)])


def portions(runs: int, length: int) -> list[int]:
    """Return how many runs of `length` values to hold in memory at a time; the sum is `runs`.

    Raises:
        InputError: no run.
    """
    if runs < 1:
        raise InputError(f"runs was {runs}, must be at least 1")
    size = max(1, _CELLS // max(1, length))
    return [min(size, runs - done) for done in range(0, runs, size)]
