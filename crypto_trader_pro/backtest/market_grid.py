"""Several series on one grid of instants: what the kernel walks along."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from crypto_trader_pro.domain.market import CandleSeries, Ints

_Int = TypeVar("_Int", np.int8, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Candles of all symbols, row by row.

    Args:
        open_ms: (rows,) every instant at which any symbol has a candle.
        open, high, low, close, volume: (rows, symbols); a volume of -1 where there is no candle.
        rows: per symbol the rows of its candles, shape (candles of the symbol,).
    """

    open_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    rows: tuple[Ints, ...]


def grid_of(series: Sequence[CandleSeries]) -> Grid:
    """Merge series of one timeframe by time; one symbol alone is not copied."""
    if len(series) == 1:
        open_ms = np.ascontiguousarray(series[0].open_ms)
        rows: tuple[Ints, ...] = (np.arange(len(open_ms)),)
    else:
        open_ms = np.unique(np.concatenate([s.open_ms for s in series]))
        rows = tuple(np.searchsorted(open_ms, s.open_ms) for s in series)
    n = len(open_ms)
    return Grid(
        open_ms,
        _table([s.open for s in series], rows, n, -1),
        _table([s.high for s in series], rows, n, -1),
        _table([s.low for s in series], rows, n, -1),
        _table([s.close for s in series], rows, n, -1),
        _table([s.volume for s in series], rows, n, -1),
        rows,
    )


def on_grid(grid: Grid, values: Sequence[NDArray[_Int]]) -> NDArray[_Int]:
    """Return per-symbol values on the grid, shape (rows, symbols); 0 where there is none."""
    return _table(values, grid.rows, len(grid.open_ms), 0)


def _table(
    values: Sequence[NDArray[_Int]], rows: Sequence[Ints], n: int, absent: int
) -> NDArray[_Int]:
    if len(values) == 1:
        return np.ascontiguousarray(values[0]).reshape(-1, 1)
    table = np.full((n, len(values)), absent, values[0].dtype)
    for i, column in enumerate(values):
        table[rows[i], i] = column
    return table


def row_ends(decisions: Grid, rows: Grid, decision_ms: int) -> Ints:
    """Return the last row inside each decision candle; every decision candle has one."""
    ends = np.searchsorted(rows.open_ms, decisions.open_ms + decision_ms, "left") - 1
    return ends.astype(np.int64)
