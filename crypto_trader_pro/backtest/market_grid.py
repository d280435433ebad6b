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
        whole = _table_of(series[0])
        if whole is not None:
            return Grid(whole, rows)
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


def _table_of(series: CandleSeries) -> Ints | None:
    """Return the table that the columns of a series are of, its rows only; None if there is none.

    A series read from Parquet has one, and a second one of a million rows would be 48 MB.
    """
    columns = (
        series.open_ms, series.open, series.high, series.low, series.close, series.volume,
    )  # fmt: skip
    whole = series.open_ms.base
    if whole is None or whole.shape[1:] != (len(columns),) or not whole.flags.c_contiguous:
        return None
    first, rest = divmod(_address(series.open_ms) - _address(whole), whole.strides[0])
    table: Ints = whole[first : first + len(series)]
    same = not rest and table.dtype == np.int64 and len(table) == len(series)
    same = same and all(
        column.base is whole and _address(column) == _address(mine)
        and column.strides == mine.strides
        for column, mine in zip(columns, table.T, strict=True)
    )  # fmt: skip
    return table if same else None


def _address(array: Ints) -> int:
    return int(array.__array_interface__["data"][0])


def row_ends(decisions: Grid, rows: Grid, decision_ms: int) -> Ints:
    """Return the last row inside each decision candle; every decision candle has one."""
    ends = np.searchsorted(rows.open_ms, decisions.open_ms + decision_ms, "left") - 1
    return ends.astype(np.int64)
