"""The candles that a living model looks at: one table in time, all symbols side by side.

Candles of the model's timeframe are put together from the engine's, in whatever order those come:
a candle exists when all of its parts have come (as `aggregation.aggregate` has it), so that one
that comes late closes the gap it left. What is in the table is never changed.

A checkpoint holds no candles, only what was there and a sum over it: `restore` takes the candles
from where they are stored, and drops a symbol's if they are not those that were seen.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from auto_trading.aggregation import Aggregator
from crypto_trader_pro.domain.errors import InputError
from crypto_trader_pro.domain.market import Bar, CandleSeries, Ints, is_possible

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
_SPARE: Final = 256  # rows that are filled before the table is moved back to its beginning
_UNFINISHED: Final = 16  # candles per symbol that may wait for a part
_HOLES: Final = 64  # missing candles per symbol between those that are kept
_MIX: Final = tuple(  # splitmix64: the golden ratio and its two multipliers
    np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
Bools = NDArray[np.bool_]


class ModelWindow:
    """The latest `length` candles of every symbol, rows on the grid of `timeframe_ms`.

    Args:
        base_ms: length of the engine's candles.

    Raises:
        InputError: `timeframe_ms` is not a whole multiple of `base_ms`.
    """

    def __init__(self, symbols: Sequence[str], base_ms: int, timeframe_ms: int, length: int):
        self.symbols = tuple(symbols)
        self.timeframe_ms = timeframe_ms
        self.length = length
        self._base_ms = base_ms
        Aggregator(base_ms, timeframe_ms)  # refuses lengths that do not fit
        self._needed = timeframe_ms // base_ms
        n = len(self.symbols)
        self._table = np.zeros((length + _SPARE, 5, n), dtype=np.int64)
        self._have = np.zeros((length + _SPARE, n), dtype=np.bool_)
        self._marks = np.zeros((length + _SPARE, n), dtype=np.uint64)  # 0: not computed yet
        self._stop = length  # rows [stop - length, stop) are the window
        self.end_ms = 0  # close of the newest row; 0 before the first
        # symbol -> candle that waits for parts: open time -> mask of parts, then its five numbers
        self._unfinished: list[dict[int, list[int]]] = [{} for _ in self.symbols]

    # --- what comes in ----------------------------------------------------------------------

    def push(self, i: int, bar: Bar) -> Bar | None:
        """Take one candle of the engine; return the model's candle that it completes, if new."""
        open_ms = bar.open_ms - bar.open_ms % self.timeframe_ms
        part = (bar.open_ms - open_ms) // self._base_ms
        if self._needed == 1:
            return bar if self.put(i, bar) else None
        waiting = self._unfinished[i]
        parts = waiting.get(open_ms)
        if parts is None:
            parts = waiting[open_ms] = [0, bar.open, bar.high, bar.low, bar.close, 0]
            if len(waiting) > _UNFINISHED:
                del waiting[min(waiting)]
        if parts[0] >> part & 1:
            return None
        parts[0] |= 1 << part
        parts[2], parts[3] = max(parts[2], bar.high), min(parts[3], bar.low)
        parts[5] += bar.volume
        if part == 0:
            parts[1] = bar.open
        if part == self._needed - 1:
            parts[4] = bar.close
        if parts[0] + 1 != 1 << self._needed:
            return None
        waiting.pop(open_ms, None)
        whole = Bar(open_ms, *parts[1:])
        return whole if self.put(i, whole) else None

    def put(self, i: int, bar: Bar) -> bool:
        """Take one candle of the model's timeframe; False: it is there, too old or impossible."""
        self.advance(bar.open_ms + self.timeframe_ms)
        row = self.row(bar.open_ms + self.timeframe_ms)
        if row is None or self._have[row, i] or not is_possible(bar):
            return False
        self._table[row, :, i] = bar[1:]
        self._have[row, i] = True
        return True

    def fill(self, i: int, series: CandleSeries) -> int:
        """Take candles of symbol `i` that are not there yet; return how many they were.

        Raises:
            InputError: another symbol or timeframe.
        """
        if (series.symbol, series.timeframe_ms) != (self.symbols[i], self.timeframe_ms):
            raise InputError(
                f"candles were of {series.symbol}, {series.timeframe_ms} ms; needed:"
                f" {self.symbols[i]}, {self.timeframe_ms} ms"
            )
        if not len(series):
            return 0
        self.advance(int(series.open_ms[-1]) + self.timeframe_ms)
        columns = np.stack([series.open, series.high, series.low, series.close, series.volume])
        rows = (series.open_ms - self.end_ms) // self.timeframe_ms + self._stop
        open_, high, low, close, volume = columns
        good = (rows >= self._stop - self.length) & (low > 0) & (volume >= 0)
        good &= (low <= open_) & (open_ <= high) & (low <= close) & (close <= high)
        good[good] = ~self._have[rows[good], i]
        self._table[rows[good], :, i] = columns[:, good].T
        self._have[rows[good], i] = True
        return int(good.sum())

    def advance(self, end_ms: int) -> None:
        """Let the window end at the close `end_ms`, if that is later than now."""
        steps = (end_ms - self.end_ms) // self.timeframe_ms if self.end_ms else self.length
        if steps <= 0:
            return
        self.end_ms = end_ms
        kept = max(0, self.length - steps)
        if not kept or self._stop + steps > len(self._have):
            for array in (self._table, self._have, self._marks):
                array[:kept] = array[self._stop - kept : self._stop].copy()
            self._stop = self.length
        else:
            self._stop += steps
        fresh = slice(self._stop - (self.length - kept), self._stop)
        self._have[fresh] = False
        self._marks[fresh] = 0
        self._forget()

    def _forget(self) -> None:
        """Drop what no later candle can make whole: old parts, and all before too many holes."""
        first_ms = self.end_ms - self.length * self.timeframe_ms
        for waiting in self._unfinished:
            for open_ms in [at for at in waiting if at < first_ms]:
                del waiting[open_ms]
        have = self._have[self._stop - self.length : self._stop]
        holes = self.length - have.argmax(axis=0) - have.sum(axis=0)
        for i in np.flatnonzero((holes > _HOLES) & have.any(axis=0)).tolist():
            newest_hole = self.length - 1 - int(np.argmin(have[-2::-1, i])) - 1
            self._have[self._stop - self.length : self._stop - self.length + newest_hole, i] = False
            self._marks[~self._have[:, i], i] = 0

    # --- what is asked ----------------------------------------------------------------------

    def row(self, close_ms: int) -> int | None:
        """Return the row of the candles that close at `close_ms`, None outside the window."""
        row = self._stop - 1 + (close_ms - self.end_ms) // self.timeframe_ms
        return row if self.end_ms and self._stop - self.length <= row < self._stop else None

    def whole(self, row: int, count: int) -> Bools:
        """Return which symbols have all of the `count` candles that end with `row`."""
        first = row + 1 - count
        if first < self._stop - self.length:
            return np.zeros(len(self.symbols), dtype=np.bool_)
        whole: Bools = np.logical_and.reduce(self._have[first : row + 1], axis=0)
        return whole

    def numbers(self, row: int, count: int) -> Ints:
        """Return the `count` candles that end with `row`, (count, 5, symbols); do not change it."""
        return self._table[row + 1 - count : row + 1]

    def bar(self, i: int, close_ms: int) -> Bar | None:
        """Return one candle, None where there is none."""
        row = self.row(close_ms)
        if row is None or not self._have[row, i]:
            return None
        return Bar(close_ms - self.timeframe_ms, *self._table[row, :, i].tolist())

    # --- checkpoint -------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        seen, first_ms = self._seen(), self.end_ms - self.length * self.timeframe_ms
        have = self._have[self._stop - self.length : self._stop]
        first = have.argmax(axis=0)
        holes = self.length - first - have.sum(axis=0)
        return {
            "end_ms": self.end_ms,
            # per symbol: sum over its candles, the oldest one's row, rows that lack one
            "seen": [
                [f"{mark:x}", start, _missing(have[:, i], start) if gaps else []]
                for i, (mark, start, gaps) in enumerate(
                    zip(seen.tolist(), first.tolist(), holes.tolist(), strict=True)
                )
            ],
            "first_ms": first_ms,
            "unfinished": [
                [i, open_ms, *parts]
                for i, waiting in enumerate(self._unfinished)
                for open_ms, parts in waiting.items()
            ],
        }  # fmt: skip

    def restore(
        self, state: Mapping[str, Any], reload: Callable[[int, int], Sequence[CandleSeries]]
    ) -> list[str]:
        """Go on from a `state`; return the symbols whose stored candles are not those seen.

        Args:
            reload: returns the stored candles of every symbol that open in [from, to).
        """
        self._unfinished = [{} for _ in self.symbols]
        for i, open_ms, *parts in state["unfinished"]:
            self._unfinished[i][open_ms] = parts
        self._have[:] = False
        self._marks[:] = 0
        self._stop = self.length
        self.end_ms = state["end_ms"]
        if not self.end_ms:
            return []
        first_ms = state["first_ms"]
        known = np.zeros((self.length, len(self.symbols)), dtype=np.bool_)
        for i, series in enumerate(reload(first_ms, self.end_ms)):
            mark, start, missing = state["seen"][i]
            known[start:, i] = mark != "0"
            known[missing, i] = False
            rows = (series.open_ms - first_ms) // self.timeframe_ms
            self.fill(i, _selected(series, known[rows, i]))
        lost = []
        for i, mark in enumerate(self._seen().tolist()):
            if f"{mark:x}" != state["seen"][i][0]:
                lost.append(self.symbols[i])
                self._have[:, i] = False
                self._marks[:, i] = 0
        return lost

    def _seen(self) -> NDArray[np.uint64]:
        """Return a sum over the candles of each symbol: other candles, another sum."""
        window = slice(self._stop - self.length, self._stop)
        new = np.flatnonzero((self._have[window] & (self._marks[window] == 0)).any(axis=1))
        if len(new):
            rows = new + self._stop - self.length
            open_ms = self.end_ms + (rows - self._stop) * self.timeframe_ms
            found = marks_of(open_ms, self._table[rows])
            self._marks[rows] = np.where(self._have[rows], found, 0)
        total: NDArray[np.uint64] = self._marks[window].sum(axis=0, dtype=np.uint64)
        return total


