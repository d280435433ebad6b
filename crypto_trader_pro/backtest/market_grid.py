"""Several series on one grid of instants: what the kernel walks along."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crypto_trader_pro.domain.market import CandleSeries, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Candles of all symbols, row by row.

    Args:
        table: (rows, 1 + 5 * symbols): open time, then open, high, low, close and volume of each
            symbol; a volume of -1 where it has no candle.
        rows: per symbol the rows of its candles, shape (candles of the symbol,).
    """

    table: Ints
    rows: tuple[Ints, ...]

    @property
    def open_ms(self) -> Ints:
        return self.table[:, 0]


def grid_of(series: Sequence[CandleSeries]) -> Grid:
    """Merge series of one timeframe by time."""
    if len(series) == 1:
        open_ms = series[0].open_ms
        rows: tuple[Ints, ...] = (np.arange(len(open_ms)),)
    else:
        open_ms = np.unique(np.concatenate([s.open_ms for s in series]))
        rows = tuple(np.searchsorted(open_ms, s.open_ms) for s in series)
    shape = (len(open_ms), 1 + 5 * len(series))
    table = np.empty(shape, np.int64) if len(series) == 1 else np.full(shape, -1, np.int64)
    table[:, 0] = open_ms
    for i, s in enumerate(series):
        for column, values in enumerate((s.open, s.high, s.low, s.close, s.volume), 1 + 5 * i):
            if len(series) == 1:
                table[:, column] = values
            else:
                table[rows[i], column] = values
    return Grid(table, rows)


def row_ends(decisions: Grid, rows: Grid, decision_ms: int) -> Ints:
    """Return the last row inside each decision candle; every decision candle has one."""
    ends = np.searchsorted(rows.open_ms, decisions.open_ms + decision_ms, "left") - 1
    return ends.astype(np.int64)
