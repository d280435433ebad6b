"""The probability of backtest overfitting, by combinatorially symmetric cross-validation (CSCV).

The time is cut into S blocks. For every way to choose half of them, the strategy that was best
there is looked up in the other half. If choosing the best were worth anything, it would be above
the median there; how often it is not is the probability.

Source: D. H. Bailey, J. M. Borwein, M. Lopez de Prado and Q. J. Zhu, "The Probability of Backtest
Overfitting", Journal of Computational Finance 20 (2016).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Floats

MOST_BLOCKS: Final = 20  # 184,756 combinations
_CELLS: Final = 2_000_000  # combinations times strategies that are in memory at once
_NO_SPREAD: Final = 1e-12  # of the mean square: a variance below it is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Overfitting:
    """What choosing the best of several strategies was worth. Sharpe ratios are per return.

    Args:
        probability: that the chosen one is at or below the median of all out of sample (PBO).
        probability_of_loss: that the chosen one has a negative Sharpe ratio out of sample.
        logits: ln(w / (1 - w)) of its relative rank w out of sample, per combination.
        in_sample, out_of_sample: its Sharpe ratios in the two halves, per combination.
        slope, intercept: of out of sample on in sample by least squares: performance degradation;
            None where every in-sample ratio is the same.
        strategies: columns that were compared.
        returns: rows that were used.
    """

    probability: float
    probability_of_loss: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    slope: float | None
    intercept: float | None
    strategies: int
    returns: int
    blocks: int


def overfitting_probability(returns: Floats, blocks: int = 16) -> Overfitting:
    """Return what choosing by Sharpe ratio among the columns of `returns` is worth.

    Where the rows do not divide into equal blocks, the oldest few are left out. A strategy without
    deviation in a half (it did not trade) has the ratio 0 there; of equal ones the first is chosen
    and they share the mean of their ranks.

    Args:
        returns: one row per day, one column per strategy that was tried.
        blocks: even, 2..20; 16 gives 12,870 combinations.

    Raises:
        InputError: fewer than 2 columns, fewer than 2 rows a block, an impossible number of
            blocks, or a value that is not finite.
    """
    _check(returns, blocks)
    length = len(returns) // blocks
    used = returns[len(returns) - length * blocks :]
    halves = _Halves(used, blocks)
    chosen = [halves.chosen(part) for part in _parts(blocks, used.shape[1])]
    inside, outside, rank = (np.concatenate(columns) for columns in zip(*chosen, strict=True))
    relative = rank / (used.shape[1] + 1.0)
    logits = np.log(relative / (1.0 - relative))
    slope, intercept = _line(inside, outside)
    return Overfitting(
        float((logits <= 0).mean()), float((outside < 0).mean()), logits, inside, outside,
        slope, intercept, used.shape[1], len(used), blocks,
    )  # fmt: skip


def _check(returns: Floats, blocks: int) -> None:
    if blocks % 2 or not 2 <= blocks <= MOST_BLOCKS:
        raise InputError(f"blocks was {blocks}, must be even and 2..{MOST_BLOCKS}")
    if returns.ndim != 2 or returns.shape[1] < 2:
        raise InputError(
            f"overfitting needs 2 strategies to compare, the shape was {returns.shape}"
        )
    if len(returns) < 2 * blocks:
        raise InputError(
            f"{blocks} blocks need at least {2 * blocks} returns, there are {len(returns)}"
        )
    if not bool(np.isfinite(returns).all()):
        raise InputError("a return is not finite")


def _parts(blocks: int, strategies: int) -> Iterator[NDArray[np.float64]]:
    """Yield which blocks are in sample, 1 or 0, shape (some combinations, blocks)."""
    size = max(1, _CELLS // strategies)
    every = np.array(list(combinations(range(blocks), blocks // 2)), dtype=np.int64)
    for start in range(0, comb(blocks, blocks // 2), size):
        rows = every[start : start + size]
        part = np.zeros((len(rows), blocks))
        np.put_along_axis(part, rows, 1.0, axis=1)
        yield part


class _Halves:
    """Sharpe ratios of every strategy in any half of the blocks, from sums by block."""

    def __init__(self, returns: Floats, blocks: int) -> None:
        self._rows = len(returns) // 2
        self._mean = returns.mean(axis=0)
        # around the mean of all, so that the variance is no difference of two large numbers
        cut = (returns - self._mean).reshape(blocks, -1, returns.shape[1])
        self._sums = cut.sum(axis=1)
        self._squares = np.square(cut).sum(axis=1)
        self._least = _NO_SPREAD * np.square(returns).mean(axis=0)

    def _ratios(self, part: NDArray[np.float64]) -> Floats:
        sums = part @ self._sums
        variance = (part @ self._squares - np.square(sums) / self._rows) / (self._rows - 1)
        spread = variance > self._least
        mean = self._mean + sums / self._rows
        result: Floats = np.where(spread, mean / np.sqrt(np.where(spread, variance, 1.0)), 0.0)
        return result

    def chosen(self, part: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
        """Return the best ratio in sample, that strategy's ratio and rank (1..N) out of it."""
        inside, outside = self._ratios(part), self._ratios(1.0 - part)
        best = inside.argmax(axis=1)[:, None]
        found = np.take_along_axis(outside, best, axis=1)
        rank = (outside < found).sum(axis=1) + ((outside == found).sum(axis=1) + 1) / 2
        return np.take_along_axis(inside, best, axis=1)[:, 0], found[:, 0], rank


def _line(x: Floats, y: Floats) -> tuple[float | None, float | None]:
    away = x - x.mean()
    spread = float(away @ away)
    if spread <= _NO_SPREAD * float(x @ x):
        return None, None
    slope = float(away @ (y - y.mean())) / spread
    return slope, float(y.mean() - slope * x.mean())