def marks_of(open_ms: Ints, numbers: Ints) -> NDArray[np.uint64]:
    """Return a number for each candle that hardly another one has; never 0.

    Args:
        open_ms: shape (n,).
        numbers: open, high, low, close and volume, shape (n, 5, k).
    """
    mark = _mixed(np.broadcast_to(open_ms.astype(np.uint64)[:, None], numbers[:, 0].shape))
    for column in range(5):
        mark = _mixed(mark ^ numbers[:, column].astype(np.uint64))
    return np.maximum(mark, np.uint64(1))


def fingerprint(series: CandleSeries) -> str:
    """Return the sum that `ModelWindow.state` holds for a symbol with just these candles."""
    columns = np.stack([series.open, series.high, series.low, series.close, series.volume], axis=1)
    marks = marks_of(series.open_ms, columns[:, :, None])
    return f"{int(marks.sum(dtype=np.uint64)):x}"


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # Source: G. Steele, D. Lea, C. Flood, Fast splittable pseudorandom number generators, 2014
    golden, first, second = _MIX
    x = x + golden
    x = (x ^ (x >> np.uint64(30))) * first
    x = (x ^ (x >> np.uint64(27))) * second
    return x ^ (x >> np.uint64(31))


def _missing(have: Bools, start: int) -> list[int]:
    rows: list[int] = (np.flatnonzero(~have[start:]) + start).tolist()
    return rows


def _selected(series: CandleSeries, rows: Bools) -> CandleSeries:
    columns = (series.open_ms, series.open, series.high, series.low, series.close, series.volume)
    return CandleSeries(series.symbol, series.timeframe_ms, *(c[rows] for c in columns))
