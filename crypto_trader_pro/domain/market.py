"""Candles: one bar as whole numbers, and a whole series as arrays."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Bar(NamedTuple):
    """One closed candle. Prices in price units, volume in lots (rounded down), time in ms UTC."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int


# a Bar of six numbers in a row; half the time of `Bar._make`, and most of what a candle costs
_bar_of: Final[Callable[[Iterable[int]], Bar]] = partial(tuple.__new__, Bar)


def is_possible(bar: Bar) -> bool:
    """True when the four prices can belong to one candle and the volume is not negative."""
    return (
        0 < bar.low <= bar.high
        and bar.low <= bar.open <= bar.high
        and bar.low <= bar.close <= bar.high
        and bar.volume >= 0
    )


@dataclass(frozen=True, slots=True, eq=False)
class CandleSeries:
    """Candles of one symbol and timeframe as parallel int64 arrays of shape (n,), oldest first.

    `open_ms` is strictly increasing and on the timeframe's grid; gaps are allowed and stay visible.

    Raises:
        ValueError: lengths differ, time does not increase, or an open time is off the grid.
    """

    symbol: str
    timeframe_ms: int
    open_ms: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints

    def __post_init__(self) -> None:
        n = len(self.open_ms)
        for name in ("open", "high", "low", "close", "volume"):
            if len(getattr(self, name)) != n:
                raise ValueError(
                    f"{self.symbol}: {name} has {len(getattr(self, name))} rows, expected {n}"
                )
        if n and int((self.open_ms % self.timeframe_ms).max()) != 0:
            raise ValueError(
                f"{self.symbol}: an open time is off the grid of {self.timeframe_ms} ms"
            )
        if n > 1 and int(np.diff(self.open_ms).min()) <= 0:
            raise ValueError(f"{self.symbol}: open times must increase")

    def __len__(self) -> int:
        return len(self.open_ms)

    def bars(self) -> list[Bar]:
        """Return plain Python bars."""
        return list(self.each())

    def each(self) -> Iterator[Bar]:
        """Yield plain Python bars one by one; `.tolist()` because NumPy integers are slow and wrap.

        Nobody holds many of them, so that the garbage collector has nothing to look through.
        """
        columns = (self.open_ms, self.open, self.high, self.low, self.close, self.volume)
        return map(_bar_of, zip(*(c.tolist() for c in columns), strict=True))

    def slice(self, start: int, stop: int) -> "CandleSeries":
        """Return rows [start, stop) as a view."""
        cut = slice(start, stop)
        return CandleSeries(
            self.symbol, self.timeframe_ms, self.open_ms[cut], self.open[cut], self.high[cut],
            self.low[cut], self.close[cut], self.volume[cut],
        )  # fmt: skip

    def between(self, from_ms: int | None, to_ms: int | None) -> "CandleSeries":
        """Return candles that open at or after `from_ms` and close at or before `to_ms`."""
        start = 0 if from_ms is None else int(np.searchsorted(self.open_ms, from_ms, "left"))
        stop = len(self)
        if to_ms is not None:
            stop = int(np.searchsorted(self.open_ms, to_ms - self.timeframe_ms, "right"))
        return self.slice(start, max(start, stop))


def series_of(symbol: str, timeframe_ms: int, bars: Sequence[Bar]) -> CandleSeries:
    """Build a series from bars in time order."""
    table = np.array(bars, dtype=np.int64).reshape(-1, 6)
    return CandleSeries(
        symbol, timeframe_ms, *(np.ascontiguousarray(table[:, k]) for k in range(6))
    )
